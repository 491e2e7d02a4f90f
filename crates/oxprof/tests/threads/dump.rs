//! `threads` and `goroutine`.

use std::ffi::c_void;
use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use oxprof_profile::Profile;

use super::{mentions, profile, sums, turn};

/// Runs `work` once `count` threads are blocked in `block`, which `unblock` ends.
fn with_blocked<R>(
    count: usize,
    block: impl Fn() + Send + Sync + 'static,
    work: impl FnOnce() -> R,
    unblock: impl FnOnce(),
) -> R {
    let block = Arc::new(block);
    let (ready, all_ready) = mpsc::channel();
    let threads: Vec<_> = (0..count)
        .map(|i| {
            let (block, ready) = (block.clone(), ready.clone());
            let builder = thread::Builder::new().name(format!("blocked-{i}"));
            let body = move || {
                ready.send(()).unwrap();
                block();
            };
            builder.stack_size(256 << 10).spawn(body).unwrap()
        })
        .collect();
    (0..count).for_each(|_| all_ready.recv().unwrap());
    // Between saying that they are ready and blocking, they run.
    thread::sleep(Duration::from_millis(50));
    let result = work();
    unblock();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    result
}

/// Blocks threads on a condition variable while `work` runs.
pub(crate) fn with_waiting<R>(count: usize, work: impl FnOnce() -> R) -> R {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = pair.clone();
    #[inline(never)]
    fn waits_for_the_end(pair: &(Mutex<bool>, Condvar)) {
        let mut done = pair.0.lock().unwrap();
        while !*done {
            done = pair.1.wait(done).unwrap();
        }
    }
    let unblock = || {
        *pair.0.lock().unwrap() = true;
        pair.1.notify_all();
    };
    with_blocked(count, move || waits_for_the_end(&theirs), work, unblock)
}

/// Every one of `count` threads is there, with its stack.
fn check_all_accounted(count: usize) {
    let profile = with_waiting(count, || profile("threads"));
    let found = sums(&profile, "waits_for_the_end")[0];
    assert_eq!(found, count as i64, "of {count}");
    assert!(profile.samples.iter().map(|s| s.values[0]).sum::<i64>() > count as i64);
}

#[test]
fn all_threads_are_accounted_for() {
    let _turn = turn();
    for count in [1, 100, 1000] {
        check_all_accounted(count);
    }
}

#[test]
fn five_thousand_threads_are_accounted_for() {
    if std::env::var_os("OXPROF_LONG").is_none() {
        eprintln!("skipped: takes long; set OXPROF_LONG=1 to run it");
        return;
    }
    let _turn = turn();
    check_all_accounted(5000);
}

#[test]
fn threads_that_run_have_stacks() {
    let _turn = turn();
    static STOP: AtomicBool = AtomicBool::new(false);
    #[inline(never)]
    fn spins() {
        while !STOP.load(Ordering::Relaxed) {
            black_box((0..1000u64).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i)));
        }
    }
    let threads: Vec<_> = (0..3).map(|_| thread::spawn(spins)).collect();
    once_seen("dump::threads_that_run_have_stacks::spins", 3);
    STOP.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A profile with so many threads that run in this function. On a busy machine they may not have begun, or have no chance to
/// answer in time.
fn once_seen(function: &str, count: i64) -> Profile {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        let profile = profile("threads");
        if sums(&profile, function)[0] == count {
            return profile;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{count} threads in {function}: {}", oxprof::lookup("threads").unwrap().text());
}

#[test]
fn states_and_names() {
    let _turn = turn();
    let profile = with_waiting(5, || profile("threads"));
    let label = |sample: &oxprof_profile::Sample<'_>, wanted: &str| {
        sample.labels.iter().find(|label| profile.str(label.key) == wanted).map(|label| match label
            .value
        {
            oxprof_profile::LabelValue::Str(text) => profile.str(text).to_owned(),
            oxprof_profile::LabelValue::Num { value, .. } => value.to_string(),
        })
    };
    let all: Vec<_> = profile
        .samples
        .iter()
        .filter(|sample| mentions(&profile, sample, "waits_for_the_end"))
        .map(|sample| (sample.values[0], label(&sample, "state"), label(&sample, "thread")))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(all, [(5, text("sync.Cond.Wait"), text("blocked"))]);
}

/// The lines of the thread with this name in the text of each.
fn block<'t>(text: &'t str, name: &str) -> &'t str {
    let name = format!("thread: {name:?}");
    text.split("\n\n").find(|block| block.contains(&name)).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn text_of_each() {
    let _turn = turn();
    let text = with_waiting(2, || oxprof::lookup("goroutine").unwrap().text_of_each());
    let first = text.lines().find(|line| line.starts_with("goroutine ")).unwrap();
    assert!(first.starts_with("goroutine ") && first.contains(" [running] {"), "{first}");
    let block = block(&text, "blocked-1");
    let mut lines = block.lines();
    let heading = lines.next().unwrap();
    assert!(heading.contains(" [sync.Cond.Wait] {") && heading.ends_with("}:"), "{heading}");
    for pair in lines.collect::<Vec<_>>().chunks(2) {
        let is_call = pair[0].ends_with("(...)") || pair[0].starts_with("created by ");
        let is_place = pair[1].starts_with('\t') && pair[1].contains(" +0x");
        assert!(is_call && is_place, "{block}");
    }
    assert!(block.contains("waits_for_the_end(...)\n\t"), "{block}");
    assert!(block.contains("created by threads::dump::with_blocked"), "{block}");
}

#[test]
fn text_by_stack() {
    let _turn = turn();
    for name in ["threads", "goroutine"] {
        let text = with_waiting(4, || oxprof::lookup(name).unwrap().text());
        let total: i64 = text
            .lines()
            .filter_map(|line| {
                line.split_once(" @").and_then(|(count, _)| count.parse::<i64>().ok())
            })
            .sum();
        assert_eq!(text.lines().next().unwrap(), format!("{name} profile: total {total}"));
        assert!(text.contains("\n4 @ 0x"), "{text}");
        assert!(text.contains("\"state\":\"sync.Cond.Wait\""), "{text}");
    }
}

/// Dumps do not interrupt calls that then return early: `recv` with a timeout is one that std does not repeat.
#[test]
fn no_call_is_broken() {
    let _turn = turn();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let receiver = thread::spawn(move || {
        let (started, result) = (Instant::now(), socket.recv(&mut [0; 8]));
        (started.elapsed(), result.map_err(|error| error.kind()))
    });
    while !receiver.is_finished() {
        drop(profile("threads"));
    }
    let (lasted, result) = receiver.join().unwrap();
    assert_eq!(result, Err(std::io::ErrorKind::WouldBlock));
    assert!(lasted >= Duration::from_millis(290), "{lasted:?}");
}

#[test]
fn threads_that_end_meanwhile_do_no_harm() {
    let _turn = turn();
    let stop = Arc::new(AtomicBool::new(false));
    let breeders: Vec<_> = (0..3)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let short_lived: Vec<_> = (0..10)
                        .map(|i| {
                            thread::spawn(move || thread::sleep(Duration::from_micros(i * 50)))
                        })
                        .collect();
                    short_lived.into_iter().for_each(|thread| thread.join().unwrap());
                }
            })
        })
        .collect();
    with_waiting(200, || {
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            let profile = profile("threads");
            assert_eq!(sums(&profile, "waits_for_the_end")[0], 200);
            assert!(profile.samples.iter().map(|sample| sample.values[0]).sum::<i64>() >= 205);
        }
    });
    stop.store(true, Ordering::Relaxed);
    breeders.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Starts a thread behind our back.
fn start_unseen(run: extern "C" fn(*mut c_void) -> *mut c_void) -> libc::pthread_t {
    type Create = unsafe extern "C" fn(
        *mut libc::pthread_t,
        *const libc::pthread_attr_t,
        extern "C" fn(*mut c_void) -> *mut c_void,
        *mut c_void,
    ) -> i32;
    let mut thread = 0;
    // SAFETY: libc's function of this name is of this type; a place for the thread, and a function that it calls.
    unsafe {
        let create = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        assert!(!create.is_null());
        let create = std::mem::transmute::<*mut c_void, Create>(create);
        let created = create(&raw mut thread, std::ptr::null(), run, std::ptr::null_mut());
        assert_eq!(created, 0);
    }
    thread
}

/// As many threads have slots as there are threads, but not the same: one has ended, and another was never seen.
#[test]
fn threads_that_nobody_told_about_are_accounted_for() {
    static STOP: AtomicBool = AtomicBool::new(false);
    extern "C" fn waits_once(_: *mut c_void) -> *mut c_void {
        // SAFETY: looks at no descriptors for a millisecond.
        unsafe { libc::poll(std::ptr::null_mut(), 0, 1) };
        std::ptr::null_mut()
    }
    extern "C" fn never_waits(_: *mut c_void) -> *mut c_void {
        while !STOP.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        std::ptr::null_mut()
    }
    let _turn = turn();
    drop(profile("threads"));
    let join = |thread| {
        // SAFETY: a thread that is joined once.
        assert_eq!(unsafe { libc::pthread_join(thread, std::ptr::null_mut()) }, 0);
    };
    join(start_unseen(waits_once));
    let thread = start_unseen(never_waits);
    let seen = once_seen("never_waits", 1);
    STOP.store(true, Ordering::Relaxed);
    join(thread);
    assert!(!seen.samples.iter().any(|sample| mentions(&seen, &sample, "waits_once")));
}

#[test]
fn a_child_of_fork_has_one_thread() {
    let _turn = turn();
    let forked = with_waiting(3, || {
        // SAFETY: the child takes a profile, which glibc allows after a fork, and leaves without running exit handlers.
        unsafe {
            let child = libc::fork();
            assert!(child >= 0);
            if child == 0 {
                let profile = profile("threads");
                let total: i64 = profile.samples.iter().map(|sample| sample.values[0]).sum();
                libc::_exit(total as i32);
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
        }
    });
    assert_eq!(forked, Some(1));
}

#[test]
fn children_forked_in_the_middle_of_dumps_can_dump() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let _turn = turn();
    let dumping = thread::spawn(|| {
        while !STOP.load(Ordering::Relaxed) {
            drop(profile("threads"));
        }
    });
    for _ in 0..20 {
        // SAFETY: as above; a hang ends by the alarm.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(20);
                let profile = profile("threads");
                libc::_exit(
                    profile.samples.iter().map(|sample| sample.values[0]).sum::<i64>() as i32
                );
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            status
        };
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1, "{status:#x}");
    }
    STOP.store(true, Ordering::Relaxed);
    dumping.join().expect("it ends");
}
