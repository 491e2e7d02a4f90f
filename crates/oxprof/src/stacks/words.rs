//! Memory for hooks: zeroed words from the kernel, mapped when first needed and never given back.

#[cfg(all(test, oxprof_loom))]
pub(crate) use checked::Words;
#[cfg(not(all(test, oxprof_loom)))]
pub(crate) use mapped::Words;

#[cfg_attr(all(test, oxprof_loom), expect(dead_code, reason = "the model checker has its own"))]
mod mapped {
    use std::ptr::{self, NonNull};
    use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

    use crate::code::arch::syscall6;

    /// A fixed number of words, all zero at first.
    pub(crate) struct Words {
        first: AtomicPtr<AtomicU64>,
        len: usize,
    }

    impl Words {
        /// `len` words, not there yet.
        pub(crate) const fn new(len: usize) -> Self {
            Self { first: AtomicPtr::new(ptr::null_mut()), len }
        }

        /// The words, if [`map`](Self::map) was called.
        #[inline]
        pub(crate) fn get(&self) -> Option<&[AtomicU64]> {
            // SAFETY: null, or what `map` published: `len` words that are never unmapped, zero being a valid atomic. The
            // load acquires, although the kernel's zeros need no synchronisation within a process.
            NonNull::new(self.first.load(Ordering::Acquire))
                .map(|first| unsafe { std::slice::from_raw_parts(first.as_ptr(), self.len) })
        }

        /// The words, which it maps unless they are; `None` if the kernel has no memory.
        pub(crate) fn map(&self) -> Option<&[AtomicU64]> {
            if let Some(words) = self.get() {
                return Some(words);
            }
            let first = map(self.len)?;
            let exchanged = self.first.compare_exchange(
                ptr::null_mut(),
                first.as_ptr(),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if exchanged.is_err() {
                // Another thread was quicker.
                unmap(first, self.len);
            }
            self.get()
        }
    }

    fn map(len: usize) -> Option<NonNull<AtomicU64>> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let args = [0, len * 8, protection as usize, flags as usize, usize::MAX, 0];
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that exists.
        let address = unsafe { syscall6(libc::SYS_mmap, args) };
        // Errors are the negative numbers down to -4095; no mapping is there.
        if (-4095..=0).contains(&address) { None } else { NonNull::new(address as *mut AtomicU64) }
    }

    fn unmap(first: NonNull<AtomicU64>, len: usize) {
        // SAFETY: the mapping was made by `map` just now and shown to nobody.
        unsafe { syscall6(libc::SYS_munmap, [first.as_ptr() as usize, len * 8, 0, 0, 0, 0]) };
    }
}

/// For the model checker, which has atomics of its own. Whether the memory is there is no question for it.
#[cfg(all(test, oxprof_loom))]
mod checked {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use crate::code::sync::AtomicU64;

    pub(crate) struct Words {
        words: AtomicPtr<Box<[AtomicU64]>>,
        len: usize,
    }

    impl Words {
        pub(crate) const fn new(len: usize) -> Self {
            Self { words: AtomicPtr::new(ptr::null_mut()), len }
        }

        pub(crate) fn get(&self) -> Option<&[AtomicU64]> {
            // SAFETY: null or leaked.
            unsafe { self.words.load(Ordering::SeqCst).as_ref() }.map(|words| &**words)
        }

        /// The checker switches threads at its own operations only, of which there are none here.
        pub(crate) fn map(&self) -> Option<&[AtomicU64]> {
            if self.get().is_none() {
                let words = (0..self.len).map(|_| AtomicU64::new(0)).collect();
                self.words.store(Box::into_raw(Box::new(words)), Ordering::SeqCst);
            }
            self.get()
        }
    }
}
