//! What callers ask of the collector, and whether there is one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oxprof_profile::Profile;

use super::super::Error;
use super::super::reply::{self, Promise, Reply};
use super::{collector, fork, threads};
use crate::threads::{clock, tasks};

static CONTROL: Mutex<Control> = Mutex::new(Control::new());
static CHANGED: Condvar = Condvar::new();

/// The state that callers and the collector share.
pub(super) struct Control {
    requests: Vec<Request>,
    collector_runs: bool,
    /// Counts the forks between the first process and this one.
    pub(super) epoch: u64,
    last_id: u64,
    helpers: Helpers,
}

/// Threads that name functions: their work is not the program's.
struct Helpers {
    running: Vec<i32>,
    /// CPU time of those that ended, in nanoseconds.
    ended: u64,
}

/// What a caller asks for.
pub(super) enum Request {
    Start {
        id: u64,
        hz: u32,
        started: Promise<()>,
    },
    Finish {
        id: u64,
        profile: Promise<Profile>,
    },
    FinishAt {
        id: u64,
        at: Instant,
        profile: Promise<Profile>,
    },
    Cancel {
        id: u64,
    },
    /// To look at what handlers have left.
    Look {
        done: Promise<()>,
    },
}

pub(super) fn lock() -> MutexGuard<'static, Control> {
    CONTROL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for a capture; returns its id and the epoch in which that means something.
pub(super) fn start(hz: u32) -> Result<(u64, u64), Error> {
    fork::watch();
    let (promise, reply) = reply::pair();
    let (id, epoch) = {
        let mut control = lock();
        if !control.collector_runs {
            collector::spawn()?;
            control.collector_runs = true;
        }
        control.last_id += 1;
        let id = control.last_id;
        control.requests.push(Request::Start { id, hz, started: promise });
        (id, control.epoch)
    };
    CHANGED.notify_one();
    reply.wait().map(|()| (id, epoch))
}

/// Asks for something in `epoch`. Without a collector, or if the process has forked since, the request
/// is dropped, and with it the promise of an answer.
pub(super) fn send(epoch: u64, request: Request) {
    {
        let mut control = lock();
        if control.epoch != epoch || !control.collector_runs {
            return;
        }
        control.requests.push(request);
    }
    CHANGED.notify_one();
}

/// Waits until the collector, if one runs, has looked at what handlers have left.
pub(super) fn flush() {
    let epoch = lock().epoch;
    // Without a collector there is nothing to look at.
    _ = ask(epoch, |done| Request::Look { done }).wait();
}

/// Asks for something, such as a profile.
pub(super) fn ask<T>(epoch: u64, request: impl FnOnce(Promise<T>) -> Request) -> Reply<T> {
    if lock().epoch != epoch {
        return Reply::ready(Err(Error::Forked));
    }
    let (promise, reply) = reply::pair();
    send(epoch, request(promise));
    reply
}

/// Takes what was asked for, after waiting for it until `deadline`.
pub(super) fn wait_until(deadline: Instant) -> Vec<Request> {
    let mut control = lock();
    while control.requests.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            break;
        }
        control = CHANGED.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    std::mem::take(&mut control.requests)
}

/// Says that the collector ends, unless something was asked for meanwhile.
pub(super) fn try_to_leave() -> bool {
    let mut control = lock();
    control.collector_runs = !control.requests.is_empty();
    !control.collector_runs
}

/// Says that the collector ended by a panic. What it owed is answered by dropping the promises.
pub(super) fn died() {
    let owed = {
        let mut control = lock();
        control.collector_runs = false;
        std::mem::take(&mut control.requests)
    };
    drop(owed); // Wakes callers, which may ask again: not under the lock.
}

/// Does work of the profiler's own in the calling thread.
pub(super) fn help(work: impl FnOnce()) {
    let tid = tasks::current();
    lock().helpers.running.push(tid);
    threads::exclude_current();
    work();
    let mut control = lock();
    control.helpers.running.retain(|&t| t != tid);
    control.helpers.ended += clock::current_thread();
}

/// CPU time of all threads that helped, in nanoseconds.
pub(super) fn helpers_cpu() -> u64 {
    let control = lock();
    let running = control.helpers.running.iter();
    let cpu = running.filter_map(|&tid| clock::read(clock::of_thread(tid)).ok());
    control.helpers.ended + cpu.sum::<u64>()
}

impl Control {
    const fn new() -> Self {
        let helpers = Helpers { running: Vec::new(), ended: 0 };
        Self { requests: Vec::new(), collector_runs: false, epoch: 0, last_id: 0, helpers }
    }

    /// Starts from nothing in the child of a fork. Promises are forgotten, not dropped: a thread that is no more
    /// may have held their locks.
    pub(super) fn reset_after_fork(&mut self) {
        std::mem::forget(std::mem::take(&mut self.requests));
        self.collector_runs = false;
        self.helpers.running.clear();
        self.epoch += 1;
    }
}
