//! The primitives of lock-free code: the standard library's, or those of the model checker loom with
//! `RUSTFLAGS="--cfg oxprof_loom"`.
//!
//! # Models
//! Modules called `models` have them: [`gate`](super::gate); the [table](crate::stacks::table) that stacks, labels, sites of
//! contention and creators of threads are kept in; the rings of CPU profiles; the blocks that are alive of heap profiles; the
//! buckets of [`contention`](crate::contention); the buffers of [`trace`](crate::trace); published waits, free slots and
//! requests for stacks of [`threads`](crate::threads).
//!
//! These have none:
//! * What is one atomic with no other memory behind it: switches, rates, the filter of heap profiles.
//! * What only a thread and its signal handlers use: scopes of [`labels`](crate::labels), what hooks remember of a thread. The
//!   checker knows no signals; the stress test has them at high rates.
//! * Copies of early stacks, which one thread writes before their number is in a table. The table's model has that.

#[cfg(all(test, oxprof_loom))]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(not(all(test, oxprof_loom)))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};

pub(crate) use words::Words;

/// Runs a model under all interleavings in which threads are preempted at most three times: more take
/// hours, and find what fewer find.
#[cfg(all(test, oxprof_loom))]
pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[cfg(not(all(test, oxprof_loom)))]
mod words {
    use std::cell::UnsafeCell;

    /// Words of memory that threads hand to each other by protocol.
    pub(crate) struct Words(Box<[UnsafeCell<u64>]>);

    // SAFETY: all access goes through unsafe functions whose callers keep threads apart.
    unsafe impl Sync for Words {}

    impl Words {
        pub(crate) fn new(size: usize) -> Self {
            // Memory that is zero from the start costs nothing until it is used.
            let words = Box::into_raw(vec![0u64; size].into_boxed_slice());
            // SAFETY: just taken out of its box; an UnsafeCell is laid out as what it holds.
            Self(unsafe { Box::from_raw(words as *mut [UnsafeCell<u64>]) })
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        /// Lends `length` words from `start` on.
        ///
        /// # Safety
        /// Nobody writes to them meanwhile.
        pub(crate) unsafe fn with<R>(
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
        pub(crate) unsafe fn with_mut<R>(
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
}

/// The checker sees each word by itself, so it lends copies.
#[cfg(all(test, oxprof_loom))]
mod words {
    use loom::cell::UnsafeCell;

    pub(crate) struct Words(Box<[UnsafeCell<u64>]>);

    // SAFETY: the checker is there to find out.
    unsafe impl Sync for Words {}

    impl Words {
        pub(crate) fn new(size: usize) -> Self {
            Self((0..size).map(|_| UnsafeCell::new(0)).collect())
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        pub(crate) unsafe fn with<R>(
            &self,
            start: usize,
            length: usize,
            f: impl FnOnce(&[u64]) -> R,
        ) -> R {
            let words = &self.0[start..start + length];
            // SAFETY: the checker reports access that is not.
            let copy: Vec<u64> = words.iter().map(|w| w.with(|w| unsafe { *w })).collect();
            f(&copy)
        }

        pub(crate) unsafe fn with_mut<R>(
            &self,
            start: usize,
            length: usize,
            f: impl FnOnce(&mut [u64]) -> R,
        ) -> R {
            let mut copy = vec![0; length];
            let result = f(&mut copy);
            for (word, value) in self.0[start..start + length].iter().zip(copy) {
                // SAFETY: the checker reports access that is not.
                word.with_mut(|w| unsafe { *w = value });
            }
            result
        }
    }
}
