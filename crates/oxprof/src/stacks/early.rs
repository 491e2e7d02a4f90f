//! Copies of stacks from the time before there is a map to walk them by.
//!
//! Making the map takes milliseconds, memory and the loader's lock, none of which a hook may take. So until
//! somebody asked for a profile, or said that he will, hooks copy the top of the stack, which is
//! walked later. There is room for a few hundred; programs that make more noise than that before they
//! call anything of ours get `[lost]` stacks with true totals.
//!
//! A copy is written by the thread that took its number, before the number is in the stack table, and never after.

use std::sync::atomic::AtomicU32;

use oxprof_unwind::Memory;

use super::words::Words;
use crate::code::arch::{self, Registers};
use crate::code::memory::OwnMemory;
use crate::code::sync::{AtomicU64, Ordering};

const COPIES: u32 = 256;
/// 16 KiB.
const COPY_WORDS: usize = 1 << 11;
/// Words before the copy: pc, stack pointer, frame pointer, number of bytes.
const HEADER: usize = 4;
const STRIDE: usize = HEADER + COPY_WORDS;

static TAKEN: AtomicU32 = AtomicU32::new(0);
static MEMORY: Words = Words::new(COPIES as usize * STRIDE);

/// Copies the stack from these registers on; `None` if there is no room.
pub(super) fn copy(registers: &Registers) -> Option<u64> {
    if TAKEN.load(Ordering::Relaxed) >= COPIES {
        return None;
    }
    let number = u64::from(TAKEN.fetch_add(1, Ordering::Relaxed));
    let words = words(MEMORY.map()?, number)?;
    let bytes = read_stack(registers.sp(), &words[HEADER..]);
    let header = [registers.pc, registers.sp(), registers.fp(), bytes];
    for (word, value) in words.iter().zip(header) {
        word.store(value, Ordering::Relaxed);
    }
    (bytes > 0).then_some(number)
}

/// Lends copy `number` for walking.
pub(super) fn with(number: u64, f: impl FnOnce(&Registers, &mut CopiedStack<'_>)) {
    let Some(words) = MEMORY.get().and_then(|memory| words(memory, number)) else { return };
    let [pc, sp, fp, bytes] = [0, 1, 2, 3].map(|i| words[i].load(Ordering::Relaxed));
    let copied = words[HEADER..].get(..bytes as usize / 8).unwrap_or(&[]);
    let mut memory = CopiedStack { start: sp, words: copied, code: OwnMemory::default() };
    f(&arch::registers_at(pc, sp, fp), &mut memory);
}

fn words(memory: &[AtomicU64], number: u64) -> Option<&[AtomicU64]> {
    memory.chunks_exact(STRIDE).nth(number as usize)
}

/// Copies from `start` up to the end of the stack or of `into`; returns the number of bytes.
fn read_stack(start: u64, into: &[AtomicU64]) -> u64 {
    let length = end_of_stack(start).saturating_sub(start) / 8;
    let mut memory = OwnMemory::default();
    let copied = into.iter().zip(0..length).map_while(|(word, i)| {
        word.store(memory.near(start + 8 * i)?, Ordering::Relaxed);
        Some(8)
    });
    copied.sum()
}

/// An address above `sp` up to where the stack of the calling thread goes at most.
///
/// The stack of a thread ends where the C library's data about it begins. The main thread's ends where the kernel put
/// arguments and environment, above which nothing is mapped; that thread's data is elsewhere, below.
fn end_of_stack(sp: u64) -> u64 {
    const FARTHEST: u64 = 1 << 30;
    let data = arch::thread_pointer();
    if data > sp && data - sp < FARTHEST { data } else { u64::MAX }
}

/// A copy of a stack, as if it were still where it was.
pub(super) struct CopiedStack<'a> {
    start: u64,
    words: &'a [AtomicU64],
    code: OwnMemory,
}

impl CopiedStack<'_> {
    fn read(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.start)?;
        let word = self.words.get(usize::try_from(offset / 8).ok()?)?;
        offset.is_multiple_of(8).then(|| word.load(Ordering::Relaxed))
    }
}

impl Memory for CopiedStack<'_> {
    fn near(&mut self, address: u64) -> Option<u64> {
        self.read(address)
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        self.read(address).or_else(|| self.code.far(address))
    }
}
