//! A pointer that signal handlers follow, and when what it pointed to may be freed.
//!
//! Handlers never wait and never free. To free what a handler may be using:
//! 1. A handler adds one to `inside`, *then* loads the pointer, and subtracts one when done.
//! 2. The owner changes the pointer, *then* loads `inside`; once it reads zero, what the pointer held before is
//!    the owner's alone.
//!
//! Each "then" is a sequentially consistent fence. Of the two fences one comes first. If it is the
//! handler's, the owner's load sees the handler's addition, and zero only after its subtraction, which
//! releases all that the handler did. If it is the owner's, the handler's load sees the new pointer.

use super::sync::{AtomicPtr, AtomicUsize, Ordering, fence};

/// See the module.
pub(crate) struct Gate<T> {
    pointer: AtomicPtr<T>,
    inside: AtomicUsize,
}

/// Access to what the gate leads to. While it exists, that is not freed.
pub(crate) struct Guard<'a, T> {
    gate: &'a Gate<T>,
    target: *const T,
}

impl<T> Gate<T> {
    /// A gate that leads nowhere.
    #[cfg(not(all(test, oxprof_loom)))]
    pub(crate) const fn new() -> Self {
        Self { pointer: AtomicPtr::new(std::ptr::null_mut()), inside: AtomicUsize::new(0) }
    }

    #[cfg(all(test, oxprof_loom))]
    pub(crate) fn new() -> Self {
        Self { pointer: AtomicPtr::new(std::ptr::null_mut()), inside: AtomicUsize::new(0) }
    }

    /// Enters, in a handler; `None` if the gate leads nowhere.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Guard<'_, T>> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let target: *const T = self.pointer.load(Ordering::Acquire);
        let guard = Guard { gate: self, target };
        (!target.is_null()).then_some(guard)
    }

    /// Makes the gate lead to `target`, or nowhere. Returns where it led before.
    pub(crate) fn set(&self, target: *mut T) -> *mut T {
        let old = self.pointer.swap(target, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        old
    }

    /// Whether no handler uses anything that was replaced before.
    pub(crate) fn is_quiet(&self) -> bool {
        self.inside.load(Ordering::Acquire) == 0
    }

    /// Forgets target and handlers, in the child of a fork, which has neither.
    pub(crate) fn reset(&self) {
        self.pointer.store(std::ptr::null_mut(), Ordering::SeqCst);
        self.inside.store(0, Ordering::SeqCst);
    }
}

impl<T> Guard<'_, T> {
    /// What the gate leads to.
    ///
    /// # Safety
    /// Whoever sets the gate gives pointers to values that live until it was quiet after they were replaced.
    #[inline]
    pub(crate) unsafe fn target(&self) -> &T {
        // SAFETY: not null, or there were no guard; alive by the protocol above and the caller's word.
        unsafe { &*self.target }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.gate.inside.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use crate::code::sync::check;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// A value whose every use the checker sees.
    type Value = UnsafeCell<u32>;

    fn read(gate: &Gate<Value>) {
        if let Some(guard) = gate.enter() {
            // SAFETY: the models below free only when it is quiet.
            unsafe { guard.target() }.with(|value| assert_ne!(unsafe { *value }, 0));
        }
    }

    /// Frees as the collector does: writing to the value stands for that.
    fn free_when_quiet(gate: &Gate<Value>, value: *mut Value) {
        while !gate.is_quiet() {
            thread::yield_now();
        }
        // SAFETY: allocated by the model and freed once.
        let value = unsafe { Box::from_raw(value) };
        value.with_mut(|value| unsafe { *value = 0 });
    }

    #[test]
    fn nothing_is_freed_under_a_handler() {
        check(|| {
            let gate = Arc::new(Gate::new());
            let value = Box::into_raw(Box::new(UnsafeCell::new(1)));
            gate.set(value);
            let handlers: Vec<_> = (0..2)
                .map(|_| {
                    let gate = Arc::clone(&gate);
                    thread::spawn(move || read(&gate))
                })
                .collect();
            let old = gate.set(std::ptr::null_mut());
            free_when_quiet(&gate, old);
            handlers.into_iter().for_each(|h| h.join().unwrap());
        });
    }

    #[test]
    fn replaced_values_are_freed_under_no_handler() {
        check(|| {
            let gate = Arc::new(Gate::new());
            gate.set(Box::into_raw(Box::new(UnsafeCell::new(1))));
            let other = Arc::clone(&gate);
            let handler = thread::spawn(move || {
                read(&other);
                read(&other);
            });
            let old = gate.set(Box::into_raw(Box::new(UnsafeCell::new(2))));
            free_when_quiet(&gate, old);
            handler.join().unwrap();
            let old = gate.set(std::ptr::null_mut());
            free_when_quiet(&gate, old);
        });
    }
}
