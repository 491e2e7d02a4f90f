//! Whose turn it is to ask threads: one's at a time.
//!
//! Not a mutex: the child of a fork has not the thread that may have had the turn, and takes it. Nor one that who forks takes
//! first: a dump may wait for a tenth of a second, and with the fork all would that need what forks hold.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::threads::{tasks, wait};

/// The process of the thread that has the turn; 0 if none has.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// Held by the thread that has the turn.
pub(super) struct Turn(());

impl Turn {
    /// Waits for it.
    pub(super) fn take() -> Self {
        let process = tasks::process();
        for round in 0.. {
            let owner = OWNER.load(Ordering::Relaxed);
            let (taken, not) = (Ordering::Acquire, Ordering::Relaxed);
            if owner != process && OWNER.compare_exchange(owner, process, taken, not).is_ok() {
                break;
            }
            wait::let_others_run(round);
        }
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        OWNER.store(0, Ordering::Release);
    }
}
