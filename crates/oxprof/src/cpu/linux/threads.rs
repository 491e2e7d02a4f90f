//! Which threads are profiled: their timers and slots.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::random::Random;
use super::recording::Counts;
use super::shared::{MAX_SLOTS, Session, Slot};
use super::timer::{Timer, Token};
use crate::threads::{clock, tasks};

/// Profiled threads, while captures run. The mutex serves the collector and threads that register
/// themselves; handlers never take it.
static THREADS: Mutex<Option<Threads>> = Mutex::new(None);
/// Whether there are any, to be asked without the mutex.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// Of the youngest timer. Never goes back, so that a late signal of an old session does not fit a new one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The threads that have a timer.
pub(super) struct Threads {
    session: *const Session,
    /// Of the timers, in nanoseconds.
    period: u32,
    attached: HashMap<i32, Attached>,
    /// Threads that are not to be profiled.
    excluded: Vec<i32>,
    /// Slots given back, and how many were ever used.
    free: Vec<u16>,
    used: usize,
    random: Random,
    /// CPU time that threads used before they were attached, in nanoseconds.
    pub(super) missed: u64,
    pub(super) counts: Counts,
}

// SAFETY: the pointer is used like a shared reference, whose target `begin`'s caller keeps alive, and a
// session may be shared between threads.
unsafe impl Send for Threads {}

struct Attached {
    slot: u16,
    timer: Timer,
}

/// Where a thread that is attached comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It was there when the session began; what it did before is no business of ours.
    Before,
    /// It was born since.
    During,
}

/// Locks the threads that are profiled; `None` inside while no capture runs.
pub(super) fn lock() -> MutexGuard<'static, Option<Threads>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a session with the threads there are, except for the calling one.
///
/// # Safety
/// `session` lives until [`end`].
///
/// # Errors
/// When not a single thread can be given a timer.
pub(super) unsafe fn begin(session: *const Session, period: u32) -> io::Result<()> {
    let mut threads = Threads {
        session,
        period,
        attached: HashMap::new(),
        excluded: vec![tasks::current()],
        free: Vec::new(),
        used: 0,
        random: Random::new(),
        missed: 0,
        counts: Counts::default(),
    };
    let tids = tasks::list().ok_or_else(|| io::Error::other("/proc/self/task cannot be read"))?;
    threads.attach_all(&tids, Origin::Before)?;
    *lock() = Some(threads);
    RUNNING.store(true, Ordering::Relaxed);
    Ok(())
}

/// Ends the session: deletes all timers.
pub(super) fn end() {
    RUNNING.store(false, Ordering::Relaxed);
    if let Some(mut threads) = lock().take() {
        let tids: Vec<i32> = threads.attached.keys().copied().collect();
        tids.into_iter().for_each(|tid| threads.detach(tid));
    }
}

/// Whether captures run.
pub(super) fn are_profiled() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Attaches the calling thread if captures run.
pub(super) fn register_current() {
    if !are_profiled() {
        return;
    }
    if let Some(threads) = &mut *lock() {
        let tid = tasks::current();
        if threads.attached.get(&tid).is_some_and(|a| !a.timer.is_alive()) {
            threads.detach(tid);
        }
        // A thread that cannot be attached is accounted as unattributed.
        _ = threads.attach(tid, Origin::During);
    }
}

/// Detaches the calling thread, which is about to end.
pub(super) fn unregister_current() {
    if are_profiled()
        && let Some(threads) = &mut *lock()
    {
        threads.detach(tasks::current());
    }
}

/// Leaves the calling thread out of profiles.
pub(super) fn exclude_current() {
    if let Some(threads) = &mut *lock() {
        let tid = tasks::current();
        threads.excluded.push(tid);
        threads.detach(tid);
    }
}

/// Forgets all in the child of a fork, which inherits no timers. The lock is held by the caller.
pub(super) fn reset_after_fork(threads: &mut Option<Threads>) {
    RUNNING.store(false, Ordering::Relaxed);
    // Numbers of timers mean nothing here: not to be deleted.
    std::mem::forget(threads.take());
}

impl Threads {
    /// Looks which threads came and went. Returns whether any came.
    pub(super) fn scan(&mut self) -> bool {
        let Some(tids) = tasks::list() else { return false };
        let gone =
            |tid: &i32, a: &Attached| tids.binary_search(tid).is_err() || !a.timer.is_alive();
        let gone: Vec<i32> =
            self.attached.iter().filter(|(tid, a)| gone(tid, a)).map(|(tid, _)| *tid).collect();
        gone.into_iter().for_each(|tid| self.detach(tid));
        let before = self.counts.attached;
        _ = self.attach_all(&tids, Origin::During);
        self.counts.attached != before
    }

    /// Changes the period of all timers.
    pub(super) fn set_period(&mut self, period: u32) {
        self.period = period;
        let Self { attached, random, session, .. } = self;
        for attached in attached.values() {
            // SAFETY: `begin`'s caller keeps the session alive.
            let slot = unsafe { &(**session).slots[usize::from(attached.slot)] };
            slot.period.store(period, Ordering::Relaxed);
            // A thread that is gone has no clock to be set on.
            _ = attached.timer.set(random.in_period(period), u64::from(period));
        }
    }

    fn attach_all(&mut self, tids: &[i32], origin: Origin) -> io::Result<()> {
        let mut result = Ok(());
        for &tid in tids {
            if let Err(error) = self.attach(tid, origin) {
                result = Err(error);
            }
        }
        if self.attached.is_empty() { result } else { Ok(()) }
    }

    fn attach(&mut self, tid: i32, origin: Origin) -> io::Result<()> {
        if self.attached.contains_key(&tid) || self.excluded.contains(&tid) {
            return Ok(());
        }
        let Some(number) = self.take_slot() else {
            return Err(io::Error::other("more threads than can be profiled"));
        };
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        self.fill_slot(number, generation, tid);
        match self.start_timer(tid, Token { slot: number, generation }, origin) {
            Ok(timer) => {
                self.attached.insert(tid, Attached { slot: number, timer });
                self.counts.attached += 1;
                Ok(())
            }
            Err(error) => {
                self.give_back(number);
                // Threads end all the time, also between being listed and being attached.
                let ended = matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ESRCH));
                if ended { Ok(()) } else { Err(error) }
            }
        }
    }

    fn start_timer(&mut self, tid: i32, token: Token, origin: Origin) -> io::Result<Timer> {
        let timer = Timer::new(tid, token)?;
        let used = clock::read(clock::of_thread(tid))?;
        timer.set(self.random.in_period(self.period), u64::from(self.period))?;
        if origin == Origin::During {
            self.missed += used;
        }
        Ok(timer)
    }

    fn detach(&mut self, tid: i32) {
        if let Some(attached) = self.attached.remove(&tid) {
            self.counts.detached += 1;
            self.give_back(attached.slot);
        }
    }

    fn take_slot(&mut self) -> Option<u16> {
        self.free.pop().or_else(|| {
            let number = u16::try_from(self.used).ok().filter(|_| self.used < MAX_SLOTS)?;
            self.used += 1;
            Some(number)
        })
    }

    fn fill_slot(&self, number: u16, generation: u32, tid: i32) {
        let slot = self.slot(number);
        slot.thread.store(tid.cast_unsigned(), Ordering::Relaxed);
        slot.period.store(self.period, Ordering::Relaxed);
        slot.generation.store(generation, Ordering::Release);
    }

    /// Late signals of its timer no longer fit the slot.
    fn give_back(&mut self, number: u16) {
        self.slot(number).generation.store(0, Ordering::Release);
        self.free.push(number);
    }

    fn slot(&self, number: u16) -> &Slot {
        // SAFETY: `begin`'s caller keeps the session alive.
        let session = unsafe { &*self.session };
        &session.slots[usize::from(number)]
    }
}
