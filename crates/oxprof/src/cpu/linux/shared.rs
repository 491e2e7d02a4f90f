//! What handlers see. It is published through one [`Gate`], which leads nowhere while no capture runs.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::ring::Rings;
use crate::code::gate::{self, Gate};

#[cfg(not(all(test, oxprof_loom)))]
static GATE: Gate<Session> = Gate::new();
#[cfg(all(test, oxprof_loom))]
static GATE: std::sync::LazyLock<Gate<Session>> = std::sync::LazyLock::new(Gate::new);

/// Most threads that are profiled at once. Time of others is unattributed.
pub(super) const MAX_SLOTS: usize = 1 << 14;

/// Everything a handler needs, but for the map by which [stacks are walked](crate::stacks).
pub(super) struct Session {
    pub(super) slots: Box<[Slot]>,
    pub(super) rings: Rings,
    /// Nanoseconds of CPU time in samples for which there was no room.
    pub(super) lost: AtomicU64,
}

/// A thread that is profiled.
#[derive(Default)]
pub(super) struct Slot {
    /// Of the timer that may use it; 0 while there is none.
    pub(super) generation: AtomicU32,
    /// Of the timer, in nanoseconds.
    pub(super) period: AtomicU32,
    /// The kernel's number of the thread.
    pub(super) thread: AtomicU32,
}

/// A handler's access to the session.
pub(super) struct Guard(gate::Guard<'static, Session>);

/// Enters a handler; `None` while no capture runs.
#[inline]
pub(super) fn enter() -> Option<Guard> {
    GATE.enter().map(Guard)
}

impl Guard {
    #[inline]
    pub(super) fn session(&self) -> &Session {
        // SAFETY: `Published` sets the gate, and frees a session only when it is quiet.
        unsafe { self.0.target() }
    }
}

/// A published session, in the collector's hands. Dropping it withdraws the session.
pub(super) struct Published {
    session: *mut Session,
}

// SAFETY: a session may be used from any thread; the raw pointer is owned like a box.
unsafe impl Send for Published {}

impl Published {
    /// Publishes a session. There must be no other.
    pub(super) fn new(cpus: usize) -> Self {
        let session = Box::into_raw(Box::new(Session {
            slots: (0..MAX_SLOTS).map(|_| Slot::default()).collect(),
            rings: Rings::new(cpus),
            lost: AtomicU64::new(0),
        }));
        let previous = GATE.set(session);
        debug_assert!(previous.is_null(), "one collector at a time");
        Self { session }
    }

    pub(super) fn session(&self) -> &Session {
        // SAFETY: made by `Box` and freed by `drop` only.
        unsafe { &*self.session }
    }
}

impl Drop for Published {
    /// Waits until no handler runs. All timers are deleted by now, so no new ones come. A handler that is not
    /// back in ten seconds (stopped by a debugger) keeps what it uses for ever.
    fn drop(&mut self) {
        GATE.set(std::ptr::null_mut());
        for _ in 0..10_000 {
            if GATE.is_quiet() {
                // SAFETY: made by `Box`; no pointer to it is left, and no handler that loaded one runs.
                drop(unsafe { Box::from_raw(self.session) });
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Forgets session and handlers in the child of a fork, where neither the threads that ran handlers nor
/// the collector exist. The session's memory is lost to the child.
pub(super) fn reset_after_fork() {
    GATE.reset();
}
