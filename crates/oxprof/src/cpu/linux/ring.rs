//! Records on their way from handlers to the collector.
//!
//! A ring has one reader, the collector, and one writer at a time: a handler that took its lock. Nobody
//! waits for the lock; who does not get it tries another ring.
//!
//! ```text
//!        tail (reader)                 head (writer)
//!          ▼                             ▼
//!  ────────┬───────────┬────────┬────────┬─────────────┐
//!   free   │ record    │ record │ record │ free        │
//!  ────────┴───────────┴────────┴────────┴─────────────┘
//! ```
//! Both positions only grow; a position modulo the size is an index. Rules:
//! 1. Words from `tail` to `head` belong to the reader, the others to who holds the lock.
//! 2. Only the reader moves `tail`, with release, after it has read; only the lock's holder moves `head`,
//!    with release, after it has written. Each acquires the other's.
//! 3. A record does not wrap around: what is left at the end is skipped, marked by [`FILLER`].

use crate::code::sync::{AtomicBool, AtomicUsize, Ordering, Words};

/// Most frames of a stack that are kept; the outermost are dropped.
pub(super) const MAX_DEPTH: usize = 512;

/// Words before the frames of a record.
const HEADER: usize = 4;
const MAX_RECORD: usize = HEADER + MAX_DEPTH;
const FILLER: u64 = u64::MAX;

/// What a record says besides the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Periods that the sample stands for.
    pub(super) periods: u32,
    /// Nanoseconds of CPU time in a period.
    pub(super) period: u32,
    /// Number of the thread's slot.
    pub(super) slot: u16,
    /// Number of frames.
    pub(super) depth: u16,
    /// Value of an [`oxprof_unwind::Outcome`].
    pub(super) outcome: u8,
    /// Whether a caller was guessed.
    pub(super) guessed: bool,
    /// Number of the labels in force, as a raw [`LabelsId`](crate::labels::LabelsId).
    pub(super) labels: u32,
    /// The kernel's number of the thread.
    pub(super) thread: u32,
    /// When, while an execution trace is recorded; else 0.
    pub(super) time: u64,
}

impl Header {
    /// Never [`FILLER`], because `guessed` is 0 or 1.
    fn to_words(self) -> [u64; HEADER] {
        let first = u64::from(self.periods)
            | u64::from(self.depth) << 32
            | u64::from(self.outcome) << 48
            | u64::from(self.guessed) << 56;
        let second = u64::from(self.slot) | u64::from(self.period) << 32;
        let third = u64::from(self.labels) | u64::from(self.thread) << 32;
        [first, second, third, self.time]
    }

    fn from_words([first, second, third, time]: [u64; HEADER]) -> Self {
        Self {
            periods: first as u32,
            depth: (first >> 32) as u16,
            outcome: (first >> 48) as u8,
            guessed: first >> 56 != 0,
            slot: second as u16,
            period: (second >> 32) as u32,
            labels: third as u32,
            thread: (third >> 32) as u32,
            time,
        }
    }
}

pub(super) struct Ring {
    locked: AtomicBool,
    head: AtomicUsize,
    tail: AtomicUsize,
    words: Words,
}

impl Ring {
    /// A ring of `size` words, a power of two that holds more than two records.
    pub(super) fn new(size: usize) -> Self {
        debug_assert!(size >= 2 * MAX_RECORD);
        Self::with_size(size)
    }

    fn with_size(size: usize) -> Self {
        debug_assert!(size.is_power_of_two());
        Self {
            locked: AtomicBool::new(false),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            words: Words::new(size),
        }
    }

    /// Lets `write` fill a record of up to `depth` frames in place. Returns whether there was room;
    /// `None` if another writer is at it.
    pub(super) fn put(
        &self,
        depth: usize,
        write: impl FnOnce(&mut [u64]) -> Header,
    ) -> Option<bool> {
        if self.locked.swap(true, Ordering::Acquire) {
            return None;
        }
        let done = self.put_locked(depth.min(MAX_DEPTH), write);
        self.locked.store(false, Ordering::Release);
        Some(done)
    }

    fn put_locked(&self, depth: usize, write: impl FnOnce(&mut [u64]) -> Header) -> bool {
        let size = self.words.len();
        let head = self.head.load(Ordering::Relaxed);
        let free = size - head.wrapping_sub(self.tail.load(Ordering::Acquire));
        let at = head & (size - 1);
        let room = HEADER + depth;
        let skipped = if size - at < room { size - at } else { 0 };
        if free < skipped + room {
            return false;
        }
        let start = if skipped == 0 { at } else { 0 };
        if skipped != 0 {
            // SAFETY: rule 1: word `at` is free, and we hold the lock.
            unsafe { self.words.with_mut(at, 1, |words| words[0] = FILLER) };
        }
        // SAFETY: rule 1: `room` words from `start` are free and do not wrap, and we hold the lock.
        let length = unsafe {
            self.words.with_mut(start, room, |words| {
                let (header, frames) = words.split_at_mut(HEADER);
                let written = write(frames);
                header.copy_from_slice(&written.to_words());
                HEADER + usize::from(written.depth).min(depth)
            })
        };
        self.head.store(head.wrapping_add(skipped + length), Ordering::Release);
        true
    }

    /// Hands all records to `read` and frees them.
    ///
    /// # Safety
    /// Only one thread at a time may drain.
    pub(super) unsafe fn drain(&self, mut read: impl FnMut(&Header, &[u64])) {
        let size = self.words.len();
        let mut tail = self.tail.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Acquire);
        while tail != head {
            let at = tail & (size - 1);
            let available = (size - at).min(head.wrapping_sub(tail));
            // SAFETY: rule 1: words from `tail` to `head` are the reader's, which this is.
            let length = unsafe {
                self.words.with(at, available, |words| read_record(words, size - at, &mut read))
            };
            tail = tail.wrapping_add(length);
            self.tail.store(tail, Ordering::Release);
        }
    }
}

/// Reads the record that `words` start with; returns its length.
fn read_record(words: &[u64], to_end: usize, read: &mut impl FnMut(&Header, &[u64])) -> usize {
    if words[0] == FILLER {
        return to_end;
    }
    let header = Header::from_words([words[0], words[1], words[2], words[3]]);
    let length = HEADER + usize::from(header.depth);
    read(&header, &words[HEADER..length]);
    length
}

/// The rings of a session. Handlers spread over them by slot.
pub(super) struct Rings(Box<[Ring]>);

/// Words of a ring, 128 KiB: a second of samples at the highest rate that a CPU delivers.
const RING_WORDS: usize = 1 << 14;
/// Rings a handler tries before it gives up.
const ATTEMPTS: usize = 4;

impl Rings {
    /// Twice as many as there are CPUs: no more handlers run at once, so two rarely meet.
    pub(super) fn new(cpus: usize) -> Self {
        let count = (2 * cpus).next_power_of_two().clamp(ATTEMPTS, 1024);
        Self((0..count).map(|_| Ring::new(RING_WORDS)).collect())
    }

    /// Writes a record as [`Ring::put`] does; returns whether it found a place.
    pub(super) fn put(&self, home: usize, mut write: impl FnMut(&mut [u64]) -> Header) -> bool {
        let mask = self.0.len() - 1;
        (0..ATTEMPTS).any(|i| {
            let ring = self.0.get((home + i) & mask);
            ring.and_then(|ring| ring.put(MAX_DEPTH, &mut write)) == Some(true)
        })
    }

    /// Drains all rings.
    ///
    /// # Safety
    /// Only one thread at a time may drain.
    pub(super) unsafe fn drain(&self, mut read: impl FnMut(&Header, &[u64])) {
        for ring in &self.0 {
            // SAFETY: passed on to the caller.
            unsafe { ring.drain(&mut read) };
        }
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use std::thread;

    use super::*;

    fn header(depth: usize) -> Header {
        Header {
            depth: depth as u16,
            periods: 3,
            period: 5,
            slot: 7,
            outcome: 1,
            guessed: true,
            labels: 9,
            thread: 11,
            time: 13,
        }
    }

    fn drained(ring: &Ring) -> Vec<Vec<u64>> {
        let mut records = Vec::new();
        // SAFETY: one thread drains.
        unsafe { ring.drain(|header, frames| records.push((*header, frames.to_vec()))) };
        records.iter().for_each(|(h, frames)| assert_eq!(*h, header(frames.len())));
        records.into_iter().map(|(_, frames)| frames).collect()
    }

    fn put(ring: &Ring, frames: &[u64]) -> Option<bool> {
        ring.put(MAX_DEPTH, |room| {
            room[..frames.len()].copy_from_slice(frames);
            header(frames.len())
        })
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let ring = Ring::new(2048);
        for n in 0..1000u64 {
            let frames: Vec<u64> = (0..n % 400).map(|i| i ^ n).collect();
            assert_eq!(put(&ring, &frames), Some(true));
            assert_eq!(put(&ring, &[n]), Some(true));
            assert_eq!(drained(&ring), [frames, vec![n]]);
        }
    }

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let ring = Ring::new(2048);
        let mut kept = 0;
        while put(&ring, &[1; 100]) == Some(true) {
            kept += 1;
        }
        assert!(kept >= 10, "{kept}");
        assert_eq!(drained(&ring).len(), kept);
        assert_eq!(put(&ring, &[1; 100]), Some(true));
    }

    #[test]
    fn writers_do_not_wait_for_each_other() {
        let ring = Ring::new(2048);
        let inner = ring.put(10, |_| {
            assert_eq!(put(&ring, &[1]), None);
            header(0)
        });
        assert_eq!(inner, Some(true));
    }

    /// Numbers from several threads arrive whole, each thread's in order.
    #[test]
    fn many_writers_and_a_reader() {
        const EACH: u64 = if cfg!(miri) { 50 } else { 20_000 };
        let rings = Rings::new(1);
        let mut last = [0; 4];
        thread::scope(|scope| {
            let writer = |id: u64| {
                let rings = &rings;
                move || {
                    let mut dropped = 0;
                    for n in 1..=EACH {
                        let stored = rings.put(0, |room| {
                            room[..3].copy_from_slice(&[id, n, id ^ n]);
                            header(3)
                        });
                        dropped += u64::from(!stored);
                    }
                    dropped
                }
            };
            let writers: Vec<_> = (0..4).map(|id| scope.spawn(writer(id))).collect();
            let (mut received, mut done) = (0, false);
            while !done {
                done = writers.iter().all(thread::ScopedJoinHandle::is_finished);
                // SAFETY: one thread drains.
                unsafe {
                    rings.drain(|_, frames| {
                        assert_eq!(frames[0] ^ frames[1], frames[2]);
                        last[frames[0] as usize] = frames[1];
                        received += 1;
                    });
                }
            }
            let dropped: u64 = writers.into_iter().map(|w| w.join().unwrap()).sum();
            assert_eq!(received + dropped, 4 * EACH);
        });
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use crate::code::sync::check;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Two handlers write, one of them past the end of the ring, while the collector reads: every record
    /// that was accepted arrives whole.
    #[test]
    fn accepted_records_arrive_whole() {
        check(|| {
            // Room for one record of one frame before the end; the other wraps around.
            let ring = Arc::new(Ring::with_size(8));
            let writers: Vec<_> = (1..=2u64)
                .map(|n| {
                    let ring = Arc::clone(&ring);
                    thread::spawn(move || {
                        ring.put(1, |room| {
                            room[0] = n;
                            Header { depth: 1, periods: n as u32, ..Header::default() }
                        }) == Some(true)
                    })
                })
                .collect();
            let mut received = 0;
            let mut read = |header: &Header, frames: &[u64]| {
                assert_eq!(frames, [u64::from(header.periods)]);
                received += 1;
            };
            // SAFETY: one thread drains.
            unsafe { ring.drain(&mut read) };
            let accepted = writers.into_iter().map(|w| w.join().unwrap()).filter(|&a| a).count();
            // SAFETY: as above.
            unsafe { ring.drain(&mut read) };
            assert_eq!(received, accepted);
        });
    }

    /// A writer wraps around into what the reader is freeing.
    #[test]
    fn freed_words_are_written_after_they_were_read() {
        check(|| {
            let ring = Arc::new(Ring::with_size(16));
            let put = |ring: &Ring, n: u64| {
                ring.put(1, |room| {
                    room[0] = n;
                    Header { depth: 1, periods: n as u32, ..Header::default() }
                })
            };
            assert_eq!([1, 2, 3].map(|n| put(&ring, n)), [Some(true); 3]);
            let writer = {
                let ring = Arc::clone(&ring);
                thread::spawn(move || put(&ring, 4) == Some(true))
            };
            let mut received = 0;
            let mut read = |header: &Header, frames: &[u64]| {
                assert_eq!(frames, [u64::from(header.periods)]);
                received += 1;
            };
            // SAFETY: one thread drains.
            unsafe { ring.drain(&mut read) };
            let accepted = writer.join().unwrap();
            // SAFETY: as above.
            unsafe { ring.drain(&mut read) };
            assert_eq!(received, 3 + usize::from(accepted));
        });
    }
}
