//! How long goroutines wait each time, by what they wait for and by the function they start in.

use oxprof_profile::StrId;
use rustc_hash::FxHashMap;

use crate::histogram::Histogram;
use crate::names::Names;
use crate::{Event, GoState, GoTransition, Kind, SyncKind, Tables};

/// Distributions of waits. Feed it every event of a trace.
#[derive(Debug, Default)]
pub struct Latencies {
    names: Names,
    /// By slot.
    goroutines: Vec<Goroutine>,
    index: FxHashMap<(StrId, Wait), u32>,
    rows: Vec<(StrId, Wait, Histogram)>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Wait {
    /// A processor.
    Sched,
    /// The end of a system call.
    Syscall,
    /// Something else, for this reason.
    Block(StrId),
}

#[derive(Debug, Default)]
struct Goroutine {
    name: StrId,
    waits: Option<(i64, Wait)>,
}

/// A row of the table that [`Latencies::finish`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// The function that the goroutines start in; empty if unknown.
    pub goroutine: String,
    /// What they wait for: `sched`, `syscall` or the reason of a block.
    pub wait: String,
    /// How long.
    pub times: Histogram,
}

impl Latencies {
    /// No waits yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event into account.
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        self.names.event(event);
        match event.kind {
            Kind::Go(transition) => self.transition(event, &transition, tables),
            Kind::Sync { kind: SyncKind::Gap, .. } => self.goroutines.clear(),
            _ => {}
        }
    }

    fn transition(&mut self, event: &Event, t: &GoTransition, tables: &Tables) {
        if t.from == t.to {
            return;
        }
        let slot = t.slot.index();
        if slot >= self.goroutines.len() {
            self.goroutines.resize_with(slot + 1, Goroutine::default);
        }
        let go = &mut self.goroutines[slot];
        if matches!(t.from, GoState::Undetermined | GoState::NotExist) {
            *go = Goroutine::default();
        }
        if let Some(stack) = t.stack.filter(|_| go.name.is_empty())
            && let Some(root) = tables.frames(stack).next_back()
        {
            go.name = self.names.string(root.func, tables);
        }
        let began = match t.to {
            GoState::Runnable => Some((event.time, Wait::Sched)),
            GoState::Syscall => Some((event.time, Wait::Syscall)),
            GoState::Waiting => {
                Some((event.time, Wait::Block(self.names.string(t.reason, tables))))
            }
            _ => None,
        };
        let name = go.name;
        // What began before the trace has no known length.
        let began = began.filter(|_| t.from != GoState::Undetermined);
        if let Some((since, wait)) = std::mem::replace(&mut go.waits, began) {
            let nanos = event.time - since;
            // Who is woken and runs at the same time, as one that goes on by itself, is told apart by a nanosecond.
            if wait != Wait::Sched || nanos > 1 {
                self.row(name, wait).add(nanos);
            }
        }
    }

    fn row(&mut self, name: StrId, wait: Wait) -> &mut Histogram {
        let rows = &mut self.rows;
        let i = *self.index.entry((name, wait)).or_insert_with(|| {
            rows.push((name, wait, Histogram::default()));
            rows.len() as u32 - 1
        });
        &mut self.rows[i as usize].2
    }

    /// The distributions, those with the longest waits in sum first.
    pub fn finish(self) -> Vec<LatencyRow> {
        let names = self.names;
        let wait = |wait| match wait {
            Wait::Sched => "sched".to_owned(),
            Wait::Syscall => "syscall".to_owned(),
            Wait::Block(reason) if reason.is_empty() => "unspecified".to_owned(),
            Wait::Block(reason) => names.get(reason).to_owned(),
        };
        let row = |(name, what, times)| LatencyRow {
            goroutine: names.get(name).to_owned(),
            wait: wait(what),
            times,
        };
        let mut rows: Vec<_> = self.rows.into_iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.times.sum()));
        rows
    }
}
