//! What a blocked thread says of itself, and how another looks at its stack while it is.
//!
//! # Protocol
//! `seq` is odd while the thread is blocked and its fields hold. `pins` counts those who are looking.
//!
//! 1. Only the thread itself writes fields and `seq`. It writes the fields while `seq` is even, then makes it odd
//!    (release). After blocking it makes `seq` even, *then* loads `pins`, and does not go on before that is zero.
//! 2. Who looks adds one to `pins`, *then* loads `seq`. If that is odd, fields and stack stay as they are until he
//!    subtracts it again; if not, he looks at nothing.
//!
//! Each "then" is a sequentially consistent fence. Of the two fences one comes first. If it is the thread's, who looks
//! sees an even `seq`. If it is the other's, the thread sees his pin and waits, and with it its frames, which are below
//! the one that blocks, stay where they are.
//!
//! The thread waits for somebody who reads a stack: microseconds, during which he takes no lock, allocates nothing and
//! calls nothing that hooks are in. Should he lose the processor meanwhile, the thread lets others run.

use crate::code::arch::{self, Registers};
use crate::code::sync::{AtomicU64, AtomicUsize, Ordering, fence};
use crate::labels::LabelsId;

/// The wait of one thread.
#[derive(Debug)]
pub(crate) struct Wait {
    seq: AtomicU64,
    pins: AtomicUsize,
    /// What is waited for: [`Kind`] below, labels above.
    kind: AtomicU64,
    address: AtomicU64,
    /// Nanoseconds; `FOREVER` if without limit.
    timeout: AtomicU64,
    since: AtomicU64,
    pc: AtomicU64,
    sp: AtomicU64,
    fp: AtomicU64,
}

const FOREVER: u64 = u64::MAX;

/// What a thread is blocked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A call that is none of the others.
    Other = 0,
    /// `futex`: locks, condition variables, channels, parking of Rust's libraries.
    Futex = 1,
    /// A mutex of pthreads.
    Mutex = 2,
    /// A condition variable of pthreads.
    Condition = 3,
    /// The end of another thread.
    Join = 4,
    /// Time to pass.
    Sleep = 5,
    /// Events of several descriptors: `epoll_wait`, `poll`, `select`.
    Poll = 6,
    /// Data to read.
    Read = 7,
    /// Room to write.
    Write = 8,
    /// A connection to come.
    Accept = 9,
    /// A connection to be made.
    Connect = 10,
    /// A wait of an async task, which blocks no thread.
    Await = 11,
}

/// What there is to know about a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) kind: Kind,
    /// What is waited for: a futex word, a descriptor; its meaning is that of `kind`.
    pub(crate) address: u64,
    /// Most nanoseconds that it may last; `None` if that is for ever.
    pub(crate) timeout: Option<u64>,
    /// When it began, on `CLOCK_MONOTONIC`.
    pub(crate) since: u64,
    /// The labels in force.
    pub(crate) labels: LabelsId,
    /// Of a function whose frame stays until [`Wait::leave`].
    pub(crate) registers: Registers,
}

/// That a wait was published; to be handed to [`Wait::leave`].
#[derive(Debug)]
#[must_use = "whoever enters must leave"]
pub(crate) struct Entered {
    seq: u64,
}

impl Wait {
    /// Publishes that the calling thread, whose wait this is, is about to block. For hooks.
    ///
    /// `None` if it says so already: a signal handler that interrupted a wait waits itself. What is published then is
    /// the outer one, whose frames are there all the while. But if the frame of the outer one is gone, which is below
    /// the new one, the thread was torn out of it, by `longjmp` say.
    #[inline]
    pub(crate) fn enter(&self, waiting: &Waiting) -> Option<Entered> {
        let mut seq = self.seq.load(Ordering::Relaxed);
        loop {
            if seq % 2 == 1 {
                if waiting.registers.sp() <= self.sp.load(Ordering::Relaxed) {
                    return None;
                }
                self.end(seq);
                seq += 1;
            }
            self.write(waiting);
            let (published, not) = (Ordering::Release, Ordering::Relaxed);
            match self.seq.compare_exchange(seq, seq + 1, published, not) {
                Ok(_) => return Some(Entered { seq: seq + 1 }),
                // A signal handler has waited, and left its own fields.
                Err(now) => seq = now,
            }
        }
    }

    /// Says that the thread is no longer blocked, and waits until nobody looks at its stack. For hooks.
    #[inline]
    pub(crate) fn leave(&self, entered: Entered) {
        if self.seq.load(Ordering::Relaxed) == entered.seq {
            self.end(entered.seq);
        }
    }

    /// Lends what the thread says of its wait, if it is in one, and keeps it there meanwhile: `look` must be quick, and
    /// wait for nothing. The registers hold program counter, stack and frame pointer only.
    pub(crate) fn pinned<R>(&self, look: impl FnOnce(&Waiting) -> R) -> Option<R> {
        struct Pin<'a>(&'a AtomicUsize);
        impl Drop for Pin<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Release);
            }
        }
        self.pins.fetch_add(1, Ordering::Relaxed);
        let _pin = Pin(&self.pins);
        fence(Ordering::SeqCst);
        let is_blocked = self.seq.load(Ordering::Acquire) % 2 == 1;
        is_blocked.then(|| look(&self.read()))
    }

    /// A number that changes with each wait; odd while in one.
    pub(crate) fn sequence(&self) -> u64 {
        self.seq.load(Ordering::Acquire)
    }

    /// Where the thread's stack ends while it waits: for a look ahead, since it may wake any time.
    pub(crate) fn stack_pointer(&self) -> Option<u64> {
        (self.sequence() % 2 == 1).then(|| self.sp.load(Ordering::Relaxed))
    }

    /// Starts from nothing, for another thread, or in the child of a fork, where nobody looks.
    pub(super) fn reset(&self) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store((seq + 1) & !1, Ordering::Release);
    }

    /// Forgets those who look, in the child of a fork, where there are none.
    pub(super) fn reset_after_fork(&self) {
        self.reset();
        self.pins.store(0, Ordering::Relaxed);
    }

    fn end(&self, seq: u64) {
        self.seq.store(seq + 1, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.pins.load(Ordering::Acquire) != 0 {
            self.wait_for_pins();
        }
    }

    #[cold]
    fn wait_for_pins(&self) {
        let mut rounds = 0;
        while self.pins.load(Ordering::Acquire) != 0 {
            let_others_run(rounds);
            rounds += 1;
        }
    }

    fn write(&self, waiting: &Waiting) {
        let Waiting { kind, address, timeout, since, labels, registers } = waiting;
        self.kind.store(*kind as u64 | u64::from(labels.to_raw()) << 32, Ordering::Relaxed);
        self.address.store(*address, Ordering::Relaxed);
        self.timeout.store(timeout.unwrap_or(FOREVER), Ordering::Relaxed);
        self.since.store(*since, Ordering::Relaxed);
        self.pc.store(registers.pc, Ordering::Relaxed);
        self.sp.store(registers.sp(), Ordering::Relaxed);
        self.fp.store(registers.fp(), Ordering::Relaxed);
    }

    fn read(&self) -> Waiting {
        let [kind, timeout, pc, sp, fp] = [&self.kind, &self.timeout, &self.pc, &self.sp, &self.fp]
            .map(|word| word.load(Ordering::Relaxed));
        Waiting {
            kind: Kind::from_u8(kind as u8),
            address: self.address.load(Ordering::Relaxed),
            timeout: (timeout != FOREVER).then_some(timeout),
            since: self.since.load(Ordering::Relaxed),
            labels: LabelsId::from_raw((kind >> 32) as u32),
            registers: arch::registers_at(pc, sp, fp),
        }
    }
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Other,
        Self::Futex,
        Self::Mutex,
        Self::Condition,
        Self::Join,
        Self::Sleep,
        Self::Poll,
        Self::Read,
        Self::Write,
        Self::Accept,
        Self::Connect,
        Self::Await,
    ];

    pub(crate) fn from_u8(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::Other)
    }
}

/// Gives the processor to others; to any other thread, also one of lower priority, once that has not helped.
#[cfg(not(all(test, oxprof_loom)))]
pub(crate) fn let_others_run(rounds: u32) {
    const PATIENCE: u32 = 100;
    if rounds < PATIENCE {
        // SAFETY: has no arguments.
        unsafe { arch::syscall4(libc::SYS_sched_yield, [0; 4]) };
    } else {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };
        // SAFETY: the time is valid, and what was left of it is not wanted.
        unsafe { arch::syscall4(libc::SYS_nanosleep, [&raw const time as usize, 0, 0, 0]) };
    }
}

#[cfg(all(test, oxprof_loom))]
pub(crate) fn let_others_run(_: u32) {
    loom::thread::yield_now();
}

#[cfg(test)]
impl Wait {
    /// A wait of no thread, for tests.
    pub(super) fn new() -> Self {
        let word = || AtomicU64::new(0);
        Self {
            seq: word(),
            pins: AtomicUsize::new(0),
            kind: word(),
            address: word(),
            timeout: word(),
            since: word(),
            pc: word(),
            sp: word(),
            fp: word(),
        }
    }
}

#[cfg(test)]
fn waiting(address: u64, sp: u64) -> Waiting {
    Waiting {
        kind: Kind::Futex,
        address,
        timeout: Some(5),
        since: 7,
        labels: LabelsId::from_raw(9),
        registers: arch::registers_at(1, sp, 3),
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    fn seen(wait: &Wait) -> Option<u64> {
        wait.pinned(|waiting| waiting.address)
    }

    #[test]
    fn what_is_published_is_seen_until_it_ends() {
        let wait = Wait::new();
        assert_eq!(seen(&wait), None);
        let entered = wait.enter(&waiting(4, 100)).unwrap();
        let all = wait.pinned(|w| (w.kind, w.address, w.timeout, w.since, w.labels, w.registers));
        let registers = arch::registers_at(1, 100, 3);
        assert_eq!(all, Some((Kind::Futex, 4, Some(5), 7, LabelsId::from_raw(9), registers)));
        wait.leave(entered);
        assert_eq!(seen(&wait), None);
    }

    #[test]
    fn of_nested_waits_the_outer_is_published() {
        let wait = Wait::new();
        let outer = wait.enter(&waiting(1, 100)).unwrap();
        assert!(wait.enter(&waiting(2, 80)).is_none());
        assert_eq!(seen(&wait), Some(1));
        wait.leave(outer);
        assert_eq!(seen(&wait), None);
    }

    #[test]
    fn a_wait_whose_frame_is_gone_is_over() {
        let wait = Wait::new();
        let torn_out_of = wait.enter(&waiting(1, 100)).unwrap();
        let entered = wait.enter(&waiting(2, 120)).unwrap();
        assert_eq!(seen(&wait), Some(2));
        wait.leave(torn_out_of);
        assert_eq!(seen(&wait), Some(2));
        wait.leave(entered);
        assert_eq!(seen(&wait), None);
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check as model;

    /// A thread's wait and its stack, every use of which the checker sees.
    struct Thread {
        wait: Wait,
        stack: UnsafeCell<u64>,
    }

    impl Thread {
        /// Writes `value` to the stack, and publishes a wait for it.
        fn block(&self, value: u64) {
            self.write(value);
            let entered = self.wait.enter(&waiting(value, 100)).unwrap();
            self.wait.leave(entered);
        }

        fn write(&self, value: u64) {
            // SAFETY: the checker is there to find out.
            self.stack.with_mut(|stack| unsafe { *stack = value });
        }

        fn look(&self) {
            self.wait.pinned(|waiting| {
                // SAFETY: the checker is there to find out.
                let value = self.stack.with(|stack| unsafe { *stack });
                assert_eq!(value, waiting.address);
            });
        }
    }

    /// One thread blocks, while as many as `looks` look at it.
    fn check(waits: &'static [u64], looks: usize) {
        model(move || {
            let thread = Arc::new(Thread { wait: Wait::new(), stack: UnsafeCell::new(0) });
            let others: Vec<_> = (0..looks)
                .map(|_| {
                    let thread = Arc::clone(&thread);
                    thread::spawn(move || thread.look())
                })
                .collect();
            waits.iter().for_each(|value| thread.block(*value));
            // What comes after a wait may change the stack, too.
            thread.write(0);
            others.into_iter().for_each(|other| other.join().unwrap());
        });
    }

    #[test]
    fn stacks_stay_while_somebody_looks() {
        check(&[1], 1);
        check(&[1, 2], 1);
    }

    #[test]
    fn stacks_stay_while_two_look() {
        check(&[1], 2);
    }
}
