//! Random phases of timers. Need to be even, not secret.

use std::hash::{BuildHasher, RandomState};

/// A generator of 64-bit numbers (splitmix).
pub(super) struct Random(u64);

impl Random {
    /// A generator that starts at a place the system chose.
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number from 1 to `period`.
    pub(super) fn in_period(&mut self, period: u32) -> u64 {
        1 + self.next() % u64::from(period.max(1))
    }
}
