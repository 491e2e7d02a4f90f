//! When a thread takes its next sample: a countdown of bytes.
//!
//! Samples are the points of a Poisson process on the bytes that a thread allocates: the distance to the next is
//! an exponential variate with the rate as mean. Such a process has no memory, so a countdown may be drawn
//! anew at any time: after a sample, and after at most [`QUANTUM`] bytes, to notice a change of rate.
//!
//! The state is plain data in thread-local storage that is initialised at compile time and has no destructor:
//! it is there in the first allocation of a thread and in the last, after its destructors ran. A signal handler that
//! allocates may change it at any point, which makes nothing worse than a sample more or less.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::rate;

/// Most bytes that a thread allocates without looking at the rate.
const QUANTUM: i64 = 1 << 20;

thread_local! {
    static COUNTDOWN: Countdown = const { Countdown::new() };
}

struct Countdown {
    /// Bytes until something is to be done.
    left: Cell<i64>,
    /// The rate by which `left` was drawn; 0 if the end of the countdown is not a sample.
    due: Cell<u64>,
    /// State of the generator of random numbers; 0 before the first.
    random: Cell<u64>,
    /// What the thread will have allocated when `left` is 0.
    total: Cell<u64>,
}

/// Counts an allocation. Returns whether [`decide`] wants to know of it.
#[inline(always)]
pub(super) fn charge(size: usize) -> bool {
    COUNTDOWN.with(|c| {
        let left = c.left.get().wrapping_sub(size as i64);
        c.left.set(left);
        left < 0
    })
}

/// Bytes that this thread has allocated. Says nothing while [`pause`]d.
#[inline]
pub(super) fn allocated() -> u64 {
    COUNTDOWN.with(Countdown::allocated)
}

/// Decides about an allocation at which the countdown ended: the rate, if it is to be sampled.
pub(super) fn decide() -> Option<u64> {
    let rate = rate::get();
    COUNTDOWN.with(|c| c.decide(rate))
}

/// Takes no samples in this thread until dropped.
#[must_use]
pub(crate) struct Paused {
    left: i64,
    /// Of this thread, so not to be sent to another.
    _thread: PhantomData<*const ()>,
}

/// Suspends the countdown, as if what the thread allocates meanwhile were not allocated.
pub(crate) fn pause() -> Paused {
    Paused { left: COUNTDOWN.with(|c| c.left.replace(i64::MAX)), _thread: PhantomData }
}

impl Drop for Paused {
    fn drop(&mut self) {
        COUNTDOWN.with(|c| c.left.set(self.left));
    }
}

impl Countdown {
    const fn new() -> Self {
        Self { left: Cell::new(0), due: Cell::new(0), random: Cell::new(0), total: Cell::new(0) }
    }

    /// The rate at which to sample the allocation at which the countdown ended, if at all.
    ///
    /// A countdown that did not end in a sample says nothing about the bytes beyond it: the next sample may be among
    /// them. This is so for the first allocation of a thread, too, which would otherwise always be sampled.
    fn decide(&self, rate: u64) -> Option<u64> {
        let beyond = self.left.get().wrapping_neg() as f64;
        let sampled = match self.due.get() {
            _ if rate == 0 => None,
            0 => self.distance(rate).is_none_or(|d| d < beyond).then_some(rate),
            due => Some(due),
        };
        self.restart(rate);
        sampled
    }

    fn restart(&self, rate: u64) {
        let distance = if rate == 0 { Some(f64::INFINITY) } else { self.distance(rate) };
        match distance {
            None => self.set(0, rate),
            Some(bytes) if bytes < QUANTUM as f64 => self.set(bytes as i64, rate),
            Some(_) => self.set(QUANTUM, 0),
        }
    }

    fn allocated(&self) -> u64 {
        self.total.get().wrapping_sub(self.left.get() as u64)
    }

    fn set(&self, left: i64, due: u64) {
        self.total.set(self.allocated().wrapping_add(left as u64));
        self.left.set(left);
        self.due.set(due);
    }

    /// Bytes until the next sample; `None` if every allocation is one.
    fn distance(&self, rate: u64) -> Option<f64> {
        (rate > 1).then(|| -self.even().ln() * rate as f64)
    }

    /// A random number above 0 and up to 1.
    fn even(&self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// The next random number (splitmix).
    fn next(&self) -> u64 {
        let state = match self.random.get() {
            0 => seed(),
            state => state,
        };
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// Where a thread's random numbers start: from the bytes that the kernel gives each process, and a count of
/// threads.
fn seed() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    let thread = THREADS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: has no preconditions.
    let random = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const u64;
    // SAFETY: null, or the address of 16 bytes that stay for the life of the process.
    let process = if random.is_null() { 0 } else { unsafe { random.read_unaligned() } };
    (process ^ thread.wrapping_mul(0xd6e8_feb8_6659_fd93)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of allocations of this size that are sampled.
    fn share(size: usize, rate: u64, fresh_threads: bool) -> f64 {
        let (rounds, mut sampled) = (200_000, 0);
        let mut countdown = Countdown::new();
        for round in 0..rounds {
            if fresh_threads {
                countdown = Countdown::new();
                countdown.random.set(round * 7919 + 1);
            }
            let left = countdown.left.get() - size as i64;
            countdown.left.set(left);
            sampled += usize::from(left < 0 && countdown.decide(rate).is_some());
        }
        sampled as f64 / rounds as f64
    }

    #[test]
    fn allocations_are_sampled_by_their_size() {
        let check = |size: usize, rate: u64| {
            let expected = -(-(size as f64) / rate as f64).exp_m1();
            for fresh in [false, true] {
                let got = share(size, rate, fresh);
                let error = (expected * (1.0 - expected) / 200_000.0).sqrt();
                assert!(
                    (got - expected).abs() <= 4.5 * error,
                    "{size} at {rate}, fresh {fresh}: {got}, not {expected}"
                );
            }
        };
        check(64, 4096);
        check(1, 100);
        check(4096, 4096);
        check(3 << 20, 4 << 20);
        check(100, 1 << 24);
    }

    #[test]
    fn what_was_allocated_is_known_to_the_byte() {
        for rate in [0, 1, 1000, 1 << 30] {
            let countdown = Countdown::new();
            let mut total = 0;
            for size in [1, 10, 5000, 3 << 20, 64, 1 << 20].repeat(20) {
                countdown.left.set(countdown.left.get() - size);
                total += size as u64;
                if countdown.left.get() < 0 {
                    countdown.decide(rate);
                }
                assert_eq!(countdown.allocated(), total);
            }
        }
    }

    #[test]
    fn extreme_rates() {
        assert_eq!(share(8, 0, false), 0.0);
        assert_eq!(share(8, 1, false), 1.0);
        assert_eq!(share(1, 1, true), 1.0);
    }

    #[test]
    fn a_change_of_rate_is_noticed_within_a_quantum() {
        let countdown = Countdown::new();
        assert_eq!(countdown.decide(0), None);
        assert_eq!(countdown.left.get(), QUANTUM);
        assert_eq!(countdown.decide(1), Some(1));
        assert_eq!(countdown.decide(1), Some(1));
        assert_eq!(countdown.decide(0), None);
    }
}
