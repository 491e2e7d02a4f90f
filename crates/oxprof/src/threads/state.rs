//! What a thread does, in the words that Go has for it, and a few where it has none.

use super::dump::Call;
use super::name::Name;
use super::wait::Kind;
use crate::tasks;

/// What a thread does, without how long and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// It runs, or wants to.
    Running,
    /// It is a task that is to be polled.
    Runnable,
    /// It waits, and says so.
    Waiting(Kind),
    /// It is in a system call of this number, as the kernel tells.
    InCall(i64),
}

/// A thread, as far as samples are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thread {
    pub(crate) doing: Doing,
    /// What threads of its kind are called.
    pub(crate) group: Name,
}

/// Innermost functions that are looked at: what a thread waits for is said by library code, not by who called it long
/// before.
const LOOKED_AT: usize = 16;

/// Functions that say what a thread waits for in them: all parts are in the name. The first that fits any function wins.
const FUNCTIONS: [(&[&str], &str); 24] = [
    (&["::mutex::", "::lock_contended"], "sync.Mutex.Lock"),
    (&["RawMutex", "::lock_slow"], "sync.Mutex.Lock"),
    (&["::rwlock::", "::read_contended"], "sync.RWMutex.RLock"),
    (&["RawRwLock", "::lock_shared_slow"], "sync.RWMutex.RLock"),
    (&["::rwlock::", "::write_contended"], "sync.RWMutex.Lock"),
    (&["RawRwLock", "::lock_exclusive_slow"], "sync.RWMutex.Lock"),
    (&["RawRwLock", "::wait_for_readers"], "sync.RWMutex.Lock"),
    (&["::once::", "::call"], "sync.Once.Do"),
    (&["parking_lot::once::"], "sync.Once.Do"),
    (&["::barrier::Barrier", "::wait"], "sync.WaitGroup.Wait"),
    (&["std::thread::scoped::scope"], "sync.WaitGroup.Wait"),
    (&["std::sync::mpmc::", "::recv"], "chan receive"),
    (&["std::sync::mpmc::", "::send"], "chan send"),
    (&["std::sync::mpsc::", "::recv"], "chan receive"),
    (&["std::sync::mpsc::", "::send"], "chan send"),
    (&["crossbeam_channel::select"], "select"),
    (&["crossbeam_channel::", "::recv"], "chan receive"),
    (&["crossbeam_channel::", "::send"], "chan send"),
    (&["rayon_core::", "WorkerThread", "::wait_until"], "idle"),
    (&["::condvar::", "Condvar", "::wait"], "sync.Cond.Wait"),
    (&["Condvar::wait_until_internal"], "sync.Cond.Wait"),
    (&["JoinHandle", "::join"], "join"),
    (&["::thread::", "::park"], "park"),
    (&["Parker::park"], "park"),
];

impl Doing {
    /// The system call, if the kernel said so and it is a well-known one.
    pub(crate) fn call(self) -> Option<&'static str> {
        match self {
            Self::InCall(number) => Call::name_of(number),
            _ => None,
        }
    }

    /// Its name, given the functions of the thread's stack, innermost first.
    pub(crate) fn name<'n>(self, functions: impl Iterator<Item = &'n str>) -> &'static str {
        let functions: Vec<&str> = functions.take(LOOKED_AT).collect();
        let fits = |parts: &[&str]| {
            functions.iter().any(|name| parts.iter().all(|part| name.contains(part)))
        };
        let by_function =
            || FUNCTIONS.iter().find(|(parts, _)| fits(parts)).map(|(_, state)| *state);
        match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Waiting(Kind::Await) => {
                tasks::reason(functions.iter().copied()).unwrap_or("waiting")
            }
            Self::Waiting(Kind::Futex) | Self::InCall(libc::SYS_futex) => {
                by_function().unwrap_or("semacquire")
            }
            Self::Waiting(kind) => of_kind(kind),
            Self::InCall(number) => of_call(number),
        }
    }
}

fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Futex => "semacquire",
        Kind::Await => "waiting",
        Kind::Mutex => "sync.Mutex.Lock",
        Kind::Condition => "sync.Cond.Wait",
        Kind::Join => "join",
        Kind::Sleep => "sleep",
        Kind::Poll | Kind::Read | Kind::Write | Kind::Accept | Kind::Connect => "IO wait",
        Kind::Other => "syscall",
    }
}

fn of_call(number: i64) -> &'static str {
    match Call::name_of(number) {
        Some("nanosleep" | "clock_nanosleep") => "sleep",
        Some(
            "accept" | "accept4" | "connect" | "epoll_pwait" | "epoll_pwait2" | "epoll_wait"
            | "poll" | "ppoll" | "pselect6" | "read" | "readv" | "recvfrom" | "recvmmsg"
            | "recvmsg" | "select" | "sendmsg" | "sendto" | "write" | "writev",
        ) => "IO wait",
        _ => "syscall",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(doing: Doing, functions: &[&str], expected: &str) {
        assert_eq!(doing.name(functions.iter().copied()), expected, "{functions:?}");
    }

    #[test]
    fn states() {
        let futex = Doing::Waiting(Kind::Futex);
        let wait = "std::sys::pal::unix::futex::futex_wait";
        check(
            futex,
            &[wait, "std::sys::sync::mutex::futex::Mutex::lock_contended"],
            "sync.Mutex.Lock",
        );
        check(
            Doing::InCall(202),
            &["parking_lot::raw_mutex::RawMutex::lock_slow"],
            "sync.Mutex.Lock",
        );
        check(
            futex,
            &[wait, "std::thread::park", "std::sync::mpmc::list::Channel<T>::recv::{{closure}}"],
            "chan receive",
        );
        check(
            futex,
            &[wait, "std::sys::sync::condvar::futex::Condvar::wait", "app"],
            "sync.Cond.Wait",
        );
        // The same function is called one or the other, as the compiler mangles names.
        for wait in ["std::sync::barrier::Barrier::wait", "<std::sync::barrier::Barrier>::wait"] {
            check(
                futex,
                &["<std::sys::sync::condvar::futex::Condvar>::wait", wait],
                "sync.WaitGroup.Wait",
            );
        }
        check(futex, &["<std::sys::sync::condvar::futex::Condvar>::wait", "app"], "sync.Cond.Wait");
        check(futex, &["std::thread::park", "app"], "park");
        check(futex, &["app"], "semacquire");
        check(Doing::Waiting(Kind::Poll), &["app"], "IO wait");
        check(Doing::InCall(libc::SYS_nanosleep), &[], "sleep");
        check(Doing::InCall(9999), &[], "syscall");
        check(Doing::Running, &["std::thread::park"], "running");
    }

    #[test]
    fn what_called_library_code_long_before_says_nothing() {
        let mut functions = vec!["app"; LOOKED_AT];
        functions.push("std::thread::park");
        check(Doing::Waiting(Kind::Futex), &functions, "semacquire");
    }
}
