//! Waits of all kinds: each is there as long as it was, under its category, and charged to who ended it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Barrier, Condvar, LazyLock, Mutex, Once, RwLock, mpsc};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::{HELD, block, named, sample_all, sums, timed};

/// How long a scenario made threads wait, as they saw it.
type Scenario = fn() -> Duration;

/// Scenarios whose waits are for locks, which are charged to who unlocked them.
const LOCKS: [(&str, Scenario); 5] = [
    ("std_mutex", std_mutex),
    ("std_rwlock_read", std_rwlock_read),
    ("std_rwlock_write", std_rwlock_write),
    ("parking_lot_mutex", parking_lot_mutex),
    ("parking_lot_rwlock", parking_lot_rwlock),
];

/// Other waits that other threads end, by category.
const WAKES: [(&str, &str, Scenario); 11] = [
    ("condvar", "std_condvar", std_condvar),
    ("channel", "mpsc_recv", mpsc_recv),
    ("channel", "sync_channel_send", sync_channel_send),
    ("join", "std_barrier", std_barrier),
    ("once", "std_once", std_once),
    ("once", "lazy_lock", lazy_lock),
    ("park", "park", park),
    ("condvar", "parking_lot_condvar", parking_lot_condvar),
    ("channel", "crossbeam_recv", crossbeam_recv),
    ("channel", "crossbeam_recv_timeout", crossbeam_recv_timeout),
    ("condvar", "tokio_block_on", tokio_block_on),
];

/// Waits that no function of the scenario ends, or that end otherwise.
const OTHERS: [(&str, &str, Scenario); 10] = [
    ("condvar", "condvar_timeout", condvar_timeout),
    ("condvar", "rayon_install", rayon_install),
    ("join", "scope", scope),
    ("join", "join", join),
    ("lock", "pthread_mutex", pthread_mutex),
    ("sleep", "sleep", sleep),
    ("io", "accept", accept),
    ("io", "receive", receive),
    ("io", "read_pipe", read_pipe),
    ("io", "poll", poll),
];

/// Checks that of `profile`, what came of a scenario is as long as what its threads saw.
///
/// What they saw includes spinning, yielding and being scheduled, so it is longer by a little, or by much on a busy
/// machine; then it is tried again.
fn check(profile: &str, category: &str, name: &str, scenario: Scenario) {
    sample_all();
    let function = format!("contention::scenarios::{name}");
    let now = || match profile {
        "block" => sums(&block(false), &function, category),
        _ => sums(&named(profile), &function, category),
    };
    let mut tries = Vec::new();
    for _ in 0..30 {
        let before = now();
        let seen = scenario();
        let after = now();
        let (count, delay) = (after.0 - before.0, after.1 - before.1);
        if count >= 1 && delay.abs_diff(seen) <= margin(seen) {
            return;
        }
        tries.push((count, delay, seen));
    }
    panic!("{profile} of {name}: {tries:?}");
}

/// By how much a profile may be off. What a thread measures itself includes the time until it runs again, which is not
/// waiting: on a busy machine that is much of it, so the close look is for a quiet one (`OXPROF_LONG=1`).
fn margin(seen: Duration) -> Duration {
    if is_long() { seen / 50 } else { seen / 2 }
}

fn is_long() -> bool {
    std::env::var_os("OXPROF_LONG").is_some()
}

#[test]
fn locks() {
    for (name, scenario) in LOCKS {
        check("block", "lock", name, scenario);
        check("mutex", "lock", name, scenario);
    }
}

#[test]
fn wakes() {
    for (category, name, scenario) in WAKES {
        check("block", category, name, scenario);
        check("wakeup", category, name, scenario);
    }
}

#[test]
fn others() {
    for (category, name, scenario) in OTHERS {
        check("block", category, name, scenario);
    }
}

#[test]
fn workers_of_pools_are_idle() {
    sample_all();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    drop(tokio.spawn_blocking(|| ()));
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    rayon.install(|| ());
    thread::sleep(4 * HELD);
    drop((tokio, rayon));
    // Workers end in their own time.
    let is_there = |function: &str| sums(&block(true), function, "idle").1 >= HELD / 2;
    for function in [
        "tokio::runtime::blocking::pool::Inner::run",
        "tokio::runtime::scheduler::multi_thread::worker::run",
        // Looks for work for a while before it sleeps, which may be for long where others run.
        "rayon_core::registry::ThreadBuilder::run",
    ]
    .into_iter()
    .take(if is_long() { 3 } else { 2 })
    {
        assert!(
            (0..50).any(|_| is_there(function) || {
                thread::sleep(HELD);
                false
            }),
            "{function}"
        );
    }
}

/// Four threads wait, and get the lock from each other. All that they waited is charged, to all of them together.
#[test]
fn the_time_of_all_waiters_is_charged_once() {
    fn scenario() -> Duration {
        let mutex = Mutex::new(());
        let held = mutex.lock().unwrap();
        thread::scope(|scope| {
            let each = || {
                let mut guard = None;
                let waited = timed(|| guard = Some(mutex.lock().unwrap()));
                thread::sleep(HELD);
                drop(guard);
                waited
            };
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
            thread::sleep(HELD);
            drop(held);
            waiters.into_iter().map(|waiter| waiter.join().unwrap()).sum()
        })
    }
    let name = "the_time_of_all_waiters_is_charged_once";
    check("block", "lock", name, scenario);
    check("mutex", "lock", name, scenario);
}

/// Spawns who waits by `wait`, and lets him.
fn waiting<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    wait: impl FnOnce() + Send + 'scope,
) -> ScopedJoinHandle<'scope, Duration> {
    let waiter = scope.spawn(|| timed(wait));
    thread::sleep(HELD);
    waiter
}

#[inline(never)]
fn std_mutex() -> Duration {
    let lock = Mutex::new(());
    let held = lock.lock().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.lock().unwrap()));
        drop(held);
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn std_rwlock_read() -> Duration {
    let lock = RwLock::new(());
    let held = lock.write().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.read().unwrap()));
        drop(held);
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn std_rwlock_write() -> Duration {
    let lock = RwLock::new(());
    let held = lock.read().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.write().unwrap()));
        drop(held);
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn parking_lot_mutex() -> Duration {
    let lock = parking_lot::Mutex::new(());
    let held = lock.lock();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.lock()));
        drop(held);
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn parking_lot_rwlock() -> Duration {
    let lock = parking_lot::RwLock::new(());
    let held = lock.read();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.write()));
        drop(held);
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn std_condvar() -> Duration {
    let (lock, condvar) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let wait = || drop(condvar.wait_while(lock.lock().unwrap(), |is_done| !*is_done).unwrap());
        let waiter = waiting(scope, wait);
        *lock.lock().unwrap() = true;
        condvar.notify_one();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn condvar_timeout() -> Duration {
    let (lock, condvar) = (Mutex::new(()), Condvar::new());
    timed(|| condvar.wait_timeout(lock.lock().unwrap(), HELD).map(drop).unwrap())
}

#[inline(never)]
fn parking_lot_condvar() -> Duration {
    let (lock, condvar) = (parking_lot::Mutex::new(()), parking_lot::Condvar::new());
    thread::scope(|scope| {
        let waiter = waiting(scope, || condvar.wait(&mut lock.lock()));
        condvar.notify_one();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn mpsc_recv() -> Duration {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || receiver.recv().unwrap());
        sender.send(()).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn sync_channel_send() -> Duration {
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        let waiter = waiting(scope, move || sender.send(()).unwrap());
        receiver.recv().unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn crossbeam_recv() -> Duration {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        let waiter = waiting(scope, move || receiver.recv().unwrap());
        sender.send(()).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn crossbeam_recv_timeout() -> Duration {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        let wait = move || receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        let waiter = waiting(scope, wait);
        sender.send(()).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn std_barrier() -> Duration {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let waiter = waiting(scope, || {
            barrier.wait();
        });
        barrier.wait();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn std_once() -> Duration {
    let once = Once::new();
    thread::scope(|scope| {
        let mut waiter = None;
        once.call_once(|| waiter = Some(waiting(scope, || once.call_once(|| ()))));
        waiter.unwrap().join().unwrap()
    })
}

#[inline(never)]
fn lazy_lock() -> Duration {
    let (begun, has_begun) = mpsc::channel();
    let lazy = LazyLock::new(move || {
        begun.send(()).unwrap();
        thread::sleep(HELD);
    });
    thread::scope(|scope| {
        scope.spawn(|| *lazy);
        has_begun.recv().unwrap();
        timed(|| *lazy)
    })
}

#[inline(never)]
fn park() -> Duration {
    thread::scope(|scope| {
        let waiter = waiting(scope, || {
            thread::park();
        });
        waiter.thread().unpark();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn rayon_install() -> Duration {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    timed(|| {
        #[inline(never)]
        fn work() {
            thread::sleep(HELD);
        }
        pool.install(work);
    })
}

#[inline(never)]
fn tokio_block_on() -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || runtime.block_on(receiver).unwrap());
        sender.send(()).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn scope() -> Duration {
    timed(|| thread::scope(|scope| drop(scope.spawn(|| thread::sleep(HELD)))))
}

#[inline(never)]
fn join() -> Duration {
    let thread = thread::spawn(|| thread::sleep(HELD));
    timed(|| thread.join().unwrap())
}

#[inline(never)]
fn pthread_mutex() -> Duration {
    struct Lock(std::cell::UnsafeCell<libc::pthread_mutex_t>);
    // SAFETY: for threads to share.
    unsafe impl Sync for Lock {}
    let lock = Lock(libc::PTHREAD_MUTEX_INITIALIZER.into());
    let lock = &lock;
    // SAFETY: a valid mutex, which is locked and unlocked by turns.
    unsafe {
        assert_eq!(libc::pthread_mutex_lock(lock.0.get()), 0);
        thread::scope(|scope| {
            let waiter = waiting(scope, || {
                assert_eq!(libc::pthread_mutex_lock(lock.0.get()), 0);
                assert_eq!(libc::pthread_mutex_unlock(lock.0.get()), 0);
            });
            assert_eq!(libc::pthread_mutex_unlock(lock.0.get()), 0);
            waiter.join().unwrap()
        })
    }
}

#[inline(never)]
fn sleep() -> Duration {
    timed(|| thread::sleep(HELD))
}

#[inline(never)]
fn accept() -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || drop(listener.accept().unwrap()));
        let _stream = TcpStream::connect(address).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn receive() -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || far.read_exact(&mut [0]).unwrap());
        near.write_all(&[1]).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn read_pipe() -> Duration {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || reader.read_exact(&mut [0]).unwrap());
        writer.write_all(&[1]).unwrap();
        waiter.join().unwrap()
    })
}

#[inline(never)]
fn poll() -> Duration {
    let (reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || {
            let mut polled =
                libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry.
            assert_eq!(unsafe { libc::poll(&raw mut polled, 1, -1) }, 1);
        });
        writer.write_all(&[1]).unwrap();
        waiter.join().unwrap()
    })
}
