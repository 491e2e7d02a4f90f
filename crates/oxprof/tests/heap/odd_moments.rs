//! Allocations where hooks must not stumble: late in a thread, in a child, in a panic, in swarms of threads.

use std::cell::RefCell;
use std::hint::black_box;

use crate::counting::calls;
use crate::{Rate, heap, sums};

#[inline(never)]
fn in_a_destructor() {
    drop(black_box(vec![1u8; 4000]));
}

struct AllocatesWhenDropped;

impl Drop for AllocatesWhenDropped {
    fn drop(&mut self) {
        in_a_destructor();
    }
}

thread_local! {
    static LATE: RefCell<Option<AllocatesWhenDropped>> = const { RefCell::new(None) };
}

#[test]
fn thread_local_destructors_may_allocate() {
    let _rate = Rate::set(1);
    for _ in 0..50 {
        std::thread::spawn(|| LATE.set(Some(AllocatesWhenDropped))).join().unwrap();
    }
    assert_eq!(sums(&heap(), "odd_moments::in_a_destructor"), [50, 50 * 4000, 0, 0]);
}

#[inline(never)]
fn in_a_child() -> Vec<u8> {
    black_box(Vec::with_capacity(6000))
}

/// Runs `f` in a forked child; returns its exit code, or what killed it.
fn in_fork(f: impl FnOnce() -> bool) -> Result<i32, i32> {
    // SAFETY: the child runs only `f`, and ends without unwinding into the test's frames.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or(false);
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!ok)) };
    }
    let mut status = 0;
    // SAFETY: waits for our child, and writes to `status`.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    if libc::WIFEXITED(status) { Ok(libc::WEXITSTATUS(status)) } else { Err(status) }
}

#[test]
fn children_profile_themselves() {
    let _rate = Rate::set(1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Forks hit the others in the middle of things.
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(black_box(Box::new([0u64; 20])));
                }
            });
        }
        for _ in 0..3 {
            let result = in_fork(|| {
                let kept = in_a_child();
                drop(in_a_child());
                let sums = sums(&heap(), "odd_moments::in_a_child");
                drop(kept);
                sums == [2, 12_000, 1, 6000]
            });
            assert_eq!(result, Ok(0));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[inline(never)]
fn in_a_panic(depth: u32) {
    let _kept = black_box(vec![depth; 100]);
    if depth == 0 {
        std::panic::resume_unwind(Box::new("expected"));
    }
    in_a_panic(depth - 1);
}

#[test]
fn unwinding_frees_what_it_passes() {
    let _rate = Rate::set(1);
    for _ in 0..20 {
        assert!(std::panic::catch_unwind(|| in_a_panic(10)).is_err());
    }
    let sums = sums(&heap(), "odd_moments::in_a_panic");
    // The payloads of the panics are allocated and freed there, too.
    assert!(sums[0] >= 20 * 11, "{sums:?}");
    assert_eq!(sums[2..], [0, 0]);
}

#[inline(never)]
fn in_a_swarm() -> Vec<Box<[u8]>> {
    (0..20).map(|_| black_box(vec![0; 333].into_boxed_slice())).collect()
}

#[test]
fn swarms_of_threads_lose_nothing() {
    let _rate = Rate::set(1);
    for _ in 0..20 {
        let threads: Vec<_> = (0..20).map(|_| std::thread::spawn(in_a_swarm)).collect();
        threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    }
    let sums = sums(&heap(), "odd_moments::in_a_swarm");
    assert_eq!(sums[2..], [0, 0]);
    assert!(sums[0] >= 20 * 20 * 20, "{sums:?}");
}

#[inline(never)]
fn while_profiles_are_taken() {
    for size in 1..200 {
        drop(black_box(vec![0u8; size]));
    }
}

#[test]
fn profiles_may_be_taken_any_time() {
    let _rate = Rate::set(64);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    while_profiles_are_taken();
                }
            });
        }
        for _ in 0..3 {
            let sums = sums(&heap(), "odd_moments::while_profiles_are_taken");
            assert!(sums.iter().all(|&sum| sum >= 0), "{sums:?}");
            // At most what the threads hold at this moment: a block each, sampled with a weight of up to 64.
            assert!(sums[2] <= 3 * 65, "{sums:?}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[inline(never)]
fn counted() {
    drop(black_box(Box::new([0u8; 40])));
}

#[test]
fn hooks_allocate_nothing_and_keep_errno() {
    let _rate = Rate::set(1);
    let _labels = oxprof::labels::scope([("of", "a hook")]);
    counted();
    // SAFETY: the thread's own errno.
    let errno = unsafe { &mut *libc::__errno_location() };
    *errno = 77;
    let before = calls();
    (0..1000).for_each(|_| counted());
    let calls = calls() - before;
    assert_eq!((calls, *errno), (2000, 77));
    assert_eq!(sums(&heap(), "odd_moments::counted"), [1001, 1001 * 40, 0, 0]);
}
