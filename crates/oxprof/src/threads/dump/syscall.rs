//! What system call a thread is in, and whether a signal would break it.

use std::fs;

use super::Place;
use crate::labels::LabelsId;
use crate::stacks::Stack;
use crate::threads::state::Doing;

/// A system call that a thread is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    number: i64,
    args: [u64; 6],
    sp: u64,
    pc: u64,
}

/// `number arg0 … arg5 sp pc`, or `running`, or `-1 sp pc` in the kernel for other reasons.
fn parse(text: &str) -> Option<Call> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok().filter(|number| *number >= 0)?;
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let numbers: Vec<u64> = words.map_while(hex).collect();
    let &[a, b, c, d, e, f, sp, pc] = numbers.as_slice() else { return None };
    Some(Call { number, args: [a, b, c, d, e, f], sp, pc })
}

impl Call {
    /// What thread `tid` is in; `None` if it is in no call, or if the kernel does not tell.
    pub(crate) fn of(tid: i32) -> Option<Self> {
        parse(&fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?)
    }

    /// Whether it goes on as if nothing had happened when a signal handler has run (`SA_RESTART`).
    pub(crate) fn restarts(&self) -> bool {
        match self.number {
            libc::SYS_futex => self.futex_restarts(),
            libc::SYS_read
            | libc::SYS_readv
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_accept
            | libc::SYS_accept4 => self.has_no_timeout(libc::SO_RCVTIMEO),
            libc::SYS_write
            | libc::SYS_writev
            | libc::SYS_sendto
            | libc::SYS_sendmsg
            | libc::SYS_connect => self.has_no_timeout(libc::SO_SNDTIMEO),
            // Waiting for processes, and for locks of files.
            libc::SYS_wait4 | libc::SYS_waitid | libc::SYS_flock | libc::SYS_fcntl => true,
            _ => false,
        }
    }

    fn futex_restarts(&self) -> bool {
        const COMMAND: u64 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u64;
        let waits = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI];
        let [_, operation, _, timeout, ..] = self.args;
        waits.iter().any(|wait| *wait as u64 == operation & COMMAND & 0xffff) && timeout == 0
    }

    /// Whether its descriptor is not a socket with such a timeout.
    fn has_no_timeout(&self, option: libc::c_int) -> bool {
        let descriptor = self.args[0] as libc::c_int;
        let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut length = size_of::<libc::timeval>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `time`. A descriptor that is none is an error.
        let result = unsafe {
            libc::getsockopt(
                descriptor,
                libc::SOL_SOCKET,
                option,
                (&raw mut time).cast(),
                &raw mut length,
            )
        };
        let is_socket = result == 0;
        !is_socket || (time.tv_sec, time.tv_usec) == (0, 0)
    }

    pub(super) fn doing(self) -> Doing {
        Doing::InCall(self.number)
    }

    /// The little that is known of the thread's place: where it entered the kernel, and why there is no more.
    pub(super) fn place(self, why: &'static str) -> Place {
        let stack = Stack { frames: [self.pc].into(), beyond: Some(why), guessed: false };
        Place::new(self.doing(), stack, LabelsId::NONE)
    }

    /// The name of the call with a number, if it is one in which threads wait.
    pub(crate) fn name_of(number: i64) -> Option<&'static str> {
        NAMES.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
    }
}

/// Calls in which threads wait.
const NAMES: [(libc::c_long, &str); 37] = [
    (libc::SYS_accept, "accept"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_connect, "connect"),
    (libc::SYS_epoll_pwait, "epoll_pwait"),
    (libc::SYS_epoll_pwait2, "epoll_pwait2"),
    (libc::SYS_epoll_wait, "epoll_wait"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_io_getevents, "io_getevents"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_msgrcv, "msgrcv"),
    (libc::SYS_nanosleep, "nanosleep"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_pause, "pause"),
    (libc::SYS_poll, "poll"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_pselect6, "pselect6"),
    (libc::SYS_read, "read"),
    (libc::SYS_readv, "readv"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmmsg, "recvmmsg"),
    (libc::SYS_recvmsg, "recvmsg"),
    (libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
    (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
    (libc::SYS_select, "select"),
    (libc::SYS_semtimedop, "semtimedop"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_waitid, "waitid"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(Option<&str>, bool)>) {
        let call = parse(text);
        assert_eq!(
            call.map(|call| (Call::name_of(call.number), call.restarts())),
            expected,
            "{text}"
        );
    }

    #[test]
    fn calls() {
        check("running\n", None);
        check("-1 0x7ffc8 0x7f1234\n", None);
        check("", None);
        check("202 0x1 0x80 0x2 0x0 0x0 0x0 0x7ffc8 0x7f1234\n", Some((Some("futex"), true)));
        check("202 0x1 0x189 0x2 0x0 0x0 0xffffffff 0x7 0x7f\n", Some((Some("futex"), true)));
        check("202 0x1 0x80 0x2 0x7ff0 0x0 0x0 0x7ffc8 0x7f1234\n", Some((Some("futex"), false)));
        check("232 0x3 0x1 0x2 0xffffffff 0x0 0x0 0x7 0x7f\n", Some((Some("epoll_wait"), false)));
        check("61 0x3 0x1 0x2 0x0 0x0 0x0 0x7 0x7f\n", Some((Some("wait4"), true)));
        check("9999 0x3 0x1 0x2 0x0 0x0 0x0 0x7 0x7f\n", Some((None, false)));
        check("202 0x1 0x80\n", None);
    }

    #[test]
    fn reads_of_sockets_restart_unless_they_have_a_timeout() {
        use std::os::fd::AsRawFd;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let call = |fd: i32| format!("45 {fd:#x} 0x1 0x2 0x0 0x0 0x0 0x7 0x7f\n");
        let text = call(socket.as_raw_fd());
        check(&text, Some((Some("recvfrom"), true)));
        socket.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        check(&text, Some((Some("recvfrom"), false)));
    }
}
