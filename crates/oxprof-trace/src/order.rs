//! Which event may happen next: a model of threads, processors and goroutines.
//!
//! The events of one thread are in order. Between threads, clocks are not to be trusted, so the format
//! numbers the events that hand over goroutines and processors. An event is taken only when the model
//! allows it; when it does not yet, another thread has to go first ([`Verdict::NotYet`]). An event that
//! no other thread's event can make possible breaks a rule.
//!
//! Invariants:
//! 1. A thread's bindings ([`Bound`]) may outlive what they name; ids decide, slots are only a hint.
//! 2. Processors are never forgotten; a goroutine's slot is free again as soon as it ends.
//! 3. An event is queued if and only if the verdict is [`Verdict::Taken`].

mod gc;
mod goroutines;
mod index;
mod procs;
mod state;
mod user;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use self::index::GoIndex;
use self::state::{Bound, GoStatus, Goroutine, Proc, Seq, Thread};
use crate::error::Rule;
use crate::tables::Tables;
use crate::wire::{EventType, MAX_ARGS};
use crate::{Event, GoId, Kind, ProcId, Slot, Stack, Str, TaskId, ThreadId};

/// An event as its thread wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEvent {
    pub(crate) event: EventType,
    pub(crate) time: i64,
    pub(crate) args: [u64; MAX_ARGS],
}

/// Whether an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did, and is queued.
    Taken,
    /// It may later.
    NotYet,
}

type Outcome = Result<Verdict, Rule>;

/// What is known about the traced program at a point of the trace.
#[derive(Debug, Default)]
pub(crate) struct Order {
    threads: Vec<Thread>,
    thread_index: FxHashMap<ThreadId, u32>,
    procs: Vec<Proc>,
    proc_index: FxHashMap<ProcId, u32>,
    /// By slot.
    goroutines: Vec<Goroutine>,
    goroutine_index: GoIndex,
    free_slots: Vec<Slot>,
    tasks: FxHashMap<TaskId, ActiveTask>,
    gc: Gc,
    /// The first generation, where things may be introduced in any state.
    first_generation: u64,
    queue: VecDeque<Event>,
    /// The first reference to a missing string or stack, if those are to be survived.
    dangling: Option<Rule>,
}

/// A task that has begun.
#[derive(Debug)]
struct ActiveTask {
    name: Box<str>,
    parent: TaskId,
}

/// The garbage collector's mark phase.
#[derive(Debug, Default)]
struct Gc {
    seq: u64,
    /// `None` until the first event about it.
    running: Option<bool>,
}

/// What a thread holds when an event happens on it.
#[derive(Clone, Copy, Debug)]
struct Context {
    thread: ThreadId,
    proc: Bound<ProcId>,
    go: Bound<GoId>,
}

/// One attempt to let an event happen.
#[derive(Debug)]
struct Attempt<'a> {
    raw: &'a RawEvent,
    tables: &'a mut Tables,
    generation: u64,
    /// Position of the thread in `Order::threads`; `None` for the pseudo thread.
    thread: Option<u32>,
    context: Context,
}

impl Order {
    /// Position of a thread, for [`advance`](Self::advance).
    pub(crate) fn thread(&mut self, id: ThreadId) -> Option<u32> {
        if id.is_none() {
            return None;
        }
        let threads = &mut self.threads;
        Some(*self.thread_index.entry(id).or_insert_with(|| {
            threads.push(Thread::new(id));
            threads.len() as u32 - 1
        }))
    }

    /// Lets an event of a thread happen if it can. On [`Verdict::Taken`], events are queued.
    pub(crate) fn advance(
        &mut self,
        raw: &RawEvent,
        tables: &mut Tables,
        thread: Option<u32>,
        generation: u64,
    ) -> Outcome {
        if self.first_generation == 0 {
            self.first_generation = generation;
        }
        let context = match thread {
            None => Context { thread: ThreadId::NONE, proc: Bound::NO_PROC, go: Bound::NO_GO },
            Some(i) => {
                let thread = &mut self.threads[i as usize];
                thread.seen = true;
                let (id, proc, go) = (thread.id, thread.proc, thread.go);
                let hint = self.slot(go).unwrap_or(Slot::NONE).0;
                Context { thread: id, proc, go: Bound { id: go.id, hint } }
            }
        };
        self.dispatch(Attempt { raw, tables, generation, thread, context })
    }

    fn dispatch(&mut self, at: Attempt<'_>) -> Outcome {
        use EventType as E;
        match at.raw.event {
            E::ProcsChange | E::HeapAlloc | E::HeapGoal => self.metric(at),
            E::ProcStart => self.proc_start(at),
            E::ProcStop => self.proc_stop(at),
            E::ProcSteal => self.proc_steal(at),
            E::ProcStatus => self.proc_status(at),
            E::GoCreate | E::GoCreateBlocked => self.go_create(at),
            E::GoCreateSyscall => self.go_create_syscall(at),
            E::GoStart => self.go_start(at),
            E::GoDestroy | E::GoStop | E::GoBlock => self.go_stop(at),
            E::GoDestroySyscall => self.go_destroy_syscall(at),
            E::GoUnblock => self.go_unblock(at),
            E::GoSwitch | E::GoSwitchDestroy => self.go_switch(at),
            E::GoSyscallBegin => self.syscall_begin(at),
            E::GoSyscallEnd => self.syscall_end(at),
            E::GoSyscallEndBlocked => self.syscall_end_blocked(at),
            E::GoStatus | E::GoStatusStack => self.go_status(at),
            E::STWBegin | E::GCMarkAssistBegin => self.go_range_begin(at),
            E::STWEnd | E::GCMarkAssistEnd => self.go_range_end(at),
            E::GCMarkAssistActive => self.mark_assist_active(at),
            E::GCActive => self.gc_active(at),
            E::GCBegin => self.gc_begin(at),
            E::GCEnd => self.gc_end(at),
            E::GCSweepActive => self.sweep_active(at),
            E::GCSweepBegin => self.sweep_begin(at),
            E::GCSweepEnd => self.sweep_end(at),
            E::GoLabel => self.label(at),
            E::UserTaskBegin => self.task_begin(at),
            E::UserTaskEnd => self.task_end(at),
            E::UserRegionBegin => self.region_begin(at),
            E::UserRegionEnd => self.region_end(at),
            E::UserLog => self.log(at),
            _ => self.experimental(at),
        }
    }

    /// The next event that has happened.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Forgets the events that have happened and were not taken.
    pub(crate) fn drop_queue(&mut self) {
        self.queue.clear();
    }

    /// Forgets everything, as at the beginning of a trace.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The first reference to a missing string or stack since the last call.
    pub(crate) fn take_dangling(&mut self) -> Option<Rule> {
        self.dangling.take()
    }

    /// What keeps an event from happening, in words.
    pub(crate) fn explain(&self, raw: &RawEvent, thread: Option<u32>) -> String {
        use EventType as E;
        match raw.event {
            E::GoStart | E::GoUnblock | E::GoSwitch | E::GoSwitchDestroy => {
                let go = self.goroutine_index.get(GoId(raw.args[0] as i64));
                let state = go.map_or("it does not exist".to_owned(), |slot| {
                    let go = &self.goroutines[slot.index()];
                    format!("it is {} with number {}", go.status, go.seq.number)
                });
                format!("number {} of goroutine {} ({state})", raw.args[1], raw.args[0] as i64)
            }
            E::ProcStart | E::ProcSteal => {
                let proc = self.proc_index.get(&ProcId(raw.args[0] as i64));
                let state = proc.map_or("it does not exist".to_owned(), |&i| {
                    let proc = &self.procs[i as usize];
                    format!("it is {} with number {}", proc.status, proc.seq.number)
                });
                format!("number {} of processor {} ({state})", raw.args[1], raw.args[0] as i64)
            }
            E::GoSyscallEndBlocked => {
                let proc = thread.map_or(ProcId::NONE, |i| self.threads[i as usize].proc.id);
                format!("processor {proc} to leave its thread")
            }
            _ => format!("number {} of the garbage collector (at {})", raw.args[0], self.gc.seq),
        }
    }

    // Lookups.

    #[inline]
    fn slot(&self, go: Bound<GoId>) -> Option<Slot> {
        if go.id.is_none() {
            return None;
        }
        match self.goroutines.get(go.hint as usize) {
            Some(found) if found.id == go.id => Some(Slot(go.hint)),
            _ => self.goroutine_index.get(go.id),
        }
    }

    fn slot_of(&self, id: GoId) -> Option<Slot> {
        self.goroutine_index.get(id)
    }

    fn proc_of(&self, id: ProcId) -> Option<u32> {
        self.proc_index.get(&id).copied()
    }

    /// The state of the goroutine that runs the event.
    fn current(&self, at: &Attempt<'_>) -> Result<Slot, Rule> {
        self.slot(at.context.go)
            .ok_or_else(|| at.state("goroutine", at.context.go.id.0, "which does not exist"))
    }

    /// Like [`current`](Self::current), for events that happen in user code only.
    fn current_in_user_code(&self, at: &Attempt<'_>) -> Result<Slot, Rule> {
        at.needs_proc()?;
        at.needs_goroutine()?;
        self.current(at)
    }

    /// The position of the processor that the event happens on, which the model must know.
    fn current_proc(&self, at: &Attempt<'_>) -> Result<u32, Rule> {
        let proc = at.context.proc;
        match self.procs.get(proc.hint as usize) {
            Some(found) if found.id == proc.id => Ok(proc.hint),
            _ => Err(at.state("processor", proc.id.0, "which does not exist")),
        }
    }

    // Changes.

    fn add_goroutine(&mut self, id: GoId, status: GoStatus, generation: u64) -> Slot {
        let go = Goroutine::new(id, status, Seq::start(generation));
        let slot = match self.free_slots.pop() {
            Some(slot) => {
                self.goroutines[slot.index()] = go;
                slot
            }
            None => {
                self.goroutines.push(go);
                Slot(self.goroutines.len() as u32 - 1)
            }
        };
        self.goroutine_index.insert(id, slot);
        slot
    }

    fn remove_goroutine(&mut self, slot: Slot) {
        let go = &mut self.goroutines[slot.index()];
        self.goroutine_index.remove(go.id);
        go.end();
        self.free_slots.push(slot);
    }

    fn bind_go(&mut self, at: &Attempt<'_>, go: Bound<GoId>) {
        if let Some(thread) = at.thread {
            self.threads[thread as usize].go = go;
        }
    }

    fn bind_proc(&mut self, at: &Attempt<'_>, proc: Bound<ProcId>) {
        if let Some(thread) = at.thread {
            self.threads[thread as usize].proc = proc;
        }
    }

    /// Queues the event as something that happened in the thread's context.
    fn emit(&mut self, at: &Attempt<'_>, stack: Stack, kind: Kind) -> Outcome {
        self.emit_in(at, at.context, stack, kind)
    }

    fn emit_in(&mut self, at: &Attempt<'_>, context: Context, stack: Stack, kind: Kind) -> Outcome {
        self.queue.push_back(Event {
            time: at.raw.time,
            thread: context.thread,
            proc: context.proc.id,
            goroutine: context.go.id,
            slot: Slot(context.go.hint),
            stack,
            kind,
        });
        Ok(Verdict::Taken)
    }

    /// The string with this id. One that is missing reads as empty, and is remembered.
    #[inline]
    fn string(&mut self, at: &Attempt<'_>, id: u64) -> Str {
        at.tables.string_by_id(id).unwrap_or_else(|| self.missing(at, "string", id, Str::NONE))
    }

    /// The stack with this id. One that is missing reads as empty, and is remembered.
    #[inline]
    fn stack(&mut self, at: &Attempt<'_>, id: u64) -> Stack {
        at.tables.stack_by_id(id).unwrap_or_else(|| self.missing(at, "stack", id, Stack::NONE))
    }

    #[cold]
    fn missing<T>(&mut self, at: &Attempt<'_>, what: &'static str, id: u64, empty: T) -> T {
        self.dangling.get_or_insert(Rule::Reference { what, id, by: at.raw.event.name() });
        empty
    }
}

impl Attempt<'_> {
    #[inline]
    fn arg(&self, i: usize) -> u64 {
        self.raw.args[i]
    }

    fn seq(&self, i: usize) -> Seq {
        Seq { generation: self.generation, number: self.arg(i) }
    }

    #[inline]
    fn needs_thread(&self) -> Result<(), Rule> {
        self.require(!self.context.thread.is_none(), "thread", true)
    }

    #[inline]
    fn needs_proc(&self) -> Result<(), Rule> {
        self.needs_thread()?;
        self.require(!self.context.proc.id.is_none(), "processor", true)
    }

    #[inline]
    fn needs_goroutine(&self) -> Result<(), Rule> {
        self.require(!self.context.go.id.is_none(), "goroutine", true)
    }

    #[inline]
    fn needs_no_goroutine(&self) -> Result<(), Rule> {
        self.require(self.context.go.id.is_none(), "goroutine", false)
    }

    #[inline]
    fn require(&self, ok: bool, what: &'static str, missing: bool) -> Result<(), Rule> {
        if ok { Ok(()) } else { Err(Rule::Context { event: self.raw.event.name(), what, missing }) }
    }

    #[cold]
    fn state(&self, what: &str, id: i64, problem: impl Into<String>) -> Rule {
        Rule::State {
            event: self.raw.event.name(),
            what: format!("{what} {id}"),
            problem: problem.into(),
        }
    }
}

impl Order {
    fn metric(&mut self, at: Attempt<'_>) -> Outcome {
        use crate::Metric;
        at.needs_proc()?;
        let (metric, stack) = match at.raw.event {
            EventType::HeapAlloc => (Metric::HeapAlloc, Stack::NONE),
            EventType::HeapGoal => (Metric::HeapGoal, Stack::NONE),
            _ => {
                at.needs_goroutine()?;
                (Metric::Procs, self.stack(&at, at.arg(1)))
            }
        };
        self.emit(&at, stack, Kind::Metric(metric, at.arg(0)))
    }

    fn experimental(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_thread()?;
        let [a, b, c, _] = at.raw.args;
        self.emit(&at, Stack::NONE, Kind::Experimental(at.raw.event, [a, b, c]))
    }
}
