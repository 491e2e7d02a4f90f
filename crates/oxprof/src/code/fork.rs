//! Mutexes that forks leave intact, and mutexes that children do without.
//!
//! A child of `fork` has one thread. A mutex that another thread held is held there for ever, over data in the middle of
//! something. So the thread that forks takes these mutexes before, and gives them back after it on both sides.
//!
//! Who holds one of them must not take another for the first time: the thread that forks may wait for the former
//! while it keeps the list that the latter is to be entered in.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex in a `static` that is held over forks. It does not know poison.
pub(crate) struct ForkMutex<T: 'static> {
    mutex: Mutex<T>,
    is_watched: AtomicBool,
    held: Held<MutexGuard<'static, T>>,
}

/// Guards of the thread that forks, while it does. Only who holds what they guard touches this.
pub(crate) struct Held<G>(UnsafeCell<Option<G>>);

// SAFETY: what the guards are of keeps threads apart, by the word of those who call.
unsafe impl<G> Sync for Held<G> {}

impl<G> Held<G> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Keeps guards over a fork.
    ///
    /// # Safety
    /// Only who has such guards calls this, and then nobody until [`take`](Self::take).
    pub(crate) unsafe fn put(&self, guards: G) {
        // SAFETY: no other thread is between here and `take`, by the caller's word.
        unsafe { *self.0.get() = Some(guards) };
    }

    /// Gives them back.
    ///
    /// # Safety
    /// Called after [`put`](Self::put) by the thread that called it, or its copy in the child.
    pub(crate) unsafe fn take(&self) -> Option<G> {
        // SAFETY: what the guards are of is still held, by the caller's word.
        unsafe { (*self.0.get()).take() }
    }
}

/// A mutex that is not there in children of the process that made it, where nobody may be left to unlock it. It does not know
/// poison.
pub(crate) struct OwnMutex<T> {
    mutex: Mutex<T>,
    process: u32,
}

impl<T> OwnMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { mutex: Mutex::new(value), process: std::process::id() }
    }

    /// `None` in a child.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, T>> {
        let is_own = self.process == std::process::id();
        is_own.then(|| self.mutex.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

trait Hold: Sync {
    fn hold(&'static self);
    /// To be called by the thread that called `hold`, or its copy in the child.
    fn release(&'static self);
}

static WATCHED: ForkMutex<Vec<&'static dyn Hold>> = ForkMutex::new(Vec::new());

impl<T: Send> ForkMutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { mutex: Mutex::new(value), is_watched: AtomicBool::new(false), held: Held::new() }
    }

    pub(crate) fn lock(&'static self) -> MutexGuard<'static, T> {
        if !self.is_watched.load(Ordering::Relaxed)
            && !self.is_watched.swap(true, Ordering::Relaxed)
        {
            watch(self);
        }
        self.lock_unwatched()
    }

    fn lock_unwatched(&'static self) -> MutexGuard<'static, T> {
        self.mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Hold for ForkMutex<T> {
    fn hold(&'static self) {
        let guard = self.lock_unwatched();
        // SAFETY: the mutex is held, so no other thread is between here and `release`.
        unsafe { self.held.put(guard) };
    }

    fn release(&'static self) {
        // SAFETY: the mutex is still held, by `hold`.
        drop(unsafe { self.held.take() });
    }
}

#[cold]
fn watch(mutex: &'static dyn Hold) {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: the functions are of the expected type. Without memory for the registration a profile may
        // hang in a child; it is not worth failing for.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    }
    WATCHED.lock_unwatched().push(mutex);
}

unsafe extern "C" fn before() {
    let watched = WATCHED.lock_unwatched();
    watched.iter().for_each(|mutex| mutex.hold());
    // SAFETY: as in `hold`.
    unsafe { WATCHED.held.put(watched) };
}

unsafe extern "C" fn after() {
    // SAFETY: as in `release`.
    let watched = unsafe { WATCHED.held.take() };
    watched.iter().flat_map(|watched| watched.iter()).for_each(|mutex| mutex.release());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn a_child_does_without_what_its_parent_had() {
        let mutex = OwnMutex::new(1);
        let held = mutex.lock();
        // SAFETY: the child does nothing but look at the mutex and exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above; a hang ends by the alarm.
            unsafe {
                libc::alarm(10);
                libc::_exit(i32::from(mutex.lock().is_some()));
            }
        }
        let mut status = -1;
        // SAFETY: a child of ours, and a place for its status.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((status, held.map(|value| *value)), (0, Some(1)));
    }

    #[test]
    fn a_child_can_use_what_others_held() {
        static COUNTS: ForkMutex<(u64, u64)> = ForkMutex::new((0, 0));
        static STOP: AtomicBool = AtomicBool::new(false);
        let busy = thread::spawn(|| {
            while !STOP.load(Ordering::Relaxed) {
                let mut counts = COUNTS.lock();
                counts.0 += 1;
                thread::yield_now();
                counts.1 += 1;
            }
        });
        for _ in 0..50 {
            // SAFETY: the child does nothing but look at the mutex and exit; a hang ends by the alarm.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above.
                unsafe { libc::alarm(10) };
                let is_whole = { *COUNTS.lock() };
                // SAFETY: as above.
                unsafe { libc::_exit(i32::from(is_whole.0 != is_whole.1)) };
            }
            let mut status = -1;
            // SAFETY: a child of ours, and a place for its status.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(status, 0);
        }
        STOP.store(true, Ordering::Relaxed);
        busy.join().expect("the thread ends");
    }
}
