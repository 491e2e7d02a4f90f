//! `threadcreate`.

use std::ffi::c_void;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::{mentions, profile, sums, turn};

/// Starts threads that live until the sender is dropped.
#[inline(never)]
fn breeder(count: usize) -> (mpsc::Sender<()>, Vec<JoinHandle<()>>) {
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
    let threads = (0..count)
        .map(|_| {
            let stopped = stopped.clone();
            thread::spawn(move || drop(stopped.lock().map(|stopped| stopped.recv())))
        })
        .collect();
    (stop, threads)
}

/// Waits until what `sums` says is `expected`: threads count from their first instruction to after their last
/// destructor, which is a little after `spawn` and `join` are back.
fn eventually(part: &str, expected: &[i64]) {
    for _ in 0..100 {
        if sums(&profile("threadcreate"), part) == expected {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(sums(&profile("threadcreate"), part), expected, "{part}");
}

#[test]
fn stacks_that_create_threads() {
    const NAME: &str = "stacks_that_create_threads::{{closure}}";
    let _turn = turn();
    let breeds = |count: usize| breeder(count);
    let (stop, threads) = breeds(7);
    eventually(NAME, &[7, 7]);
    drop(stop);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    eventually(NAME, &[7, 0]);
}

#[test]
fn all_live_threads_are_counted() {
    let _turn = turn();
    let (stop, threads) = breeder(20);
    eventually("[main thread]", &[1, 1]);
    let profile = profile("threadcreate");
    let live: i64 = profile.samples.iter().map(|sample| sample.values[1]).sum();
    // Other tests' threads wait for their turn.
    let listed = std::fs::read_dir("/proc/self/task").unwrap().count() as i64;
    assert!((listed - 5..=listed + 5).contains(&live), "{live} of {listed}");
    drop(stop);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

extern "C" fn exits(_: *mut c_void) -> *mut c_void {
    unsafe extern "C-unwind" {
        fn pthread_exit(result: *mut c_void) -> !;
    }
    // SAFETY: nothing of Rust with a destructor is on this stack.
    unsafe { pthread_exit(std::ptr::null_mut()) }
}

#[inline(never)]
fn creates_one_that_exits() {
    let mut thread = 0;
    // SAFETY: a function of the expected type, and a thread that is joined once.
    unsafe {
        let created =
            libc::pthread_create(&raw mut thread, std::ptr::null(), exits, std::ptr::null_mut());
        assert_eq!(created, 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

#[test]
fn threads_that_exit_early_are_counted_out() {
    let _turn = turn();
    creates_one_that_exits();
    eventually("creates_one_that_exits", &[1, 0]);
}

#[test]
fn as_text() {
    let _turn = turn();
    let (stop, threads) = breeder(3);
    let text = oxprof::lookup("threadcreate").unwrap().text();
    assert!(text.starts_with("threadcreate profile: total "), "{text}");
    assert!(text.contains("create::breeder"), "{text}");
    let profile = profile("threadcreate");
    let default = profile.str(profile.default_sample_type);
    assert_eq!(default, "threadcreate");
    assert!(profile.samples.iter().any(|sample| mentions(&profile, &sample, "pthread_create")));
    drop(stop);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
