//! Clocks: the CPU time of threads and of the process, and the time that passes.

use std::io;

pub(crate) const NANOS: u64 = 1_000_000_000;

/// The clock of the CPU time of a thread of this process: the kernel's encoding of a thread id.
pub(crate) fn of_thread(tid: i32) -> libc::clockid_t {
    const PER_THREAD: i32 = 4;
    const SCHEDULER: i32 = 2;
    (!tid << 3) | PER_THREAD | SCHEDULER
}

/// Nanoseconds on a clock; an error when its thread is gone.
pub(crate) fn read(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for a timespec; a clock that does not exist is an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec.cast_unsigned() * NANOS + time.tv_nsec.cast_unsigned())
}

/// Nanoseconds on the clock by which waits are measured.
pub(crate) fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC).unwrap_or(0)
}

/// CPU time of all threads of the process, past and present.
pub(crate) fn process() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID).unwrap_or(0)
}

/// CPU time of the calling thread.
pub(crate) fn current_thread() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}
