//! Forks: the child starts from nothing.
//!
//! A child has one thread, no timers, and a copy of all memory as some other thread may have left it in the
//! middle of something. So our locks are taken before a fork, in the order in which they nest (control,
//! threads), and given back after it on both sides.

use std::sync::{MutexGuard, Once};

use super::control::Control;
use super::threads::Threads;
use super::{control, shared, threads};
use crate::code::fork::Held;

type Locks = (MutexGuard<'static, Control>, MutexGuard<'static, Option<Threads>>);

static HELD: Held<Locks> = Held::new();

/// Sees to forks from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions are of the expected type. If there is no memory for the registration, a child
        // that profiles itself may hang; it is not worth failing for.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}

unsafe extern "C" fn before() {
    let locks = (control::lock(), threads::lock());
    // SAFETY: the locks are held, so no other thread is between `before` and `take`.
    unsafe { HELD.put(locks) };
}

/// Takes the locks that `before` took.
fn take() -> Option<Locks> {
    // SAFETY: called after `before` by the thread that ran it, or by its copy in the child.
    unsafe { HELD.take() }
}

unsafe extern "C" fn in_parent() {
    drop(take());
}

unsafe extern "C" fn in_child() {
    shared::reset_after_fork();
    if let Some((mut control, mut threads)) = take() {
        control.reset_after_fork();
        threads::reset_after_fork(&mut threads);
    }
}
