//! Which pointers may have been sampled: the question of every free, answered by one byte.
//!
//! A page of memory shares a counter with all pages whose number has the same last 16 bits. The counter is
//! the number of sampled blocks that start there.
//!
//! # Protocol
//! 1. A counter goes up before the pointer is handed out, and down after the block is known to be freed.
//!    Whoever frees got the pointer in a way that orders these events, or had no right to it. So a
//!    relaxed load sees a count of at least one for a sampled block.
//! 2. A counter that reaches 255 stays there: it has lost count, and says "perhaps" for ever.

use std::sync::atomic::{AtomicU8, Ordering};

const PAGE_BITS: u32 = 12;
const COUNTERS: usize = 1 << 16;
const LOST_COUNT: u8 = u8::MAX;

/// 64 KiB, of which programs touch the part that corresponds to their pages.
pub(super) struct Filter([AtomicU8; COUNTERS]);

impl Filter {
    pub(super) const fn new() -> Self {
        Self([const { AtomicU8::new(0) }; COUNTERS])
    }

    /// Whether a sampled block may start at `address`.
    #[inline(always)]
    pub(super) fn may_hold(&self, address: usize) -> bool {
        self.counter(address).load(Ordering::Relaxed) != 0
    }

    /// Notes a sampled block.
    pub(super) fn add(&self, address: usize) {
        self.update(address, |count| count.saturating_add(1));
    }

    /// Forgets a sampled block.
    pub(super) fn remove(&self, address: usize) {
        self.update(
            address,
            |count| if count == LOST_COUNT { count } else { count.saturating_sub(1) },
        );
    }

    fn update(&self, address: usize, change: impl Fn(u8) -> u8) {
        let relaxed = Ordering::Relaxed;
        let updated =
            self.counter(address).fetch_update(relaxed, relaxed, |count| Some(change(count)));
        debug_assert!(updated.is_ok(), "the closure always has a value");
    }

    #[inline(always)]
    fn counter(&self, address: usize) -> &AtomicU8 {
        &self.0[address >> PAGE_BITS & (COUNTERS - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_blocks_of_a_page() {
        let filter = Box::new(Filter::new());
        let (page, other) = (0x7000, 0x8000);
        filter.add(page);
        filter.add(page + 16);
        filter.remove(page);
        assert!(filter.may_hold(page + 4095) && !filter.may_hold(other));
        assert!(filter.may_hold(page + (COUNTERS << PAGE_BITS)), "pages share counters");
        filter.remove(page + 16);
        assert!(!filter.may_hold(page));
    }

    #[test]
    fn a_counter_that_lost_count_stays() {
        let filter = Box::new(Filter::new());
        (0..300).for_each(|_| filter.add(0x5000));
        (0..300).for_each(|_| filter.remove(0x5000));
        assert!(filter.may_hold(0x5000));
    }
}
