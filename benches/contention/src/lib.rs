//! What threads do: fight for locks, or hand each other the turn.
//!
//! Three kinds: where nobody waits, profiles must cost nothing; where every operation blocks a thread and wakes another,
//! they cost the most that they can; and waits that fail at once show what hooks do by themselves.

use std::hint::black_box;
use std::sync::{Condvar, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Instant;

/// A name, how many operations a thread does, and what does that many.
pub type Scenario = (&'static str, u64, fn(u64));

/// All of them.
pub const SCENARIOS: [Scenario; 13] = [
    ("std mutex, uncontended", 20_000_000, std_mutex_alone),
    ("parking_lot mutex, uncontended", 20_000_000, lot_mutex_alone),
    ("std mutex, short sections", 300_000, std_mutex_short),
    ("std mutex, convoy", 30_000, std_mutex_convoy),
    ("parking_lot mutex, convoy", 30_000, lot_mutex_convoy),
    ("std rwlock, convoy", 30_000, std_rwlock_convoy),
    ("std condvar, turns", 60_000, condvar_turns),
    ("parking_lot condvar, turns", 60_000, lot_condvar_turns),
    ("park, turns", 60_000, park_turns),
    ("std mpsc, turns", 60_000, mpsc_turns),
    ("crossbeam, turns", 60_000, crossbeam_turns),
    ("waits that fail, flat stack", 500_000, failing_waits),
    ("waits that fail, deep stack", 500_000, failing_waits_far_below),
];

const THREADS: usize = 4;

/// Runs the scenario that the first argument names. Prints the nanoseconds of CPU time and of time that an operation
/// takes.
pub fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let scenario = SCENARIOS.iter().find(|(n, ..)| *n == name);
    let (_, times, run) = scenario.unwrap_or_else(|| panic!("no scenario is called {name:?}"));
    // Threads and locks that are used for the first time are not what is measured.
    run(times / 100);
    let (begun, before) = (Instant::now(), cpu_time());
    run(*times);
    let (cpu, time) = (cpu_time() - before, begun.elapsed().as_nanos() as u64);
    println!("{} {}", cpu as f64 / *times as f64, time as f64 / *times as f64);
}

/// Nanoseconds of CPU time of the process.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for a timespec, and a clock that always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

fn std_mutex_alone(times: u64) {
    let mutex = Mutex::new(0u64);
    (0..times).for_each(|i| *mutex.lock().expect("nobody panics") ^= black_box(i));
}

fn lot_mutex_alone(times: u64) {
    let mutex = parking_lot::Mutex::new(0u64);
    (0..times).for_each(|i| *mutex.lock() ^= black_box(i));
}

fn work(rounds: u64) -> u64 {
    (0..rounds).fold(1, |x, i| black_box(x * 31 + i))
}

/// Threads that each call `step` so many times.
fn all(times: u64, step: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for me in 0..THREADS {
            let step = &step;
            scope.spawn(move || (0..times).for_each(|_| step(me)));
        }
    });
}

/// Work inside and outside of the lock, some 200 ns each.
fn std_mutex_short(times: u64) {
    let mutex = Mutex::new(0u64);
    all(times, |_| {
        *mutex.lock().expect("nobody panics") ^= work(200);
        work(200);
    });
}

/// Who holds the lock lets others run, which then wait for it.
fn std_mutex_convoy(times: u64) {
    let mutex = Mutex::new(0u64);
    all(times, |_| {
        let mut held = mutex.lock().expect("nobody panics");
        *held += 1;
        thread::yield_now();
    });
}

fn lot_mutex_convoy(times: u64) {
    let mutex = parking_lot::Mutex::new(0u64);
    all(times, |_| {
        let mut held = mutex.lock();
        *held += 1;
        thread::yield_now();
    });
}

fn std_rwlock_convoy(times: u64) {
    let lock = RwLock::new(0u64);
    all(times, |me| {
        if me == 0 {
            *lock.write().expect("nobody panics") += 1;
            thread::yield_now();
        } else {
            let held = lock.read().expect("nobody panics");
            thread::yield_now();
            black_box(*held);
        }
    });
}

fn condvar_turns(times: u64) {
    let (turn, changed) = (Mutex::new(0u64), Condvar::new());
    thread::scope(|scope| {
        for me in 0..2 {
            let (turn, changed) = (&turn, &changed);
            scope.spawn(move || {
                for _ in 0..times / 2 {
                    let now = turn.lock().expect("nobody panics");
                    let mut now = changed.wait_while(now, |n| *n % 2 != me).expect("nobody panics");
                    *now += 1;
                    drop(now);
                    changed.notify_one();
                }
            });
        }
    });
}

fn lot_condvar_turns(times: u64) {
    let (turn, changed) = (parking_lot::Mutex::new(0u64), parking_lot::Condvar::new());
    thread::scope(|scope| {
        for me in 0..2 {
            let (turn, changed) = (&turn, &changed);
            scope.spawn(move || {
                for _ in 0..times / 2 {
                    let mut now = turn.lock();
                    changed.wait_while(&mut now, |n| *n % 2 != me);
                    *now += 1;
                    drop(now);
                    changed.notify_one();
                }
            });
        }
    });
}

fn park_turns(times: u64) {
    let turn = std::sync::atomic::AtomicU64::new(0);
    let order = std::sync::atomic::Ordering::AcqRel;
    let main = thread::current();
    let take = |me: u64| {
        while turn.load(std::sync::atomic::Ordering::Acquire) % 2 != me {
            thread::park();
        }
        turn.fetch_add(1, order);
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            for _ in 0..times / 2 {
                take(1);
                main.unpark();
            }
        });
        for _ in 0..times / 2 {
            take(0);
            other.thread().unpark();
        }
    });
}

/// Two threads send each other a number until the first is done.
fn channel_turns<S: Send, R: Send>(
    times: u64,
    [(there, again), (back, here)]: [(S, R); 2],
    send: impl Fn(&S, u64) -> bool + Sync,
    receive: impl Fn(&R) -> Option<u64> + Sync,
) {
    thread::scope(|scope| {
        let (send, receive) = (&send, &receive);
        scope.spawn(move || while receive(&here).is_some_and(|n| send(&back, n + 1)) {});
        let mut n = 0;
        for _ in 0..times / 2 {
            send(&there, n);
            n = receive(&again).expect("the other end is there");
        }
        drop(there);
    });
}

fn mpsc_turns(times: u64) {
    let ((there, here), (back, again)) = (mpsc::channel(), mpsc::channel());
    let ends = [(there, again), (back, here)];
    channel_turns(times, ends, |s, n| s.send(n).is_ok(), |r| r.recv().ok());
}

fn crossbeam_turns(times: u64) {
    let (there, here) = crossbeam_channel::bounded(1);
    let (back, again) = crossbeam_channel::bounded(1);
    let ends = [(there, again), (back, here)];
    channel_turns(times, ends, |s, n| s.send(n).is_ok(), |r| r.recv().ok());
}

/// Waits that fail at once, because their time limit is none: what hooks do, and next to nothing else.
fn failing_waits(times: u64) {
    let (word, time) = (0u32, libc::timespec { tv_sec: 0, tv_nsec: -1 });
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    for _ in 0..times {
        // SAFETY: word and time are valid.
        unsafe { libc::syscall(libc::SYS_futex, &raw const word, operation, 0, &raw const time) };
    }
}

/// The same, called from so many functions.
fn failing_waits_below(frames: u32, times: u64) {
    match frames {
        0 => failing_waits(times),
        _ => failing_waits_below(black_box(frames - 1), times),
    }
    black_box(frames);
}

fn failing_waits_far_below(times: u64) {
    failing_waits_below(40, times);
}
