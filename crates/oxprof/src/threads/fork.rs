//! Forks: of all threads, the child has the one that forked.

use std::sync::Once;

use super::{current, slots};

/// Sees to forks from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function is of the expected type. Without memory for the registration, a child shows threads of
        // its parent until it looks which exist; it is not worth failing for.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

unsafe extern "C" fn in_child() {
    let mine = current::keep_after_fork();
    for (slot, identity) in slots::iter() {
        if mine.is_none_or(|mine| !std::ptr::eq(mine, slot)) {
            slot.wait.reset_after_fork();
            slots::release_dead(slot, identity.generation);
        }
    }
}
