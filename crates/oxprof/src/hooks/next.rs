//! The functions behind ours of the same name, in programs that are linked dynamically.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The function of a name behind ours; `F` is its type.
pub(crate) struct Next<F> {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
    function: PhantomData<F>,
}

impl<F: Copy> Next<F> {
    /// `F` is the type of a function pointer.
    pub(crate) const fn new(name: &'static CStr) -> Self {
        assert!(size_of::<F>() == size_of::<*mut c_void>());
        Self { name, found: AtomicPtr::new(ptr::null_mut()), function: PhantomData }
    }

    /// The function, which is looked up the first time: not in signal handlers, before that.
    #[inline]
    pub(crate) fn get(&self) -> Option<F> {
        self.found().or_else(|| self.find())
    }

    /// The function, if it was looked up.
    #[inline]
    pub(crate) fn found(&self) -> Option<F> {
        let found = self.found.load(Ordering::Relaxed);
        // SAFETY: what has this name is a function, and who made this says of which type.
        (!found.is_null()).then(|| unsafe { std::mem::transmute_copy::<*mut c_void, F>(&found) })
    }

    #[cold]
    fn find(&self) -> Option<F> {
        // SAFETY: a valid name.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Relaxed);
        self.found()
    }
}
