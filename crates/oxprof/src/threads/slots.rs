//! Slots: what is known of each thread, where others can see it.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering, fence};

use super::created::Creator;
use super::free::Free;
use super::name::Name;
use super::wait::Wait;
use crate::code::sync::AtomicU64 as Word;
use crate::stacks::words::Words;

/// Most threads that have slots at once.
pub(crate) const MOST: usize = CHUNKS * CHUNK;
const CHUNKS: usize = 256;
/// Slots in a piece of memory: 64 KiB.
const CHUNK: usize = 256;
const WORDS: usize = size_of::<Slot>() / 8;

static MEMORY: [Words; CHUNKS] = [const { Words::new(CHUNK * WORDS) }; CHUNKS];
/// Slots that were ever in use: those before this number.
static USED: AtomicU32 = AtomicU32::new(0);
#[cfg(not(all(test, oxprof_loom)))]
static FREE: Free = Free::new();
#[cfg(all(test, oxprof_loom))]
static FREE: std::sync::LazyLock<Free> = std::sync::LazyLock::new(Free::new);

/// What is known of a thread. Zero where unknown.
#[derive(Debug)]
#[repr(C, align(256))]
pub(crate) struct Slot {
    /// Odd while the slot belongs to a thread.
    generation: AtomicU32,
    /// Which slot this is; never changes once it is in use.
    number: AtomicU32,
    /// The next in the stack of free slots, plus one.
    next_free: Word,
    tid: AtomicI32,
    /// Where the thread was created.
    creator: AtomicU32,
    /// The bounds of the thread's own stack.
    low: AtomicU64,
    high: AtomicU64,
    /// Its name, as the kernel keeps it: up to 15 bytes and a zero.
    name: [AtomicU64; 2],
    pub(crate) wait: Wait,
}

/// The identity of a thread, as far as its slot tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) generation: u32,
    pub(crate) tid: i32,
    /// Where it was created, if it came through our `pthread_create`.
    pub(crate) creator: Option<Creator>,
    /// The bounds of its own stack, if they are known.
    pub(crate) stack: (u64, u64),
    /// Empty if it was never told.
    pub(crate) name: Name,
}

/// What is told of a thread when it begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Birth {
    pub(crate) tid: i32,
    pub(crate) creator: Option<Creator>,
    pub(crate) stack: (u64, u64),
}

/// A slot for a thread; `None` if there are too many threads. For hooks.
pub(crate) fn claim(birth: &Birth) -> Option<&'static Slot> {
    let slot = pop().or_else(take_new)?;
    slot.wait.reset();
    // Who reads any of what follows sees, too, that the generation is another than that of the last owner.
    fence(Ordering::Release);
    slot.tid.store(birth.tid, Ordering::Relaxed);
    slot.creator.store(birth.creator.map_or(0, Creator::to_raw), Ordering::Relaxed);
    slot.low.store(birth.stack.0, Ordering::Relaxed);
    slot.high.store(birth.stack.1, Ordering::Relaxed);
    slot.name.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    slot.generation.fetch_add(1, Ordering::Release);
    Some(slot)
}

/// Gives a slot back. Only one caller may do so for each [`claim`]: its thread, or who knows the thread to be
/// dead and changed the generation.
pub(crate) fn release(slot: &'static Slot) {
    slot.generation.fetch_add(1, Ordering::AcqRel);
    push(slot);
}

/// Gives back the slot of a thread that is no more, unless somebody else did.
pub(crate) fn release_dead(slot: &'static Slot, generation: u32) {
    let next = generation.wrapping_add(1);
    let order = Ordering::AcqRel;
    if slot.generation.compare_exchange(generation, next, order, Ordering::Relaxed).is_ok() {
        push(slot);
    }
}

/// All slots that belong to threads, with whom they belong to.
pub(crate) fn iter() -> impl Iterator<Item = (&'static Slot, Identity)> {
    let used = (USED.load(Ordering::Acquire) as usize).min(MOST);
    (0..used).filter_map(|number| {
        let slot = get(number)?;
        Some((slot, slot.identity()?))
    })
}

impl Slot {
    /// Whose slot this is; `None` if nobody's, or if that changes just now.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let generation = self.generation.load(Ordering::Acquire);
        let name = [0, 1].map(|i| self.name[i].load(Ordering::Relaxed).to_ne_bytes());
        let identity = Identity {
            generation,
            tid: self.tid.load(Ordering::Relaxed),
            creator: Creator::from_raw(self.creator.load(Ordering::Relaxed)),
            stack: (self.low.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed)),
            name: Name::new(name.as_flattened()),
        };
        fence(Ordering::Acquire);
        let same = self.generation.load(Ordering::Relaxed) == generation;
        (same && generation % 2 == 1).then_some(identity)
    }

    /// The bounds of the thread's own stack, for that thread; zero if they are not known.
    pub(crate) fn stack(&self) -> (u64, u64) {
        (self.low.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed))
    }

    /// The number by which [`get`] finds the slot again.
    pub(crate) fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// Says what the thread is called now. For hooks.
    pub(crate) fn set_name(&self, name: &[u8; 16]) {
        for (word, bytes) in self.name.iter().zip(name.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
    }

    /// Says that the thread has this id now, after a fork.
    pub(super) fn set_tid(&self, tid: i32) {
        self.tid.store(tid, Ordering::Relaxed);
    }
}

/// Slot number `number`, if its memory is there.
pub(crate) fn get(number: usize) -> Option<&'static Slot> {
    MEMORY.get(number / CHUNK)?.get().and_then(|words| in_chunk(words, number % CHUNK))
}

fn in_chunk(words: &'static [Word], index: usize) -> Option<&'static Slot> {
    let words = words.get(index * WORDS..(index + 1) * WORDS)?;
    // SAFETY: a slot's worth of words that are never unmapped, at a multiple of its size from the start of a page, so
    // aligned. All access is by atomics, of which any bytes are valid; nobody uses these words otherwise.
    Some(unsafe { &*words.as_ptr().cast::<Slot>() })
}

fn take_new() -> Option<&'static Slot> {
    let order = Ordering::AcqRel;
    let number = USED
        .fetch_update(order, Ordering::Relaxed, |used| (used < MOST as u32).then_some(used + 1))
        .ok()? as usize;
    let slot = in_chunk(MEMORY[number / CHUNK].map()?, number % CHUNK)?;
    slot.number.store(number as u32, Ordering::Relaxed);
    Some(slot)
}

fn pop() -> Option<&'static Slot> {
    let next = |number| Some(&get(number as usize)?.next_free);
    get(FREE.pop(next)? as usize)
}

fn push(slot: &'static Slot) {
    FREE.push(slot.number(), &slot.next_free);
}
