//! What hooks are to do.

use std::sync::atomic::{AtomicU32, Ordering};

/// Of a few purposes, those that somebody has: none set if hooks have nothing to do.
pub(super) static ON: AtomicU32 = AtomicU32::new(0);

/// What hooks are for, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purposes(u32);

impl Purposes {
    pub(crate) const NONE: Self = Self(0);
    /// To see how long threads wait for each other.
    pub(crate) const BLOCK: Self = Self(1);
    /// To see who makes others wait.
    pub(crate) const MUTEX: Self = Self(1 << 1);
    /// To see how long threads sleep, and wait for the world outside.
    pub(crate) const OUTSIDE: Self = Self(1 << 2);
    /// To see where threads are that wait.
    pub(crate) const PUBLISH: Self = Self(1 << 3);
    /// To see when threads wait.
    pub(crate) const TRACE: Self = Self(1 << 4);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[inline]
    pub(crate) fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of these that are in `others`, too.
    #[inline]
    pub(crate) fn within(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

/// What hooks are for at this time.
#[inline]
pub(crate) fn now() -> Purposes {
    Purposes(ON.load(Ordering::Relaxed))
}

/// Gives hooks a purpose, or takes it.
pub(crate) fn turn(purpose: Purposes, on: bool) {
    if on {
        ON.fetch_or(purpose.0, Ordering::Relaxed);
    } else {
        ON.fetch_and(!purpose.0, Ordering::Relaxed);
    }
}
