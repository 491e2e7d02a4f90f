//! Which descriptors keep nobody waiting, as those of event loops do not: calls on them are no waits in a trace.
//!
//! To ask the kernel takes longer than all else that is noted of a call. So its answer counts for a while.
//!
//! # Rules
//! 1. An answer counts for the thread that asked, and until the recorder has counted on, which it does about ten times a
//!    second.
//! 2. It may be wrong by then: the number may be another file's, or the file may be told to block. So the kernel is asked
//!    again after a call that took long, and a wait is noted when it is over. Until then the thread seems to run.
//! 3. Entries are single words, so an answer is whole, whoever writes meanwhile.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::code::arch::{self, syscall6};
use crate::threads::clock;
use crate::threads::current;

/// Answers by descriptor and thread: 64 KiB.
static ANSWERS: [AtomicU64; 1 << 13] = [const { AtomicU64::new(0) }; 1 << 13];
/// How often the recorder has counted.
static TICK: AtomicU64 = AtomicU64::new(1);
/// The processor's counter and the time when it first did.
static FIRST_CYCLES: AtomicU64 = AtomicU64::new(0);
static FIRST_TIME: AtomicU64 = AtomicU64::new(0);

/// Cycles that nobody waits for in vain: some 20 µs.
const LONG: u64 = 1 << 16;

/// Whether calls on a descriptor wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Maybe,
    Never,
    /// The kernel said so lately. Holds when the call began, by the processor's counter.
    NotLately(u64),
}

/// Lets the kernel be asked again. For the recorder.
pub(crate) fn tick() {
    if TICK.fetch_add(1, Ordering::Relaxed) == 1 {
        let (time, cycles) = same_moment();
        FIRST_TIME.store(time, Ordering::Relaxed);
        FIRST_CYCLES.store(cycles, Ordering::Relaxed);
    }
}

/// The time and the processor's counter, with little between the two: other threads may have their turn there.
fn same_moment() -> (u64, u64) {
    let look = |_| (clock::monotonic(), arch::cycles(), clock::monotonic());
    let closest = std::array::from_fn::<_, 5, _>(look).into_iter().min_by_key(|l| l.2 - l.0);
    closest.map_or((0, 0), |(time, cycles, _)| (time, cycles))
}

/// Whether a call on a descriptor, which begins now, is going to wait.
#[inline]
pub(super) fn waits(descriptor: c_int) -> Waits {
    let Some((entry, answer)) = entry(descriptor) else { return ask(descriptor) };
    if entry.load(Ordering::Relaxed) == answer {
        return Waits::NotLately(arch::cycles());
    }
    let waits = ask(descriptor);
    if waits == Waits::Never {
        entry.store(answer, Ordering::Relaxed);
    }
    waits
}

/// Asks the kernel.
pub(super) fn ask(descriptor: c_int) -> Waits {
    if blocks(descriptor) == Some(false) { Waits::Never } else { Waits::Maybe }
}

/// Whether a descriptor blocks, if it is one.
fn blocks(descriptor: c_int) -> Option<bool> {
    let arguments = [descriptor as usize, libc::F_GETFL as usize, 0, 0, 0, 0];
    // SAFETY: asks for flags; what is no descriptor is an error.
    let flags = unsafe { syscall6(libc::SYS_fcntl, arguments) };
    (flags >= 0).then_some(flags & libc::O_NONBLOCK as isize == 0)
}

/// When a call began that has waited after all.
#[inline]
pub(super) fn waited_since(descriptor: c_int, began: u64) -> Option<u64> {
    let took = arch::cycles().wrapping_sub(began);
    if took < LONG { None } else { look_again(descriptor, took) }
}

#[cold]
fn look_again(descriptor: c_int, took: u64) -> Option<u64> {
    // Of one that was closed meanwhile nobody knows.
    if blocks(descriptor) != Some(true) {
        return None;
    }
    if let Some((entry, _)) = entry(descriptor) {
        entry.store(0, Ordering::Relaxed);
    }
    let now = clock::monotonic();
    let cycles = arch::cycles().wrapping_sub(FIRST_CYCLES.load(Ordering::Relaxed)).max(1);
    let nanos = now - FIRST_TIME.load(Ordering::Relaxed).min(now);
    let took = u128::from(took) * u128::from(nanos) / u128::from(cycles);
    Some(now - u64::try_from(took).unwrap_or(0).min(now))
}

/// Where the answer for a descriptor is, and what it is if it counts for the calling thread now.
#[inline]
fn entry(descriptor: c_int) -> Option<(&'static AtomicU64, u64)> {
    let number = descriptor as usize;
    let thread = u64::from(current::slot()?.number()) + 1;
    let tick = TICK.load(Ordering::Relaxed);
    // 20 bits of the descriptor, 20 of the thread and 24 of the tick, which takes weeks to come round.
    if number >> 20 != 0 || thread >> 20 != 0 {
        return None;
    }
    let answer = number as u64 | thread << 20 | tick << 40;
    // Threads that take turns with a descriptor each have an answer.
    let place = number.wrapping_add(thread as usize * 1021) % ANSWERS.len();
    Some((&ANSWERS[place], answer))
}
