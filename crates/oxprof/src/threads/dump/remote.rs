//! Looking at the stack of another thread, which is blocked and waits for us to be done.
//!
//! What runs while it is pinned allocates nothing and waits for nobody.

use oxprof_unwind::{Memory, Walk};

use crate::code::memory::OwnMemory;
use crate::stacks::{self, MAX_DEPTH, Stack};
use crate::threads::slots::Slot;
use crate::threads::wait::Waiting;

/// What was seen of a thread that waits.
pub(super) struct Look {
    pub(super) waiting: Waiting,
    /// Of the wait; see [`Wait::sequence`](crate::threads::wait::Wait::sequence).
    pub(super) sequence: u64,
    frames: [u64; MAX_DEPTH],
    walk: Option<Walk>,
}

/// Looks at the thread whose slot and stack this is; `None` if it is not blocked.
pub(super) fn look(slot: &Slot, bounds: (u64, u64)) -> Option<Look> {
    slot.wait.pinned(|waiting| {
        let mut frames = [0; MAX_DEPTH];
        let mut memory = PinnedMemory::new(waiting.registers.sp(), bounds);
        let walk = stacks::walk_into(&waiting.registers, &mut memory, &mut frames);
        Look { waiting: *waiting, sequence: slot.wait.sequence(), frames, walk }
    })
}

impl Look {
    pub(super) fn stack(&self) -> Stack {
        match &self.walk {
            Some(walk) => Stack::new(&self.frames, walk),
            None => Stack::pseudo("[incomplete]"),
        }
    }
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
