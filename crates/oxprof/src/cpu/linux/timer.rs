//! POSIX timers on the CPU clocks of threads, and the signals they send.

use std::io;

use crate::threads::clock::{self, NANOS};

/// A timer that sends `SIGPROF` to a thread each time it has run for a period. Dropping it deletes it.
#[derive(Debug)]
pub(super) struct Timer(i32);

/// What a timer's signal carries: which slot is meant, and proof that it is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: u16,
    pub(super) generation: u32,
}

/// In the upper bits of our signals' values. Programs with timers of their own pass pointers or small
/// numbers, neither of which has these bits.
const MARK: usize = 0x0cf5 << 48;

impl Token {
    pub(super) fn to_value(self) -> usize {
        MARK | (self.generation as usize) << 16 | usize::from(self.slot)
    }

    pub(super) fn from_value(value: usize) -> Option<Self> {
        let ours = value >> 48 == MARK >> 48;
        ours.then_some(Self { slot: value as u16, generation: (value >> 16) as u32 })
    }
}

impl Timer {
    /// A timer for thread `tid`, not running yet.
    pub(super) fn new(tid: i32, token: Token) -> io::Result<Self> {
        // SAFETY: all zero is a valid sigevent.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGPROF;
        event.sigev_value = libc::sigval { sival_ptr: token.to_value() as *mut libc::c_void };
        event.sigev_notify_thread_id = tid;
        let mut id = 0i32;
        // The system call itself: C libraries hide the kernel's number behind a type of their own.
        // SAFETY: `event` is as the kernel wants it, `id` is a valid place for the answer, and a thread
        // that does not exist is an error.
        let result = unsafe {
            libc::syscall(
                libc::SYS_timer_create,
                clock::of_thread(tid),
                &raw const event,
                &raw mut id,
            )
        };
        if result == 0 { Ok(Self(id)) } else { Err(io::Error::last_os_error()) }
    }

    /// Fires after `first` nanoseconds of the thread's CPU time from now and then every `period`.
    pub(super) fn set(&self, first: u64, period: u64) -> io::Result<()> {
        let times = libc::itimerspec { it_value: timespec(first), it_interval: timespec(period) };
        let old: *mut libc::itimerspec = std::ptr::null_mut();
        // SAFETY: the timer exists as long as `self`; `times` is valid, and the old ones are not wanted.
        let result =
            unsafe { libc::syscall(libc::SYS_timer_settime, self.0, 0, &raw const times, old) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether its thread still exists. The time to the next expiry of a timer without one reads zero.
    pub(super) fn is_alive(&self) -> bool {
        let mut times = libc::itimerspec { it_value: timespec(0), it_interval: timespec(0) };
        // SAFETY: the timer exists as long as `self`, and `times` is a valid place for the answer.
        let result = unsafe { libc::syscall(libc::SYS_timer_gettime, self.0, &raw mut times) };
        result == 0 && (times.it_value.tv_sec, times.it_value.tv_nsec) != (0, 0)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer exists, and its number is not used again.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}

fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec { tv_sec: (nanos / NANOS).cast_signed(), tv_nsec: (nanos % NANOS).cast_signed() }
}

/// The part of `siginfo_t` that a timer's signal fills, as the kernel lays it out on 64-bit machines.
#[repr(C)]
pub(super) struct TimerSignal {
    number: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    timer: i32,
    overrun: i32,
    value: usize,
}

impl TimerSignal {
    /// What `info` says, if one of our timers sent it.
    ///
    /// # Safety
    /// `info` is what the kernel passed to a signal handler.
    pub(super) unsafe fn from_info<'a>(info: *const libc::siginfo_t) -> Option<(&'a Self, Token)> {
        // SAFETY: a siginfo_t is larger than `TimerSignal`, aligned for it, fully initialised by the
        // kernel, and lives until the handler returns.
        let signal = unsafe { &*info.cast::<Self>() };
        if signal.code != libc::SI_TIMER {
            return None;
        }
        Token::from_value(signal.value).map(|token| (signal, token))
    }

    /// How many periods this signal stands for: the kernel sends at most one per tick, and one at a time.
    pub(super) fn periods(&self) -> u32 {
        1 + self.overrun.max(0).cast_unsigned()
    }
}

const _: () = {
    assert!(size_of::<TimerSignal>() <= size_of::<libc::siginfo_t>());
    assert!(align_of::<TimerSignal>() <= align_of::<libc::siginfo_t>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_a_signal_value() {
        for token in [
            Token { slot: 0, generation: 0 },
            Token { slot: 7, generation: 1 },
            Token { slot: u16::MAX, generation: u32::MAX },
        ] {
            assert_eq!(Token::from_value(token.to_value()), Some(token));
        }
        assert_eq!(Token::from_value(0), None);
        assert_eq!(Token::from_value(0x7fff_1234_5678), None);
    }
}
