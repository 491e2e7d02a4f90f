//! What is sampled, of how many.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::code::fork::ForkMutex;
use crate::hooks::on::{self, Purposes};

/// Rates of sampling; 0 for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    /// Nanoseconds of waiting for each sample of the profile `block`, on average.
    pub(super) block: u64,
    /// Waits for each that counts for the profile `mutex`, on average.
    pub(super) mutex: u64,
    /// Whether waits for the world outside are sampled, too.
    pub(super) outside: bool,
}

/// What somebody asks for, for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    rates: Rates,
    serial: u64,
}

/// The rates that the program has set, and what is asked for meanwhile.
struct State {
    set: Rates,
    asked: Vec<Asked>,
    serial: u64,
}

/// Larger rates are taken for this one: 18 minutes of waiting.
const MOST_NANOS: u64 = 1 << 40;
/// Larger fractions are taken for this one, so that sums of what samples stand for have room.
const MOST_WAITS: u64 = 1 << 20;

/// The rates in force, for hooks.
static BLOCK: AtomicU64 = AtomicU64::new(0);
static MUTEX: AtomicU64 = AtomicU64::new(0);
/// Those from the environment count as set until the program sets others.
static STATE: ForkMutex<State> = ForkMutex::new(State {
    set: Rates { block: 0, mutex: 0, outside: false },
    asked: Vec::new(),
    serial: 0,
});

/// Nanoseconds for each sample of the profile `block`. For hooks.
#[inline]
pub(super) fn block() -> u64 {
    BLOCK.load(Ordering::Relaxed)
}

/// Waits for each sample of the profile `mutex`. For hooks.
#[inline]
pub(super) fn mutex() -> u64 {
    MUTEX.load(Ordering::Relaxed)
}

/// The rates that the program has set.
pub(super) fn get() -> Rates {
    STATE.lock().set
}

/// Changes the rates of the program. Returns what they were.
pub(super) fn set(change: impl FnOnce(&mut Rates)) -> Rates {
    let mut state = STATE.lock();
    let before = state.set;
    change(&mut state.set);
    apply(state.in_force());
    before
}

/// Raises the rates for as long as this exists.
#[derive(Debug)]
pub(super) struct Raised {
    serial: u64,
}

impl Raised {
    /// To at least these.
    pub(super) fn new(rates: Rates) -> Self {
        let mut state = STATE.lock();
        state.serial += 1;
        let serial = state.serial;
        state.asked.push(Asked { rates, serial });
        apply(state.in_force());
        Self { serial }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        let mut state = STATE.lock();
        state.asked.retain(|asked| asked.serial != self.serial);
        apply(state.in_force());
    }
}

impl State {
    /// The finest of all.
    fn in_force(&self) -> Rates {
        let finer = |a: u64, b: u64| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        self.asked.iter().fold(self.set, |all, Asked { rates, .. }| Rates {
            block: finer(all.block, rates.block),
            mutex: finer(all.mutex, rates.mutex),
            outside: all.outside || rates.outside,
        })
    }
}

/// Makes hooks use these rates. Allocates nothing.
pub(super) fn apply(rates: Rates) {
    BLOCK.store(rates.block.min(MOST_NANOS), Ordering::Relaxed);
    MUTEX.store(rates.mutex.min(MOST_WAITS), Ordering::Relaxed);
    on::turn(Purposes::BLOCK, rates.block > 0);
    on::turn(Purposes::MUTEX, rates.mutex > 0);
    on::turn(Purposes::OUTSIDE, rates.block > 0 && rates.outside);
}

/// Samples are counted in fractions of this.
pub(super) const ONE: u64 = 1 << 12;

/// What a sample stands for: itself, and the waits like it that were not sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// In units of [`ONE`].
    pub(super) count: u64,
    pub(super) nanos: u64,
}

/// Whether a wait of this length is sampled at a rate, and what it stands for then: long ones always, others as often as
/// they are long.
pub(super) fn weigh(nanos: u64, rate: u64, random: u64) -> Option<Weight> {
    if nanos >= rate {
        return (rate > 0).then_some(Weight { count: ONE, nanos });
    }
    (random % rate < nanos).then(|| Weight { count: ONE * rate / nanos, nanos: rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        let weight = |count, nanos| Some(Weight { count, nanos });
        assert_eq!(weigh(5, 0, 0), None);
        assert_eq!(weigh(0, 1, 0), None);
        assert_eq!(weigh(1, 1, 0), weight(ONE, 1));
        assert_eq!(weigh(1000, 1000, 999), weight(ONE, 1000));
        assert_eq!(weigh(250, 1000, 249), weight(4 * ONE, 1000));
        assert_eq!(weigh(250, 1000, 250), None);
    }

    #[test]
    fn samples_are_right_on_average() {
        for (nanos, rate) in [(1, 1000), (300, 1000), (999, 1000), (5000, 1000)] {
            let weights = (0..rate).filter_map(|random| weigh(nanos, rate, random));
            let (count, time) =
                weights.fold((0, 0), |(c, t), weight| (c + weight.count, t + weight.nanos));
            let close = |got: u64, expected: u64| got.abs_diff(expected) <= expected / 500;
            assert!(close(count, rate * ONE) && close(time, rate * nanos), "{nanos} at {rate}");
        }
    }

    #[test]
    fn the_finest_rates_are_in_force() {
        let rates = |block, mutex, outside| Rates { block, mutex, outside };
        let asked = |rates| Asked { rates, serial: 0 };
        let check = |set, all: &[Rates], expected| {
            let asked = all.iter().copied().map(asked).collect();
            assert_eq!(State { set, asked, serial: 0 }.in_force(), expected);
        };
        check(rates(0, 0, false), &[], rates(0, 0, false));
        check(rates(100, 0, false), &[rates(0, 5, true)], rates(100, 5, true));
        check(
            rates(100, 7, false),
            &[rates(10, 9, false), rates(50, 0, false)],
            rates(10, 7, false),
        );
    }
}
