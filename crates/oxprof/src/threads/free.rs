//! The stack of slots that were given back.
//!
//! `head` holds the number of the topmost plus one, and how often the stack changed: who takes one reads which is the
//! next, which holds only if nothing has changed when he puts that in its place. Without the count a slot that went
//! and came again meanwhile would be taken for one that stayed. (It would have to come round 2^32 times for a mistake.)
//!
//! Who gives a slot back releases what he did to it; who takes it acquires that.

use crate::code::sync::{AtomicU64, Ordering};

/// See the module. Where the next below a slot is written down is the caller's affair.
pub(super) struct Free {
    head: AtomicU64,
}

impl Free {
    #[cfg(not(all(test, oxprof_loom)))]
    pub(super) const fn new() -> Self {
        Self { head: AtomicU64::new(0) }
    }

    #[cfg(all(test, oxprof_loom))]
    pub(super) fn new() -> Self {
        Self { head: AtomicU64::new(0) }
    }

    /// Takes the topmost slot.
    pub(super) fn pop<'s>(&self, next: impl Fn(u32) -> Option<&'s AtomicU64>) -> Option<u32> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let number = (head as u32).checked_sub(1)?;
            let below = next(number)?.load(Ordering::Relaxed);
            match self.exchange(head, below) {
                Ok(_) => return Some(number),
                Err(changed) => head = changed,
            }
        }
    }

    /// Gives slot `number` back, the next below which is written to `next`.
    pub(super) fn push(&self, number: u32, next: &AtomicU64) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            next.store(head & u64::from(u32::MAX), Ordering::Relaxed);
            match self.exchange(head, u64::from(number) + 1) {
                Ok(_) => return,
                Err(changed) => head = changed,
            }
        }
    }

    fn exchange(&self, head: u64, top: u64) -> Result<u64, u64> {
        let changes = (head >> 32).wrapping_add(1) << 32;
        let (both, failed) = (Ordering::AcqRel, Ordering::Acquire);
        self.head.compare_exchange(head, changes | top, both, failed)
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check as model;

    /// Slots, every use of which the checker sees.
    struct Slots {
        free: Free,
        next: [AtomicU64; SLOTS],
        slots: [UnsafeCell<u32>; SLOTS],
    }

    const SLOTS: usize = 2;

    impl Slots {
        fn new() -> Self {
            let (next, slots) = ([0, 1].map(|_| AtomicU64::new(0)), [0, 1].map(UnsafeCell::new));
            let all = Self { free: Free::new(), next, slots };
            (0..SLOTS).for_each(|number| all.free.push(number as u32, &all.next[number]));
            all
        }

        fn take(&self) -> Option<u32> {
            self.free.pop(|number| self.next.get(number as usize))
        }

        /// Uses a slot, which is the caller's, and gives it back.
        fn use_up(&self, number: u32) {
            // SAFETY: the checker is there to find out.
            self.slots[number as usize].with_mut(|slot| unsafe { *slot += 1 });
            self.free.push(number, &self.next[number as usize]);
        }

        fn use_one(&self) {
            self.take().into_iter().for_each(|number| self.use_up(number));
        }

        /// Takes both, and gives back the first while it has the second: what comes back is as it was, what is below is not.
        fn use_both(&self) {
            let (first, second) = (self.take(), self.take());
            first.into_iter().chain(second).for_each(|number| self.use_up(number));
        }

        fn count(&self) -> usize {
            std::iter::from_fn(|| self.take()).count()
        }
    }

    /// Two threads have the slots that they use for themselves, and none is lost.
    fn check(works: [fn(&Slots); 2]) {
        model(move || {
            let slots = Arc::new(Slots::new());
            let run = |work: fn(&Slots)| {
                let slots = Arc::clone(&slots);
                thread::spawn(move || work(&slots))
            };
            works.map(run).into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(slots.count(), SLOTS);
        });
    }

    #[test]
    fn slots_have_one_owner() {
        check([Slots::use_one, Slots::use_one]);
        check([Slots::use_one, Slots::use_both]);
    }
}
