//! How long tasks wait in each place, for the profiles of contention.
//!
//! A waker that is cloned in the place where a task waits, and woken when that is over, knows both ends of the wait. So
//! while waits are sampled, clones are of this kind: they know when they were made and by which stack, and
//! tell when they are woken, which is in the stack of who lets the task go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use super::task::Nanos;
use crate::contention;
use crate::labels::LabelsId;
use crate::stacks::StackId;

/// A wait of a task in one place.
pub(super) struct Wait {
    stack: StackId,
    labels: LabelsId,
    since: Nanos,
    is_over: AtomicBool,
    /// The task's own.
    waker: Waker,
}

impl Wait {
    pub(super) fn new(stack: StackId, labels: LabelsId, since: Nanos, waker: Waker) -> Arc<Self> {
        Arc::new(Self { stack, labels, since, is_over: AtomicBool::new(false), waker })
    }

    /// Whether somebody has woken the task for what it waits for here.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Wake for Wait {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            let nanos = self.since.until(Nanos::now()).as_nanos() as u64;
            contention::awaited(self.stack, self.labels, nanos);
        }
        self.waker.wake_by_ref();
    }
}
