//! Functions in which threads sleep, and wait for the world outside.
//!
//! Before libc's are found, and in programs that are linked statically, the system calls are made instead, in which a
//! thread cannot be cancelled.

use std::ffi::{c_int, c_void};

use libc::{
    clockid_t, epoll_event, iovec, msghdr, nfds_t, pollfd, sigset_t, size_t, sockaddr, socklen_t,
    ssize_t, timespec,
};

use super::blocked::{self, Call, OUTSIDE, QUIET, deadline, nanos};
use super::descriptors::{self, Waits};
use super::interpose;
use super::on::{self, Purposes};
use super::syscall::or_errno;
use crate::code::arch::{self, Registers, syscall6};
use crate::contention::HasBlocked;
use crate::threads::wait::Kind;

/// Defines hooks. Of each: when it does anything, what for, and the system call.
macro_rules! hooks {
    ($(
        $(#[$about:meta])*
        fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;
        $purposes:expr, $kind:ident($address:expr), $timeout:expr, $number:ident[$($raw:expr),*] $(=> $finish:expr)?;
    )*) => {
        $(
            interpose!(oxprof_block: $name);

            $(#[$about])*
            /// As libc's function of this name does.
            ///
            /// # Safety
            /// As for libc's.
            #[cfg_attr(oxprof_block, unsafe(no_mangle))]
            unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
                let what = Call { kind: Kind::$kind, address: $address as u64, timeout: $timeout };
                let registers = arch::current_registers();
                let call = || {
                    #[cfg(not(target_feature = "crt-static"))]
                    if let Some(next) = next::$name.found() {
                        // SAFETY: as it came.
                        return unsafe { next($($argument),*) };
                    }
                    // SAFETY: as it came.
                    let result = unsafe { system_call(libc::$number, &[$($raw as usize),*]) };
                    finish!(result as $result $(=> $finish)?)
                };
                make($purposes, &what, &registers, call, |&result| has_blocked(result == -1))
            }
        )*

        #[cfg(not(target_feature = "crt-static"))]
        #[expect(non_upper_case_globals, reason = "the names of functions")]
        mod next {
            use std::ffi::CStr;
            use super::*;
            use crate::hooks::next::Next;

            $(
                pub(super) static $name: Next<unsafe extern "C-unwind" fn($($type),*) -> $result> =
                    match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => Next::new(name),
                        Err(_) => panic!("names have no zeros"),
                    };
            )*

            #[cfg(all(test, target_env = "gnu"))]
            #[test]
            fn those_behind_are_those_that_programs_are_linked_to() {
                $(crate::hooks::next::tests::check(&$name);)*
            }
        }

        /// Finds the functions behind.
        pub(super) fn resolve() {
            #[cfg(not(target_feature = "crt-static"))]
            {
                $(next::$name.get();)*
            }
        }
    };
}

/// What a function returns, given what the system call does: most tell errors through `errno`.
macro_rules! finish {
    ($result:ident as $type:ty) => {
        or_errno($result) as $type
    };
    ($result:ident as $type:ty => $finish:expr) => {
        $finish($result)
    };
}

hooks! {
    fn read(descriptor: c_int, buffer: *mut c_void, length: size_t) -> ssize_t;
    QUIET, Read(descriptor), None, SYS_read[descriptor, buffer, length];

    fn readv(descriptor: c_int, buffers: *const iovec, count: c_int) -> ssize_t;
    QUIET, Read(descriptor), None, SYS_readv[descriptor, buffers, count];

    fn recv(socket: c_int, buffer: *mut c_void, length: size_t, flags: c_int) -> ssize_t;
    OUTSIDE, Read(socket), None, SYS_recvfrom[socket, buffer, length, flags, 0, 0];

    fn recvfrom(
        socket: c_int, buffer: *mut c_void, length: size_t, flags: c_int,
        address: *mut sockaddr, size: *mut socklen_t
    ) -> ssize_t;
    OUTSIDE, Read(socket), None, SYS_recvfrom[socket, buffer, length, flags, address, size];

    fn recvmsg(socket: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    OUTSIDE, Read(socket), None, SYS_recvmsg[socket, message, flags];

    fn accept(socket: c_int, address: *mut sockaddr, size: *mut socklen_t) -> c_int;
    OUTSIDE, Accept(socket), None, SYS_accept[socket, address, size];

    fn accept4(
        socket: c_int, address: *mut sockaddr, size: *mut socklen_t, flags: c_int
    ) -> c_int;
    OUTSIDE, Accept(socket), None, SYS_accept4[socket, address, size, flags];

    fn connect(socket: c_int, address: *const sockaddr, size: socklen_t) -> c_int;
    OUTSIDE, Connect(socket), None, SYS_connect[socket, address, size];

    fn poll(descriptors: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int;
    unless_zero(timeout), Poll(0), millis(timeout), SYS_poll[descriptors, count, timeout];

    fn epoll_wait(epoll: c_int, events: *mut epoll_event, most: c_int, timeout: c_int) -> c_int;
    unless_zero(timeout), Poll(epoll), millis(timeout), SYS_epoll_wait[epoll, events, most, timeout];

    fn epoll_pwait(
        epoll: c_int, events: *mut epoll_event, most: c_int, timeout: c_int, mask: *const sigset_t
    ) -> c_int;
    unless_zero(timeout), Poll(epoll), millis(timeout),
    SYS_epoll_pwait[epoll, events, most, timeout, mask, KERNEL_SIGSET];

    fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int;
    OUTSIDE, Sleep(0), wanted(time).map(nanos), SYS_nanosleep[time, left];

    fn clock_nanosleep(
        clock: clockid_t, flags: c_int, time: *const timespec, left: *mut timespec
    ) -> c_int;
    OUTSIDE, Sleep(0), sleeping_time(clock, flags, time),
    SYS_clock_nanosleep[clock, flags, time, left] => |result: isize| -result as c_int;
}

/// Bytes of a set of signals, for the kernel.
const KERNEL_SIGSET: usize = 8;

/// Makes a system call of up to six arguments.
///
/// # Safety
/// As for the system call.
unsafe fn system_call(number: libc::c_long, arguments: &[usize]) -> isize {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(arguments) {
        *to = *from;
    }
    // SAFETY: passed on; the call takes no more arguments than it is given.
    unsafe { syscall6(number, all) }
}

/// Calls that do not wait at all are of no interest.
fn unless_zero(timeout: c_int) -> Purposes {
    if timeout == 0 { Purposes::NONE } else { OUTSIDE }
}

/// Makes a call, as [`blocked::during`] does. One that never waits, as those of event loops do not, is no wait in a trace.
#[inline(always)]
fn make<R>(
    purposes: Purposes,
    what: &Call,
    registers: &Registers,
    call: impl FnOnce() -> R,
    has_blocked: impl FnOnce(&R) -> HasBlocked,
) -> R {
    let descriptor = what.address as c_int;
    let is_traced = purposes.within(on::now()).has_any(Purposes::TRACE);
    let waits = match what.kind {
        Kind::Read if is_traced => descriptors::waits(descriptor),
        // Once in a connection's life; and programs have sockets block that did not while they were connected.
        Kind::Accept | Kind::Connect if is_traced => descriptors::ask(descriptor),
        _ => Waits::Maybe,
    };
    if waits == Waits::Maybe {
        return blocked::during(purposes, what, registers, call, has_blocked);
    }
    let untraced = purposes.without(Purposes::TRACE);
    let result = blocked::during(untraced, what, registers, call, has_blocked);
    if let Waits::NotLately(began) = waits
        && let Some(since) = descriptors::waited_since(descriptor, began)
    {
        blocked::was(purposes, what, since, registers);
    }
    result
}

/// A timeout in milliseconds; negative for ever.
fn millis(timeout: c_int) -> Option<u64> {
    u64::try_from(timeout).ok().map(|millis| millis * 1_000_000)
}

/// The time at this address, if anybody wants to know.
fn wanted(time: *const timespec) -> Option<timespec> {
    let is_wanted = on::now().has_any(Purposes::PUBLISH) && !time.is_null();
    // SAFETY: not null, so valid, as the caller's word has it.
    is_wanted.then(|| unsafe { *time })
}

fn sleeping_time(clock: clockid_t, flags: c_int, time: *const timespec) -> Option<u64> {
    let time = wanted(time)?;
    let is_absolute = flags & libc::TIMER_ABSTIME != 0;
    Some(if is_absolute { deadline(time, clock) } else { nanos(time) })
}

/// What failed at once did not wait.
fn has_blocked(has_failed: bool) -> HasBlocked {
    // SAFETY: the address of the calling thread's `errno`.
    let is_broken = || unsafe { *libc::__errno_location() } == libc::EINTR;
    if has_failed && !is_broken() { HasBlocked::IfLong } else { HasBlocked::Yes }
}
