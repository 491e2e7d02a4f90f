//! What threads noted in about a second, as they noted it.
//!
//! It says what stacks and labels are by their numbers, which are never given to others, and owns the texts that it
//! refers to. So it may be kept for as long as somebody may want to know what happened, and be dropped unread.

use std::time::{Duration, SystemTime};

use oxprof_trace::ThreadId;
use oxprof_trace::record::{LabelsKey, Record, Text, What};
use oxprof_trace::write::Clock;

use super::buffer::RECORD;
use super::hooks;
use crate::threads::clock::{self, NANOS};

/// A time on two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Of `CLOCK_MONOTONIC`.
    pub(super) time: u64,
    /// Since 1970.
    wall: Duration,
}

impl Moment {
    /// One that was some time ago.
    pub(super) fn at(time: u64) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ago = Duration::from_nanos(clock::monotonic().saturating_sub(time));
        Self { time, wall: wall.saturating_sub(ago) }
    }

    /// It as a trace has it whose ticks are 0 at a time. One that is not later counts as the next.
    pub(super) fn clock(self, base: u64) -> Clock {
        Clock {
            frequency: NANOS,
            ticks: self.time.saturating_sub(base).max(1),
            mono: self.time,
            wall_seconds: self.wall.as_secs(),
            wall_nanos: self.wall.subsec_nanos(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Slice {
    /// When it ends. What happened just after may be in it, too.
    pub(super) end: Moment,
    runs: Vec<Run>,
    told: Vec<What>,
    /// Threads that began, and their names.
    named: Vec<(ThreadId, Text)>,
    len: usize,
    /// Bytes of what was told.
    texts: usize,
}

/// What a thread noted in a row.
#[derive(Debug)]
struct Run {
    thread: u64,
    records: Box<[[u64; RECORD]]>,
}

/// What a thread noted.
pub(super) struct Noted {
    pub(super) record: Record,
    /// The thread's name, if it ends.
    pub(super) name: Option<String>,
    /// The labels in force, if it says so.
    pub(super) labels: Option<LabelsKey>,
}

impl Slice {
    pub(super) fn new() -> Self {
        let end = Moment { time: 0, wall: Duration::ZERO };
        Self { end, runs: Vec::new(), told: Vec::new(), named: Vec::new(), len: 0, texts: 0 }
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let records = size_of::<[u64; RECORD]>() * self.len + size_of::<Run>() * self.runs.len();
        let names: usize = self.named.iter().map(|(_, name)| name.len()).sum();
        records + size_of::<What>() * self.told.len() + self.texts + names + size_of::<Self>()
    }

    /// Adds what a thread noted, in the order in which it did.
    pub(super) fn add(&mut self, thread: u64, records: &[[u64; RECORD]]) {
        if !records.is_empty() {
            self.runs.push(Run { thread, records: records.into() });
            self.len += records.len();
        }
    }

    /// Adds something that is seen to have happened to a thread.
    pub(super) fn tell(&mut self, Record { time, thread, what }: Record) {
        let told = self.keep(what, 0);
        self.add(thread.0.cast_unsigned(), &[hooks::told_record(time, told)]);
    }

    /// Keeps what was told, whose texts take so many bytes; returns what a record calls it.
    pub(super) fn keep(&mut self, what: What, texts: usize) -> u64 {
        self.texts += texts;
        self.told.push(what);
        self.told.len() as u64 - 1
    }

    /// Adds the name of a thread that has begun, if it has one.
    pub(super) fn name(&mut self, thread: ThreadId, name: Text) {
        if !name.is_empty() {
            self.named.push((thread, name));
        }
    }

    /// The names of threads that have begun.
    pub(super) fn named(&self) -> impl Iterator<Item = (ThreadId, Text)> {
        self.named.iter().cloned()
    }

    /// What is in it: of each thread in order.
    pub(super) fn noted(&self) -> impl Iterator<Item = Noted> {
        self.words().filter_map(|(thread, words)| {
            let record = hooks::decode(thread, words, &self.told)?;
            let (name, labels) = (hooks::name_at_end(words), hooks::labels_of(words));
            Some(Noted { record, name, labels })
        })
    }

    /// What threads and tasks do; not what the program says of itself.
    pub(super) fn states(&self) -> impl Iterator<Item = Record> {
        let told = |words| self.told.get(usize::try_from(hooks::told(words)?).ok()?);
        let is_said = move |words| told(words).is_some_and(What::is_said);
        let words = self.words().filter(move |&(_, words)| !is_said(words));
        words.filter_map(|(thread, words)| hooks::decode(thread, words, &self.told))
    }

    fn words(&self) -> impl Iterator<Item = (u64, [u64; RECORD])> {
        self.runs.iter().flat_map(|run| run.records.iter().map(|&words| (run.thread, words)))
    }
}
