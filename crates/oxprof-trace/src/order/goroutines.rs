//! Events that change the state of goroutines.

use super::state::{Bound, GoStatus, ProcStatus, Seq};
use super::{Attempt, Context, Order, Outcome, Verdict};
use crate::error::Rule;
use crate::wire::EventType;
use crate::{
    GoId, GoState, GoTransition, Kind, ProcState, ProcTransition, Slot, Stack, Str, ThreadId,
};

/// A transition without reason and stack.
fn transition(id: GoId, slot: Slot, from: GoState, to: GoState) -> Kind {
    Kind::Go(GoTransition { id, slot, from, to, reason: Str::NONE, stack: None })
}

/// A stack, unless it is the empty one.
fn present(stack: Stack) -> Option<Stack> {
    (!stack.is_none()).then_some(stack)
}

impl Order {
    pub(super) fn go_status(&mut self, at: Attempt<'_>) -> Outcome {
        let id = GoId(at.arg(0) as i64);
        let Some(status) = GoStatus::from_number(at.arg(2)) else {
            return Err(at.state("goroutine", id.0, format!("status {} is unknown", at.arg(2))));
        };
        let (slot, from) = self.introduce(&at, id, status)?;
        let go = Bound { id, hint: slot.0 };
        let context = match status {
            GoStatus::Running => {
                self.bind_go(&at, go);
                at.context
            }
            GoStatus::Syscall => self.bind_syscall(&at, go)?,
            GoStatus::Runnable | GoStatus::Waiting => at.context,
        };
        let with_stack = at.raw.event == EventType::GoStatusStack;
        let stack = if with_stack { self.stack(&at, at.arg(3)) } else { Stack::NONE };
        let kind = GoTransition {
            id,
            slot,
            from,
            to: status.state(),
            reason: Str::NONE,
            stack: present(stack),
        };
        self.emit_in(&at, context, stack, Kind::Go(kind))
    }

    /// Notes that a goroutine is in a state; returns what was known before.
    fn introduce(
        &mut self,
        at: &Attempt<'_>,
        id: GoId,
        status: GoStatus,
    ) -> Result<(Slot, GoState), Rule> {
        if let Some(slot) = self.slot_of(id) {
            let go = &mut self.goroutines[slot.index()];
            if go.status != status {
                let problem = format!("which is {}, the status says {status}", go.status);
                return Err(at.state("goroutine", id.0, problem));
            }
            go.seq = Seq::start(at.generation);
            return Ok((slot, status.state()));
        }
        if at.generation != self.first_generation {
            let problem = format!("which is new, {status}, after the first generation");
            return Err(at.state("goroutine", id.0, problem));
        }
        Ok((self.add_goroutine(id, status, at.generation), GoState::Undetermined))
    }

    /// Binds a goroutine that is in a system call to its thread; returns the context it is in.
    fn bind_syscall(&mut self, at: &Attempt<'_>, go: Bound<GoId>) -> Result<Context, Rule> {
        let thread = ThreadId(at.arg(1) as i64);
        let mut context = at.context;
        let wrong = |bound: GoId| {
            at.state(
                "goroutine",
                go.id.0,
                format!("in a system call of thread {thread}, which has goroutine {bound}"),
            )
        };
        if thread.is_none() {
            return Err(at.state("goroutine", go.id.0, "in a system call without a thread"));
        }
        if thread == at.context.thread {
            if at.generation != self.first_generation && context.go.id != go.id {
                return Err(wrong(context.go.id));
            }
            self.bind_go(at, go);
            return Ok(context);
        }
        // A thread that spends the whole generation in the call has no events of its own.
        let i = self.thread(thread).unwrap_or_default();
        let named = &mut self.threads[i as usize];
        if !named.seen {
            named.seen = true;
            named.go = go;
        } else if named.go.id != go.id {
            return Err(wrong(named.go.id));
        } else {
            context.go = named.go;
        }
        context.thread = thread;
        Ok(context)
    }

    pub(super) fn go_create(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        if let Some(creator) = self.slot(at.context.go) {
            self.expect_status(&at, creator, GoStatus::Running)?;
        }
        let status = match at.raw.event {
            EventType::GoCreateBlocked => GoStatus::Waiting,
            _ => GoStatus::Runnable,
        };
        let (id, slot) = self.create(&at, status)?;
        let start = self.stack(&at, at.arg(1));
        let stack = self.stack(&at, at.arg(2));
        let kind = GoTransition {
            id,
            slot,
            from: GoState::NotExist,
            to: status.state(),
            reason: Str::NONE,
            stack: Some(start),
        };
        self.emit(&at, stack, Kind::Go(kind))
    }

    fn create(&mut self, at: &Attempt<'_>, status: GoStatus) -> Result<(GoId, Slot), Rule> {
        let id = GoId(at.arg(0) as i64);
        if self.slot_of(id).is_some() {
            return Err(at.state("goroutine", id.0, "which exists already"));
        }
        Ok((id, self.add_goroutine(id, status, at.generation)))
    }

    pub(super) fn go_create_syscall(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_thread()?;
        at.needs_no_goroutine()?;
        let (id, slot) = self.create(&at, GoStatus::Syscall)?;
        self.bind_go(&at, Bound { id, hint: slot.0 });
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::NotExist, GoState::Syscall))
    }

    fn expect_status(&self, at: &Attempt<'_>, slot: Slot, status: GoStatus) -> Result<(), Rule> {
        let go = &self.goroutines[slot.index()];
        if go.status == status {
            return Ok(());
        }
        Err(at.state(
            "goroutine",
            go.id.0,
            format!("which is {} and should be {status}", go.status),
        ))
    }

    /// The goroutine that the event happens in, which has to be running.
    fn running(&self, at: &Attempt<'_>) -> Result<Slot, Rule> {
        let slot = self.current_in_user_code(at)?;
        self.expect_status(at, slot, GoStatus::Running)?;
        Ok(slot)
    }

    pub(super) fn go_stop(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.running(&at)?;
        let id = at.context.go.id;
        self.bind_go(&at, Bound::NO_GO);
        let to = match at.raw.event {
            EventType::GoDestroy => {
                self.remove_goroutine(slot);
                let kind = transition(id, slot, GoState::Running, GoState::NotExist);
                return self.emit(&at, Stack::NONE, kind);
            }
            EventType::GoStop => GoStatus::Runnable,
            _ => GoStatus::Waiting,
        };
        self.goroutines[slot.index()].status = to;
        let reason = self.string(&at, at.arg(0));
        let stack = self.stack(&at, at.arg(1));
        let (from, to) = (GoState::Running, to.state());
        let kind = GoTransition { id, slot, from, to, reason, stack: present(stack) };
        self.emit(&at, stack, Kind::Go(kind))
    }

    /// The goroutine that an event names, when it is in the state and at the number that it needs.
    fn named(&self, at: &Attempt<'_>, status: GoStatus) -> Option<Slot> {
        let slot = self.slot_of(GoId(at.arg(0) as i64))?;
        let go = &self.goroutines[slot.index()];
        (go.status == status && at.seq(1).follows(go.seq)).then_some(slot)
    }

    pub(super) fn go_start(&mut self, at: Attempt<'_>) -> Outcome {
        let Some(slot) = self.named(&at, GoStatus::Runnable) else { return Ok(Verdict::NotYet) };
        at.needs_proc()?;
        at.needs_no_goroutine()?;
        let id = self.hand_over(&at, slot, GoStatus::Running);
        self.bind_go(&at, Bound { id, hint: slot.0 });
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::Runnable, GoState::Running))
    }

    fn hand_over(&mut self, at: &Attempt<'_>, slot: Slot, status: GoStatus) -> GoId {
        let go = &mut self.goroutines[slot.index()];
        go.status = status;
        go.seq = at.seq(1);
        go.id
    }

    /// Anything may unblock a goroutine, so the context does not matter.
    pub(super) fn go_unblock(&mut self, at: Attempt<'_>) -> Outcome {
        let Some(slot) = self.named(&at, GoStatus::Waiting) else { return Ok(Verdict::NotYet) };
        let id = self.hand_over(&at, slot, GoStatus::Runnable);
        let stack = self.stack(&at, at.arg(2));
        self.emit(&at, stack, transition(id, slot, GoState::Waiting, GoState::Runnable))
    }

    /// A coroutine switch is three events in one: the next goroutine is unblocked, the current one
    /// blocks or ends, the next one starts.
    pub(super) fn go_switch(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.running(&at)?;
        let Some(next_slot) = self.named(&at, GoStatus::Waiting) else {
            return Ok(Verdict::NotYet);
        };
        let (id, next) = (at.context.go.id, GoId(at.arg(0) as i64));
        self.emit(
            &at,
            Stack::NONE,
            transition(next, next_slot, GoState::Waiting, GoState::Runnable),
        )?;
        let to = if at.raw.event == EventType::GoSwitch {
            self.goroutines[slot.index()].status = GoStatus::Waiting;
            GoState::Waiting
        } else {
            self.remove_goroutine(slot);
            GoState::NotExist
        };
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::Running, to))?;
        self.hand_over(&at, next_slot, GoStatus::Running);
        self.bind_go(&at, Bound { id: next, hint: next_slot.0 });
        let context = Context { go: Bound::NO_GO, ..at.context };
        let kind = transition(next, next_slot, GoState::Runnable, GoState::Running);
        self.emit_in(&at, context, Stack::NONE, kind)
    }

    pub(super) fn syscall_begin(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.running(&at)?;
        let i = self.current_proc(&at)?;
        let proc = &mut self.procs[i as usize];
        // The number tells which system call a later theft means; the thread has the processor, so
        // waiting for another number would be in vain.
        if !at.seq(0).follows(proc.seq) {
            let problem =
                format!("whose number is {}, the event has {}", proc.seq.number, at.arg(0));
            return Err(at.state("processor", proc.id.0, problem));
        }
        proc.status = ProcStatus::Syscall;
        proc.seq = at.seq(0);
        let go = &mut self.goroutines[slot.index()];
        go.status = GoStatus::Syscall;
        let id = go.id;
        let stack = self.stack(&at, at.arg(1));
        let (from, to) = (GoState::Running, GoState::Syscall);
        let kind = GoTransition { id, slot, from, to, reason: Str::NONE, stack: present(stack) };
        self.emit(&at, stack, Kind::Go(kind))
    }

    pub(super) fn syscall_end(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.current_in_user_code(&at)?;
        self.expect_status(&at, slot, GoStatus::Syscall)?;
        let i = self.current_proc(&at)?;
        let proc = &mut self.procs[i as usize];
        if proc.status != ProcStatus::Syscall {
            let problem = format!("which is {} and should be in a system call", proc.status);
            return Err(at.state("processor", proc.id.0, problem));
        }
        proc.status = ProcStatus::Running;
        self.goroutines[slot.index()].status = GoStatus::Running;
        let id = at.context.go.id;
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::Syscall, GoState::Running))
    }

    /// The end of a call that cost the thread its processor. As long as the processor is still in the
    /// call, its loss has yet to happen.
    pub(super) fn syscall_end_blocked(&mut self, at: Attempt<'_>) -> Outcome {
        if !at.context.proc.id.is_none() {
            let i = self.current_proc(&at)?;
            if self.procs[i as usize].status == ProcStatus::Syscall {
                return Ok(Verdict::NotYet);
            }
        }
        at.needs_thread()?;
        at.needs_goroutine()?;
        let slot = self.current(&at)?;
        self.expect_status(&at, slot, GoStatus::Syscall)?;
        self.goroutines[slot.index()].status = GoStatus::Runnable;
        self.bind_go(&at, Bound::NO_GO);
        let id = at.context.go.id;
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::Syscall, GoState::Runnable))
    }

    /// A goroutine made for a call from C ends. Its thread may be used for something else at once, so it
    /// gives up its processor too.
    pub(super) fn go_destroy_syscall(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_thread()?;
        at.needs_goroutine()?;
        let slot = self.current(&at)?;
        self.expect_status(&at, slot, GoStatus::Syscall)?;
        let proc = at.context.proc.id;
        if !proc.is_none() {
            let i = self.current_proc(&at)?;
            if self.procs[i as usize].status != ProcStatus::Syscall {
                let problem = format!(
                    "which is {} and should be in a system call",
                    self.procs[i as usize].status
                );
                return Err(at.state("processor", proc.0, problem));
            }
            self.procs[i as usize].status = ProcStatus::Abandoned;
            self.bind_proc(&at, Bound::NO_PROC);
            let kind = ProcTransition { id: proc, from: ProcState::Running, to: ProcState::Idle };
            self.emit(&at, Stack::NONE, Kind::Proc(kind))?;
        }
        self.remove_goroutine(slot);
        self.bind_go(&at, Bound::NO_GO);
        let id = at.context.go.id;
        self.emit(&at, Stack::NONE, transition(id, slot, GoState::Syscall, GoState::NotExist))
    }
}
