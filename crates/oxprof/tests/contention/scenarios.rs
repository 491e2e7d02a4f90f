//! Waits of all kinds: each is there as long as it was, under its category, and charged to who ended it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Barrier, Condvar, LazyLock, Mutex, Once, RwLock, mpsc};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::{HELD, block, named, sample_all, sums, timed};

/// Makes threads wait, and says for how long.
type Scenario = fn() -> Truth;

/// What those know of a wait who were there.
#[derive(Clone, Copy, Debug)]
struct Truth {
    /// From when it began until its thread ran again.
    waited: Bounds,
    /// From when it began until somebody ended it.
    charged: Bounds,
}

/// What a time was at least, and at most. On a quiet machine that is nearly the same.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    least: Duration,
    most: Duration,
}

impl Bounds {
    /// Clocks and samples may be off by this: 2 %, or what a machine of unknown pace may add to a short wait.
    fn margin(self) -> Duration {
        self.most / if is_long() { 50 } else { 10 }
    }

    fn hold(self, time: Duration) -> bool {
        self.least <= time + self.margin() && time <= self.most + self.margin()
    }

    fn are_close(self) -> bool {
        self.most - self.least <= self.margin()
    }

    fn and(self, other: Self) -> Self {
        Self { least: self.least + other.least, most: self.most + other.most }
    }
}

impl Truth {
    /// Of a wait that nobody ends whom the scenario could ask.
    fn alone(waited: Bounds) -> Self {
        Self { waited, charged: waited }
    }

    /// Of a wait that began after `begun`, and was ended between two times.
    fn ended(begun: Instant, waited: Bounds, [from, to]: [Instant; 2]) -> Self {
        let least = waited.least.saturating_sub(to - from);
        let charged = Bounds { least, most: (to - begun).max(least) };
        Self { waited, charged }
    }
}

/// Waits, and says how long: at most as long as it took, at least as long as the thread was asleep by the kernel's account:
/// not on the CPU, and not ready for it.
fn watched(wait: impl FnOnce()) -> Bounds {
    let before = (awake(), Instant::now());
    wait();
    let most = before.1.elapsed();
    let least = awake().zip(before.0).map(|(after, before)| most.saturating_sub(after - before));
    Bounds { least: least.unwrap_or_default(), most }
}

/// For how long the calling thread has been on the CPU, or ready for it; `None` if the kernel does not say.
fn awake() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ready = Duration::from_nanos(stat.split_whitespace().nth(1)?.parse().ok()?);
    let mut cpu = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut cpu) };
    Some(ready + Duration::new(cpu.tv_sec.cast_unsigned(), cpu.tv_nsec as u32))
}

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
    ("join", "meet", std_barrier),
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

/// Checks that of `profile`, what came of a scenario is as long as those know who were there: as closely as [`Bounds::margin`]
/// says where what they know is as good as that. On a busy machine it is not, and one look from further away must do.
fn check(profile: &str, category: &str, name: &str, scenario: Scenario) {
    const TRIES: u32 = 10;
    sample_all();
    let function = format!("contention::scenarios::{name}");
    let now = || match profile {
        "block" => sums(&block(false), &function, category),
        _ => sums(&named(profile), &function, category),
    };
    let (mut tries, mut is_true, mut is_closely_false) = (Vec::new(), false, false);
    for _ in 0..TRIES {
        let before = now();
        let truth = scenario();
        let after = now();
        let bounds = if profile == "block" { truth.waited } else { truth.charged };
        let (count, delay) = (after.0 - before.0, after.1 - before.1);
        let fits = count >= 1 && bounds.hold(delay);
        if fits && bounds.are_close() {
            return;
        }
        is_true |= fits;
        is_closely_false |= bounds.are_close();
        tries.push((count, delay, bounds));
    }
    assert!(is_true && !is_closely_false, "{profile} of {name}: {tries:?}");
    eprintln!("{profile} of {name}: the machine is too busy for a close look: {tries:?}");
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
    fn scenario() -> Truth {
        let mutex = Mutex::new(());
        let held = mutex.lock().unwrap();
        let (waited, unlocking) = thread::scope(|scope| {
            let each = || {
                let mut guard = None;
                let waited = watched(|| guard = Some(mutex.lock().unwrap()));
                thread::sleep(HELD);
                (waited, timed(|| drop(guard)))
            };
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
            thread::sleep(HELD);
            let unlocking = timed(|| drop(held));
            let add =
                |(waited, unlocking): (Bounds, Duration), (w, u)| (waited.and(w), unlocking + u);
            let all = waiters.into_iter().map(|waiter| waiter.join().unwrap());
            all.fold((Bounds::default(), unlocking), add)
        });
        // Whoever is slow to unlock makes all the others wait.
        let least = waited.least.saturating_sub(4 * unlocking);
        Truth { waited, charged: Bounds { least, ..waited } }
    }
    let name = "the_time_of_all_waiters_is_charged_once";
    check("block", "lock", name, scenario);
    check("mutex", "lock", name, scenario);
}

/// A thread that waits.
struct Waiter<'scope>(ScopedJoinHandle<'scope, (Instant, Bounds)>);

/// Spawns who waits by `wait`, and lets him: once he is asleep, which may take a while where others want the CPU, since many locks
/// let others run a few times before.
fn waiting<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    wait: impl FnOnce() + Send + 'scope,
) -> Waiter<'scope> {
    let (tell, told) = mpsc::channel();
    let waiter = scope.spawn(move || {
        // SAFETY: has no preconditions.
        tell.send(unsafe { libc::gettid() }).unwrap();
        (Instant::now(), watched(wait))
    });
    let tid = told.recv().unwrap();
    let limit = Instant::now() + Duration::from_secs(5);
    while !is_asleep(tid) && Instant::now() < limit {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(HELD);
    Waiter(waiter)
}

fn is_asleep(tid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

impl Waiter<'_> {
    /// Ends the wait.
    fn end<R>(self, end: impl FnOnce() -> R) -> Truth {
        let from = Instant::now();
        end();
        self.ended([from, Instant::now()])
    }

    /// The wait was ended between two times.
    fn ended(self, ended: [Instant; 2]) -> Truth {
        let (begun, waited) = self.0.join().unwrap();
        Truth::ended(begun, waited, ended)
    }
}

#[inline(never)]
fn std_mutex() -> Truth {
    let lock = Mutex::new(());
    let held = lock.lock().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.lock().unwrap()));
        waiter.end(|| drop(held))
    })
}

#[inline(never)]
fn std_rwlock_read() -> Truth {
    let lock = RwLock::new(());
    let held = lock.write().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.read().unwrap()));
        waiter.end(|| drop(held))
    })
}

#[inline(never)]
fn std_rwlock_write() -> Truth {
    let lock = RwLock::new(());
    let held = lock.read().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.write().unwrap()));
        waiter.end(|| drop(held))
    })
}

#[inline(never)]
fn parking_lot_mutex() -> Truth {
    let lock = parking_lot::Mutex::new(());
    let held = lock.lock();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.lock()));
        waiter.end(|| drop(held))
    })
}

#[inline(never)]
fn parking_lot_rwlock() -> Truth {
    let lock = parking_lot::RwLock::new(());
    let held = lock.read();
    thread::scope(|scope| {
        let waiter = waiting(scope, || drop(lock.write()));
        waiter.end(|| drop(held))
    })
}

#[inline(never)]
fn std_condvar() -> Truth {
    let (lock, condvar) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let wait = || drop(condvar.wait_while(lock.lock().unwrap(), |is_done| !*is_done).unwrap());
        let waiter = waiting(scope, wait);
        *lock.lock().unwrap() = true;
        waiter.end(|| condvar.notify_one())
    })
}

#[inline(never)]
fn condvar_timeout() -> Truth {
    let (lock, condvar) = (Mutex::new(()), Condvar::new());
    Truth::alone(watched(|| condvar.wait_timeout(lock.lock().unwrap(), HELD).map(drop).unwrap()))
}

#[inline(never)]
fn parking_lot_condvar() -> Truth {
    let (lock, condvar) = (parking_lot::Mutex::new(()), parking_lot::Condvar::new());
    thread::scope(|scope| {
        let waiter = waiting(scope, || condvar.wait(&mut lock.lock()));
        waiter.end(|| condvar.notify_one())
    })
}

#[inline(never)]
fn mpsc_recv() -> Truth {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || receiver.recv().unwrap());
        waiter.end(|| sender.send(()).unwrap())
    })
}

#[inline(never)]
fn sync_channel_send() -> Truth {
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        let waiter = waiting(scope, move || sender.send(()).unwrap());
        waiter.end(|| receiver.recv().unwrap())
    })
}

#[inline(never)]
fn crossbeam_recv() -> Truth {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        let waiter = waiting(scope, move || receiver.recv().unwrap());
        waiter.end(|| sender.send(()).unwrap())
    })
}

#[inline(never)]
fn crossbeam_recv_timeout() -> Truth {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        let wait = move || receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        let waiter = waiting(scope, wait);
        waiter.end(|| sender.send(()).unwrap())
    })
}

#[inline(never)]
fn std_barrier() -> Truth {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let waiter = waiting(scope, || meet(&barrier));
        waiter.end(|| meet(&barrier))
    })
}

/// Waits at the barrier, in a function of its own: that the scenario joins its thread is of the same category.
#[inline(never)]
fn meet(barrier: &Barrier) {
    std::hint::black_box(barrier.wait());
}

#[inline(never)]
fn std_once() -> Truth {
    let once = Once::new();
    thread::scope(|scope| {
        let mut waiter = None;
        once.call_once(|| {
            let thread = waiting(scope, || once.call_once(|| ()));
            waiter = Some((thread, Instant::now()));
        });
        let ended = Instant::now();
        let (waiter, from) = waiter.unwrap();
        waiter.ended([from, ended])
    })
}

#[inline(never)]
fn lazy_lock() -> Truth {
    let (begun, has_begun) = mpsc::channel();
    let lazy = LazyLock::new(move || {
        begun.send(()).unwrap();
        thread::sleep(HELD);
        Instant::now()
    });
    thread::scope(|scope| {
        let makes = scope.spawn(|| {
            let made = *lazy;
            [made, Instant::now()]
        });
        has_begun.recv().unwrap();
        let begun = Instant::now();
        let waited = watched(|| _ = *lazy);
        Truth::ended(begun, waited, makes.join().unwrap())
    })
}

#[inline(never)]
fn park() -> Truth {
    thread::scope(|scope| {
        let waiter = waiting(scope, || {
            thread::park();
        });
        let thread = waiter.0.thread().clone();
        waiter.end(|| thread.unpark())
    })
}

#[inline(never)]
fn rayon_install() -> Truth {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    Truth::alone(watched(|| {
        #[inline(never)]
        fn work() {
            thread::sleep(HELD);
        }
        pool.install(work);
    }))
}

#[inline(never)]
fn tokio_block_on() -> Truth {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || runtime.block_on(receiver).unwrap());
        waiter.end(|| sender.send(()).unwrap())
    })
}

#[inline(never)]
fn scope() -> Truth {
    Truth::alone(watched(|| thread::scope(|scope| drop(scope.spawn(|| thread::sleep(HELD))))))
}

#[inline(never)]
fn join() -> Truth {
    let thread = thread::spawn(|| thread::sleep(HELD));
    Truth::alone(watched(|| thread.join().unwrap()))
}

#[inline(never)]
fn pthread_mutex() -> Truth {
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
            waiter.end(|| assert_eq!(libc::pthread_mutex_unlock(lock.0.get()), 0))
        })
    }
}

#[inline(never)]
fn sleep() -> Truth {
    Truth::alone(watched(|| thread::sleep(HELD)))
}

#[inline(never)]
fn accept() -> Truth {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || drop(listener.accept().unwrap()));
        waiter.end(|| TcpStream::connect(address).unwrap())
    })
}

#[inline(never)]
fn receive() -> Truth {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || far.read_exact(&mut [0]).unwrap());
        waiter.end(|| near.write_all(&[1]).unwrap())
    })
}

#[inline(never)]
fn read_pipe() -> Truth {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, move || reader.read_exact(&mut [0]).unwrap());
        waiter.end(|| writer.write_all(&[1]).unwrap())
    })
}

#[inline(never)]
fn poll() -> Truth {
    let (reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        let waiter = waiting(scope, || {
            let mut polled =
                libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry.
            assert_eq!(unsafe { libc::poll(&raw mut polled, 1, -1) }, 1);
        });
        waiter.end(|| writer.write_all(&[1]).unwrap())
    })
}
