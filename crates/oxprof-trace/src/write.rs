//! Writes traces (version 26) that `go tool trace` and [`Reader`](crate::Reader) open.
//!
//! A trace is a header and generations. Each [`Generation`] becomes one piece of bytes that ends with the
//! mark of its end, so a trace that is cut anywhere is good up to the last mark before the cut. Threads fill
//! [`Events`] of their own, without sharing anything; whoever writes the trace hands them to the generation.
//!
//! What the events mean, and in which order they may come, is up to the caller: a strict reader says what is
//! wrong. The rules that are easy to miss are these.
//!
//! * A thread begins each generation with a `ProcStatus` for its processor and then a `GoStatus` for its
//!   goroutine; these restart the numbers (`p_seq`, `g_seq`) at 0, as `GoCreate` does. One counter a
//!   goroutine numbers `GoStart`, `GoUnblock` and `GoSwitch`; one a processor numbers `ProcStart`,
//!   `ProcSteal` and `GoSyscallBegin`.
//! * After the first generation, new goroutines come from `GoCreate`, `GoCreateBlocked` or
//!   `GoCreateSyscall` only.
//! * Processors are numbered from 0, and a `ProcsChange` early in each generation says how many there are:
//!   a page of Go's tool fails without.
//! * Times are best kept below 2^53 ticks: Go's reader computes with them as floating-point numbers.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::ThreadId;
use crate::wire::{EventType, MAX_BATCH, MAX_FRAMES, MAX_STRING, Version, put_uvarint, timed_args};

/// The first bytes of a trace.
pub fn header() -> [u8; crate::wire::HEADER_LEN] {
    Version::Go126.header()
}

/// A string of a generation that is being written; the default is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StringId(u64);

/// A stack of a generation that is being written; the default is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StackId(u64);

impl From<StringId> for u64 {
    fn from(id: StringId) -> Self {
        id.0
    }
}

impl From<StackId> for u64 {
    fn from(id: StackId) -> Self {
        id.0
    }
}

/// A place in the program. Program counters are made up: readers take one for one place, which is wrong of
/// inlined functions; and they do so for a whole trace, so a place has the same one in each generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRef<'a> {
    /// Function.
    pub func: &'a str,
    /// Source file.
    pub file: &'a str,
    /// Line in it.
    pub line: u64,
}

impl FrameRef<'_> {
    /// What stands for the program counter: a hash, short enough for seven bytes.
    fn pc(&self) -> u64 {
        FxBuildHasher.hash_one((self.func, self.file, self.line)) >> 15
    }
}

/// How the clock of a generation ticks, and one moment on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Ticks per second of all times in the generation.
    pub frequency: u64,
    /// A time, in ticks.
    pub ticks: u64,
    /// The same moment on the machine's monotonic clock, in nanoseconds.
    pub mono: u64,
    /// The same moment, in seconds since the Unix epoch.
    pub wall_seconds: u64,
    /// Nanoseconds of that second.
    pub wall_nanos: u32,
}

/// A sample of the CPU profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in ticks.
    pub ticks: u64,
    /// The thread it was taken of.
    pub thread: ThreadId,
    /// Its processor.
    pub proc: crate::ProcId,
    /// Its goroutine.
    pub goroutine: crate::GoId,
    /// Its stack.
    pub stack: StackId,
}

/// Events of one thread, in order. They become as many batches as they need.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Complete batches: their first times and where they end in `bytes`.
    batches: Vec<(u64, usize)>,
    /// Time of the current batch's first event.
    base: u64,
    last: u64,
    bytes: Vec<u8>,
}

/// Longest encoding of a timed event: its type and five numbers.
const LONGEST_EVENT: usize = 1 + 5 * 10;

impl Events {
    /// No events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an event with its arguments, those after the step in time that the format names
    /// ([`EventType::spec`]). A time before that of the last event counts as the same time.
    ///
    /// # Panics
    /// When the type is not that of a timed event, or has another number of arguments.
    pub fn push(&mut self, ticks: u64, event: EventType, args: &[u64]) {
        assert_eq!(timed_args(event as u8), Some(args.len()), "arguments of {}", event.name());
        let start = self.batches.last().map_or(0, |&(_, end)| end);
        if self.bytes.len() + LONGEST_EVENT > start + MAX_BATCH as usize {
            self.cut();
        }
        if self.is_cut() {
            self.base = ticks.max(self.last);
            self.last = self.base;
        }
        self.bytes.push(event as u8);
        put_uvarint(&mut self.bytes, ticks.saturating_sub(self.last));
        self.last = self.last.max(ticks);
        for &arg in args {
            put_uvarint(&mut self.bytes, arg);
        }
    }

    /// Bytes that the events take.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the current batch has no events.
    fn is_cut(&self) -> bool {
        self.batches.last().map_or(0, |&(_, end)| end) == self.bytes.len()
    }

    fn cut(&mut self) {
        if !self.is_cut() {
            self.batches.push((self.base, self.bytes.len()));
        }
    }

    fn clear(&mut self) {
        self.batches.clear();
        self.bytes.clear();
    }
}

/// A generation that is being put together.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    /// Batches of events.
    batches: Vec<u8>,
    samples: Table,
    strings: Table,
    stacks: Table,
    string_ids: FxHashMap<Box<str>, u64>,
    stack_ids: FxHashMap<Box<[u64]>, u64>,
}

/// Entries of a table, to be split into batches where they allow it.
#[derive(Debug, Default)]
struct Table {
    bytes: Vec<u8>,
    /// Where entries end.
    ends: Vec<usize>,
}

impl Generation {
    /// An empty generation. The first has number 1, each other one that of its predecessor plus one.
    pub fn new(number: u64) -> Self {
        Self {
            number,
            batches: Vec::new(),
            samples: Table::default(),
            strings: Table::default(),
            stacks: Table::default(),
            string_ids: FxHashMap::default(),
            stack_ids: FxHashMap::default(),
        }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The id of a text, which is cut to the 1024 bytes that readers accept.
    pub fn string(&mut self, text: &str) -> StringId {
        let text = truncated(text, MAX_STRING as usize);
        if text.is_empty() {
            return StringId::default();
        }
        if let Some(&id) = self.string_ids.get(text) {
            return StringId(id);
        }
        let id = self.string_ids.len() as u64 + 1;
        self.string_ids.insert(text.into(), id);
        let out = &mut self.strings.bytes;
        out.push(EventType::String as u8);
        put_uvarint(out, id);
        put_uvarint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
        self.strings.end_entry();
        StringId(id)
    }

    /// The id of a stack, leaf first, of which the 128 innermost frames are kept.
    pub fn stack(&mut self, frames: &[FrameRef<'_>]) -> StackId {
        if frames.is_empty() {
            return StackId::default();
        }
        let mut numbers = Vec::with_capacity(4 * frames.len());
        for frame in frames.iter().take(MAX_FRAMES as usize) {
            let (func, file) = (self.string(frame.func).0, self.string(frame.file).0);
            numbers.extend([frame.pc(), func, file, frame.line]);
        }
        if let Some(&id) = self.stack_ids.get(numbers.as_slice()) {
            return StackId(id);
        }
        let id = self.stack_ids.len() as u64 + 1;
        let out = &mut self.stacks.bytes;
        out.push(EventType::Stack as u8);
        put_uvarint(out, id);
        put_uvarint(out, numbers.len() as u64 / 4);
        numbers.iter().for_each(|&number| put_uvarint(out, number));
        self.stacks.end_entry();
        self.stack_ids.insert(numbers.into(), id);
        StackId(id)
    }

    /// Adds the events of a thread and empties them. Their strings and stacks have to be this
    /// generation's. A thread may come several times, with later events each time.
    pub fn events(&mut self, thread: ThreadId, events: &mut Events) {
        events.cut();
        let mut start = 0;
        for &(base, end) in &events.batches {
            put_batch(&mut self.batches, self.number, thread, base, &[], &events.bytes[start..end]);
            start = end;
        }
        events.clear();
    }

    /// Adds a sample of the CPU profiler.
    pub fn sample(&mut self, sample: &Sample) {
        let out = &mut self.samples.bytes;
        out.push(EventType::CPUSample as u8);
        let goroutine = if sample.goroutine.is_none() { 0 } else { sample.goroutine.0 as u64 };
        let (thread, proc) = (sample.thread.0 as u64, sample.proc.0 as u64);
        for field in [sample.ticks, thread, proc, goroutine, sample.stack.0] {
            put_uvarint(out, field);
        }
        self.samples.end_entry();
    }

    /// Appends the whole generation to a trace.
    pub fn finish(self, clock: Clock, out: &mut Vec<u8>) {
        let time = clock.ticks;
        let mut sync = vec![EventType::Sync as u8, EventType::Frequency as u8];
        put_uvarint(&mut sync, clock.frequency);
        sync.push(EventType::ClockSnapshot as u8);
        for field in [0, clock.mono, clock.wall_seconds, u64::from(clock.wall_nanos)] {
            put_uvarint(&mut sync, field);
        }
        put_batch(out, self.number, ThreadId::NONE, time, &[], &sync);
        out.extend_from_slice(&self.batches);
        self.samples.put(out, self.number, time, EventType::CPUSamples);
        self.stacks.put(out, self.number, time, EventType::Stacks);
        self.strings.put(out, self.number, time, EventType::Strings);
        out.push(EventType::EndOfGeneration as u8);
    }
}

impl Table {
    fn end_entry(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Writes the entries in as many batches as they need.
    fn put(&self, out: &mut Vec<u8>, generation: u64, time: u64, kind: EventType) {
        let (mut start, mut previous) = (0, 0);
        for &end in &self.ends {
            if end - start >= MAX_BATCH as usize {
                let entries = &self.bytes[start..previous];
                put_batch(out, generation, ThreadId::NONE, time, &[kind as u8], entries);
                start = previous;
            }
            previous = end;
        }
        if previous > start {
            let entries = &self.bytes[start..previous];
            put_batch(out, generation, ThreadId::NONE, time, &[kind as u8], entries);
        }
    }
}

fn put_batch(
    out: &mut Vec<u8>,
    generation: u64,
    thread: ThreadId,
    time: u64,
    head: &[u8],
    payload: &[u8],
) {
    out.push(EventType::EventBatch as u8);
    for field in [generation, thread.0 as u64, time, (head.len() + payload.len()) as u64] {
        put_uvarint(out, field);
    }
    out.extend_from_slice(head);
    out.extend_from_slice(payload);
}

/// The first bytes of `text`, at most `max` of them, that are whole characters.
pub(crate) fn truncated(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&i| text.is_char_boundary(i));
    &text[..end.unwrap_or(0)]
}
