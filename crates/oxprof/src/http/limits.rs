//! How much of the program's time and memory requests may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::cpu;

/// How much of the program's time and memory requests may take. What goes beyond is refused with a message that says
/// so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Requests that are answered at a time; others get 503. One whose client has gone away counts until the work for it
    /// has ended.
    pub requests: usize,
    /// Longest that a request may ask to profile for.
    pub duration: Duration,
    /// Most samples per second of CPU time that a request may ask for.
    pub hz: u32,
    /// Longest body of a request, in bytes. The default is enough for 50 000 addresses to look up.
    pub body: usize,
    /// Of a [`Server`](super::Server): connections at a time. When there are as many, the one that has been without a
    /// request for longest makes room.
    pub connections: usize,
    /// Of a [`Server`](super::Server): how long a client may take to send a request's head, and then its body.
    pub receive: Duration,
    /// Of a [`Server`](super::Server): how long a client may take to accept any of the answer.
    pub send: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 32,
            duration: Duration::from_secs(24 * 60 * 60),
            hz: *cpu::HZ_RANGE.end(),
            body: 1 << 20,
            connections: 128,
            receive: Duration::from_secs(10),
            send: Duration::from_secs(30),
        }
    }
}

/// Counts what is being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Arc<AtomicUsize>);

/// A request that is being answered, until all clones are dropped.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    _entered: Arc<Entered>,
}

#[derive(Debug)]
struct Entered(Arc<AtomicUsize>);

impl Running {
    /// Room for one more, if fewer than `most` are being answered.
    pub(super) fn enter(&self, most: usize) -> Option<Slot> {
        let enter = |running| (running < most).then_some(running + 1);
        // Only a count: nothing else is published with it.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).ok()?;
        Some(Slot { _entered: Arc::new(Entered(Arc::clone(&self.0))) })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots() {
        let running = Running::default();
        let first = running.enter(2).expect("nothing is running");
        let second = running.enter(2).expect("one is running");
        assert!(running.clone().enter(2).is_none());
        let clone = first.clone();
        drop(first);
        assert!(running.enter(2).is_none());
        drop(clone);
        assert!(running.enter(2).is_some());
        drop(second);
    }
}
