//! What hooks remember of the calling thread: a word that is there from the thread's start.
//!
//! The lowest bits say what the thread must not do; the others count random numbers. Only the thread itself uses it,
//! and its signal handlers: what these change of the count is lost at worst.

use crate::code::arch;
use crate::code::sync::Ordering;

/// The thread is in here: what interrupts it, or what it calls, must not be.
const BUSY: u64 = 1;
/// The thread is the profiler's own.
const EXEMPT: u64 = 1 << 1;
/// Added for each number; odd, but for the bits above.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15 << 8;

/// That the calling thread is in here, until it is dropped.
pub(super) struct Busy(());

/// Enters, unless the thread is in here already, or is the profiler's own.
pub(super) fn enter() -> Option<Busy> {
    let word = word();
    let value = word.load(Ordering::Relaxed);
    if value & (BUSY | EXEMPT) != 0 {
        return None;
    }
    word.store(value | BUSY, Ordering::Relaxed);
    Some(Busy(()))
}

/// Keeps what the calling thread does from now on out of profiles.
pub(crate) fn exempt() {
    let word = word();
    word.store(word.load(Ordering::Relaxed) | EXEMPT, Ordering::Relaxed);
}

impl Busy {
    /// A random number.
    pub(super) fn random(&self) -> u64 {
        let word = word();
        let value = word.load(Ordering::Relaxed).wrapping_add(STEP);
        word.store(value, Ordering::Relaxed);
        // Threads start at the same number, but not at the same address.
        let z = (value >> 8) ^ std::ptr::from_ref(word).addr() as u64;
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let word = word();
        word.store(word.load(Ordering::Relaxed) & !BUSY, Ordering::Relaxed);
    }
}

#[inline]
fn word<'a>() -> &'a std::sync::atomic::AtomicU64 {
    // SAFETY: an aligned word, zero at first, which only this function refers to; valid as long as the thread.
    unsafe { &*arch::hooks_word().cast() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_does_not_enter() {
        std::thread::spawn(|| {
            let busy = enter().expect("nobody is in");
            assert!(enter().is_none());
            let mut numbers: Vec<u64> = (0..1000).map(|_| busy.random()).collect();
            assert!(enter().is_none());
            drop(busy);
            assert!(enter().is_some());
            exempt();
            assert!(enter().is_none());
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 1000);
        })
        .join()
        .expect("the thread ends");
    }
}
