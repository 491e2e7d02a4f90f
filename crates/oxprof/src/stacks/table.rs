//! A lock-free set of short keys, each with a few counters beside it.
//!
//! ```text
//! index   ┌────────┬──────┬────────┬──┄   a slot is 0, or a tag and the position of a record
//!         │tag, pos│  0   │tag, pos│
//!         └────┬───┴──────┴────────┴──┄
//! chunks       └▶ length of key │ key … │ counters …
//! ```
//!
//! # Protocol
//! 1. A record is written by the thread that took its room, before anyone knows its position. Publishing it in
//!    an empty slot (compare-exchange, release) makes it visible; readers of slots acquire. After that
//!    its key never changes, and its counters change by atomic additions only.
//! 2. Slots change once, from 0. A key lives in the first slot of its probe sequence that was empty when
//!    it came: whoever finds an empty slot there knows that the key is not in the table, and whoever loses the race for
//!    it looks at what won. So a key is never there twice.
//! 3. Room is taken by moving `next` (compare-exchange) and never returned: the loser of a race for a slot with
//!    an equal key wastes its record.
//! 4. Nobody waits: a thread that stops anywhere holds up no other.

use super::words::Words;
use crate::code::sync::{AtomicU64, Ordering};
use crate::labels::LabelsId;

/// The table. `CHUNKS` chunks of records at most.
pub(crate) struct Table<const CHUNKS: usize> {
    /// The slots, then `next`: the position of the first free word, less one.
    index: Words,
    slots: usize,
    chunks: [Words; CHUNKS],
    chunk_words: usize,
    /// Counters of each record.
    counters: usize,
}

/// Where a record is; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Position(u32);

/// Most slots that are looked at for a key. At a load of three quarters, one key in a million needs more.
const PROBES: usize = 128;

impl<const CHUNKS: usize> Table<CHUNKS> {
    /// An empty table. `slots` is a power of two.
    pub(crate) const fn new(slots: usize, chunk_words: usize, counters: usize) -> Self {
        assert!(slots.is_power_of_two() && chunk_words * CHUNKS < u32::MAX as usize);
        let chunks = [const { Words::new(0) }; CHUNKS];
        let mut table = Self { index: Words::new(slots + 1), slots, chunks, chunk_words, counters };
        let mut i = 0;
        while i < CHUNKS {
            table.chunks[i] = Words::new(chunk_words);
            i += 1;
        }
        table
    }

    /// The record of `key`, which is added if it is not there; `None` if there is no room.
    ///
    /// Allocates nothing and waits for nobody.
    pub(crate) fn intern(&self, key: &[u64]) -> Option<Position> {
        self.intern_within(key, self.words())
    }

    /// The record of a key with labels. Labels are lost where most keys would not be there but for
    /// them: those may take half of the room.
    pub(crate) fn intern_labeled<const N: usize>(
        &self,
        labels: LabelsId,
        key: impl Fn(LabelsId) -> [u64; N],
    ) -> Option<Position> {
        if labels == LabelsId::NONE {
            return self.intern(&key(labels));
        }
        // All keys have this length, so slots may be what is scarce.
        let room = self.words().min(self.slots * (1 + N + self.counters)) / 2;
        let labeled = self.intern_within(&key(labels), room);
        labeled.or_else(|| self.intern(&key(LabelsId::LOST)))
    }

    /// The record of `key`, which is added only if it fits the first `room` words.
    fn intern_within(&self, key: &[u64], room: usize) -> Option<Position> {
        let index = self.index.map()?;
        let hash = hash(key);
        let tag = hash & !u64::from(u32::MAX);
        let mut mine = None;
        for i in 0..PROBES.min(self.slots) {
            let slot = &index[(hash as usize).wrapping_add(i) & (self.slots - 1)];
            let mut seen = slot.load(Ordering::Acquire);
            if seen == 0 {
                let record = match mine {
                    Some(record) => record,
                    None => *mine.insert(self.write(index, key, room)?),
                };
                let full = tag | u64::from(record);
                match slot.compare_exchange(0, full, Ordering::Release, Ordering::Acquire) {
                    Ok(_) => return Some(Position(record)),
                    Err(winner) => seen = winner,
                }
            }
            let position = Position(seen as u32);
            if seen & !u64::from(u32::MAX) == tag && self.has_key(position, key) {
                return Some(position);
            }
        }
        None
    }

    /// The key at `position`, word by word.
    pub(crate) fn key(&self, position: Position) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.key_words(position).iter().map(|word| word.load(Ordering::Relaxed))
    }

    /// The counters of the record at `position`.
    pub(crate) fn counters(&self, position: Position) -> &[AtomicU64] {
        let first = 1 + self.key_words(position).len();
        self.record(position).get(first..first + self.counters).unwrap_or(&[])
    }

    /// All records, in no order. Those added meanwhile may be missing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        let slots = self.index.get().map_or(&[][..], |index| &index[..self.slots]);
        slots
            .iter()
            .map(|slot| slot.load(Ordering::Acquire) as u32)
            .filter(|&p| p != 0)
            .map(Position)
    }

    fn words(&self) -> usize {
        self.chunk_words * CHUNKS
    }

    fn key_words(&self, position: Position) -> &[AtomicU64] {
        let Some((header, words)) = self.record(position).split_first() else { return &[] };
        words.get(..header.load(Ordering::Relaxed) as usize).unwrap_or(&[])
    }

    fn has_key(&self, position: Position, key: &[u64]) -> bool {
        let words = self.key(position);
        words.len() == key.len() && words.eq(key.iter().copied())
    }

    /// The words of a chunk from `position` on.
    fn record(&self, position: Position) -> &[AtomicU64] {
        let at = position.0 as usize - 1;
        let chunk = self.chunks.get(at / self.chunk_words).and_then(Words::get);
        chunk.and_then(|words| words.get(at % self.chunk_words..)).unwrap_or(&[])
    }

    /// Writes a record (rule 1) and returns its position.
    fn write(&self, index: &[AtomicU64], key: &[u64], room: usize) -> Option<u32> {
        let at = self.take(&index[self.slots], 1 + key.len() + self.counters, room)?;
        self.chunks[at / self.chunk_words].map()?;
        let position = at as u32 + 1;
        let (header, words) = self.record(Position(position)).split_first()?;
        header.store(key.len() as u64, Ordering::Relaxed);
        for (word, &value) in words.iter().zip(key) {
            word.store(value, Ordering::Relaxed);
        }
        Some(position)
    }

    /// Takes `length` words in one chunk (rule 3), of the first `room`.
    fn take(&self, next: &AtomicU64, length: usize, room: usize) -> Option<usize> {
        let mut free = next.load(Ordering::Relaxed);
        loop {
            let left = self.chunk_words - free as usize % self.chunk_words;
            let at = if left < length { free as usize + left } else { free as usize };
            let end = at + length;
            if length > self.chunk_words || end > room {
                return None;
            }
            let order = Ordering::Relaxed;
            match next.compare_exchange(free, end as u64, order, order) {
                Ok(_) => return Some(at),
                Err(moved) => free = moved,
            }
        }
    }
}

impl Position {
    /// As a number that [`from_raw`](Self::from_raw) takes back; never 0.
    pub(crate) fn to_raw(self) -> u32 {
        self.0
    }

    pub(crate) fn from_raw(raw: u32) -> Option<Self> {
        (raw != 0).then_some(Self(raw))
    }
}

/// Mixes words.
pub(super) fn hash(key: &[u64]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = key
        .iter()
        .fold(key.len() as u64, |h, &word| (h.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER));
    let z = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    z ^ z >> 32
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    fn keys(table: &Table<2>) -> Vec<Vec<u64>> {
        let mut keys: Vec<Vec<u64>> = table.iter().map(|p| table.key(p).collect()).collect();
        keys.sort();
        keys
    }

    #[test]
    fn equal_keys_are_one() {
        let table = Table::<2>::new(16, 64, 1);
        let [a, b, c] = [&[1, 2][..], &[1], &[1, 2]].map(|key| table.intern(key).unwrap());
        assert_eq!((a == c, a == b), (true, false));
        table.counters(a)[0].fetch_add(7, Ordering::Relaxed);
        assert_eq!(table.counters(c)[0].load(Ordering::Relaxed), 7);
        assert_eq!(table.counters(b)[0].load(Ordering::Relaxed), 0);
        assert_eq!(keys(&table), [vec![1], vec![1, 2]]);
    }

    #[test]
    fn full_tables_refuse_new_keys_and_keep_the_old() {
        // Each record has 1 + 6 words, so 9 fit a chunk of 64.
        let by_room = Table::<2>::new(64, 64, 0);
        let by_slots = Table::<2>::new(8, 64, 0);
        for (table, room) in [(by_room, 18), (by_slots, 8)] {
            for i in 0..40 {
                let key = [i; 6];
                assert_eq!(table.intern(&key).is_some(), i < room, "{i} of {room}");
            }
            assert_eq!(keys(&table).len(), room as usize);
            assert!((0..room).all(|i| table.intern(&[i; 6]).is_some()));
        }
    }

    #[test]
    fn labels_leave_half_of_the_room_to_keys_without() {
        // Each record has 1 + 2 + 1 words: 32 fit by room, 16 by slots.
        for (slots, room) in [(64, 32), (16, 16)] {
            let table = Table::<2>::new(slots, 64, 1);
            let add = |key: u64, labels| {
                let key = |labels: LabelsId| [key, labels.to_raw().into()];
                table
                    .intern_labeled(LabelsId::from_raw(labels), key)
                    .map(|p| table.key(p).map(|word| word as u32).collect::<Vec<_>>())
            };
            let lost = LabelsId::LOST.to_raw();
            for labels in 1..1000 {
                let expected = if labels <= room / 2 { labels } else { lost };
                assert_eq!(add(1, labels), Some(vec![1, expected]), "{slots} slots");
            }
            for key in 2..room / 2 + 1 {
                assert_eq!(add(key.into(), 0), Some(vec![key, 0]), "{slots} slots");
            }
            assert_eq!(add(99, 0), None);
        }
    }

    #[test]
    fn keys_longer_than_a_chunk_are_refused() {
        let table = Table::<2>::new(8, 64, 1);
        assert!(table.intern(&[0; 63]).is_none());
        assert!(table.intern(&[0; 62]).is_some());
    }

    #[test]
    fn threads_that_add_the_same_keys_agree() {
        let table = Table::<2>::new(1 << 12, 1 << 16, 1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..2000u64 {
                        let position = table.intern(&[i, i * i]).unwrap();
                        table.counters(position)[0].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(table.iter().count(), 2000);
        assert!(table.iter().all(|p| table.counters(p)[0].load(Ordering::Relaxed) == 4));
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check as model;

    /// Adds `key` and counts that.
    fn add(table: &Table<1>, key: &[u64]) {
        let position = table.intern(key).expect("there is room");
        assert!(table.has_key(position, key));
        table.counters(position)[0].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the keys of each thread at once; each key is to be there once, with the number of times it came.
    fn check(threads: [&'static [u64]; 2], expected: &'static [(u64, u64)]) {
        model(move || {
            // Two slots, so that different keys meet.
            let table = Arc::new(Table::<1>::new(2, 16, 1));
            // The checker does not see the memory being made, so that comes first.
            (table.index.map(), table.chunks[0].map());
            let running: Vec<_> = threads
                .into_iter()
                .map(|keys| {
                    let table = Arc::clone(&table);
                    thread::spawn(move || keys.iter().for_each(|&key| add(&table, &[key])))
                })
                .collect();
            running.into_iter().for_each(|t| t.join().unwrap());
            let count = |p| table.counters(p)[0].load(Ordering::Relaxed);
            let mut got: Vec<_> =
                table.iter().map(|p| (table.key(p).next().unwrap(), count(p))).collect();
            got.sort();
            assert_eq!(got, expected);
        });
    }

    #[test]
    fn a_key_that_two_add_is_there_once() {
        check([&[5], &[5]], &[(5, 2)]);
    }

    #[test]
    fn keys_that_race_for_slots_are_both_there() {
        check([&[5, 6], &[6, 5]], &[(5, 2), (6, 2)]);
    }
}
