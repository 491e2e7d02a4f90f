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

use super::sync::{AtomicBool, AtomicUsize, Ordering, Words};

/// Most frames of a stack that are kept; the outermost are dropped.
pub(super) const MAX_DEPTH: usize = 512;

/// Words before the frames of a record.
const HEADER: usize = 2;
const MAX_RECORD: usize = HEADER + MAX_DEPTH;
const FILLER: u64 = u64::MAX;

/// What a record says besides the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Periods that the sample stands for.
    pub(super) periods: u32,
    /// Nanoseconds of CPU time in a period.
    pub(super) period: u32,
    pub(super) tid: u32,
    /// Number of frames.
    pub(super) depth: u16,
    /// Value of an [`oxprof_unwind::Outcome`].
    pub(super) outcome: u8,
    /// Whether a caller was guessed.
    pub(super) guessed: bool,
}

impl Header {
    /// Never [`FILLER`], because `guessed` is 0 or 1.
    fn to_words(self) -> [u64; HEADER] {
        let first = u64::from(self.periods)
            | u64::from(self.depth) << 32
            | u64::from(self.outcome) << 48
            | u64::from(self.guessed) << 56;
        [first, u64::from(self.tid) | u64::from(self.period) << 32]
    }

    fn from_words([first, second]: [u64; HEADER]) -> Self {
        Self {
            periods: first as u32,
            depth: (first >> 32) as u16,
            outcome: (first >> 48) as u8,
            guessed: first >> 56 != 0,
            tid: second as u32,
            period: (second >> 32) as u32,
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
        debug_assert!(size.is_power_of_two() && size >= 2 * MAX_RECORD);
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
    let header = Header::from_words([words[0], words[1]]);
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
