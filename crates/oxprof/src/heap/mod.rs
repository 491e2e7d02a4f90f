//! Heap profiles: what is allocated where, and what of it is still there.
//!
//! ```
//! #[global_allocator]
//! static ALLOC: oxprof::Heap = oxprof::Heap::system(); // or Heap::new(any allocator)
//!
//! fn main() {
//!     oxprof::heap::prepare();
//!     let data = vec![0u8; 1 << 20];
//!     let heap = oxprof::lookup("heap").expect("the allocator is ours").profile();
//!     std::fs::write("heap.pb.gz", oxprof_profile::encode_gzip(&heap, Default::default())).unwrap();
//! #   std::fs::remove_file("heap.pb.gz").unwrap();
//!     drop(data);
//! }
//! ```
//!
//! # What is sampled
//! On average one allocation in every [`rate`] bytes, by chance: a block of `size` bytes with probability
//! 1 - exp(-size/rate). Each sample counts as the inverse of its probability, so totals are right on average whatever
//! the sizes; their relative error is about one over the square root of the number of samples. Reallocation counts
//! as allocating the new block and freeing the old one.
//!
//! What making a profile allocates is not sampled.
//!
//! Of sampled blocks it is remembered that they are there, so that what is in use is what was allocated
//! and not freed: exactly nothing once everything sampled is freed.
//!
//! # What it does to the program
//! An allocation costs a subtraction more, a free a look at one byte. A sample costs a few microseconds. Blocks
//! are laid out as without us. Memory is bounded: 64 KiB, and up to some 100 MiB in programs with hundreds of thousands
//! of different stacks and a million sampled blocks. Nothing waits, ever; hooks take no lock and allocate nothing, so it
//! does not matter where in a thread's life they are called, and forks need no care.
//!
//! # What C code allocates
//! With the feature `malloc`, functions of ours stand in front of glibc's `malloc` and its kin: the profile then has what
//! C libraries allocate as well, with a `Heap` or without. Off by default, as it cannot be together with another
//! replacement of `malloc`.
//!
//! The rate is 512 KiB unless the variable `OXPROF_HEAP_RATE` says another number of bytes, 0 for never, at start, or
//! [`set_rate`] later.

mod allocators;
mod countdown;
mod filter;
mod live;
#[cfg(all(oxprof_malloc, target_env = "gnu"))]
mod malloc;
mod profile;
mod rate;
mod sampler;
mod sites;
mod text;
mod totals;

use std::alloc::{GlobalAlloc, Layout, System};

pub use allocators::AllocatorMemory;
pub(crate) use countdown::pause;
pub(crate) use profile::{ALLOCS, HEAP};
pub use rate::DEFAULT_RATE;
pub(crate) use totals::Totals;

/// An allocator that samples what another one allocates. See the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap<A = System> {
    inner: A,
}

impl Heap {
    /// On top of the system's allocator.
    pub const fn system() -> Self {
        Self::new(System)
    }
}

impl<A> Heap<A> {
    /// On top of `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

/// Whether allocators may get their memory from functions that count it themselves.
const IS_MALLOC_HOOKED: bool = cfg!(all(oxprof_malloc, target_env = "gnu"));

/// Bytes between samples, on average; 0 if none are taken.
pub fn rate() -> u64 {
    rate::get()
}

/// Changes the number of bytes between samples: 1 samples every allocation, 0 none.
///
/// Threads notice after the next megabyte that they allocate, at the latest. Samples from before keep the weight
/// that they had. Rates above 4 GiB count as that. What is needed to walk stacks is made first, as by [`prepare`].
pub fn set_rate(bytes: u64) {
    if bytes > 0 {
        prepare();
    }
    rate::set(bytes);
}

/// Whether this program allocates through a [`Heap`].
pub fn is_installed() -> bool {
    sampler::is_installed()
}

/// How much memory is in use, as far as samples tell; `None` without a [`Heap`].
pub(crate) fn bytes_in_use() -> Option<u64> {
    is_installed().then(|| sites::iter().map(|site| site.in_use.bytes).sum())
}

/// Names the function that says how much memory the program's allocator manages, to be shown beside profiles.
///
/// Not needed for jemalloc (built with statistics), mimalloc and glibc's, which are asked without.
pub fn report_allocator(report: fn() -> Option<AllocatorMemory>) {
    allocators::set(report);
}

/// Bytes that this thread has allocated since it started, freed or not; `None` unless it allocates through a [`Heap`].
#[inline]
pub(crate) fn allocated_by_thread() -> Option<u64> {
    is_installed().then(countdown::allocated)
}

/// Makes what is needed to walk stacks, unless it is there: some milliseconds of work, about 1.5 per megabyte of
/// code.
///
/// Looking up a profile, serving `/debug/pprof/` and [`set_rate`] do it, too. Programs that allocate much before that call this
/// first: of samples until then only the first few hundred have stacks, and those with at most 16 KiB of stack.
pub fn prepare() {
    crate::stacks::prepare();
}

// SAFETY: every block comes from `inner` for the same layout and goes back to it; what is done besides touches
// neither the block nor the arguments, allocates nothing, and does not unwind.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_MALLOC_HOOKED {
            // SAFETY: passed on.
            return over_malloc(layout.size(), || unsafe { self.inner.alloc(layout) });
        }
        if sampler::charge(layout.size()) {
            // SAFETY: passed on.
            return unsafe { self.alloc_and_consider(layout, false) };
        }
        // SAFETY: passed on.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if IS_MALLOC_HOOKED {
            // SAFETY: passed on.
            return over_malloc(layout.size(), || unsafe { self.inner.alloc_zeroed(layout) });
        }
        if sampler::charge(layout.size()) {
            // SAFETY: passed on.
            return unsafe { self.alloc_and_consider(layout, true) };
        }
        // SAFETY: passed on.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if sampler::may_hold(block.addr()) {
            sampler::forget(block.addr());
        }
        // SAFETY: passed on.
        unsafe { self.inner.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if IS_MALLOC_HOOKED {
            // SAFETY: passed on.
            let reallocate =
                || unsafe { self.realloc_and_consider(block, layout, new_size, false) };
            return over_malloc(new_size, reallocate);
        }
        let is_charged = sampler::charge(new_size);
        if is_charged || sampler::may_hold(block.addr()) {
            // SAFETY: passed on.
            return unsafe { self.realloc_and_consider(block, layout, new_size, is_charged) };
        }
        // SAFETY: passed on.
        unsafe { self.inner.realloc(block, layout, new_size) }
    }
}

/// Counts a block unless that was done on the way to it.
fn over_malloc(size: usize, allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
    let before = countdown::allocated();
    let block = allocate();
    if countdown::allocated() == before && sampler::charge(size) && !block.is_null() {
        sampler::consider(block.addr(), size);
    }
    block
}

impl<A: GlobalAlloc> Heap<A> {
    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[cold]
    #[inline(never)]
    unsafe fn alloc_and_consider(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        // SAFETY: passed on.
        let block = unsafe {
            if zeroed { self.inner.alloc_zeroed(layout) } else { self.inner.alloc(layout) }
        };
        if !block.is_null() {
            sampler::consider(block.addr(), layout.size());
        }
        block
    }

    /// The old block leaves the table before the allocator can give its address away, and returns to it
    /// if it is still there.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[cold]
    #[inline(never)]
    unsafe fn realloc_and_consider(
        &self,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        is_charged: bool,
    ) -> *mut u8 {
        let address = block.addr();
        let sampled = if sampler::may_hold(address) { sampler::take(address) } else { None };
        // SAFETY: passed on.
        let new = unsafe { self.inner.realloc(block, layout, new_size) };
        match sampled {
            Some(sampled) if new.is_null() => sampler::put_back(address, sampled),
            Some(sampled) => sampler::freed(address, sampled),
            None => {}
        }
        if is_charged && !new.is_null() {
            sampler::consider(new.addr(), new_size);
        }
        new
    }
}
