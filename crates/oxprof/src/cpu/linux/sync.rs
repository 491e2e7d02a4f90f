//! The primitives of lock-free code: the standard library's, or those of the model checker.

pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::cell::UnsafeCell;

/// Words of memory that threads hand to each other by protocol.
pub(super) struct Words(Box<[UnsafeCell<u64>]>);

// SAFETY: all access goes through unsafe functions whose callers keep threads apart.
unsafe impl Sync for Words {}

impl Words {
    pub(super) fn new(size: usize) -> Self {
        Self((0..size).map(|_| UnsafeCell::new(0)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Lends `length` words from `start` on.
    ///
    /// # Safety
    /// Nobody writes to them meanwhile.
    pub(super) unsafe fn with<R>(
        &self,
        start: usize,
        length: usize,
        f: impl FnOnce(&[u64]) -> R,
    ) -> R {
        let words = &self.0[start..start + length];
        // SAFETY: in bounds; an UnsafeCell is laid out as what it holds; the caller vouches for the rest.
        f(unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), length) })
    }

    /// Lends `length` words from `start` on, to write.
    ///
    /// # Safety
    /// Nobody else uses them meanwhile.
    pub(super) unsafe fn with_mut<R>(
        &self,
        start: usize,
        length: usize,
        f: impl FnOnce(&mut [u64]) -> R,
    ) -> R {
        let words = &self.0[start..start + length];
        let first = UnsafeCell::raw_get(words.as_ptr());
        // SAFETY: in bounds; an UnsafeCell is laid out as what it holds; the caller vouches for the rest.
        f(unsafe { std::slice::from_raw_parts_mut(first, length) })
    }
}
