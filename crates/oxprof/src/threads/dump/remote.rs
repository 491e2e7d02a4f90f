//! Looking at the stack of another thread, which is blocked and waits for us to be done.
//!
//! What runs while it is pinned allocates nothing and waits for nobody.

use oxprof_unwind::Memory;

use crate::code::arch;
use crate::code::memory::OwnMemory;
use crate::stacks::{self, MAX_DEPTH, Stack};
use crate::threads::slots::Slot;
use crate::threads::wait::Waiting;

/// What was seen of a thread that waits.
pub(super) struct Look {
    pub(super) waiting: Waiting,
    /// Of the wait; see [`Wait::sequence`](crate::threads::wait::Wait::sequence).
    pub(super) sequence: u64,
    pub(super) stack: Stack,
}

/// Room for the frames of a stack that is walked.
pub(super) type Frames = [u64; MAX_DEPTH];

/// Looks at the thread whose slot and stack this is; `None` if it is not blocked.
pub(super) fn look(slot: &Slot, bounds: (u64, u64), frames: &mut Frames) -> Option<Look> {
    let (waiting, sequence, walk) = slot.wait.pinned(|waiting| {
        let mut memory = PinnedMemory::new(waiting.registers.sp(), bounds);
        let walk = stacks::walk_into(&waiting.registers, &mut memory, frames);
        (*waiting, slot.wait.sequence(), walk)
    })?;
    let stack =
        walk.map_or_else(|| Stack::pseudo("[incomplete]"), |walk| Stack::new(frames, &walk));
    Some(Look { waiting, sequence, stack })
}

/// Has the processor fetch what [`look`] will read of a thread's slot. Waiting for memory is most of what it takes to
/// look at many threads.
pub(super) fn prefetch_slot(slot: &Slot) {
    let start = std::ptr::from_ref(slot).addr() as u64;
    prefetch(start, start + size_of::<Slot>() as u64);
}

/// Has it fetch the innermost part of the thread's stack, if it waits.
pub(super) fn prefetch_stack(slot: &Slot, (_, high): (u64, u64)) {
    /// Of a dozen frames.
    const BYTES: u64 = 2048;
    if let Some(sp) = slot.wait.stack_pointer() {
        prefetch(sp, high.min(sp + BYTES));
    }
}

fn prefetch(from: u64, to: u64) {
    const LINE: usize = 64;
    (from..to).step_by(LINE).for_each(arch::prefetch);
}

/// The memory of a thread that is pinned.
pub(in crate::threads) struct PinnedMemory {
    /// From where the thread waits to the end of its stack, which is mapped as long as it waits; empty if it runs on a
    /// stack that is not its own, a coroutine's say, or if nobody knows its bounds.
    low: u64,
    high: u64,
}

impl PinnedMemory {
    pub(in crate::threads) fn new(sp: u64, (low, high): (u64, u64)) -> Self {
        if low <= sp && sp < high { Self { low: sp & !7, high } } else { Self { low: 0, high: 0 } }
    }

    /// Words of the thread's own stack, from where it waits on.
    pub(in crate::threads) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        (self.low..self.high).step_by(8).map_while(|address| self.own(address))
    }

    /// A word of the thread's own stack.
    fn own(&self, address: u64) -> Option<u64> {
        let is_own = self.low <= address && address < self.high && self.high - address >= 8;
        if !is_own || !address.is_multiple_of(8) {
            return None;
        }
        // SAFETY: aligned, and between a frame of a thread that is pinned, so that the frame stays, and the upper end
        // of its stack: mapped, all of it, until the thread ends. The thread writes below its frame only, and who
        // else writes there is no worse than a signal handler that looks at any stack.
        Some(unsafe { (address as *const u64).read_volatile() })
    }
}

impl Memory for PinnedMemory {
    fn near(&mut self, address: u64) -> Option<u64> {
        // Elsewhere each read is confirmed by itself: the memory is in use as long as the thread is on that stack, but
        // where it ends is unknown.
        self.own(address).or_else(|| OwnMemory::default().far(address))
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        OwnMemory::default().far(address)
    }
}
