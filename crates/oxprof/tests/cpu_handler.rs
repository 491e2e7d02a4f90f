//! What the signal handler must not do: allocate, change `errno`, swallow foreign signals, or stay behind
//! as a killer.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/counting.rs"]
mod counting;

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use oxprof::cpu::{self, Error, Options};
use oxprof::labels::Labels;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Tests of one process-wide handler take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> impl Drop {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Recursion, so that stacks are deep enough to matter, for this much CPU time.
#[inline(never)]
fn spin(depth: u32, time: Duration) -> u64 {
    if depth > 0 {
        return black_box(spin(depth - 1, time)) + 1;
    }
    let (end, mut x) = (thread_cpu() + time, 1u64);
    while thread_cpu() < end {
        x = black_box((0..1000).fold(x, |x, i| x.wrapping_mul(31).wrapping_add(i)));
    }
    x
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

fn samples(profile: &oxprof_profile::Profile) -> i64 {
    profile.samples.iter().map(|s| s.values[0]).sum()
}

#[test]
fn the_handler_allocates_nothing() {
    let _turn = turn();
    const LABELS: Labels = Labels::from_static(&[("key", "value")]);
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    // The first scope of a thread allocates.
    LABELS.run(|| ());
    let before = counting::calls();
    LABELS.run(|| spin(100, Duration::from_millis(300)));
    let allocated = counting::calls() - before;
    let profile = capture.finish().unwrap();
    assert!(samples(&profile) > 50, "{}", samples(&profile));
    let labeled = profile.samples.iter().filter(|s| !s.labels.is_empty());
    assert!(labeled.map(|s| s.values[0]).sum::<i64>() > 50);
    assert_eq!(allocated, 0);
}

#[test]
fn errno_is_kept() {
    let _turn = turn();
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    let end = thread_cpu() + Duration::from_millis(200);
    // SAFETY: the address of this thread's errno is valid as long as the thread.
    let errno = unsafe { &mut *libc::__errno_location() };
    *errno = 4711;
    while thread_cpu() < end {
        // SAFETY: reads a place that exists; volatile because a signal may come any time.
        assert_eq!(unsafe { std::ptr::from_ref(errno).read_volatile() }, 4711);
    }
    drop(capture);
}

/// Names of this process's threads that are the profiler's, and its POSIX timers if the kernel tells.
fn remains() -> (Vec<String>, String) {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.filter_map(|task| task.ok().and_then(name));
    let own = names.filter(|name| name.starts_with("oxprof")).collect();
    (own, std::fs::read_to_string("/proc/self/timers").unwrap_or_default())
}

#[test]
fn nothing_remains_when_no_capture_runs() {
    let _turn = turn();
    let capture = cpu::start(Options::default()).unwrap();
    let (threads, timers) = remains();
    assert_eq!(threads, ["oxprof-cpu\n"]);
    let kernel_tells = !timers.is_empty();
    capture.finish().unwrap();
    drop(cpu::start(Options::default()).unwrap());
    for _ in 0..100 {
        if remains() == (Vec::new(), String::new()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{:?} (timers are {}told)", remains(), if kernel_tells { "" } else { "not " });
}

static FOREIGN: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_foreign(_: i32) {
    FOREIGN.fetch_add(1, Relaxed);
}

static OURS: AtomicUsize = AtomicUsize::new(0);

/// The handler of another profiler, which came later and leaves alone what is not its own.
extern "C" fn on_passed_on(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: the handler that was there before, which is of this type.
    let ours: Handler = unsafe { std::mem::transmute(OURS.load(Relaxed)) };
    ours(number, info, context);
}

fn set_handler(handler: usize) {
    // SAFETY: all zero but for the handler is a valid action.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut()), 0);
    }
}

fn handler() -> usize {
    // SAFETY: writes the present action to a valid place.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(libc::SIGPROF, std::ptr::null(), &raw mut action), 0);
        action.sa_sigaction
    }
}

/// In a process of its own, because the handler is installed once: run by the test below.
#[test]
#[ignore = "run by `foreign_handlers`"]
fn foreign_handlers_child() {
    set_handler(on_foreign as *const () as usize);
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    spin(0, Duration::from_millis(100));
    // SAFETY: a signal that has a handler.
    unsafe { libc::raise(libc::SIGPROF) };
    assert_eq!(FOREIGN.load(Relaxed), 1, "a signal that is not ours goes on");
    assert!(samples(&capture.finish().unwrap()) > 10, "ours do not");
    assert_ne!(handler(), on_foreign as *const () as usize, "stays installed");
    // SAFETY: as above: must still be chained and not kill the process.
    unsafe { libc::raise(libc::SIGPROF) };
    assert_eq!(FOREIGN.load(Relaxed), 2);

    let ours = handler();
    set_handler(on_foreign as *const () as usize);
    assert!(matches!(cpu::start(Options::default()), Err(Error::HandlerReplaced)));
    OURS.store(ours, Relaxed);
    set_handler(on_passed_on as *const () as usize);
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    spin(0, Duration::from_millis(100));
    assert!(samples(&capture.finish().unwrap()) > 10, "who passes signals on is no hindrance");
    set_handler(libc::SIG_IGN);
    drop(cpu::start(Options::default()).unwrap());
}

#[test]
fn foreign_handlers() {
    let program = std::env::current_exe().unwrap();
    let args = ["--exact", "foreign_handlers_child", "--ignored", "--nocapture"];
    let output = std::process::Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
