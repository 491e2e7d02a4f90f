//! From what threads noted to the generations of a trace.

use std::collections::HashSet;

use oxprof_trace::ThreadId;
use oxprof_trace::record::{LabelsKey, Past, Record, Recorder, What};

use super::names::Namer;
use super::slice::{Noted, Slice};

/// Makes the generations of a trace.
pub(super) struct Encoder {
    recorder: Recorder,
    /// The time of `CLOCK_MONOTONIC` at which ticks are 0.
    base: u64,
    /// Of the last generation.
    number: u64,
    /// Threads that had labels.
    labelled: HashSet<ThreadId>,
}

impl Encoder {
    /// One of a trace that begins at a time, after such a past. `own` is the recorder's thread.
    pub(super) fn new(began: u64, own: ThreadId, past: &Past, names: &mut Namer<'_>) -> Self {
        let recorder = Recorder::new(1, own, past, names);
        Self { recorder, base: began - 1, number: 0, labelled: HashSet::new() }
    }

    /// The generation that ends as a slice does, which is the next.
    pub(super) fn generation(&mut self, slice: &Slice, names: &mut Namer<'_>) -> Vec<u8> {
        slice.noted().for_each(|noted| self.add(noted, names));
        slice.named().for_each(|(thread, name)| names.learn_thread(thread, name));
        let (clock, mut bytes) = (slice.end.clock(self.base), Vec::new());
        self.number += 1;
        self.recorder.generation(self.number, clock.ticks, clock, names, &mut bytes);
        bytes
    }

    fn add(&mut self, noted: Noted, names: &mut Namer<'_>) {
        let Noted { mut record, name, labels } = noted;
        let thread = record.thread;
        record.time = record.time.saturating_sub(self.base);
        match &mut record.what {
            What::ThreadBegin { .. } => names.forget_thread(thread),
            What::ThreadEnd => _ = self.labelled.remove(&thread),
            What::WaitBegin { why, stack, .. }
            | What::PollEnd { waits: Some((why, stack)), .. } => {
                *why = names.why(*why, *stack);
            }
            _ => {}
        }
        if let Some(name) = name {
            names.learn_thread(thread, name.into());
        }
        let labels = self.labels(&record, labels);
        // Of the task, if one is polled from now on.
        let (before, after) = match record.what {
            What::PollBegin { .. } => (None, labels),
            _ => (labels, None),
        };
        before.into_iter().for_each(|labels| self.recorder.record(labels));
        self.recorder.record(record);
        after.into_iter().for_each(|labels| self.recorder.record(labels));
    }

    /// A record of the labels that were in force at another, unless its thread never had any.
    fn labels(&mut self, record: &Record, labels: Option<LabelsKey>) -> Option<Record> {
        let labels = labels?;
        if labels != 0 {
            self.labelled.insert(record.thread);
        }
        let what = What::Labels { labels };
        self.labelled.contains(&record.thread).then_some(Record { what, ..*record })
    }
}
