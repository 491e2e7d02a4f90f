//! What the process does that is hard on profilers.

use std::ffi::CString;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use std::time::{Duration, Instant};

use oxprof::tasks::ProfileFuture;
use oxprof::{cpu, labels};
use tokio::sync::Mutex as AsyncMutex;

pub(crate) fn spin(rounds: u64) -> u64 {
    black_box((0..rounds).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i)))
}

pub(crate) fn threads(n: u64) {
    let workers: Vec<_> =
        (0..8).map(|i| std::thread::spawn(move || spin(n % 7 * 20_000 + i))).collect();
    workers.into_iter().for_each(|w| drop(w.join()));
}

pub(crate) fn registered_threads(n: u64) {
    let worker = std::thread::spawn(move || {
        cpu::register_current_thread();
        spin(n % 5 * 50_000)
    });
    drop(worker.join());
}

pub(crate) fn allocations(n: u64) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for i in 0..500 {
        kept.push(vec![1; (n as usize * 37 + i * i * 13) % 200_000]);
        kept.retain(|v| v.len() % 3 != i % 3);
    }
    black_box(kept);
}

/// A library built once by the system's C compiler; `None` if there is none.
pub(crate) fn library() -> Option<&'static CString> {
    static LIBRARY: std::sync::OnceLock<Option<CString>> = std::sync::OnceLock::new();
    let build = || {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let (source, library) = (directory.join("stress.c"), directory.join("libstress.so"));
        let text = "int work(int n, int (*f)(int)) { volatile int x = n; \
                    for (int i = 0; i < 20000; i++) x = x * 31 + i; return f(x) + 1; }";
        std::fs::write(&source, text).ok()?;
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        let built = cc.status().is_ok_and(|status| status.success());
        built.then(|| CString::new(library.into_os_string().into_encoded_bytes()).ok())?
    };
    LIBRARY.get_or_init(build).as_ref()
}

extern "C" fn called_back(n: i32) -> i32 {
    spin(5_000) as i32 ^ n
}

pub(crate) fn libraries(_: u64) {
    let Some(path) = library() else {
        std::thread::sleep(Duration::from_millis(50));
        return;
    };
    // SAFETY: the library and its function are those built above; it is unloaded after its last use.
    unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!handle.is_null());
        let work = libc::dlsym(handle, c"work".as_ptr());
        assert!(!work.is_null());
        type Work = unsafe extern "C" fn(i32, extern "C" fn(i32) -> i32) -> i32;
        black_box(std::mem::transmute::<*mut libc::c_void, Work>(work)(3, called_back));
        libc::dlclose(handle);
    }
}

pub(crate) fn processes(_: u64) {
    assert!(Command::new("/bin/true").status().is_ok_and(|status| status.success()));
    std::thread::sleep(Duration::from_millis(2));
}

/// Runs `work` in a child of this process; whether that returned true there.
pub(crate) fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child calls nothing but `work`, which the tests keep to what a child of a process with
    // threads may do with glibc, and leaves without running exit handlers.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::_exit(i32::from(!work()));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

pub(crate) fn forks(_: u64) {
    assert!(in_child(|| spin(50_000) > 0));
    std::thread::sleep(Duration::from_millis(2));
}

pub(crate) fn panics(n: u64) {
    #[inline(never)]
    fn deep(n: u64) -> u64 {
        let guard = vec![n; 3];
        if n == 0 {
            std::panic::panic_any(guard);
        }
        deep(n - 1) + guard[0]
    }
    for i in 0..20 {
        assert!(std::panic::catch_unwind(|| deep((n + i) % 30)).is_err());
    }
}

pub(crate) extern "C" fn on_user_signal(_: i32) {
    spin(2_000);
}

pub(crate) fn nested_signals(_: u64) {
    // SAFETY: sends a signal that has a handler to this thread.
    unsafe { libc::raise(libc::SIGUSR1) };
}

pub(crate) fn recursion(n: u64) {
    #[inline(never)]
    fn down(n: u64) -> u64 {
        if n == 0 { spin(1000) } else { black_box(down(n - 1)) + 1 }
    }
    down(n * 7 % 900);
}

/// Threads that wait for each other in all the usual ways, with and without limits.
pub(crate) fn waits(n: u64) {
    let lock = Mutex::new(n);
    let (sender, receiver) = mpsc::sync_channel(1);
    let signal = Arc::new((Mutex::new(false), Condvar::new()));
    std::thread::scope(|scope| {
        for i in 0..3 {
            let (lock, sender, signal) = (&lock, sender.clone(), signal.clone());
            scope.spawn(move || {
                for _ in 0..10 {
                    *lock.lock().unwrap() += spin(500);
                }
                sender.send(i).unwrap();
                let done = signal.0.lock().unwrap();
                let limit = Duration::from_millis(20);
                drop(signal.1.wait_timeout_while(done, limit, |done| !*done).unwrap());
            });
        }
        for _ in 0..3 {
            assert!(receiver.recv_timeout(Duration::from_secs(60)).is_ok());
        }
        *signal.0.lock().unwrap() = true;
        signal.1.notify_all();
    });
}

/// Nanoseconds that the threads of [`contention`] have waited, by their own clocks.
pub(crate) static WAITED: AtomicU64 = AtomicU64::new(0);

/// Calls that wait for other threads. In profiles, all of their waits have this function in their stacks.
#[inline(never)]
pub(crate) fn contended<R>(wait: impl FnOnce() -> R) -> R {
    let begun = Instant::now();
    let result = wait();
    WAITED.fetch_add(begun.elapsed().as_nanos() as u64, Relaxed);
    result
}

/// Threads that fight for locks of all kinds, and hand each other work through channels.
pub(crate) fn contention(n: u64) {
    let mutex = Mutex::new(n);
    let lot = parking_lot::Mutex::new(n);
    let (shared, lot_shared) = (RwLock::new(n), parking_lot::RwLock::new(n));
    let turns = (parking_lot::Mutex::new(0), parking_lot::Condvar::new());
    let (sender, receiver) = mpsc::sync_channel(1);
    let (cross_sender, cross_receiver) = crossbeam_channel::bounded(1);
    std::thread::scope(|scope| {
        for me in 0..3 {
            let (sender, cross_sender) = (sender.clone(), cross_sender.clone());
            let (mutex, lot, shared, lot_shared) = (&mutex, &lot, &shared, &lot_shared);
            let turns = &turns;
            scope.spawn(move || {
                for round in 0..10 {
                    *contended(|| mutex.lock().unwrap()) += spin(300);
                    *contended(|| lot.lock()) += spin(300);
                    if round % 3 == me {
                        *contended(|| shared.write().unwrap()) += spin(100);
                        *contended(|| lot_shared.write()) += spin(100);
                    } else {
                        spin(*contended(|| shared.read().unwrap()) % 100);
                        spin(*contended(|| lot_shared.read()) % 100);
                    }
                    contended(|| sender.send(me).unwrap());
                    contended(|| cross_sender.send(me).unwrap());
                    let mut turn = contended(|| turns.0.lock());
                    while *turn % 3 != me {
                        contended(|| turns.1.wait(&mut turn));
                    }
                    *turn += 1;
                    turns.1.notify_all();
                }
            });
        }
        drop((sender, cross_sender));
        let receive = move || std::iter::from_fn(|| contended(|| receiver.recv().ok())).count();
        let receives = scope.spawn(receive);
        let cross_received =
            std::iter::from_fn(|| contended(|| cross_receiver.recv().ok())).count();
        assert_eq!((contended(|| receives.join().unwrap()), cross_received), (30, 30));
    });
}

/// Work with labels, some of them new each time.
pub(crate) fn labelled(n: u64) {
    labels::with([("job", "labelled"), ("kind", ["a", "b", "c"][n as usize % 3])], || {
        let _inner = labels::scope([("n", n as i64 % 500)]);
        spin(20_000);
        let thread = std::thread::spawn(labels::inherit(|| spin(10_000)));
        assert!(thread.join().is_ok());
    });
}

/// Tasks that wait for each other, one of which is dropped before it is done.
pub(crate) fn tasks(n: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lock = Arc::new(AsyncMutex::new(0));
    let work = |i: u64, sender: tokio::sync::mpsc::Sender<u64>| {
        let lock = Arc::clone(&lock);
        async move {
            for _ in 0..5 {
                *lock.lock().await += spin(200);
                tokio::task::yield_now().await;
            }
            sender.send(i).await.unwrap();
        }
    };
    runtime.block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let never = tokio::spawn(std::future::pending::<()>().profiled_as("never"));
        for i in 0..7 {
            let _scope = labels::scope([("task number", (n + i) as i64 % 100)]);
            oxprof::spawn(work(i, sender.clone()));
        }
        drop(sender);
        while receiver.recv().await.is_some() {}
        never.abort();
        assert!(never.await.is_err());
    });
}
