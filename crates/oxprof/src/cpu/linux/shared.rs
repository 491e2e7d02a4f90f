//! What handlers see, and when it may be freed.
//!
//! [`SESSION`] points to a [`Session`] while captures run and is null otherwise; a session points to the
//! current module map. Handlers never free. To free what handlers may be using:
//! 1. A handler adds one to [`IN_HANDLER`], *then* loads the pointers, and subtracts one when done.
//! 2. The collector swaps a pointer, *then* loads the count; once it reads zero, the old value is its own.
//!
//! All four are sequentially consistent: if a handler's load saw the old pointer, it comes before the swap in
//! the one order of all these operations, and so does the handler's addition. A later load of the count
//! then is not zero until that handler's subtraction, which releases to the load that reads it.

use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use oxprof_unwind::Modules;

use super::ring::Rings;

static SESSION: AtomicPtr<Session> = AtomicPtr::new(std::ptr::null_mut());
static IN_HANDLER: AtomicUsize = AtomicUsize::new(0);

/// Most threads that are profiled at once; slot numbers have 16 bits.
pub(super) const MAX_SLOTS: usize = 1 << 16;

/// Everything a handler needs.
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) slots: Box<[Slot]>,
    pub(super) rings: Rings,
    modules: AtomicPtr<Modules>,
    /// Nanoseconds of CPU time in samples for which there was no room.
    pub(super) lost: AtomicU64,
}

/// A thread that is profiled.
#[derive(Default)]
pub(super) struct Slot {
    /// Of the timer that may use it; 0 while there is none.
    pub(super) generation: AtomicU32,
    pub(super) tid: AtomicU32,
    /// Of the timer, in nanoseconds.
    pub(super) period: AtomicU32,
}

/// Proof that the handler is counted, and thereby access to the session.
pub(super) struct Guard {
    session: *const Session,
}

/// Enters a handler; `None` while no capture runs.
#[inline]
pub(super) fn enter() -> Option<Guard> {
    IN_HANDLER.fetch_add(1, Ordering::SeqCst);
    let session: *const Session = SESSION.load(Ordering::SeqCst);
    let guard = Guard { session };
    (!session.is_null()).then_some(guard)
}

impl Guard {
    #[inline]
    pub(super) fn session(&self) -> &Session {
        // SAFETY: not null, or there were no guard; published whole (the load synchronised with the swap), and
        // by the protocol above not freed before this guard is dropped.
        unsafe { &*self.session }
    }

    #[inline]
    pub(super) fn modules(&self) -> &Modules {
        // SAFETY: never null, and as for the session.
        unsafe { &*self.session().modules.load(Ordering::SeqCst) }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        IN_HANDLER.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A published session, in the collector's hands. Dropping it withdraws the session.
pub(super) struct Published {
    session: *mut Session,
    /// Maps that are no longer published but perhaps in use.
    #[expect(clippy::vec_box, reason = "handlers may still refer to where the boxes point")]
    retired: Vec<Box<Modules>>,
}

// SAFETY: a session may be used from any thread; the raw pointer is owned like a box.
unsafe impl Send for Published {}

impl Published {
    /// Publishes a session with these modules. There must be no other.
    pub(super) fn new(modules: Modules, cpus: usize) -> Self {
        let session = Box::into_raw(Box::new(Session {
            pid: std::process::id().cast_signed(),
            slots: (0..MAX_SLOTS).map(|_| Slot::default()).collect(),
            rings: Rings::new(cpus),
            modules: AtomicPtr::new(Box::into_raw(Box::new(modules))),
            lost: AtomicU64::new(0),
        }));
        let previous = SESSION.swap(session, Ordering::SeqCst);
        debug_assert!(previous.is_null(), "one collector at a time");
        Self { session, retired: Vec::new() }
    }

    pub(super) fn session(&self) -> &Session {
        // SAFETY: made by `Box` and freed by `drop` only.
        unsafe { &*self.session }
    }

    /// Publishes another map.
    pub(super) fn set_modules(&mut self, modules: Modules) {
        let new = Box::into_raw(Box::new(modules));
        let old = self.session().modules.swap(new, Ordering::SeqCst);
        // SAFETY: made by `Box`, and the swap made it ours, to be freed once no handler uses it.
        self.retired.push(unsafe { Box::from_raw(old) });
        self.free_retired();
    }

    /// Frees what handlers can no longer be using, without waiting.
    pub(super) fn free_retired(&mut self) {
        if !self.retired.is_empty() && IN_HANDLER.load(Ordering::SeqCst) == 0 {
            self.retired.clear();
        }
    }
}

impl Drop for Published {
    /// Waits until no handler runs. Called when all timers are deleted, so no new ones come. A handler that
    /// is not back in ten seconds (stopped by a debugger) keeps what it uses for ever.
    fn drop(&mut self) {
        SESSION.store(std::ptr::null_mut(), Ordering::SeqCst);
        for _ in 0..10_000 {
            if IN_HANDLER.load(Ordering::SeqCst) == 0 {
                // SAFETY: made by `Box`; no pointer to it is left, and no handler that loaded one runs.
                let session = unsafe { Box::from_raw(self.session) };
                // SAFETY: as for the session.
                drop(unsafe { Box::from_raw(session.modules.load(Ordering::Relaxed)) });
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::mem::take(&mut self.retired).into_iter().for_each(std::mem::forget);
    }
}

/// Forgets session and handlers in the child of a fork, where neither the threads that ran handlers nor
/// the collector exist. The session's memory is lost to the child.
pub(super) fn reset_after_fork() {
    SESSION.store(std::ptr::null_mut(), Ordering::SeqCst);
    IN_HANDLER.store(0, Ordering::SeqCst);
}
