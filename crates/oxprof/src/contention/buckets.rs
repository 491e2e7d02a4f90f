//! Who waits for what, so that who ends waits can be told how long they were.
//!
//! Of each address on which threads wait there is an entry: how many they are, and the sum of the times from which on
//! they wait at somebody's cost. When one is woken at time t, all of them have waited n·t - sum since the one before;
//! that is charged, and they go on waiting from t on. Who leaves takes his own part with him. So every nanosecond
//! of a wait is charged once, to who ended it for one of the waiters, or not at all: what comes after the last call, and
//! waits that time out. A call costs the same however many wait. (Go accounts for its semaphores like this.)
//!
//! A waiter stands for as many waits as it is one of by the rate of sampling when it began, and counts as that many from then on:
//! the rate may be another when it is woken.
//!
//! # Protocol
//! 1. An entry belongs to the bucket that its address is in, and is used under the lock of that bucket only.
//! 2. `used`, the number of waiters in the bucket, changes under the lock, and is read without. Who wakes and reads zero
//!    goes on: a waiter that enters just then is woken before he sleeps, or by the next.
//! 3. The lock is held for some nanoseconds of arithmetic: no call, no page fault but the first, no signal handler that
//!    wants it (see [`current`](super::current)). Who does not get it lets others run, also of lower priority.
//! 4. In a child of `fork` the holder of a lock may not exist, nor the waiters. Whoever waits for a lock long
//!    looks whether the process is the one that the buckets are of, and empties them if it is not.

use crate::code::sync::{AtomicBool, AtomicU64, Ordering};
use crate::stacks::StackId;
use crate::threads::wait;

/// A power of two.
#[cfg(not(all(test, oxprof_loom)))]
const BUCKETS: usize = 1 << 10;
#[cfg(all(test, oxprof_loom))]
const BUCKETS: usize = 1;
/// Addresses in a bucket on which threads wait at once; more are not accounted for.
#[cfg(not(all(test, oxprof_loom)))]
const ENTRIES: usize = 8;
#[cfg(all(test, oxprof_loom))]
const ENTRIES: usize = 1;

/// See the module.
pub(super) struct Buckets {
    buckets: [Bucket; BUCKETS],
    /// The process whose waiters are in them.
    process: AtomicU64,
}

#[repr(align(64))]
struct Bucket {
    is_locked: AtomicBool,
    used: AtomicU64,
    entries: [Entry; ENTRIES],
}

struct Entry {
    address: AtomicU64,
    /// Waits that the waiters stand for; the entry is free if there are none.
    count: AtomicU64,
    /// Those of them to which nothing was charged yet.
    new: AtomicU64,
    /// Of the times from which on each of them waits, modulo 2^64.
    sum: AtomicU64,
    /// Of the last charge.
    last: AtomicU64,
    /// The innermost frames of the one who came last.
    waiter: AtomicU64,
}

/// That somebody waits, to leave with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    address: u64,
    /// From when on at somebody's cost.
    since: u64,
    waits: u64,
}

/// What is charged to who wakes others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    /// How long they have waited, together.
    pub(super) nanos: u64,
    /// How many waits are charged for the first time.
    pub(super) waits: u64,
    /// What one of the waiters called to wait.
    pub(super) waiter: StackId,
}

/// Not modulo what memory is aligned to, so that neighbours have buckets of their own.
fn bucket_of(address: u64) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    ((address >> 2).wrapping_mul(MULTIPLIER) >> 32) as usize % BUCKETS
}

impl Buckets {
    #[cfg(not(all(test, oxprof_loom)))]
    pub(super) const fn new() -> Self {
        Self { buckets: [const { Bucket::new() }; BUCKETS], process: AtomicU64::new(0) }
    }

    #[cfg(all(test, oxprof_loom))]
    pub(super) fn new() -> Self {
        Self { buckets: std::array::from_fn(|_| Bucket::new()), process: AtomicU64::new(0) }
    }

    /// Says that the waiters to come are of this process.
    pub(super) fn adopt(&self) {
        self.process.store(process(), Ordering::Relaxed);
    }

    /// Empties them, in a child of a fork.
    pub(super) fn reset(&self) {
        self.adopt();
        for bucket in &self.buckets {
            bucket.entries.iter().for_each(|entry| entry.count.store(0, Ordering::Relaxed));
            bucket.used.store(0, Ordering::Relaxed);
            bucket.is_locked.store(false, Ordering::Release);
        }
    }

    /// The caller waits from time `now` on, for `waits` that it stands for. `None` if there is no room to say so.
    pub(super) fn enter(
        &self,
        address: u64,
        now: u64,
        waits: u64,
        waiter: StackId,
    ) -> Option<Entered> {
        self.locked(address, |bucket| bucket.enter(address, now, waits, waiter))
    }

    /// The caller waits no longer.
    pub(super) fn leave(&self, entered: &Entered) {
        self.locked(entered.address, |bucket| bucket.leave(entered));
    }

    /// Whether somebody may wait for `address`.
    #[inline]
    pub(super) fn may_be_awaited(&self, address: u64) -> bool {
        self.buckets[bucket_of(address)].used.load(Ordering::Relaxed) != 0
    }

    /// What is to be charged to the caller, who wakes somebody who waits for `address`; `None` if nobody does.
    pub(super) fn charge(&self, address: u64, now: impl FnOnce() -> u64) -> Option<Charge> {
        self.locked(address, |bucket| bucket.charge(address, now()))
    }

    fn locked<R>(&self, address: u64, f: impl FnOnce(&Bucket) -> R) -> R {
        let bucket = &self.buckets[bucket_of(address)];
        if !bucket.try_lock() {
            self.wait_for(bucket);
        }
        let result = f(bucket);
        bucket.is_locked.store(false, Ordering::Release);
        result
    }

    #[cold]
    fn wait_for(&self, bucket: &Bucket) {
        /// The checker goes on with others only where a thread lets them.
        const SPINS: u32 = if cfg!(all(test, oxprof_loom)) { 0 } else { 64 };
        let mut rounds = 0u32;
        while !bucket.try_lock() {
            if rounds < SPINS {
                std::hint::spin_loop();
            } else if self.process.load(Ordering::Relaxed) != process() {
                self.reset();
            } else {
                wait::let_others_run(rounds - SPINS);
            }
            rounds = rounds.saturating_add(1);
        }
    }
}

#[cfg(not(all(test, oxprof_loom)))]
fn process() -> u64 {
    crate::threads::tasks::process() as u64
}

/// The checker does not fork.
#[cfg(all(test, oxprof_loom))]
fn process() -> u64 {
    0
}

impl Bucket {
    #[cfg(not(all(test, oxprof_loom)))]
    const fn new() -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            used: AtomicU64::new(0),
            entries: [const { Entry::new() }; ENTRIES],
        }
    }

    #[cfg(all(test, oxprof_loom))]
    fn new() -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            used: AtomicU64::new(0),
            entries: std::array::from_fn(|_| Entry::new()),
        }
    }

    fn try_lock(&self) -> bool {
        let (acquired, not) = (Ordering::Acquire, Ordering::Relaxed);
        self.is_locked.compare_exchange(false, true, acquired, not).is_ok()
    }

    fn enter(&self, address: u64, now: u64, waits: u64, waiter: StackId) -> Option<Entered> {
        let entry = self.find(address).or_else(|| self.take(address))?;
        // Others may have been woken since the clock was looked at.
        let since = now.max(entry.last.load(Ordering::Relaxed) + 1);
        add(&entry.count, waits);
        add(&entry.new, waits);
        add(&entry.sum, since.wrapping_mul(waits));
        entry.waiter.store(waiter.to_raw().into(), Ordering::Relaxed);
        add(&self.used, 1);
        Some(Entered { address, since, waits })
    }

    fn leave(&self, &Entered { address, since, waits }: &Entered) {
        // Not there in the child of a fork.
        let Some(entry) = self.find(address) else { return };
        let last = entry.last.load(Ordering::Relaxed);
        if since > last {
            add(&entry.new, waits.wrapping_neg());
        }
        add(&entry.count, waits.wrapping_neg());
        add(&entry.sum, since.max(last).wrapping_mul(waits).wrapping_neg());
        add(&self.used, u64::MAX);
    }

    fn charge(&self, address: u64, now: u64) -> Option<Charge> {
        let entry = self.find(address)?;
        // One who entered meanwhile may have looked at the clock later.
        let now = now.max(entry.last.load(Ordering::Relaxed));
        let sum = entry.count.load(Ordering::Relaxed).wrapping_mul(now);
        let nanos = sum.wrapping_sub(entry.sum.load(Ordering::Relaxed));
        if nanos.cast_signed() <= 0 {
            return None;
        }
        entry.sum.store(sum, Ordering::Relaxed);
        entry.last.store(now, Ordering::Relaxed);
        let waits = entry.new.load(Ordering::Relaxed);
        entry.new.store(0, Ordering::Relaxed);
        let waiter = StackId::from_raw(entry.waiter.load(Ordering::Relaxed) as u32);
        Some(Charge { nanos, waits, waiter })
    }

    fn find(&self, address: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            let is_used = entry.count.load(Ordering::Relaxed) != 0;
            is_used && entry.address.load(Ordering::Relaxed) == address
        })
    }

    /// A free entry.
    fn take(&self, address: u64) -> Option<&Entry> {
        let is_free = |entry: &&Entry| entry.count.load(Ordering::Relaxed) == 0;
        let entry = self.entries.iter().find(is_free)?;
        entry.address.store(address, Ordering::Relaxed);
        for word in [&entry.new, &entry.sum, &entry.last] {
            word.store(0, Ordering::Relaxed);
        }
        Some(entry)
    }
}

/// Nobody else writes meanwhile.
fn add(word: &AtomicU64, value: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

impl Entry {
    #[cfg(not(all(test, oxprof_loom)))]
    const fn new() -> Self {
        Self {
            address: AtomicU64::new(0),
            count: AtomicU64::new(0),
            new: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            last: AtomicU64::new(0),
            waiter: AtomicU64::new(0),
        }
    }

    #[cfg(all(test, oxprof_loom))]
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            address: zero(),
            count: zero(),
            new: zero(),
            sum: zero(),
            last: zero(),
            waiter: zero(),
        }
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    const LOCK: u64 = 0x1000;

    fn waiter(raw: u32) -> StackId {
        StackId::from_raw(raw)
    }

    fn enter(buckets: &Buckets, address: u64, now: u64) -> Entered {
        buckets.enter(address, now, 1, waiter(1)).unwrap()
    }

    fn charged(buckets: &Buckets, now: u64) -> Option<(u64, u64)> {
        buckets.charge(LOCK, || now).map(|charge| (charge.nanos, charge.waits))
    }

    #[test]
    fn every_nanosecond_of_a_wait_is_charged_once() {
        let buckets = Box::new(Buckets::new());
        assert_eq!(charged(&buckets, 5), None);
        let waiters = [10, 20, 30].map(|now| enter(&buckets, LOCK, now));
        assert_eq!(waiters.map(|waiter| waiter.since), [10, 20, 30]);
        // 30 + 20 + 10; then 3 * 5, of whom one leaves at the cost of nobody.
        assert_eq!(charged(&buckets, 40), Some((60, 3)));
        assert_eq!(charged(&buckets, 45), Some((15, 0)));
        buckets.leave(&waiters[0]);
        // Whoever looked at the clock before the last charge waits from then on.
        let late = enter(&buckets, LOCK, 40);
        assert_eq!(late.since, 46);
        buckets.leave(&late);
        let last = enter(&buckets, LOCK, 50);
        // 2 * 10 + 5.
        assert_eq!(charged(&buckets, 55), Some((25, 1)));
        [waiters[1], waiters[2], last].iter().for_each(|waiter| buckets.leave(waiter));
        assert_eq!(charged(&buckets, 90), None);
        assert!(buckets.buckets.iter().all(|bucket| bucket.used.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn waits_that_nobody_ends_are_not_charged() {
        let buckets = Box::new(Buckets::new());
        buckets.leave(&enter(&buckets, LOCK, 10));
        assert!(buckets.enter(LOCK, 100, 1, waiter(2)).is_some());
        let charge = Charge { nanos: 1, waits: 1, waiter: waiter(2) };
        assert_eq!(buckets.charge(LOCK, || 101), Some(charge));
        // Not before the last charge, whatever the clock says.
        assert_eq!(buckets.charge(LOCK, || 99), None);
    }

    #[test]
    fn each_counts_as_many_as_it_stood_for_when_it_began() {
        let buckets = Box::new(Buckets::new());
        let [all, some] = [1, 1000].map(|waits| buckets.enter(LOCK, 10, waits, waiter(1)).unwrap());
        assert_eq!(charged(&buckets, 15), Some((5 * 1001, 1001)));
        buckets.leave(&some);
        let some = buckets.enter(LOCK, 20, 1000, waiter(1)).unwrap();
        assert_eq!(charged(&buckets, 21), Some((6 + 1000, 1000)));
        let new = buckets.enter(LOCK, 30, 1000, waiter(1)).unwrap();
        [some, new].iter().for_each(|waiter| buckets.leave(waiter));
        assert_eq!(charged(&buckets, 31), Some((10, 0)));
        buckets.leave(&all);
        assert_eq!(charged(&buckets, 40), None);
    }

    #[test]
    fn addresses_of_one_bucket_are_apart() {
        let buckets = Box::new(Buckets::new());
        let same = |&address: &u64| bucket_of(address) == bucket_of(LOCK);
        let addresses: Vec<u64> = (0..).step_by(4).filter(same).take(ENTRIES + 1).collect();
        let (last, fitting) = addresses.split_last().unwrap();
        let waiters: Vec<_> = fitting.iter().map(|&at| enter(&buckets, at, at)).collect();
        assert_eq!(buckets.enter(*last, 1, 1, waiter(1)), None);
        for entered in &waiters {
            let charge = Charge { nanos: 3, waits: 1, waiter: waiter(1) };
            assert_eq!(buckets.charge(entered.address, || entered.address + 3), Some(charge));
            buckets.leave(entered);
        }
        enter(&buckets, *last, 1);
    }

    #[test]
    fn threads_keep_the_sum() {
        let buckets = Box::new(Buckets::new());
        let charged = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 1..2000u64 {
                        let waiter = enter(&buckets, LOCK, round);
                        let charge = buckets.charge(LOCK, || round + 1);
                        charged.fetch_add(charge.map_or(0, |c| c.waits), Ordering::Relaxed);
                        buckets.leave(&waiter);
                    }
                });
            }
        });
        assert!(charged.load(Ordering::Relaxed) <= 4 * 1999);
        assert_eq!(buckets.charge(LOCK, || u64::MAX / 2), None);
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check;

    const LOCK: u64 = 4;

    /// Two wait, from different times on, one of whom wakes others twice: nothing is charged twice, and nothing stays.
    #[test]
    fn nothing_is_charged_twice() {
        check(|| {
            let buckets = Arc::new(Buckets::new());
            let theirs = Arc::clone(&buckets);
            let waiter = thread::spawn(move || {
                theirs.leave(&theirs.enter(LOCK, 10, 1, StackId::LOST).unwrap());
            });
            let entered = buckets.enter(LOCK, 20, 1, StackId::LOST).unwrap();
            let first = buckets.charge(LOCK, || 30);
            buckets.leave(&entered);
            let charges = [first, buckets.charge(LOCK, || 40)];
            let sum = |of: fn(&Charge) -> u64| charges.iter().flatten().map(of).sum::<u64>();
            // The one can have waited from 10 to 40, the other from 20 to 30.
            assert!(sum(|charge| charge.nanos) <= 40);
            assert!(sum(|charge| charge.waits) <= 2);
            waiter.join().unwrap();
            assert_eq!(buckets.buckets[0].used.load(Ordering::Relaxed), 0);
            assert_eq!(buckets.charge(LOCK, || 50), None);
        });
    }
}
