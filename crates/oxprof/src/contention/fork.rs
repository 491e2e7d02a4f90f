//! Forks: of all waiters, the child has none.

use std::sync::Once;

use super::events::BUCKETS;

/// Sees to forks from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        BUCKETS.adopt();
        // SAFETY: the function is of the expected type. Without memory for the registration, a child charges waits of
        // its parent to whoever wakes nobody; it is not worth failing for.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

unsafe extern "C" fn in_child() {
    BUCKETS.reset();
}
