//! What the handler by which threads are asked for their stacks must not do: allocate, change `errno`, or take a signal
//! that the program uses.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/counting.rs"]
mod counting;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use oxprof_profile::Profile;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

static STOP: AtomicBool = AtomicBool::new(false);
const ERRNO: i32 = 4711;

/// Spins until told to stop, and watches what happens to its thread meanwhile. Returns how often it allocated.
#[inline(never)]
fn watches_itself(depth: u32) -> u64 {
    if depth > 0 {
        return black_box(watches_itself(depth - 1));
    }
    // SAFETY: the address of this thread's errno is valid as long as the thread.
    let errno = unsafe { &mut *libc::__errno_location() };
    *errno = ERRNO;
    let before = counting::calls();
    let mut x = 1u64;
    while !STOP.load(Relaxed) {
        x = black_box((0..1000).fold(x, |x, i| x.wrapping_mul(31).wrapping_add(i)));
        // SAFETY: reads a place that exists; volatile because a signal may come any time.
        assert_eq!(unsafe { std::ptr::from_ref(errno).read_volatile() }, ERRNO);
    }
    counting::calls() - before
}

fn threads_in(profile: &Profile, function: &str) -> i64 {
    let named = |line: &oxprof_profile::Line| {
        profile.str(profile.functions[line.function.index()].name).contains(function)
    };
    let holds = |sample: &oxprof_profile::Sample<'_>| {
        sample.stack.iter().any(|&l| profile.lines_of(l).iter().any(named))
    };
    profile.samples.iter().filter(holds).map(|sample| sample.values[0]).sum()
}

static FOREIGN: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_foreign(_: i32) {
    FOREIGN.fetch_add(1, Relaxed);
}

#[test]
fn threads_that_are_asked_notice_nothing() {
    // Of the signals that we might take for ours, the first is the program's.
    let taken = libc::SIGRTMIN() + 5;
    // SAFETY: the handler only counts.
    unsafe { libc::signal(taken, on_foreign as *const () as usize) };
    let watcher = std::thread::spawn(|| watches_itself(50));
    let threads = oxprof::lookup("threads").unwrap();
    let mut seen = 0;
    for _ in 0..50 {
        seen += threads_in(&threads.profile(), "watches_itself");
    }
    STOP.store(true, Relaxed);
    let allocations = watcher.join();
    assert!(allocations.is_ok());
    assert!(seen >= 45, "{seen} of 50");
    assert_eq!(allocations.ok(), Some(0));
    assert_eq!(FOREIGN.load(Relaxed), 0, "ours is another signal");
    // SAFETY: a signal that has a handler.
    unsafe { libc::raise(taken) };
    assert_eq!(FOREIGN.load(Relaxed), 1, "the program's works as ever");
}
