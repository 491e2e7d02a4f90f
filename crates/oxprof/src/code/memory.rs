//! Reading a stack from inside a signal handler or an allocator, without faulting.

use oxprof_unwind::Memory;

use super::arch::{self, syscall4};

const PAGE: u64 = 4096;

/// The memory of the calling thread, or of the one that a signal interrupted.
///
/// Nothing is read before the kernel confirmed that it can be. Between asking and reading nobody else
/// unmaps a stack: no other thread frees that of a running one. An address that may be anywhere
/// ([`Memory::far`]) is asked about anew for each read; to fault, it would have to be garbage that points
/// to memory which another thread unmaps within these nanoseconds. `process_vm_readv` would rule even that
/// out, but sandboxes kill processes for calling it, systemd's usual one among them.
#[derive(Debug, Default)]
pub(crate) struct OwnMemory {
    /// Pages known to be readable: from `low` up to `high`, exclusive.
    low: u64,
    high: u64,
}

impl OwnMemory {
    /// The memory of a thread whose own stack has these bounds and that runs at `sp`. All of that stack beyond `sp` can be
    /// read; if `sp` is elsewhere, say on the stack of a coroutine, nothing is known.
    pub(crate) fn of_thread(sp: u64, (low, high): (u64, u64)) -> Self {
        match (low..high).contains(&sp) {
            true => Self { low: sp & !(PAGE - 1), high: high & !(PAGE - 1) },
            false => Self::default(),
        }
    }

    /// Whether words are still what they were. They are read in order, up to the first that is not.
    ///
    /// # Safety
    /// Their addresses are aligned, and from `lowest` to `highest`.
    #[inline]
    pub(crate) unsafe fn is_as(
        &mut self,
        lowest: u64,
        highest: u64,
        mut words: impl Iterator<Item = (u64, u64)>,
    ) -> bool {
        if self.low <= lowest && highest < self.high {
            // SAFETY: as in `near`; all of them are in pages that are known to be readable.
            return words.all(|(address, word)| unsafe { arch::read_word(address) } == word);
        }
        words.all(|(address, word)| self.near(address) == Some(word))
    }

    fn confirm(&mut self, address: u64) -> bool {
        let page = address & !(PAGE - 1);
        if (self.low..self.high).contains(&page) {
            return true;
        }
        if !is_readable(page) {
            return false;
        }
        if page != self.high {
            self.low = page;
        }
        self.high = page.saturating_add(PAGE);
        true
    }
}

impl Memory for OwnMemory {
    fn near(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) || !self.confirm(address) {
            return None;
        }
        // SAFETY: 1. `address` is aligned, so the eight bytes are in one page; 2. the kernel confirmed that it
        // is readable, and it still is: see the type's documentation. The code that was interrupted owns the
        // memory; it does not run meanwhile.
        Some(unsafe { arch::read_word(address) })
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        if !is_readable(address) {
            return None;
        }
        // SAFETY: the kernel just confirmed that all eight bytes are readable; see the type's documentation.
        Some(unsafe { arch::read_word(address) })
    }
}

/// The part of the calling thread's stack that is below a limit: what was called from there.
#[derive(Debug)]
pub(crate) struct Below<'a, M> {
    limit: u64,
    /// Whether something beyond the limit was asked for.
    pub(crate) is_reached: bool,
    memory: &'a mut M,
}

impl<'a, M: Memory> Below<'a, M> {
    pub(crate) fn new(limit: u64, memory: &'a mut M) -> Self {
        Self { limit, is_reached: false, memory }
    }
}

impl<M: Memory> Memory for Below<'_, M> {
    fn near(&mut self, address: u64) -> Option<u64> {
        self.is_reached |= address >= self.limit;
        if address < self.limit { self.memory.near(address) } else { None }
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        self.memory.far(address)
    }
}

/// Whether the eight bytes at `address` can be read.
///
/// Asks to change the signal mask in a way that does not exist: the kernel first reads the mask, then
/// refuses. (A null pointer stands for no mask, so null is not asked about.) Needs no file descriptor,
/// changes nothing, and is allowed in every sandbox that allows threads.
fn is_readable(address: u64) -> bool {
    if address == 0 {
        return false;
    }
    let how = usize::MAX;
    // SAFETY: `how` is invalid, so the call only reads eight bytes, and fails if it cannot.
    let result =
        unsafe { syscall4(libc::SYS_rt_sigprocmask, [how, address as usize, 0, size_of::<u64>()]) };
    result != -(libc::EFAULT as isize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_or_not_never_faults() {
        let mut memory = OwnMemory::default();
        let word = 0x1234_5678_u64;
        let address = &raw const word as u64;
        assert_eq!((memory.near(address), memory.far(address)), (Some(word), Some(word)));
        assert_eq!(
            memory.far(address + 1),
            Some(word >> 8 | (memory.far(address + 8).unwrap() << 56))
        );
        for bad in [0, 8, 4096, 0x7fff_ffff_f000, 0x8000_0000_0000_0000, u64::MAX - 7] {
            assert_eq!((memory.near(bad), memory.far(bad)), (None, None), "{bad:#x}");
        }
        assert_eq!(memory.near(address + 1), None);
        let page = address & !(PAGE - 1);
        let known = OwnMemory::of_thread(address, (page - PAGE, page + 4 * PAGE));
        assert_eq!((known.low, known.high), (page, page + 4 * PAGE));
        let words = [5_u64, 6];
        let [first, last] = [0, 1].map(|i| &raw const words[i] as u64);
        let page = first & !(PAGE - 1);
        for bounds in [(page, page + 2 * PAGE), (0, 0)] {
            let is_as = |expected| {
                let mut memory = OwnMemory::of_thread(first, bounds);
                // SAFETY: the addresses of words, which are aligned, and those between.
                unsafe { memory.is_as(first, last, [first, last].into_iter().zip(expected)) }
            };
            assert_eq!([is_as([5, 6]), is_as([5, 7]), is_as([4, 6])], [true, false, false]);
        }
        let page = address & !(PAGE - 1);
        let elsewhere = OwnMemory::of_thread(address, (page + PAGE, page + 4 * PAGE));
        assert_eq!((elsewhere.low, elsewhere.high), (0, 0));
        let mut memory = OwnMemory::default();
        let mut below = Below::new(address + 8, &mut memory);
        assert_eq!((below.near(address), below.is_reached), (Some(word), false));
        assert_eq!((below.near(address + 8), below.is_reached), (None, true));
    }
}
