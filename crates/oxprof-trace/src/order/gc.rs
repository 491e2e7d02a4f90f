//! Spans of special time: garbage collection and stops of the world.

use super::{Attempt, Order, Outcome, Verdict};
use crate::error::Rule;
use crate::wire::EventType;
use crate::{GoId, Kind, ProcId, Range, Slot, Stack, Swept};

impl Order {
    /// Begin and end of marking may be on different threads, so they are numbered.
    pub(super) fn gc_begin(&mut self, at: Attempt<'_>) -> Outcome {
        if self.gc.running.is_some() {
            if !self.gc_follows(&at) {
                return Ok(Verdict::NotYet);
            }
            self.expect_gc(&at, false)?;
            at.needs_proc()?;
            at.needs_goroutine()?;
        }
        self.gc.seq = at.arg(0);
        self.gc.running = Some(true);
        let stack = self.stack(&at, at.arg(1));
        self.emit(&at, stack, Kind::RangeBegin(Range::GcMark))
    }

    pub(super) fn gc_active(&mut self, at: Attempt<'_>) -> Outcome {
        if at.generation == self.first_generation {
            if self.gc.running.is_some() {
                return Err(gc_state(&at, "which has been mentioned before in this generation"));
            }
        } else {
            if !self.gc_follows(&at) {
                return Ok(Verdict::NotYet);
            }
            self.expect_gc(&at, true)?;
            at.needs_proc()?;
            at.needs_goroutine()?;
        }
        self.gc.seq = at.arg(0);
        self.gc.running = Some(true);
        self.emit(&at, Stack::NONE, Kind::RangeActive(Range::GcMark))
    }

    pub(super) fn gc_end(&mut self, at: Attempt<'_>) -> Outcome {
        if !self.gc_follows(&at) {
            return Ok(Verdict::NotYet);
        }
        self.expect_gc(&at, true)?;
        at.needs_proc()?;
        at.needs_goroutine()?;
        self.gc.seq = at.arg(0);
        self.gc.running = Some(false);
        self.emit(&at, Stack::NONE, Kind::RangeEnd(Range::GcMark, None))
    }

    fn gc_follows(&self, at: &Attempt<'_>) -> bool {
        at.arg(0) == self.gc.seq.wrapping_add(1)
    }

    fn expect_gc(&self, at: &Attempt<'_>, running: bool) -> Result<(), Rule> {
        match self.gc.running {
            Some(found) if found == running => Ok(()),
            Some(true) => Err(gc_state(at, "which runs already")),
            Some(false) => Err(gc_state(at, "which does not run")),
            None => Err(gc_state(at, "of which nothing is known")),
        }
    }

    pub(super) fn sweep_begin(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        let i = self.current_proc(&at)?;
        let proc = &mut self.procs[i as usize];
        if std::mem::replace(&mut proc.sweeping, true) {
            return Err(at.state("processor", proc.id.0, "which sweeps already"));
        }
        let stack = self.stack(&at, at.arg(0));
        self.emit(&at, stack, Kind::RangeBegin(Range::GcSweep(at.context.proc.id)))
    }

    pub(super) fn sweep_active(&mut self, at: Attempt<'_>) -> Outcome {
        let id = ProcId(at.arg(0) as i64);
        let i =
            self.proc_of(id).ok_or_else(|| at.state("processor", id.0, "which does not exist"))?;
        let first = at.generation == self.first_generation;
        set_active(&mut self.procs[i as usize].sweeping, first)
            .map_err(|problem| at.state("processor", id.0, problem))?;
        self.emit(&at, Stack::NONE, Kind::RangeActive(Range::GcSweep(id)))
    }

    pub(super) fn sweep_end(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        let i = self.current_proc(&at)?;
        let proc = &mut self.procs[i as usize];
        if !std::mem::replace(&mut proc.sweeping, false) {
            return Err(at.state("processor", proc.id.0, "which does not sweep"));
        }
        let swept = Swept { swept: at.arg(0), reclaimed: at.arg(1) };
        let range = Range::GcSweep(at.context.proc.id);
        self.emit(&at, Stack::NONE, Kind::RangeEnd(range, Some(swept)))
    }

    pub(super) fn mark_assist_active(&mut self, at: Attempt<'_>) -> Outcome {
        let id = GoId(at.arg(0) as i64);
        let slot =
            self.slot_of(id).ok_or_else(|| at.state("goroutine", id.0, "which does not exist"))?;
        let first = at.generation == self.first_generation;
        set_active(&mut self.goroutines[slot.index()].mark_assist, first)
            .map_err(|problem| at.state("goroutine", id.0, problem))?;
        self.emit(&at, Stack::NONE, Kind::RangeActive(Range::GcMarkAssist(id, slot)))
    }

    pub(super) fn go_range_begin(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.current_in_user_code(&at)?;
        let id = at.context.go.id;
        if at.raw.event == EventType::GCMarkAssistBegin {
            if std::mem::replace(&mut self.goroutines[slot.index()].mark_assist, true) {
                return Err(at.state("goroutine", id.0, "which assists already"));
            }
            let stack = self.stack(&at, at.arg(0));
            return self.emit(&at, stack, Kind::RangeBegin(Range::GcMarkAssist(id, slot)));
        }
        let kind = self.string(&at, at.arg(0));
        let text = at.tables.str(kind);
        let stops = &mut self.goroutines[slot.index()].spans().stops;
        if stops.iter().any(|stop| **stop == *text) {
            return Err(at.state("goroutine", id.0, "which has stopped the world already"));
        }
        stops.push(text.into());
        let stack = self.stack(&at, at.arg(1));
        self.emit(&at, stack, Kind::RangeBegin(Range::StopTheWorld(kind, id, slot)))
    }

    pub(super) fn go_range_end(&mut self, mut at: Attempt<'_>) -> Outcome {
        let slot = self.current_in_user_code(&at)?;
        let range = self.end_go_range(&mut at, slot)?;
        self.emit(&at, Stack::NONE, Kind::RangeEnd(range, None))
    }

    fn end_go_range(&mut self, at: &mut Attempt<'_>, slot: Slot) -> Result<Range, Rule> {
        let id = at.context.go.id;
        let go = &mut self.goroutines[slot.index()];
        if at.raw.event == EventType::GCMarkAssistEnd {
            if !std::mem::replace(&mut go.mark_assist, false) {
                return Err(at.state("goroutine", id.0, "which does not assist"));
            }
            return Ok(Range::GcMarkAssist(id, slot));
        }
        let stops = &mut go.spans().stops;
        if stops.is_empty() {
            return Err(at.state("goroutine", id.0, "which has not stopped the world"));
        }
        let kind = stops.swap_remove(0);
        // The string may be of an earlier generation.
        Ok(Range::StopTheWorld(at.tables.extra(&kind), id, slot))
    }
}

fn gc_state(at: &Attempt<'_>, problem: &str) -> Rule {
    Rule::State {
        event: at.raw.event.name(),
        what: "the garbage collector".into(),
        problem: problem.into(),
    }
}

/// A span is said to be active: news in the first generation, a confirmation later.
fn set_active(active: &mut bool, first: bool) -> Result<(), &'static str> {
    match (std::mem::replace(active, true), first) {
        (true, true) => Err("where it has been mentioned before in this generation"),
        (false, false) => Err("where it is not known to have begun"),
        _ => Ok(()),
    }
}
