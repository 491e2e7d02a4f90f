//! What kinds of waits there are, as the functions tell that were called to wait.

use std::collections::HashMap;

use crate::code::maps::Maps;
use crate::code::names::Names;
use crate::stacks::Stack;
use crate::threads::state::Doing;
use crate::threads::wait::Kind;

/// What threads wait for, as the label `category` of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Category {
    /// A mutex, or a lock of readers and writers.
    Lock,
    Condvar,
    Channel,
    /// To be unparked.
    Park,
    /// Others to come to an end, or to some point.
    Join,
    /// Something to be initialised.
    Once,
    /// Time to pass.
    Sleep,
    Io,
    /// Work, in a pool of threads.
    Idle,
    Other,
}

impl Category {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Condvar => "condvar",
            Self::Channel => "channel",
            Self::Park => "park",
            Self::Join => "join",
            Self::Once => "once",
            Self::Sleep => "sleep",
            Self::Io => "io",
            Self::Idle => "idle",
            Self::Other => "other",
        }
    }

    /// Of a wait, by the functions of its stack, innermost first.
    pub(crate) fn of(kind: Kind, functions: &[String]) -> Self {
        let is_in = |part: &&str| functions.iter().any(|name| name.contains(part));
        if IDLE.iter().any(is_in) {
            return Self::Idle;
        }
        match Doing::Waiting(kind).name(functions.iter().map(String::as_str)) {
            "sync.Mutex.Lock" | "sync.RWMutex.RLock" | "sync.RWMutex.Lock" => Self::Lock,
            "sync.Cond.Wait" => Self::Condvar,
            "chan receive" | "chan send" | "select" => Self::Channel,
            "park" => Self::Park,
            "join" | "sync.WaitGroup.Wait" => Self::Join,
            "sync.Once.Do" => Self::Once,
            "sleep" => Self::Sleep,
            "IO wait" => Self::Io,
            // What async semaphores give leave to.
            "semacquire" if kind == Kind::Await => Self::Lock,
            "idle" => Self::Idle,
            _ => Self::Other,
        }
    }
}

/// Functions in which the threads of pools wait for work.
const IDLE: [&str; 4] = [
    "tokio::runtime::blocking::pool::Inner::run",
    "tokio::runtime::scheduler::multi_thread::worker::Context::park",
    "tokio::runtime::scheduler::multi_thread::worker::run",
    "threadpool::spawn_in_pool",
];

/// Whether waits are for others in the program, not for the world outside.
pub(super) fn is_inside(kind: Kind, category: Category) -> bool {
    match kind {
        Kind::Await => !matches!(category, Category::Sleep | Category::Io),
        kind => matches!(kind, Kind::Futex | Kind::Mutex | Kind::Condition | Kind::Join),
    }
}

/// Innermost functions that are looked at: those of libraries, not of who called them long before.
pub(crate) const LOOKED_AT: usize = 24;

/// Tells kinds of waits apart.
pub(super) struct Classifier<'a> {
    maps: &'a Maps,
    names: Names<'a>,
    functions: HashMap<u64, Vec<String>>,
}

impl<'a> Classifier<'a> {
    pub(super) fn new(maps: &'a Maps) -> Self {
        Self { maps, names: Names::new(maps), functions: HashMap::new() }
    }

    pub(super) fn category(&mut self, kind: Kind, stack: &Stack) -> Category {
        let mut functions = Vec::new();
        for &address in &stack.frames {
            if functions.len() >= LOOKED_AT {
                break;
            }
            functions.extend_from_slice(self.functions(address));
        }
        Category::of(kind, &functions)
    }

    fn functions(&mut self, address: u64) -> &[String] {
        let Self { maps, names, functions } = self;
        functions.entry(address).or_insert_with(|| {
            let row = maps.find(address);
            let frames = row.map(|row| names.at(row, address).frames).unwrap_or_default();
            frames.iter().map(|frame| frame.name.clone()).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, functions: &[&str], expected: &str) {
        let functions: Vec<String> = functions.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(Category::of(kind, &functions).name(), expected, "{functions:?}");
    }

    #[test]
    fn categories() {
        let wait = "std::sys::pal::unix::futex::futex_wait";
        let lock = "std::sys::sync::mutex::futex::Mutex::lock_contended";
        let condvar = "std::sys::sync::condvar::futex::Condvar::wait";
        check(Kind::Futex, &[wait, lock, "app"], "lock");
        check(Kind::Futex, &["parking_lot::raw_rwlock::RawRwLock::lock_shared_slow"], "lock");
        check(Kind::Futex, &[wait, condvar, "app"], "condvar");
        check(Kind::Futex, &[condvar, "tokio::runtime::blocking::pool::Inner::run"], "idle");
        check(Kind::Futex, &["std::thread::park", "app"], "park");
        check(Kind::Await, &["tokio::sync::mutex::Mutex<T>::lock", "app"], "lock");
        check(Kind::Await, &["tokio::sync::batch_semaphore::Acquire::poll", "app"], "lock");
        check(Kind::Await, &["tokio::time::sleep::Sleep::poll", "app"], "sleep");
        check(Kind::Futex, &["app"], "other");
        check(Kind::Mutex, &["app"], "lock");
        check(Kind::Join, &["std::thread::JoinHandle<T>::join"], "join");
        check(Kind::Sleep, &["std::thread::sleep"], "sleep");
        check(Kind::Accept, &["std::net::TcpListener::accept"], "io");
    }
}
