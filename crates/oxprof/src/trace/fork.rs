//! Forks: the child records nothing.
//!
//! It has one thread, and a copy of what the recorder's thread may have been in the middle of. So our locks are taken
//! before a fork and given back after it on both sides. The chains that the child's copy of the recorder knew are
//! forgotten with it: the blocks are lost to the child, which has as many others.

use std::sync::{MutexGuard, Once};

use super::buffer::Chain;
use super::hooks;
use super::session::{self, State};
use crate::code::fork::Held;

type Locks = (MutexGuard<'static, State>, MutexGuard<'static, Vec<Chain>>);

static HELD: Held<Locks> = Held::new();

/// Sees to forks from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions are of the expected type. If there is no memory for the registration, a child
        // that records may hang; it is not worth failing for.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}

unsafe extern "C" fn before() {
    let locks = (session::lock(), session::lock_chains());
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
    hooks::reset_after_fork();
    if let Some((mut state, mut chains)) = take() {
        state.reset_after_fork();
        chains.clear();
    }
}
