//! What is known of a task.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::waits::Wait;
use crate::labels::{self, LabelsId};
use crate::stacks::{self, StackId};
use crate::threads::clock;

/// A task. Only the thread that polls it changes what is in it, but for the wakes.
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) name: Option<Cow<'static, str>>,
    /// The async function that it is of, or whatever else its type is called.
    pub(super) function: &'static str,
    /// In force where it was created.
    pub(super) labels: LabelsId,
    pub(super) created_by: StackId,
    pub(super) created: Nanos,
    /// Where it is in the list.
    pub(super) place: AtomicUsize,
    /// Whether it is known by hooks of its runtime, so that nobody can see what it awaits.
    pub(super) is_of_runtime: bool,
    /// Whether another task stands for it.
    is_covered: AtomicBool,
    phase: AtomicU8,
    /// Whether it was woken by a waker of its own, and whether by a dump, since its last poll began.
    is_woken: AtomicBool,
    is_stirred: AtomicBool,
    polls: AtomicU64,
    /// Polls that were due to dumps alone.
    stirs: AtomicU64,
    wakes: AtomicU64,
    /// Nanoseconds in polls that are over.
    busy: AtomicU64,
    /// When the phase began. A poll that was due to a dump does not end a wait.
    since: AtomicU64,
    /// The waker of its runtime.
    runtime: Mutex<Option<Waker>>,
    awaits: Mutex<Awaits>,
}

/// What a task waits for, seen at the end of a poll.
#[derive(Default)]
struct Awaits {
    /// The number of that poll; 0 if never.
    poll: u64,
    all: Vec<Await>,
}

/// A place where a task waits.
#[derive(Clone)]
pub(super) struct Await {
    pub(super) stack: StackId,
    pub(super) labels: LabelsId,
    pub(super) since: Nanos,
    /// Who tells when it is over, if waits are sampled.
    pub(super) wait: Option<Arc<Wait>>,
}

impl Await {
    /// Whether it is known not to be over.
    fn is_open(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| !wait.is_over())
    }
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// It was not polled yet.
    New,
    /// It is being polled.
    Running,
    /// It was polled and has more to do.
    Waiting,
    /// It is over.
    Done,
}

/// Nanoseconds on the clock that never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nanos(pub(super) u64);

impl Nanos {
    pub(super) fn now() -> Self {
        Self(clock::monotonic())
    }

    pub(super) fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// A poll that is under way.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) at: Nanos,
    /// Since when the task waited, if the poll does not end that: nobody but a dump asked for it.
    waited_since: Option<Nanos>,
    /// Whether it is to say what it awaits.
    pub(super) is_asked: bool,
}

/// The sums that are kept of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) polls: u64,
    pub(super) wakes: u64,
    pub(super) busy: Duration,
}

impl Task {
    /// A task that is created by the caller.
    pub(super) fn new(name: Option<Cow<'static, str>>, function: &'static str) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        stacks::prepare();
        let now = Nanos::now();
        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            name,
            function,
            labels: labels::sample(),
            created_by: stacks::capture(),
            created: now,
            place: AtomicUsize::new(0),
            is_of_runtime: false,
            is_covered: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::New as u8),
            is_woken: AtomicBool::new(false),
            is_stirred: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            stirs: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            since: AtomicU64::new(now.0),
            runtime: Mutex::new(None),
            awaits: Mutex::default(),
        }
    }

    /// What it does: its name, if it has one, or its function's.
    pub(super) fn title(&self) -> Cow<'static, str> {
        self.name.clone().unwrap_or(Cow::Borrowed(self.function))
    }

    /// A task that the caller spawns, and that hooks of its runtime tell about.
    #[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
    pub(super) fn of_runtime() -> Self {
        Self { is_of_runtime: true, ..Self::new(None, "task") }
    }

    /// Notes whether another task stands for it.
    #[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
    pub(super) fn set_covered(&self, is_covered: bool) {
        self.is_covered.store(is_covered, Ordering::Relaxed);
    }

    /// Whether another task stands for it.
    pub(super) fn is_covered(&self) -> bool {
        self.is_covered.load(Ordering::Relaxed)
    }

    /// Notes that a poll begins.
    pub(super) fn begin(&self) -> Begun {
        let waited_since = Nanos(self.since.load(Ordering::Relaxed));
        let is_asked = self.is_stirred.load(Ordering::Relaxed);
        let is_idle = is_asked && !self.is_woken.load(Ordering::Relaxed);
        let waited_since = is_idle.then_some(waited_since);
        let begun = Begun { at: Nanos::now(), waited_since, is_asked };
        self.is_woken.store(false, Ordering::Relaxed);
        if is_idle {
            self.stirs.fetch_add(1, Ordering::Relaxed);
        }
        self.is_stirred.store(false, Ordering::Relaxed);
        self.since.store(begun.at.0, Ordering::Relaxed);
        self.phase.store(Phase::Running as u8, Ordering::Relaxed);
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Release);
        begun
    }

    /// Notes that the poll that began at `begun` ends. Returns when.
    pub(super) fn end(&self, begun: Begun) -> Nanos {
        let now = Nanos::now();
        let busy = self.busy.load(Ordering::Relaxed) + begun.at.until(now).as_nanos() as u64;
        self.busy.store(busy, Ordering::Relaxed);
        self.since.store(begun.waited_since.unwrap_or(now).0, Ordering::Relaxed);
        self.phase.store(Phase::Waiting as u8, Ordering::Release);
        now
    }

    /// Notes that it is over.
    pub(super) fn finish(&self) {
        self.phase.store(Phase::Done as u8, Ordering::Release);
        self.set_runtime(None);
        // Waits refer to the task.
        self.set_awaits(Vec::new());
    }

    /// Notes a wake.
    pub(super) fn note_wake(&self) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }

    /// What it does, and since when.
    pub(super) fn phase(&self) -> (Phase, Nanos) {
        let phase = match self.phase.load(Ordering::Acquire) {
            0 => Phase::New,
            1 => Phase::Running,
            2 => Phase::Waiting,
            _ => Phase::Done,
        };
        let since = Nanos(self.since.load(Ordering::Relaxed));
        (phase, since)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            polls: self.polls.load(Ordering::Relaxed) - self.stirs.load(Ordering::Relaxed),
            wakes: self.wakes.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy.load(Ordering::Relaxed)),
        }
    }

    /// That it waits in some place, in the poll that began at `begun`. Since when, is known if it did at the end of the
    /// poll before, and nobody has ended that wait.
    pub(super) fn begin_await(&self, stack: StackId, labels: LabelsId, begun: Begun) -> Await {
        let last = lock(&self.awaits);
        let is_last = last.poll + 1 == self.polls.load(Ordering::Relaxed);
        let known = last.all.iter().find(|l| (l.stack, l.labels) == (stack, labels));
        let since = match (known.filter(|_| is_last), begun.waited_since) {
            (Some(known), Some(_)) => known.since,
            (Some(known), None) if known.is_open() => known.since,
            (None, Some(waited_since)) if !is_last => waited_since,
            _ => Nanos::now(),
        };
        Await { stack, labels, since, wait: None }
    }

    /// Notes what it awaits at the end of the poll that is under way.
    pub(super) fn set_awaits(&self, all: Vec<Await>) {
        let awaits = Awaits { poll: self.polls.load(Ordering::Relaxed), all };
        // Dropped after the lock is given back: the drop of a waker may be anything.
        let _old = std::mem::replace(&mut *lock(&self.awaits), awaits);
    }

    /// What it awaits; `None` if that was not looked at in its last poll. Nothing where it cannot be.
    pub(super) fn awaits(&self) -> Option<Vec<Await>> {
        let awaits = lock(&self.awaits);
        let is_last = self.is_of_runtime || awaits.poll == self.polls.load(Ordering::Acquire);
        (is_last && self.phase().0 == Phase::Waiting).then(|| awaits.all.clone())
    }

    /// What it awaited at the end of a poll after the one of this number, if that was looked at.
    pub(super) fn awaits_after(&self, poll: u64) -> Option<Vec<Await>> {
        let awaits = lock(&self.awaits);
        (awaits.poll > poll).then(|| awaits.all.clone())
    }

    /// The number of its last poll.
    pub(super) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    /// Whether somebody but a dump has woken it since its last poll.
    pub(super) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::Relaxed)
    }

    /// Changes whenever it is woken, polled, or done with a poll.
    pub(super) fn moves(&self) -> u64 {
        let is_running = self.phase().0 == Phase::Running;
        self.polls() << 2 | u64::from(is_running) << 1 | u64::from(self.is_woken())
    }

    /// Notes who wakes it.
    pub(super) fn set_runtime(&self, waker: Option<Waker>) {
        // Dropped after the lock is given back: the drop of a waker may be anything.
        let _old = std::mem::replace(&mut *lock(&self.runtime), waker);
    }

    /// Has it polled, without counting that as a wake.
    pub(super) fn stir(&self) {
        let waker = lock(&self.runtime).clone();
        if let Some(waker) = waker {
            self.is_stirred.store(true, Ordering::Relaxed);
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
