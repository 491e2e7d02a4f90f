//! The last slices of what happened, and what was before them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use oxprof_trace::ThreadId;
use oxprof_trace::record::{Past, Text, What};
use oxprof_trace::write::header;

use super::encoder::Encoder;
use super::names::{Known, Namer};
use super::slice::Slice;
use crate::stacks;
use crate::tasks::Handle;
use crate::threads::clock::NANOS;

/// Bytes that are kept of the last second, however few are asked for: those of the largest slice.
const RECENT: usize = 4 << 20;

/// Slices that are kept, and the state in which those before them have left threads and tasks.
///
/// Keeping a slice costs next to nothing, and dropping one little: a trace is made of them when somebody wants it.
#[derive(Clone)]
pub(super) struct History {
    /// The recorder's thread.
    own: ThreadId,
    /// When the first slice begins.
    began: u64,
    past: Past,
    /// What the threads are called that there were then.
    names: HashMap<ThreadId, Text>,
    slices: VecDeque<Arc<Slice>>,
    bytes: usize,
}

impl History {
    /// One that begins at a time, with these threads and tasks.
    pub(super) fn new(
        own: ThreadId,
        began: u64,
        past: Past,
        names: HashMap<ThreadId, Text>,
    ) -> Self {
        Self { own, began, past, names, slices: VecDeque::new(), bytes: 0 }
    }

    /// Adds a slice, and drops the first ones while all take more than so many bytes, or the first ended longer ago than
    /// so many nanoseconds. What happened within a second stays, unless [`RECENT`] bytes follow on it.
    pub(super) fn push(&mut self, slice: Arc<Slice>, max_bytes: usize, max_nanos: u64) {
        let now = slice.end.time;
        self.bytes += slice.bytes();
        self.slices.push_back(slice);
        while self.slices.len() > 1 {
            let first = &self.slices[0];
            let (ago, after) = (now.saturating_sub(first.end.time), self.bytes - first.bytes());
            let is_recent = ago < NANOS && after < RECENT;
            if is_recent || (self.bytes <= max_bytes && ago <= max_nanos) {
                break;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(slice) = self.slices.pop_front() else { return };
        self.bytes -= slice.bytes();
        self.began = self.began.max(slice.end.time);
        let (names, mut has_lost) = (&mut self.names, false);
        self.past.absorb(slice.states().inspect(|record| match record.what {
            What::ThreadBegin { .. } | What::ThreadEnd => _ = names.remove(&record.thread),
            What::Lost { .. } => has_lost = true,
            _ => {}
        }));
        self.names.extend(slice.named());
        if has_lost {
            // Among it may be how tasks ended.
            let alive: HashSet<u64> = Handle::all().iter().map(Handle::id).collect();
            self.past.retain_tasks(|task| alive.contains(&task));
        }
    }

    /// What threads and tasks are doing after the last slice.
    pub(super) fn past(&self) -> Past {
        let mut past = self.past.clone();
        self.slices.iter().for_each(|slice| past.absorb(slice.states()));
        past
    }

    /// The trace of it.
    pub(super) fn to_trace(&self) -> Vec<u8> {
        stacks::refresh();
        let (maps, mut known) = (stacks::maps(), Known::default());
        let mut names = Namer::new(&mut known, &maps);
        self.names.iter().for_each(|(&thread, name)| names.learn_thread(thread, name.clone()));
        let mut encoder = Encoder::new(self.began, self.own, &self.past, &mut names);
        let mut trace = header().to_vec();
        for slice in &self.slices {
            trace.append(&mut encoder.generation(slice, &mut names));
        }
        trace
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use oxprof_trace::record::Record;

    use super::super::slice::Moment;
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// The messages that are left of slices that each have one of so many bytes and end so many milliseconds after the
    /// other.
    fn check(
        (slices, millis, bytes): (u64, u64, usize),
        max_bytes: usize,
        max_seconds: u64,
        expected: std::ops::Range<u64>,
    ) {
        let nanos = millis * MILLISECOND;
        let mut history = History::new(ThreadId(1), 1, Past::default(), HashMap::new());
        for i in 0..slices {
            let mut slice = Slice::new();
            let what = What::Log { task: 0, category: "n".into(), message: "m".into(), stack: 0 };
            let kept = slice.keep(what, bytes);
            slice.add(7, &[super::super::hooks::told_record(i * nanos + 1, kept)]);
            slice.end = Moment::at((i + 1) * nanos);
            history.push(Arc::new(slice), max_bytes, max_seconds * NANOS);
        }
        let records = history.slices.iter().flat_map(|slice| slice.noted().map(|n| n.record));
        let numbers = records.map(|Record { time, .. }| time / nanos);
        assert_eq!(numbers.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        assert_eq!(history.bytes, history.slices.iter().map(|slice| slice.bytes()).sum::<usize>());
    }

    #[test]
    fn memory_and_age_are_bounded() {
        check((5, 1000, 1000), 1 << 20, 1000, 0..5);
        check((100, 1000, 1000), 1 << 20, 10, 89..100);
        check((100, 1000, 1000), 1 << 20, 0, 99..100);
        check((100, 1000, 1000), 10_000, 1000, 92..100);
        check((100, 1000, 1000), 1, 1000, 99..100);
    }

    /// However often somebody asks.
    #[test]
    fn the_last_second_is_there_or_much_of_it() {
        check((100, 100, 1000), 1, 0, 90..100);
        check((100, 100, 1 << 20), 1, 0, 96..100);
    }
}
