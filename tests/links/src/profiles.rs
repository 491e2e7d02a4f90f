//! The checks, one for each profile.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use oxprof::contention::{self, BlockView, Sampling};
use oxprof::{Gauges, cpu, heap, lookup, wall};
use oxprof_profile::{Profile, Sample};

use crate::Finding;

/// All checks, with the names of what they check.
pub(crate) const CHECKS: [(&str, fn() -> Finding); 10] = [
    ("heap", heap_profile),
    ("cpu", cpu_profile),
    ("block", block),
    ("mutex", mutex),
    ("pthreads", pthreads),
    ("outside", outside),
    ("threads", threads),
    ("threadcreate", threadcreate),
    ("wall", wall_profile),
    ("fork", fork),
];

/// How long threads are made to wait.
const WAIT: Duration = Duration::from_millis(50);
/// How much longer they may be found to have waited on a busy machine.
const LATE: Duration = Duration::from_secs(2);

fn heap_profile() -> Finding {
    const BYTES: usize = 64 << 20;
    heap::set_rate(64 << 10);
    #[inline(never)]
    fn allocates() -> Vec<Vec<u8>> {
        // What is still to be done after the call keeps this function's frame, which a tail call would not have.
        black_box((0..BYTES >> 12).map(|_| vec![1; 1 << 12]).collect())
    }
    let Some(heap) = lookup("heap") else { return Finding::Off };
    // Who looks once has stacks of all that comes.
    drop(heap.profile());
    let kept = black_box(allocates());
    let held = sum(&heap.profile(), "allocates", 3);
    drop(kept);
    let left = sum(&heap.profile(), "allocates", 3);
    let is_right = if has_names() {
        (0.8..1.2).contains(&(held as f64 / BYTES as f64)) && left == 0
    } else {
        held - left > BYTES as i64 / 2
    };
    Finding::of(is_right, || format!("{held} bytes of {BYTES}, then {left}"))
}

fn cpu_profile() -> Finding {
    const TIME: Duration = Duration::from_millis(400);
    let capture = match cpu::start(cpu::Options::default().hz(500)) {
        Ok(capture) => capture,
        Err(error) => return Finding::Wrong(error.to_string()),
    };
    thread::scope(|scope| _ = scope.spawn(|| spins(TIME)));
    match capture.finish() {
        Ok(profile) => check_time(&profile, "spins", TIME, 0.8..1.25),
        Err(error) => Finding::Wrong(error.to_string()),
    }
}

/// Uses so much CPU time.
#[inline(never)]
fn spins(time: Duration) {
    let used = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid place for the time.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
    };
    let start = used();
    while used() - start < time {
        (0..1000u64).for_each(|i| _ = black_box(i));
    }
}

fn block() -> Finding {
    let Some(view) = contention::block(BlockView::default()) else { return Finding::Off };
    let _sampling = Sampling::new().block(1).start();
    let before = view.baseline();
    let waited = contend();
    check_time(&before.profile(Gauges::Keep), "waits_for_lock", waited, 0.5..1.1)
}

fn mutex() -> Finding {
    // Without names nobody knows what a wait was for.
    let name = if has_names() { "mutex" } else { "wakeup" };
    let Some(mutex) = lookup(name) else { return Finding::Off };
    let _sampling = Sampling::new().mutex(1).start();
    let before = mutex.baseline();
    let waited = contend();
    check_time(&before.profile(Gauges::Keep), "unlocks", waited, 0.5..1.1)
}

/// Makes a thread wait for a lock. Returns how long it did.
fn contend() -> Duration {
    #[inline(never)]
    fn waits_for_lock(lock: &Mutex<u32>) -> Duration {
        let start = Instant::now();
        *lock.lock().unwrap() += 1;
        start.elapsed()
    }
    #[inline(never)]
    fn unlocks(held: std::sync::MutexGuard<'_, u32>) {
        drop(held);
        // So that this calls, and does not jump.
        black_box(());
    }
    let lock = Mutex::new(0);
    thread::scope(|scope| {
        let held = lock.lock().unwrap();
        let waiter = scope.spawn(|| waits_for_lock(&lock));
        thread::sleep(WAIT);
        unlocks(held);
        waiter.join().unwrap()
    })
}

/// pthread's functions, as C code calls them.
fn pthreads() -> Finding {
    let Some(view) = contention::block(BlockView::default()) else { return Finding::Off };
    let _sampling = Sampling::new().block(1).start();
    #[inline(never)]
    fn joins(thread: thread::JoinHandle<()>) {
        thread.join().unwrap();
    }
    #[inline(never)]
    fn locks(mutex: &Pthreads) {
        // SAFETY: an initialised mutex, which the thread does not hold.
        unsafe {
            libc::pthread_mutex_lock(mutex.mutex.get());
            libc::pthread_mutex_unlock(mutex.mutex.get());
        }
    }
    #[inline(never)]
    fn waits_for_condition(mutex: &Pthreads) {
        let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: initialised, and used as they are to be.
        unsafe {
            libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut until);
            until.tv_nsec += WAIT.subsec_nanos() as i64;
            (until.tv_sec, until.tv_nsec) =
                (until.tv_sec + until.tv_nsec / 1_000_000_000, until.tv_nsec % 1_000_000_000);
            libc::pthread_mutex_lock(mutex.mutex.get());
            libc::pthread_cond_timedwait(
                mutex.condition.get(),
                mutex.mutex.get(),
                &raw const until,
            );
            libc::pthread_mutex_unlock(mutex.mutex.get());
        }
    }
    let before = view.baseline();
    let mutex = Arc::new(Pthreads::default());
    // SAFETY: initialised, and held by nobody.
    unsafe { libc::pthread_mutex_lock(mutex.mutex.get()) };
    let theirs = Arc::clone(&mutex);
    let thread = thread::spawn(move || locks(&theirs));
    thread::sleep(WAIT);
    // SAFETY: held by this thread.
    unsafe { libc::pthread_mutex_unlock(mutex.mutex.get()) };
    joins(thread);
    joins(thread::spawn(|| thread::sleep(WAIT)));
    waits_for_condition(&mutex);
    let profile = before.profile(Gauges::Keep);
    let each = ["locks", "joins", "waits_for_condition"].map(|function| {
        check_time(&profile, function, WAIT, 0.5..LATE.as_secs_f64() / WAIT.as_secs_f64())
    });
    each.into_iter().find(|finding| *finding != Finding::Right).unwrap_or(Finding::Right)
}

struct Pthreads {
    mutex: std::cell::UnsafeCell<libc::pthread_mutex_t>,
    condition: std::cell::UnsafeCell<libc::pthread_cond_t>,
}

impl Default for Pthreads {
    fn default() -> Self {
        Self {
            mutex: libc::PTHREAD_MUTEX_INITIALIZER.into(),
            condition: libc::PTHREAD_COND_INITIALIZER.into(),
        }
    }
}

// SAFETY: only pthread's functions use what is in it.
unsafe impl Sync for Pthreads {}
// SAFETY: as above; it is not moved while it is used.
unsafe impl Send for Pthreads {}

/// Sleeping and waiting for the world outside.
fn outside() -> Finding {
    let view = BlockView { outside: true, ..BlockView::default() };
    let Some(view) = contention::block(view) else { return Finding::Off };
    let _sampling = Sampling::new().block(1).outside().start();
    #[inline(never)]
    fn sleeps() {
        thread::sleep(WAIT);
    }
    #[inline(never)]
    fn reads(from: &std::net::UdpSocket) {
        _ = from.recv(&mut [0; 8]);
    }
    let before = view.baseline();
    sleeps();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    reads(&socket);
    let profile = before.profile(Gauges::Keep);
    let most = LATE.as_secs_f64() / WAIT.as_secs_f64();
    let each = ["sleeps", "reads"].map(|name| check_time(&profile, name, WAIT, 0.5..most));
    each.into_iter().find(|finding| *finding != Finding::Right).unwrap_or(Finding::Right)
}

/// A dump has every thread, where it waits and where it runs.
fn threads() -> Finding {
    let Some(threads) = lookup("threads") else { return Finding::Off };
    const BLOCKED: usize = 20;
    let profile = with_blocked(BLOCKED, || {
        let (runs, is_seen) = (AtomicBool::new(false), AtomicBool::new(false));
        #[inline(never)]
        fn runs_until(is_seen: &AtomicBool, runs: &AtomicBool) {
            while !is_seen.load(Relaxed) {
                runs.store(true, Relaxed);
            }
        }
        thread::scope(|scope| {
            scope.spawn(|| runs_until(&is_seen, &runs));
            while !runs.load(Relaxed) {
                thread::yield_now();
            }
            let profile = threads.profile();
            is_seen.store(true, Relaxed);
            profile
        })
    });
    let (blocked, running) = (sum(&profile, "blocks", 0), sum(&profile, "runs_until", 0));
    let is_right = (blocked, running) == (BLOCKED as i64, 1) || (!has_names() && blocked > 20);
    Finding::of(is_right, || format!("{blocked} of {BLOCKED} blocked, {running} of 1 running"))
}

/// Runs `work` while threads are blocked.
fn with_blocked<R>(count: usize, work: impl FnOnce() -> R) -> R {
    #[inline(never)]
    fn blocks(done: &(Mutex<bool>, Condvar)) {
        let guard = done.0.lock().unwrap();
        drop(done.1.wait_while(guard, |done| !*done).unwrap());
    }
    #[inline(never)]
    fn creates(done: &Arc<(Mutex<bool>, Condvar)>) -> thread::JoinHandle<()> {
        let done = Arc::clone(done);
        thread::spawn(move || blocks(&done))
    }
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let threads: Vec<_> = (0..count).map(|_| creates(&done)).collect();
    thread::sleep(WAIT);
    let result = work();
    *done.0.lock().unwrap() = true;
    done.1.notify_all();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    result
}

fn threadcreate() -> Finding {
    let Some(threadcreate) = lookup("threadcreate") else { return Finding::Off };
    let counts = || [0, 1].map(|column| sum(&threadcreate.profile(), "creates", column));
    let before = counts();
    let during = with_blocked(3, counts);
    let live = if has_names() { 3 } else { before[1] + 3 };
    let is_right = during == [before[0] + 3, live];
    Finding::of(is_right, || format!("{before:?}, and with three more {during:?}"))
}

/// Time that passes on the CPU and off it.
fn wall_profile() -> Finding {
    const TIME: Duration = Duration::from_millis(300);
    let capture = match wall::start(wall::Options::default().hz(100)) {
        Ok(capture) => capture,
        Err(error) => return Finding::Wrong(error.to_string()),
    };
    #[inline(never)]
    fn passes_time(time: Duration) {
        // Without hooks nobody knows where those are that sleep, and they are not woken to tell.
        let has_hooks = lookup("block").is_some();
        if has_hooks {
            thread::sleep(time)
        } else {
            spins(time)
        }
        black_box(());
    }
    let start = Instant::now();
    thread::scope(|scope| _ = scope.spawn(|| passes_time(TIME)));
    let took = start.elapsed();
    match capture.finish() {
        Ok(profile) => check_time(&profile, "passes_time", took, 0.6..1.2),
        Err(error) => Finding::Wrong(error.to_string()),
    }
}

/// A child of this process profiles itself, and ends.
fn fork() -> Finding {
    // SAFETY: the child does what a child of a process with threads may do with glibc, and leaves without handlers.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let findings = [heap_profile(), cpu_profile(), block(), threads()];
            let is_wrong = findings.iter().any(|finding| matches!(finding, Finding::Wrong(_)));
            if is_wrong {
                eprintln!("in a child: {findings:?}");
            }
            libc::_exit(is_wrong.into());
        }
        let mut status = 0;
        libc::waitpid(child, &raw mut status, 0);
        Finding::of(status == 0, || format!("the child ended with {status}"))
    }
}

/// The nanoseconds of a function in a profile with counts and times, beside those that are known.
fn check_time(
    profile: &Profile,
    function: &str,
    known: Duration,
    within: std::ops::Range<f64>,
) -> Finding {
    let found = Duration::from_nanos(sum(profile, function, 1).cast_unsigned());
    let ratio = found.as_secs_f64() / known.as_secs_f64();
    let is_right = ratio >= within.start && (ratio < within.end || !has_names());
    Finding::of(is_right, || {
        format!("{function}: {found:?} of {known:?}; stacks: {:?}", stacks(profile))
    })
}

/// The first stacks of a profile, to find out what is wrong with them.
fn stacks(profile: &Profile) -> Vec<Vec<&str>> {
    let names = |sample: Sample<'_>| {
        let lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
        lines.map(|line| profile.str(profile.functions[line.function.index()].name)).collect()
    };
    profile.samples.iter().take(3).map(names).collect()
}

/// Whether this binary has names of functions; if not, sums are of all samples.
fn has_names() -> bool {
    std::env::var_os("LINKS_NAMES").is_none_or(|value| value != "0")
}

/// The sum of a column over the samples with a function of this library in their stacks.
fn sum(profile: &Profile, function: &str, column: usize) -> i64 {
    let samples = profile.samples.iter().filter(|sample| is_of(profile, sample, function));
    samples.map(|sample| sample.values[column]).sum()
}

fn is_of(profile: &Profile, sample: &Sample<'_>, function: &str) -> bool {
    if !has_names() {
        return true;
    }
    let mut lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.any(|line| {
        let name = profile.str(profile.functions[line.function.index()].name);
        name.starts_with("links::") && name.ends_with(function)
    })
}
