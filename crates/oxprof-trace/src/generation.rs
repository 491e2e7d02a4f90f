//! A generation: a slice of the trace that can be understood by itself.

use rustc_hash::FxHashMap;

use crate::error::Rule;
use crate::tables::{ClockSnapshot, Tables, entry};
use crate::wire::{EventType, MAX_BATCH, Version, uvarint};
use crate::{GoId, ProcId, ThreadId};

/// What stands at the top level of a trace.
pub(crate) enum Frame {
    /// A batch; `payload` is its range in the bytes it was parsed from.
    Batch(BatchHeader, std::ops::Range<usize>),
    /// The mark of a generation's end.
    EndOfGeneration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchHeader {
    pub(crate) experimental: bool,
    pub(crate) generation: u64,
    pub(crate) thread: ThreadId,
    pub(crate) time: u64,
}

/// Parses what `bytes` begin with; `None` when they end before it does.
pub(crate) fn parse_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Rule> {
    let mut pos = 1;
    let experimental = match bytes.first().map(|&byte| (byte, EventType::from_byte(byte))) {
        None => return Ok(None),
        Some((_, Some(EventType::EndOfGeneration))) => {
            return Ok(Some((Frame::EndOfGeneration, 1)));
        }
        Some((_, Some(EventType::EventBatch))) => false,
        Some((_, Some(EventType::ExperimentalBatch))) => true,
        Some((byte, _)) => return Err(Rule::BatchStart(byte)),
    };
    if experimental {
        pos += 1;
    }
    let mut fields = [0; 4];
    for field in &mut fields {
        match uvarint(bytes, &mut pos) {
            Some(value) => *field = value,
            None if bytes.len() >= pos + 10 => return Err(Rule::Encoding("the header of a batch")),
            None => return Ok(None),
        }
    }
    let [generation, thread, time, size] = fields;
    if size > MAX_BATCH {
        return Err(Rule::Limit { what: "batch", size, limit: MAX_BATCH });
    }
    let end = pos + size as usize;
    if end > bytes.len() {
        return Ok(None);
    }
    let header = BatchHeader { experimental, generation, thread: ThreadId(thread as i64), time };
    Ok(Some((Frame::Batch(header, pos..end), end)))
}

/// All of a generation, its events still encoded. Its memory is reused from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    /// 0 until the first batch.
    pub(crate) number: u64,
    /// Earliest time of any batch, in ticks.
    pub(crate) min_time: u64,
    /// Nanoseconds per tick; 0 until it is known.
    pub(crate) tick: f64,
    pub(crate) tables: Tables,
    /// Payloads of all event batches, back to back.
    pub(crate) data: Vec<u8>,
    /// Threads in the order in which their first batches came.
    pub(crate) threads: Vec<ThreadBatches>,
    thread_index: FxHashMap<ThreadId, u32>,
    /// CPU samples, sorted by time once the generation is complete.
    pub(crate) samples: Vec<CpuSample>,
    snapshot: Option<Snapshot>,
    size: usize,
    batches: usize,
}

/// The event batches of a thread.
#[derive(Debug)]
pub(crate) struct ThreadBatches {
    pub(crate) thread: ThreadId,
    pub(crate) batches: Vec<Batch>,
}

/// A batch of events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) time: u64,
    /// Where it lies in [`Generation::data`].
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A sample of the CPU profiler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuSample {
    /// In ticks until the generation is complete, then in nanoseconds.
    pub(crate) time: i64,
    pub(crate) thread: ThreadId,
    pub(crate) proc: ProcId,
    pub(crate) goroutine: GoId,
    pub(crate) stack: u64,
}

/// [`ClockSnapshot`], its time in ticks.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    ticks: u64,
    mono: u64,
    seconds: u64,
    nanos: u64,
}

impl Generation {
    /// Makes room for the next generation.
    pub(crate) fn clear(&mut self) {
        self.number = 0;
        self.min_time = 0;
        self.tick = 0.0;
        self.tables.clear();
        self.data.clear();
        self.threads.clear();
        self.thread_index.clear();
        self.samples.clear();
        self.snapshot = None;
        self.size = 0;
        self.batches = 0;
    }

    /// Whether there is no batch yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// Bytes of its batches so far.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Nanoseconds of a time in ticks.
    #[inline]
    pub(crate) fn nanos(&self, ticks: u64) -> i64 {
        (ticks as f64 * self.tick) as i64
    }

    /// Adds a batch.
    pub(crate) fn add(
        &mut self,
        version: Version,
        header: BatchHeader,
        payload: &[u8],
    ) -> Result<(), Rule> {
        if self.batches == 0 {
            self.number = header.generation;
        }
        self.batches += 1;
        self.size += payload.len();
        if self.min_time == 0 || header.time < self.min_time {
            self.min_time = header.time;
        }
        if header.experimental {
            // Data of experiments is opaque; Go's tool does not show it either.
            return Ok(());
        }
        match payload.first().and_then(|&byte| EventType::from_byte(byte)) {
            Some(EventType::Strings) => self.tables.add_strings(payload),
            Some(EventType::Stacks) => self.tables.add_stacks(payload),
            Some(EventType::CPUSamples) => self.add_samples(payload),
            Some(EventType::Frequency) if version < Version::Go125 => {
                self.add_sync(header.time, payload, false)
            }
            Some(EventType::Sync) if version >= Version::Go125 => {
                self.add_sync(header.time, &payload[1..], true)
            }
            _ => {
                self.add_events(header, payload);
                Ok(())
            }
        }
    }

    fn add_events(&mut self, header: BatchHeader, payload: &[u8]) {
        let threads = &mut self.threads;
        let thread = *self.thread_index.entry(header.thread).or_insert_with(|| {
            threads.push(ThreadBatches { thread: header.thread, batches: Vec::new() });
            threads.len() as u32 - 1
        });
        let start = self.data.len() as u32;
        self.data.extend_from_slice(payload);
        let batch = Batch { time: header.time, start, end: self.data.len() as u32 };
        self.threads[thread as usize].batches.push(batch);
    }

    fn add_samples(&mut self, payload: &[u8]) -> Result<(), Rule> {
        let mut pos = 1;
        while pos < payload.len() {
            entry("CPU samples", EventType::CPUSample, payload, &mut pos)?;
            let mut fields = [0; 5];
            for field in &mut fields {
                *field = uvarint(payload, &mut pos).ok_or(Rule::Encoding("a CPU sample"))?;
            }
            let [time, thread, proc, goroutine, stack] = fields;
            self.samples.push(CpuSample {
                time: time as i64,
                thread: ThreadId(thread as i64),
                proc: ProcId(proc as i64),
                goroutine: if goroutine == 0 { GoId::NONE } else { GoId(goroutine as i64) },
                stack,
            });
        }
        Ok(())
    }

    fn add_sync(&mut self, time: u64, payload: &[u8], snapshots: bool) -> Result<(), Rule> {
        const CUT: Rule = Rule::Encoding("a clock's description");
        let mut pos = 0;
        let mut ticks = time;
        while pos < payload.len() {
            let byte = payload[pos];
            pos += 1;
            let mut field = || uvarint(payload, &mut pos).ok_or(CUT);
            match EventType::from_byte(byte) {
                Some(EventType::Frequency) => {
                    if self.tick != 0.0 {
                        return Err(Rule::Duplicate { what: "frequency", id: 0 });
                    }
                    self.tick = 1.0 / (field()? as f64 / 1e9);
                }
                Some(EventType::ClockSnapshot) if snapshots => {
                    if self.snapshot.is_some() {
                        return Err(Rule::Duplicate { what: "clock snapshot", id: 0 });
                    }
                    ticks = ticks.wrapping_add(field()?);
                    let [mono, seconds, nanos] = [field()?, field()?, field()?];
                    self.snapshot = Some(Snapshot { ticks, mono, seconds, nanos });
                }
                _ => return Err(Rule::TableEntry { table: "clock descriptions", found: byte }),
            }
        }
        Ok(())
    }

    /// Checks what can only be checked once all batches are there, and readies the tables. All is done
    /// whatever is wrong; `report` learns what is.
    pub(crate) fn complete(&mut self, version: Version, mut report: impl FnMut(Rule)) {
        if self.tick == 0.0 {
            report(Rule::MissingSync("frequency"));
        }
        if version >= Version::Go125 && self.snapshot.is_none() {
            report(Rule::MissingSync("clock snapshot"));
        }
        if let Err(rule) = self.tables.resolve_frames() {
            report(rule);
        }
    }

    /// Turns the times of samples and snapshot into nanoseconds.
    pub(crate) fn apply_tick(&mut self) {
        let tick = self.tick;
        for sample in &mut self.samples {
            sample.time = (sample.time as u64 as f64 * tick) as i64;
        }
        self.samples.sort_by_key(|sample| sample.time);
        self.tables.clock = self.snapshot.map(|s| ClockSnapshot {
            trace: self.nanos(s.ticks),
            mono: s.mono,
            wall_seconds: s.seconds,
            wall_nanos: s.nanos,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let found = match parse_frame(bytes) {
            Ok(None) => "more".to_owned(),
            Ok(Some((Frame::EndOfGeneration, n))) => format!("end {n}"),
            Ok(Some((Frame::Batch(h, payload), n))) => {
                format!("gen {} thread {} time {} {payload:?} {n}", h.generation, h.thread, h.time)
            }
            Err(rule) => rule.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn frames_come_one_by_one_and_wait_for_their_bytes() {
        check(&[], "more");
        check(&[52, 1], "end 1");
        check(&[1, 1, 2, 3], "more");
        check(&[1, 1, 2, 3, 2, 9], "more");
        check(&[1, 1, 2, 3, 2, 9, 9, 1], "gen 1 thread 2 time 3 5..7 7");
        check(&[49, 1, 1, 2, 3, 0], "gen 1 thread 2 time 3 6..6 6");
        check(&[7], "expected a batch, found a byte of type 7");
        check(
            &[1, 1, 2, 3, 0xff, 0xff, 0x7f],
            "a batch has a size of 2097151, more than the 65536 allowed",
        );
        check(
            &[&[1; 4][..], &[0xff; 11]].concat(),
            "the header of a batch is cut short or malformed",
        );
    }
}
