//! Merges the threads' streams of a generation.
//!
//! The streams stand in a binary heap by the time of their next events. Usually the first one's event can
//! happen; if not, the others are tried in order of time. Events of equal time come out in the order of
//! the heap, which is that of Go's reader, so that its output and ours can be compared.

use crate::error::{Pending, Rule};
use crate::generation::{CpuSample, Generation, ThreadBatches};
use crate::order::{Order, RawEvent, Verdict};
use crate::wire::{EventType, MAX_ARGS, timed_args, uvarint};
use crate::{Event, Kind, Slot, Stack, ThreadId};

/// What one step of merging led to.
pub(super) enum Step {
    /// An event was taken.
    Taken,
    /// A CPU sample comes next; its stack may be missing.
    Sample(Event, Option<Rule>),
    /// All streams are at their ends.
    Over,
}

type Failure = (Rule, ThreadId);

/// The streams and their next events.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    heap: Vec<Cursor>,
    next_sample: usize,
    last_thread: ThreadId,
}

/// A place in the stream of a thread.
#[derive(Debug)]
struct Cursor {
    next: RawEvent,
    /// Position in [`Generation::threads`].
    stream: u32,
    /// Position in the model.
    thread: Option<u32>,
    /// Next batch, and what is left of the current one in [`Generation::data`].
    batch: u32,
    pos: u32,
    end: u32,
    /// Time of the last event.
    time: i64,
}

impl Frontier {
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.next_sample = 0;
    }

    pub(super) fn last_thread(&self) -> ThreadId {
        self.last_thread
    }

    /// Reads the first event of each stream. A stream that fails is left out.
    pub(super) fn start(
        &mut self,
        generation: &Generation,
        order: &mut Order,
    ) -> Result<(), Failure> {
        let mut result = Ok(());
        for (i, stream) in generation.threads.iter().enumerate() {
            let mut cursor = Cursor::new(i as u32, order.thread(stream.thread));
            match cursor.advance(generation) {
                Ok(true) => {
                    self.heap.push(cursor);
                    self.sift_up(self.heap.len() - 1);
                }
                Ok(false) => {}
                Err(rule) => result = result.and(Err((rule, stream.thread))),
            }
        }
        result
    }

    /// Takes the next event.
    #[inline]
    pub(super) fn step(
        &mut self,
        generation: &mut Generation,
        order: &mut Order,
    ) -> Result<Step, Failure> {
        if let Some(sample) = generation.samples.get(self.next_sample)
            && self.heap.first().is_none_or(|first| sample.time < first.next.time)
        {
            self.next_sample += 1;
            return Ok(sample_event(sample, generation));
        }
        if self.heap.is_empty() {
            return Ok(Step::Over);
        }
        if self.attempt(0, generation, order)? || self.attempt_others(generation, order)? {
            return Ok(Step::Taken);
        }
        Err(self.stuck(generation, order))
    }

    /// Tries the streams after the first, in order of time.
    #[cold]
    fn attempt_others(
        &mut self,
        generation: &mut Generation,
        order: &mut Order,
    ) -> Result<bool, Failure> {
        // A sorted heap is a heap.
        self.heap.sort_by_key(|cursor| cursor.next.time);
        for i in 1..self.heap.len() {
            if self.attempt(i, generation, order)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets the next event of a stream happen if it can, and reads the one after it.
    #[inline]
    fn attempt(
        &mut self,
        i: usize,
        generation: &mut Generation,
        order: &mut Order,
    ) -> Result<bool, Failure> {
        let cursor = &mut self.heap[i];
        let thread = generation.threads[cursor.stream as usize].thread;
        let number = generation.number;
        match order.advance(&cursor.next, &mut generation.tables, cursor.thread, number) {
            Ok(Verdict::NotYet) => return Ok(false),
            Ok(Verdict::Taken) => {}
            Err(rule) => return Err((rule, thread)),
        }
        self.last_thread = thread;
        if cursor.advance(generation).map_err(|rule| (rule, thread))? {
            self.update(i);
        } else {
            self.remove(i);
        }
        Ok(true)
    }

    #[cold]
    fn stuck(&self, generation: &Generation, order: &Order) -> Failure {
        let pending = self.heap.iter().map(|cursor| Pending {
            thread: generation.threads[cursor.stream as usize].thread,
            event: cursor.next.event.name(),
            waits_for: order.explain(&cursor.next, cursor.thread),
        });
        (Rule::Stuck(pending.collect()), ThreadId::NONE)
    }

    /// Bytes of events that have not been taken.
    pub(super) fn bytes_left(&self, generation: &Generation) -> u64 {
        self.heap.iter().map(|cursor| cursor.bytes_left(generation)).sum()
    }

    // The heap.

    fn sift_up(&mut self, mut i: usize) -> usize {
        while i > 0 && self.heap[(i - 1) / 2].next.time > self.heap[i].next.time {
            self.heap.swap((i - 1) / 2, i);
            i = (i - 1) / 2;
        }
        i
    }

    fn sift_down(&mut self, mut i: usize) {
        loop {
            let mut least = i;
            for child in [2 * i + 1, 2 * i + 2] {
                let Some(cursor) = self.heap.get(child) else { break };
                if cursor.next.time < self.heap[least].next.time {
                    least = child;
                }
            }
            if least == i {
                return;
            }
            self.heap.swap(i, least);
            i = least;
        }
    }

    fn update(&mut self, i: usize) {
        if self.sift_up(i) == i {
            self.sift_down(i);
        }
    }

    fn remove(&mut self, mut i: usize) {
        while i > 0 {
            self.heap.swap((i - 1) / 2, i);
            i = (i - 1) / 2;
        }
        self.heap.swap_remove(0);
        if !self.heap.is_empty() {
            self.sift_down(0);
        }
    }
}

impl Cursor {
    fn new(stream: u32, thread: Option<u32>) -> Self {
        let next = RawEvent { event: EventType::EventBatch, time: 0, args: [0; MAX_ARGS] };
        Self { next, stream, thread, batch: 0, pos: 0, end: 0, time: 0 }
    }

    /// Reads the next event; false at the end of the stream.
    #[inline]
    fn advance(&mut self, generation: &Generation) -> Result<bool, Rule> {
        while self.pos == self.end {
            let stream = &generation.threads[self.stream as usize];
            if !self.next_batch(stream, generation) {
                return Ok(false);
            }
        }
        let bytes = &generation.data[self.pos as usize..self.end as usize];
        // A rule that is not broken costs nothing.
        let (untimed, broken) = (|| Rule::Untimed(bytes[0]), || Rule::Encoding("an event"));
        let count = timed_args(bytes[0]).ok_or_else(untimed)?;
        let event = EventType::from_byte(bytes[0]).ok_or_else(untimed)?;
        let mut pos = 1;
        let mut read = || uvarint(bytes, &mut pos).ok_or_else(broken);
        let dt = read()?;
        for arg in &mut self.next.args[..count] {
            *arg = read()?;
        }
        self.time = self.time.wrapping_add(generation.nanos(dt));
        self.next.event = event;
        self.next.time = self.time;
        self.pos += pos as u32;
        Ok(true)
    }

    fn next_batch(&mut self, stream: &ThreadBatches, generation: &Generation) -> bool {
        let Some(batch) = stream.batches.get(self.batch as usize) else { return false };
        self.batch += 1;
        (self.pos, self.end) = (batch.start, batch.end);
        self.time = generation.nanos(batch.time);
        true
    }

    fn bytes_left(&self, generation: &Generation) -> u64 {
        let batches = &generation.threads[self.stream as usize].batches[self.batch as usize..];
        let rest: u64 = batches.iter().map(|batch| u64::from(batch.end - batch.start)).sum();
        u64::from(self.end - self.pos) + rest
    }
}

fn sample_event(sample: &CpuSample, generation: &Generation) -> Step {
    let stack = generation.tables.stack_by_id(sample.stack);
    let missing = Rule::Reference { what: "stack", id: sample.stack, by: "a CPU sample" };
    let event = Event {
        time: sample.time,
        thread: sample.thread,
        proc: sample.proc,
        goroutine: sample.goroutine,
        slot: Slot::NONE,
        stack: stack.unwrap_or(Stack::NONE),
        kind: Kind::StackSample,
    };
    Step::Sample(event, stack.is_none().then_some(missing))
}
