//! Events that move processors between threads.

use super::state::{Bound, Proc, ProcStatus, Seq};
use super::{Attempt, Order, Outcome, Verdict};
use crate::{Kind, ProcId, ProcState, ProcTransition, Stack, ThreadId};

impl Order {
    pub(super) fn proc_status(&mut self, at: Attempt<'_>) -> Outcome {
        let id = ProcId(at.arg(0) as i64);
        let Some(mut status) = ProcStatus::from_number(at.arg(1)) else {
            return Err(at.state("processor", id.0, format!("status {} is unknown", at.arg(1))));
        };
        let mut from = status.state();
        let mut context = at.context;
        let proc = match self.proc_of(id) {
            Some(i) => {
                let old = self.procs[i as usize].status;
                if (status, old) == (ProcStatus::Abandoned, ProcStatus::Syscall) {
                    // The announcement that it is about to be stolen comes from the thief, while it is
                    // still known which thread has it.
                    status = ProcStatus::Syscall;
                    from = ProcState::Running;
                    context = self.holder(&at, id)?;
                } else if status != old {
                    let problem = format!("which is {old}, the status says {status}");
                    return Err(at.state("processor", id.0, problem));
                }
                self.procs[i as usize].seq = Seq::start(at.generation);
                i
            }
            None => {
                let first = at.generation == self.first_generation;
                from = if first { ProcState::Undetermined } else { ProcState::NotExist };
                self.add_proc(id, status, at.generation)
            }
        };
        if matches!(
            ProcStatus::from_number(at.arg(1)),
            Some(ProcStatus::Running | ProcStatus::Syscall)
        ) {
            self.bind_proc(&at, Bound { id, hint: proc });
        }
        let kind = Kind::Proc(ProcTransition { id, from, to: status.state() });
        self.emit_in(&at, context, Stack::NONE, kind)
    }

    fn add_proc(&mut self, id: ProcId, status: ProcStatus, generation: u64) -> u32 {
        self.procs.push(Proc { id, status, seq: Seq::start(generation), sweeping: false });
        let i = self.procs.len() as u32 - 1;
        self.proc_index.insert(id, i);
        i
    }

    /// The context of the thread that has a processor.
    fn holder(&self, at: &Attempt<'_>, id: ProcId) -> Result<super::Context, crate::error::Rule> {
        let holder = self.threads.iter().rev().find(|thread| thread.proc.id == id);
        let holder = holder.ok_or_else(|| at.state("processor", id.0, "which no thread has"))?;
        Ok(super::Context { thread: holder.id, proc: holder.proc, go: holder.go })
    }

    pub(super) fn proc_start(&mut self, at: Attempt<'_>) -> Outcome {
        let id = ProcId(at.arg(0) as i64);
        let Some(i) = self.proc_of(id) else { return Ok(Verdict::NotYet) };
        let proc = &mut self.procs[i as usize];
        // A thread that comes out of a system call may not have been told yet that it lost its processor.
        let ready = proc.status == ProcStatus::Idle
            && at.seq(1).follows(proc.seq)
            && at.context.proc.id.is_none();
        if !ready {
            return Ok(Verdict::NotYet);
        }
        at.needs_thread()?;
        proc.status = ProcStatus::Running;
        proc.seq = at.seq(1);
        self.bind_proc(&at, Bound { id, hint: i });
        let kind = ProcTransition { id, from: ProcState::Idle, to: ProcState::Running };
        self.emit(&at, Stack::NONE, Kind::Proc(kind))
    }

    pub(super) fn proc_stop(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        let i = self.current_proc(&at)?;
        let proc = &mut self.procs[i as usize];
        if !matches!(proc.status, ProcStatus::Running | ProcStatus::Syscall) {
            let problem = format!("which is {}", proc.status);
            return Err(at.state("processor", proc.id.0, problem));
        }
        proc.status = ProcStatus::Idle;
        let id = proc.id;
        self.bind_proc(&at, Bound::NO_PROC);
        let kind = ProcTransition { id, from: ProcState::Running, to: ProcState::Idle };
        self.emit(&at, Stack::NONE, Kind::Proc(kind))
    }

    pub(super) fn proc_steal(&mut self, at: Attempt<'_>) -> Outcome {
        let id = ProcId(at.arg(0) as i64);
        let Some(i) = self.proc_of(id) else { return Ok(Verdict::NotYet) };
        let proc = &mut self.procs[i as usize];
        let old = proc.status;
        if !matches!(old, ProcStatus::Syscall | ProcStatus::Abandoned)
            || !at.seq(1).follows(proc.seq)
        {
            return Ok(Verdict::NotYet);
        }
        at.needs_thread()?;
        proc.status = ProcStatus::Idle;
        proc.seq = at.seq(1);
        // Where an abandoned processor comes from is unknown, so there is no thread to tell.
        if old != ProcStatus::Abandoned {
            self.take_from(&at, id, ThreadId(at.arg(2) as i64))?;
        }
        let from = if old == ProcStatus::Abandoned { ProcState::Idle } else { ProcState::Running };
        self.emit(&at, Stack::NONE, Kind::Proc(ProcTransition { id, from, to: ProcState::Idle }))
    }

    /// Tells the victim of a theft. It cannot leave its system call before it knows.
    fn take_from(
        &mut self,
        at: &Attempt<'_>,
        id: ProcId,
        victim: ThreadId,
    ) -> Result<(), crate::error::Rule> {
        let victim_index = self.thread_index.get(&victim).copied();
        let found =
            victim_index.map(|i| &mut self.threads[i as usize]).filter(|thread| thread.seen);
        let Some(thread) = found else {
            let problem = format!("taken from thread {victim}, which does not exist");
            return Err(at.state("processor", id.0, problem));
        };
        if thread.proc.id != id {
            let problem =
                format!("taken from thread {victim}, which has processor {}", thread.proc.id);
            return Err(at.state("processor", id.0, problem));
        }
        thread.proc = Bound::NO_PROC;
        Ok(())
    }
}
