//! Walks that need not be done again.
//!
//! What a walk finds depends on the registers that it starts with (on the frame pointer only if it says so), on the map, and
//! on the words of the stack that it reads, one after the other; on nothing else. So who has kept these words and finds all
//! of them as they were knows what the walk would find, in a small part of the time: threads wait in the same places
//! again and again.
//!
//! # Rules
//! 1. Each slot has a few entries, 64 KiB, which only the thread uses that has the slot. They outlive threads: what one walk
//!    found is true for any.
//! 2. A signal handler may interrupt a thread that is in here, and walk, too: it finds the entries busy, and does
//!    without. So does, for ever, who comes after a thread that was torn out of here.
//! 3. A walk is not kept that reads anything but words of its own stack, or too many of these, or none; nor one for which
//!    there was no room in the table.
//! 4. Words are read again in the order in which the walk read them, up to the first that differs. So nothing is read that
//!    the walk itself would not read now.
//! 5. Who finds the new number of the map (acquire) walks by the new map, which was published before. A map that was
//!    published just now may still be kept under the old number, which is correct, and forgotten at once.

use std::ops::Range;
use std::sync::atomic::{AtomicU64 as Number, compiler_fence};

use oxprof_unwind::Memory;

use super::words::Words;
use super::{StackId, table};
use crate::code::arch::Registers;
use crate::code::memory::OwnMemory;
use crate::code::sync::{AtomicU64, Ordering};
use crate::threads::slots::Slot;

/// Slots that have entries: those with the lowest numbers, which are used first.
const SLOTS: usize = 4096;
/// Slots for which there is memory in one piece, 2 MiB of it. What nobody writes to takes none.
const CHUNK: usize = 32;
/// A walk may be in any entry of a set, which its key decides.
const SETS: usize = 8;
const WAYS: usize = 4;
const ENTRIES: usize = SETS * WAYS;
/// Words of an entry.
const WORDS: usize = 256;
/// Words before the entries: whether they are busy, how many were ever kept, and of each entry the hash of its key.
const HEAD: usize = 2 + ENTRIES;
const STRIDE: usize = HEAD + ENTRIES * WORDS;

/// Words of an entry before those of the stack: the key, the frame pointer, what was found, how many words were read, and
/// the lowest and highest of their addresses. Each of those words takes two: its address, and what it was.
const KEY: usize = 4;
const FP: usize = KEY;
const RESULT: usize = KEY + 1;
const READ: usize = KEY + 2;
const BOUNDS: usize = KEY + 3;
const HEADER: usize = KEY + 5;
const MOST_READ: usize = (WORDS - HEADER) / 2;
/// Beside what was found: whether the frame pointer matters.
const USES_FP: u64 = 1 << 32;

static MEMORY: [Words; SLOTS / CHUNK] = [const { Words::new(CHUNK * STRIDE) }; SLOTS / CHUNK];
/// The number of the map that is published.
static MAP: Number = Number::new(1);

/// What was found by the map before does not count from now on.
pub(super) fn forget() {
    MAP.fetch_add(1, Ordering::Release);
}

/// What a walk is to find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// As many frames as there are.
    Whole,
    Innermost,
    /// Those below an address of the stack.
    Below(u64),
}

impl Extent {
    /// What tells walks of this kind, by the map of a number, from all others.
    fn key(self, map: u64) -> [u64; 2] {
        match self {
            Self::Whole => [map << 2, 0],
            Self::Innermost => [map << 2 | 1, 0],
            Self::Below(limit) => [map << 2 | 2, limit],
        }
    }
}

/// Does a walk of the calling thread's stack, unless it is known what comes of it. `registers` are those of a call: program
/// counter, stack and frame pointer.
pub(super) fn walk(
    extent: Extent,
    registers: &Registers,
    slot: Option<&Slot>,
    memory: OwnMemory,
    walk: impl FnOnce(&mut Recorder<'_>) -> Walked,
) -> StackId {
    let map = MAP.load(Ordering::Acquire);
    walk_by(extent.key(map), registers, slot, memory, walk)
}

/// Does a walk of the kind and by the map that a number stands for.
fn walk_by(
    [what, limit]: [u64; 2],
    registers: &Registers,
    slot: Option<&Slot>,
    mut memory: OwnMemory,
    walk: impl FnOnce(&mut Recorder<'_>) -> Walked,
) -> StackId {
    let Some(entries) = slot.and_then(Entries::of) else {
        return walk(&mut Recorder { memory, entry: None, read: 0 }).stack;
    };
    let key = [what, limit, registers.pc, registers.sp()];
    let fp = registers.fp();
    // Zero is for entries without a key.
    let hash = table::hash(&key) | 1;
    let known = entries.find(hash).find_map(|entry| entry.found(&key, fp, &mut memory));
    if let Some(known) = known {
        return known;
    }
    let number = entries.take(hash);
    let mut recorder = Recorder { memory, entry: Some(entries.entry(number)), read: 0 };
    let walked = walk(&mut recorder);
    if let Recorder { entry: Some(entry), read, .. } = recorder
        && read > 0
        && walked.stack != StackId::LOST
    {
        entry.keep(&key, fp, walked, read as u64);
        entries.name(number, hash);
    }
    walked.stack
}

/// What came of a walk.
#[derive(Clone, Copy)]
pub(super) struct Walked {
    pub(super) stack: StackId,
    /// Whether that depends on the frame pointer that it started with.
    pub(super) uses_fp: bool,
}

/// The memory of the calling thread, which notes what is read.
pub(super) struct Recorder<'a> {
    memory: OwnMemory,
    /// Where it is noted, as long as all of it was.
    entry: Option<Entry<'a>>,
    read: usize,
}

impl Memory for Recorder<'_> {
    #[inline]
    fn near(&mut self, address: u64) -> Option<u64> {
        let word = self.memory.near(address);
        self.entry = match (self.entry, word) {
            (Some(entry), Some(word)) if self.read < MOST_READ => {
                entry.note(self.read, address, word);
                self.read += 1;
                Some(entry)
            }
            _ => None,
        };
        word
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        self.entry = None;
        self.memory.far(address)
    }
}

/// The entries of the calling thread, which are busy until this is dropped.
struct Entries<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Entries<'a> {
    /// None if the slot has no entries, or they are busy.
    fn of(slot: &Slot) -> Option<Self> {
        let number = slot.number() as usize;
        let start = number % CHUNK * STRIDE;
        let words = MEMORY.get(number / CHUNK)?.map()?.get(start..start + STRIDE)?;
        if words[0].load(Ordering::Relaxed) != 0 {
            return None;
        }
        words[0].store(1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        Some(Self { words })
    }

    /// The entries whose keys have this hash: from one place, and with as much stack, there may be several ways back.
    fn find(&self, hash: u64) -> impl Iterator<Item = Entry<'a>> {
        let hashes = set(hash).zip(&self.hashes()[set(hash)]);
        let same = hashes.filter(move |(_, h)| h.load(Ordering::Relaxed) == hash);
        same.map(|(number, _)| self.entry(number))
    }

    /// An entry to be written: an empty one, or each by turns. It has no key until [`name`](Self::name) says so.
    fn take(&self, hash: u64) -> usize {
        let hashes = self.hashes();
        let empty = set(hash).find(|&number| hashes[number].load(Ordering::Relaxed) == 0);
        let number = empty.unwrap_or_else(|| {
            let kept = self.words[1].load(Ordering::Relaxed);
            self.words[1].store(kept + 1, Ordering::Relaxed);
            set(hash).start + kept as usize % WAYS
        });
        hashes[number].store(0, Ordering::Relaxed);
        number
    }

    fn name(&self, number: usize, hash: u64) {
        self.hashes()[number].store(hash, Ordering::Relaxed);
    }

    fn hashes(&self) -> &'a [AtomicU64] {
        &self.words[2..HEAD]
    }

    fn entry(&self, number: usize) -> Entry<'a> {
        let start = HEAD + number * WORDS;
        Entry { words: &self.words[start..start + WORDS] }
    }
}

/// The numbers of the entries that a hash may be in. Its lowest bit is always set.
fn set(hash: u64) -> Range<usize> {
    let first = (hash >> 1) as usize % SETS * WAYS;
    first..first + WAYS
}

impl Drop for Entries<'_> {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.words[0].store(0, Ordering::Relaxed);
    }
}

/// What is known of one walk.
#[derive(Clone, Copy)]
struct Entry<'a> {
    words: &'a [AtomicU64],
}

impl Entry<'_> {
    /// What was found, if a walk would find the same now.
    fn found(self, key: &[u64; KEY], fp: u64, memory: &mut OwnMemory) -> Option<StackId> {
        let word = |i: usize| self.words[i].load(Ordering::Relaxed);
        let (result, read) = (word(RESULT), word(READ));
        let is_same = (0..KEY).all(|i| word(i) == key[i]);
        if !is_same || (result & USES_FP != 0 && word(FP) != fp) {
            return None;
        }
        // SAFETY: `keep` found these to be the bounds of the addresses, which were aligned when the walk read there.
        let is_as_before =
            unsafe { memory.is_as(word(BOUNDS), word(BOUNDS + 1), self.noted(read as usize)) };
        is_as_before.then(|| StackId::from_raw(result as u32))
    }

    /// The words that a walk has read: their addresses, and what they were.
    #[inline]
    fn noted(&self, read: usize) -> impl Iterator<Item = (u64, u64)> {
        let words = self.words.get(HEADER..HEADER + 2 * read).unwrap_or(&[]);
        let pairs = words.as_chunks::<2>().0.iter();
        pairs.map(|[at, word]| (at.load(Ordering::Relaxed), word.load(Ordering::Relaxed)))
    }

    /// Notes the word that a walk has read as number `i`.
    #[inline]
    fn note(self, i: usize, address: u64, word: u64) {
        self.words[HEADER + 2 * i].store(address, Ordering::Relaxed);
        self.words[HEADER + 2 * i + 1].store(word, Ordering::Relaxed);
    }

    /// Keeps what the walk found that has read the words that were noted.
    fn keep(self, key: &[u64; KEY], fp: u64, walked: Walked, read: u64) {
        let Walked { stack, uses_fp } = walked;
        let result = u64::from(stack.to_raw()) | if uses_fp { USES_FP } else { 0 };
        let addresses = || self.noted(read as usize).map(|(address, _)| address);
        let [low, high] = [addresses().min(), addresses().max()].map(Option::unwrap_or_default);
        let header = key.iter().copied().chain([fp, result, read, low, high]);
        self.words
            .iter()
            .zip(header)
            .for_each(|(word, value)| word.store(value, Ordering::Relaxed));
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;
    use crate::code::arch;
    use crate::stacks::{capture, get, prepare};
    use crate::threads::current;

    #[inline(never)]
    fn here(depth: u32) -> StackId {
        let found = if depth == 0 { capture() } else { here(depth - 1) };
        std::hint::black_box(depth);
        found
    }

    #[test]
    fn the_same_place_is_the_same_stack() {
        prepare();
        let stacks = [3, 3, 7, 3].map(here);
        let depths = stacks.map(|id| get(id).frames.len());
        assert_eq!((stacks[0], stacks[0]), (stacks[1], stacks[3]));
        assert_eq!(depths[2], depths[0] + 4);
    }

    /// What a walk that is done by turns with others does to the words that it reads, and to the map.
    #[derive(Default)]
    struct Between {
        changes_word: Option<usize>,
        changes_map: bool,
        others: u64,
        is_lost: bool,
        reads_far: bool,
        is_busy: bool,
        moves_fp: bool,
        uses_fp: bool,
    }

    /// How often the walk is done that is asked for twice, over words of a stack.
    fn check(words: usize, between: &Between, expected: u32) {
        let walks = |slot| {
            let stack: Vec<AtomicU64> = (0..words as u64).map(AtomicU64::new).collect();
            let addresses = || stack.iter().map(|word| std::ptr::from_ref(word).addr() as u64);
            let mut walks = 0;
            // What was found before is known to threads that come later.
            static MAPS: Number = Number::new(0);
            let map = MAPS.fetch_add(2, Ordering::Relaxed);
            let ask = |map, pc, fp, walks: &mut u32| {
                let registers = arch::registers_at(pc, 0, fp);
                walk_by([map, 0], &registers, slot, OwnMemory::default(), |memory| {
                    *walks += 1;
                    addresses().for_each(|address| {
                        memory.near(address);
                    });
                    if between.reads_far {
                        memory.far(addresses().next().expect("a word"));
                    }
                    let stack = if between.is_lost { 0 } else { pc as u32 };
                    Walked { stack: StackId::from_raw(stack), uses_fp: between.uses_fp }
                })
            };
            let first = ask(map, 7, 0, &mut walks);
            (0..between.others).for_each(|other| _ = ask(map, 8 + other, 0, &mut 0));
            if let Some(i) = between.changes_word {
                stack[i].store(99, Ordering::Relaxed);
            }
            let (map, fp) = (map + u64::from(between.changes_map), u64::from(between.moves_fp));
            let _busy = between.is_busy.then(|| slot.and_then(Entries::of));
            assert_eq!(ask(map, 7, fp, &mut walks), first);
            walks
        };
        // A thread of its own has entries of its own.
        let walks = std::thread::scope(|scope| {
            scope.spawn(|| walks(current::slot())).join().expect("it ends")
        });
        assert_eq!(walks, expected, "{words} words");
    }

    #[test]
    fn what_has_changed_is_walked_again() {
        let nothing = Between::default();
        check(3, &nothing, 1);
        check(MOST_READ, &nothing, 1);
        check(MOST_READ + 1, &nothing, 2);
        check(0, &nothing, 2);
        for i in 0..3 {
            check(3, &Between { changes_word: Some(i), ..nothing }, 2);
        }
        check(3, &Between { changes_map: true, ..nothing }, 2);
        check(3, &Between { is_lost: true, ..nothing }, 2);
        check(3, &Between { reads_far: true, ..nothing }, 2);
        check(3, &Between { is_busy: true, ..nothing }, 2);
        check(3, &Between { moves_fp: true, ..nothing }, 1);
        check(3, &Between { uses_fp: true, ..nothing }, 1);
        check(3, &Between { moves_fp: true, uses_fp: true, ..nothing }, 2);
    }

    #[test]
    fn walks_of_different_extents_have_different_keys() {
        let extents = [Extent::Whole, Extent::Innermost, Extent::Below(8), Extent::Below(16)];
        let keys: std::collections::HashSet<_> =
            extents.iter().flat_map(|extent| [extent.key(1), extent.key(2)]).collect();
        assert_eq!(keys.len(), 2 * extents.len());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let others = |others| Between { others, ..Between::default() };
        check(3, &others(WAYS as u64 - 1), 1);
        check(3, &others(100 * ENTRIES as u64), 2);
    }
}
