//! Contention: where threads wait for each other, how long, and who made them wait.
//!
//! ```no_run
//! // All the time, at little cost: one sample per 10 µs of waiting, one wait of 100.
//! oxprof::contention::set_block_profile_rate(10_000);
//! oxprof::contention::set_mutex_profile_fraction(100);
//!
//! // For a while.
//! let sampling = oxprof::contention::Sampling::new().block(1).mutex(1).start();
//! // …
//! drop(sampling);
//!
//! let block = oxprof::lookup("block").expect("hooks are here").profile();
//! let mutex = oxprof::lookup("mutex").expect("hooks are here").profile();
//! ```
//!
//! Or over HTTP: `go tool pprof http://…/debug/pprof/block?seconds=5`.
//!
//! # The profiles
//! Values are how many waits there were, and how long they were, as in Go: `contentions` and `delay`.
//!
//! * `block`: by the stack that waited, until it did not. As in Go, these are waits for other threads: mutexes, locks
//!   of readers and writers, condition variables, channels, barriers, parking, joining. Sleeping, and waiting for the
//!   world outside, is there on request ([`BlockView::outside`], `all=1`), and so are waits that are not over
//!   ([`BlockView::pending`], `pending=1`).
//! * `mutex`: waits for mutexes and locks of readers and writers, by the stack that unlocked them. Every nanosecond that
//!   a waiter waits is charged once: to the first unlocking after it.
//! * `wakeup`: the same for all other waits: who let whom go on.
//!
//! The label `category` says what a wait was for: `lock`, `condvar`, `channel`, `park`, `join`, `once`, `sleep`,
//! `io`, `other`; and `idle` for threads of pools that wait for work, which is no harm: `-tagignore=category=idle` in
//! pprof leaves them out.
//!
//! # What is seen
//! The locks of std, parking_lot, crossbeam, rayon and the threads of tokio, which wait by `syscall(SYS_futex)`; and
//! pthread's own locks in `block`, as C code uses them. Not the time that threads spin before they wait, which is CPU
//! time. Waits of async tasks, which do not block threads, are there if the tasks are [known](crate::tasks): by the stack
//! of their `.await`s in `block`, and by who woke them in `mutex` and `wakeup`.
//!
//! # What it costs
//! Nothing while it is off, and nothing but for waits while it is on: looks at the clock and, for a sample, a walk of the
//! stack, next to the microseconds that it takes to block and wake a thread.
//!
//! A wait of at least the rate is always in `block`; a shorter one with a probability of its length by the rate, and then
//! counts as the inverse of that. In `mutex` one wait in `fraction` counts, as that many. So totals are right on
//! average.
//!
//! The variables `OXPROF_BLOCK_RATE` and `OXPROF_MUTEX_FRACTION` set the rates from the start of the program on. Until
//! it asks for a profile or calls anything here, only the first few hundred samples have stacks.

mod buckets;
mod class;
mod current;
mod events;
mod fork;
mod profile;
mod rates;
mod sites;
mod text;

pub(crate) use class::{Category, LOOKED_AT};
pub(crate) use current::exempt as exempt_current_thread;
pub(crate) use events::{Begun, HasBlocked, awaited, begin, charge, end, is_sampled};

use crate::registry::{NamedProfile, Source};
use crate::{hooks, threads};

/// Nanoseconds of waiting for each sample of `block`, on average; 0 if none are taken.
pub fn block_profile_rate() -> u64 {
    rates::get().block
}

/// Changes the nanoseconds of waiting for each sample of `block`: 1 samples every wait, 0 none.
///
/// A rate of 10 000 costs little in any program.
pub fn set_block_profile_rate(nanoseconds: u64) {
    prepare();
    rates::set(|rates| rates.block = nanoseconds);
}

/// Waits of which one counts for `mutex` and `wakeup`, on average; 0 if none does.
pub fn mutex_profile_fraction() -> u64 {
    rates::get().mutex
}

/// Changes the number of waits of which one counts for `mutex` and `wakeup`: 1 counts all, 0 none. Returns what it was.
///
/// A fraction of 100 costs little in any program. More than a million (2^20) is the same as that.
pub fn set_mutex_profile_fraction(fraction: u64) -> u64 {
    prepare();
    rates::set(|rates| rates.mutex = fraction).mutex
}

/// How finely to sample for a while. See [`Sampling::start`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampling {
    rates: rates::Rates,
}

/// Waits are sampled at least as finely as [`Sampling`] said until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the sampling"]
pub struct Started {
    _raised: rates::Raised,
}

impl Sampling {
    /// Nothing in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nanoseconds of waiting for each sample of `block`.
    #[must_use]
    pub fn block(mut self, nanoseconds: u64) -> Self {
        self.rates.block = nanoseconds;
        self
    }

    /// Waits of which one counts for `mutex` and `wakeup`.
    #[must_use]
    pub fn mutex(mut self, fraction: u64) -> Self {
        self.rates.mutex = fraction;
        self
    }

    /// With waits for the world outside: sleeping, reading, polling and the like.
    #[must_use]
    pub fn outside(mut self) -> Self {
        self.rates.outside = true;
        self
    }

    /// Samples from now on. Where several ask, and the program has set rates, the finest counts.
    pub fn start(self) -> Started {
        prepare();
        Started { _raised: rates::Raised::new(self.rates) }
    }
}

/// Which waits the profile `block` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockView {
    /// Also waits for the world outside. They are sampled only where [`Sampling::outside`] asks for it.
    pub outside: bool,
    /// Also waits that are not over, each as long as it has lasted, whether sampled or not.
    pub pending: bool,
}

/// The profile `block` with more in it than [`lookup`](crate::lookup) gives; `None` if hooks are not in this program.
pub fn block(view: BlockView) -> Option<NamedProfile> {
    let source = &profile::BLOCK[usize::from(view.outside)][usize::from(view.pending)];
    hooks::ARE_HERE.then(|| NamedProfile::new(source))
}

/// The profiles of contention.
pub(crate) fn sources() -> impl Iterator<Item = &'static dyn Source> {
    let all: [&'static dyn Source; 3] = [&profile::BLOCK[0][0], &profile::MUTEX, &profile::WAKEUP];
    all.into_iter().filter(|_| hooks::ARE_HERE)
}

/// Does what hooks cannot.
fn prepare() {
    threads::prepare();
    fork::watch();
}

/// Samples from the start of the program on, if the environment asks for it. Runs before `main`.
pub(crate) fn start_from_env() {
    let variable = |name: &std::ffi::CStr| {
        // SAFETY: a C string; nobody changes the environment before `main`.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        // SAFETY: not null, so a C string of the environment.
        let value = (!value.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(value) })?;
        value.to_str().ok()?.trim().parse::<u64>().ok().filter(|rate| *rate > 0)
    };
    let (block, mutex) = (variable(c"OXPROF_BLOCK_RATE"), variable(c"OXPROF_MUTEX_FRACTION"));
    if block.is_some() || mutex.is_some() {
        fork::watch();
        rates::set(|rates| {
            rates.block = block.unwrap_or(0);
            rates.mutex = mutex.unwrap_or(0);
        });
    }
}
