//! POSIX timers on the CPU clocks of threads, and the signals they send.

use std::io;
use std::sync::atomic::AtomicU8;

use crate::code::arch::syscall4;
use crate::threads::clock::{self, NANOS};
use crate::threads::tasks;

/// A timer that sends `SIGPROF` to a thread each time it has run for a period. Dropping it deletes it.
#[derive(Debug)]
pub(super) struct Timer(i32);

/// What a timer's signal carries: which slot is meant, and proof that it is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: u16,
    pub(super) generation: u32,
}

/// The upper bits of our signals' values. Programs with timers of their own pass pointers or small numbers, neither of
/// which has the topmost two of these. The others are of the page that our data is on: in libraries of a program there
/// may be more of us.
fn mark() -> usize {
    const TOP: usize = 0b01;
    // A function may have several addresses in one program, data that can change has one.
    static HERE: AtomicU8 = AtomicU8::new(0);
    let page = HERE.as_ptr().addr() >> 12;
    (TOP << 14 | page & 0x3fff) << 48
}

impl Token {
    /// Of a signal that is to show whether our signals get here.
    const KNOCK: Self = Self { slot: u16::MAX, generation: 0 };

    pub(super) fn to_value(self) -> usize {
        mark() | (self.generation as usize) << 16 | usize::from(self.slot)
    }

    pub(super) fn from_value(value: usize) -> Option<Self> {
        let ours = value >> 48 == mark() >> 48;
        ours.then_some(Self { slot: value as u16, generation: (value >> 16) as u32 })
    }

    pub(super) fn is_knock(self) -> bool {
        self == Self::KNOCK
    }
}

/// Sends the calling thread a signal like those of timers, which [is a knock](Token::is_knock) and arrives before this
/// returns, in whatever handler there is.
pub(super) fn knock() {
    let mut info = [0u64; size_of::<libc::siginfo_t>() / 8];
    let signal = TimerSignal {
        number: libc::SIGPROF,
        errno: 0,
        code: libc::SI_TIMER,
        _pad: 0,
        timer: 0,
        overrun: 0,
        value: Token::KNOCK.to_value(),
    };
    // SAFETY: the words are as large as a siginfo_t, and so as a `TimerSignal`, and as aligned. The signal is of a kind
    // that a thread may send itself. Masks of signals are valid when they were filled.
    unsafe {
        info.as_mut_ptr().cast::<TimerSignal>().write(signal);
        let (mut only, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, libc::SIGPROF);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, &raw mut before);
        let args = [tasks::process(), tasks::current(), libc::SIGPROF].map(|n| n as usize);
        syscall4(libc::SYS_rt_tgsigqueueinfo, [args[0], args[1], args[2], info.as_ptr() as usize]);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
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
