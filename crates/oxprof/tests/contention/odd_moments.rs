//! Moments at which hooks must not stumble, and what they must leave alone.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use oxprof::contention::{self, BlockView};

use crate::counting::{Counting, calls};
use crate::{HELD, block, contend, named, sample_all, sums, timed, unlocks, waits_for};

#[global_allocator]
static ALLOC: Counting = Counting;

#[test]
fn hooks_allocate_nothing() {
    sample_all();
    let (mutex, condvar) = (Mutex::new(0u32), Condvar::new());
    let mut made = [0; 2];
    std::thread::scope(|scope| {
        let play = |me: u32| {
            let (mutex, condvar) = (&mutex, &condvar);
            move || {
                let before = calls();
                for turn in 0..500 {
                    let turn = 2 * turn + me;
                    let mut now =
                        condvar.wait_while(mutex.lock().unwrap(), |n| *n != turn).unwrap();
                    *now += 1;
                    condvar.notify_one();
                }
                std::thread::sleep(Duration::from_millis(1));
                calls() - before
            }
        };
        let players = [scope.spawn(play(0)), scope.spawn(play(1))];
        made = players.map(|player| player.join().unwrap());
    });
    assert_eq!(made, [0, 0]);
}

/// A raw call of `futex` that fails, through the hook.
fn failing_futex(operation: i32) -> (i64, i32) {
    let word = AtomicU32::new(1);
    // SAFETY: errno is the thread's own; the call finds another value than the one it names, or an odd address.
    unsafe {
        *libc::__errno_location() = 0;
        let address = word.as_ptr().cast::<u8>().add(usize::from(operation == libc::FUTEX_WAKE));
        let result = libc::syscall(libc::SYS_futex, address, operation, 0, std::ptr::null::<u8>());
        (result, *libc::__errno_location())
    }
}

#[test]
fn results_and_errno_are_those_of_the_call() {
    sample_all();
    contend();
    assert_eq!(failing_futex(libc::FUTEX_WAIT), (-1, libc::EAGAIN));
    assert_eq!(failing_futex(libc::FUTEX_WAKE), (-1, libc::EINVAL));
    // SAFETY: a descriptor that does not exist, and a call that does not.
    unsafe {
        *libc::__errno_location() = 0;
        assert_eq!(libc::read(-1, std::ptr::null_mut(), 0), -1);
        assert_eq!(*libc::__errno_location(), libc::EBADF);
        assert_eq!(libc::syscall(-1), -1);
        assert_eq!(*libc::__errno_location(), libc::ENOSYS);
        *libc::__errno_location() = 77;
        assert_eq!(libc::syscall(libc::SYS_getpid), i64::from(libc::getpid()));
        assert_eq!(*libc::__errno_location(), 77);
    }
    // Seven arguments: the last one is on the stack.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (from, to) = ([1u8, 2, 3], std::os::fd::AsRawFd::as_raw_fd(&writer));
    let vector = libc::iovec { iov_base: from.as_ptr() as *mut c_void, iov_len: 3 };
    // SAFETY: one valid vector; a position of -1 and no flags make it a plain write.
    let written = unsafe {
        libc::syscall(libc::SYS_pwritev2, to, &raw const vector, 1i64, -1i64, -1i64, 0i64)
    };
    assert_eq!(written, 3);
    let mut read = [0; 3];
    std::io::Read::read_exact(&mut reader, &mut read).unwrap();
    assert_eq!(read, from);
}

#[inline(never)]
fn reads_in_vain(socket: &std::net::UdpSocket) {
    assert!(socket.recv(&mut [0; 8]).is_err());
}

/// What a call returns after a timeout is what it returns at once where it must not wait.
#[test]
fn calls_that_time_out_have_waited() {
    const TIMEOUT: Duration = Duration::from_millis(30);
    const AT_ONCE: i64 = 100;
    sample_all();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    reads_in_vain(&socket);
    socket.set_nonblocking(true).unwrap();
    (0..AT_ONCE).for_each(|_| reads_in_vain(&socket));
    let name = "contention::odd_moments::reads_in_vain";
    let (count, time) = sums(&block(false), name, "io");
    // Some of these lose the processor.
    assert!((1..AT_ONCE / 2).contains(&count), "{count}");
    assert!(time >= TIMEOUT, "{time:?}");
}

#[test]
fn children_have_waits_of_their_own() {
    sample_all();
    let stop = AtomicBool::new(false);
    let mutex = Mutex::new(());
    std::thread::scope(|scope| {
        // Forks hit the others in the middle of things.
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(mutex.lock());
                    std::thread::yield_now();
                }
            });
        }
        let _stop = StopWhenDropped(&stop);
        // The child measures as the scenarios do: on a busy machine it takes some tries.
        let mut right = 0;
        for _ in 0..20 {
            // SAFETY: the child ends without returning to the test's frames.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: kills a child that hangs.
                unsafe { libc::alarm(20) };
                let before = sums(&named("mutex"), "contention::unlocks", "lock");
                let ok = std::panic::catch_unwind(contend).is_ok_and(|waited| waited >= HELD);
                let after = sums(&named("mutex"), "contention::unlocks", "lock");
                let is_right = ok && after.0 == before.0 + 1 && after.1 >= before.1 + HELD / 2;
                // SAFETY: ends the process.
                unsafe { libc::_exit(i32::from(!is_right)) };
            }
            let mut status = 0;
            // SAFETY: waits for our child, and writes to `status`.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert!(libc::WIFEXITED(status), "the child hung or crashed: {status:#x}");
            right += u32::from(status == 0);
            if right == 3 {
                return;
            }
        }
        panic!("{right} of 20 children saw their own waits");
    });
}

/// Lets threads end however the test does.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct LocksWhenDropped(&'static Mutex<()>);

#[inline(never)]
fn in_a_destructor(mutex: &Mutex<()>) {
    drop(mutex.lock().unwrap());
}

impl Drop for LocksWhenDropped {
    fn drop(&mut self) {
        in_a_destructor(self.0);
    }
}

thread_local! {
    static LATE: Cell<Option<LocksWhenDropped>> = const { Cell::new(None) };
}

#[test]
fn thread_local_destructors_may_wait() {
    sample_all();
    static LOCK: Mutex<()> = Mutex::new(());
    let held = LOCK.lock().unwrap();
    let thread = std::thread::spawn(|| LATE.set(Some(LocksWhenDropped(&LOCK))));
    std::thread::sleep(HELD);
    drop(held);
    thread.join().unwrap();
    let (count, delay) = sums(&block(false), "contention::odd_moments::in_a_destructor", "lock");
    assert!(count == 1 && delay >= HELD / 2, "{count} {delay:?}");
}

#[test]
fn waits_that_are_not_over_are_there_on_request() {
    #[inline(never)]
    fn still_waits(mutex: &Mutex<()>) {
        drop(mutex.lock().unwrap());
    }
    sample_all();
    let name = "contention::odd_moments::waits_that_are_not_over_are_there_on_request::still_waits";
    let mutex = Mutex::new(());
    let held = mutex.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| still_waits(&mutex));
        std::thread::sleep(2 * HELD);
        let view = BlockView { pending: true, ..BlockView::default() };
        let baseline = contention::block(view).unwrap().baseline();
        assert_eq!(sums(&block(false), name, "lock").0, 0);
        let pending = sums(&block(true), name, "lock");
        assert!(pending.0 == 1 && pending.1 >= HELD, "{pending:?}");
        std::thread::sleep(HELD);
        // What of a wait was before is not in a difference.
        let since = sums(&baseline.profile(oxprof::Gauges::Keep), name, "lock").1;
        let whole = sums(&block(true), name, "lock").1;
        assert!(since >= HELD && since + HELD <= whole, "{since:?} {whole:?}");
        drop(held);
    });
}

extern "C" fn waits_until_cancelled(descriptor: *mut c_void) -> *mut c_void {
    let mut byte = 0u8;
    // SAFETY: the descriptor is open, and there is room for a byte.
    unsafe { libc::read(descriptor as i32, (&raw mut byte).cast(), 1) };
    std::ptr::null_mut()
}

#[test]
fn threads_may_be_cancelled_while_they_wait() {
    sample_all();
    unsafe extern "C" {
        fn pthread_cancel(thread: libc::pthread_t) -> i32;
    }
    let (reader, _writer) = std::io::pipe().unwrap();
    let argument = std::os::fd::AsRawFd::as_raw_fd(&reader) as usize as *mut c_void;
    let mut thread = 0;
    let mut result = std::ptr::null_mut();
    let attributes = std::ptr::null();
    // SAFETY: valid places; the function takes a descriptor for an argument; the thread is joined once.
    unsafe {
        let created =
            libc::pthread_create(&raw mut thread, attributes, waits_until_cancelled, argument);
        assert_eq!(created, 0);
        std::thread::sleep(HELD);
        assert_eq!(pthread_cancel(thread), 0);
        assert_eq!(libc::pthread_join(thread, &raw mut result), 0);
    }
    // PTHREAD_CANCELED.
    assert_eq!(result.addr(), usize::MAX);
}

#[test]
fn what_is_sampled_stands_for_all() {
    // Everything is sampled in this process, so this is about the program's own rates.
    assert_eq!(contention::set_mutex_profile_fraction(5), 0);
    assert_eq!((contention::mutex_profile_fraction(), contention::block_profile_rate()), (5, 0));
    contention::set_block_profile_rate(1000);
    assert_eq!(contention::set_mutex_profile_fraction(0), 5);
    assert_eq!((contention::mutex_profile_fraction(), contention::block_profile_rate()), (0, 1000));
    contention::set_block_profile_rate(0);
}

#[test]
fn our_own_threads_are_not_there() {
    sample_all();
    let capture = oxprof::cpu::start(oxprof::cpu::Options::default()).unwrap();
    let mutex = Mutex::new(());
    let held = mutex.lock().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| timed(|| waits_for(&mutex)));
        std::thread::sleep(HELD);
        unlocks(held);
        waiter.join().unwrap();
    });
    capture.finish().unwrap();
    let profile = block(true);
    let mut all = profile
        .samples
        .iter()
        .flat_map(|sample| crate::names(&profile, &sample).collect::<Vec<_>>());
    assert!(!all.any(|name| name.starts_with("oxprof::cpu::linux::collector::run")));
}
