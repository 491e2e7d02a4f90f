//! Profiling at the highest rate while the process does everything that is hard on a profiler.
//!
//! Takes three seconds; `OXPROF_STRESS_SECONDS` says otherwise.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::ffi::CString;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use oxprof::cpu::{self, Error, Options};
use oxprof_profile::Profile;

static STOP: AtomicBool = AtomicBool::new(false);

/// What is done, over and over, each by a thread of its own; and how often it was.
struct Job {
    name: &'static str,
    done: AtomicU64,
    work: fn(u64),
}

static JOBS: [Job; 10] = [
    Job::new("threads", threads),
    Job::new("registered threads", registered_threads),
    Job::new("allocations", allocations),
    Job::new("libraries", libraries),
    Job::new("processes", processes),
    Job::new("forks", forks),
    Job::new("panics", panics),
    Job::new("nested signals", nested_signals),
    Job::new("recursion", recursion),
    Job::new("captures", captures),
];

impl Job {
    const fn new(name: &'static str, work: fn(u64)) -> Self {
        Self { name, done: AtomicU64::new(0), work }
    }

    fn run(&self) {
        while !STOP.load(Relaxed) {
            (self.work)(self.done.fetch_add(1, Relaxed));
        }
    }
}

fn spin(rounds: u64) -> u64 {
    black_box((0..rounds).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i)))
}

fn threads(n: u64) {
    let workers: Vec<_> =
        (0..8).map(|i| std::thread::spawn(move || spin(n % 7 * 20_000 + i))).collect();
    workers.into_iter().for_each(|w| drop(w.join()));
}

fn registered_threads(n: u64) {
    let worker = std::thread::spawn(move || {
        cpu::register_current_thread();
        spin(n % 5 * 50_000)
    });
    drop(worker.join());
}

fn allocations(n: u64) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for i in 0..500 {
        kept.push(vec![1; (n as usize * 37 + i * i * 13) % 200_000]);
        kept.retain(|v| v.len() % 3 != i % 3);
    }
    black_box(kept);
}

/// A library built once by the system's C compiler; `None` if there is none.
fn library() -> Option<&'static CString> {
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

fn libraries(_: u64) {
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

fn processes(_: u64) {
    assert!(Command::new("/bin/true").status().is_ok_and(|status| status.success()));
    std::thread::sleep(Duration::from_millis(2));
}

/// Runs `work` in a child of this process; whether that returned true there.
fn in_child(work: impl FnOnce() -> bool) -> bool {
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

fn forks(_: u64) {
    assert!(in_child(|| spin(50_000) > 0));
    std::thread::sleep(Duration::from_millis(2));
}

fn panics(n: u64) {
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

extern "C" fn on_user_signal(_: i32) {
    spin(2_000);
}

fn nested_signals(_: u64) {
    // SAFETY: sends a signal that has a handler to this thread.
    unsafe { libc::raise(libc::SIGUSR1) };
}

fn recursion(n: u64) {
    #[inline(never)]
    fn down(n: u64) -> u64 {
        if n == 0 { spin(1000) } else { black_box(down(n - 1)) + 1 }
    }
    down(n * 7 % 900);
}

/// Captures of all kinds, also cancelled ones, come and go beside the long one.
fn captures(n: u64) {
    let capture = cpu::start(Options::default().hz([19, 100, 997, 1000][n as usize % 4])).unwrap();
    std::thread::sleep(Duration::from_millis(n % 13));
    match n % 4 {
        0 => drop(capture.finish().unwrap()),
        1 => drop(capture),
        2 => {
            let mut future = Box::pin(capture.run_for(Duration::from_secs(3600)));
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        _ => drop(wait(capture.run_for(Duration::from_millis(n % 20))).unwrap()),
    }
}

/// Runs a future to its end in this thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn process_cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds in all samples, and in those with a frame of this name.
fn seconds(profile: &Profile, name: Option<&str>) -> f64 {
    let named = |l: &oxprof_profile::Line| {
        name.is_none_or(|n| profile.str(profile.functions[l.function.index()].name) == n)
    };
    let holds = |stack: &[oxprof_profile::LocationIdx]| {
        name.is_none() || stack.iter().any(|&l| profile.lines_of(l).iter().any(named))
    };
    let nanos: i64 = profile.samples.iter().filter(|s| holds(s.stack)).map(|s| s.values[1]).sum();
    nanos as f64 / 1e9
}

/// Ends the process if the test hangs: a test harness would wait for ever.
fn watch(limit: Duration) {
    std::thread::spawn(move || {
        let start = Instant::now();
        while start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("hangs after {limit:?}");
        std::process::abort();
    });
}

#[test]
fn nothing_breaks_and_nothing_is_lost() {
    let length = std::env::var("OXPROF_STRESS_SECONDS").ok().and_then(|s| s.parse().ok());
    let length = Duration::from_secs(length.unwrap_or(3));
    watch(length * 2 + Duration::from_secs(60));
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<Vec<u64>>().is_none() {
            eprintln!("{info}");
        }
    }));
    // SAFETY: the handler only computes.
    unsafe { libc::signal(libc::SIGUSR1, on_user_signal as *const () as usize) };
    let (before, capture) = (process_cpu(), cpu::start(Options::default().hz(1000)).unwrap());
    let profile = std::thread::scope(|scope| {
        let jobs: Vec<_> = JOBS.iter().map(|job| scope.spawn(|| job.run())).collect();
        std::thread::sleep(length);
        STOP.store(true, Relaxed);
        jobs.into_iter().for_each(|job| job.join().unwrap());
        capture.finish().unwrap()
    });
    report(&profile, process_cpu() - before);
}

fn report(profile: &Profile, used: f64) {
    let total = seconds(profile, None);
    eprintln!(
        "{used:.2} CPU seconds, {total:.2} in the profile; {} stacks; of it:",
        profile.samples.len()
    );
    for name in ["[before attach]", "[lost]", "[unattributed]", "[truncated]", "[incomplete]"] {
        eprintln!("  {name} {:.2} %", 100.0 * seconds(profile, Some(name)) / total);
    }
    for job in &JOBS {
        eprintln!("  {} {}", job.done.load(Relaxed), job.name);
        let possible = job.name != "libraries" || library().is_some();
        assert!(job.done.load(Relaxed) > 0 && possible, "{} did not run", job.name);
    }
    // All is in the profile but the profiler's own threads, which name functions without optimisation here.
    assert!((0.50..1.05).contains(&(total / used)), "{total} of {used}");
    assert!(seconds(profile, Some("[lost]")) / total < 0.001);
    let unseen =
        seconds(profile, Some("[before attach]")) + seconds(profile, Some("[unattributed]"));
    assert!(unseen / total < 0.60, "{unseen} of {total} without stacks");
    assert!(seconds(profile, Some("[incomplete]")) / total < 0.05);
}

#[test]
fn a_child_starts_from_nothing() {
    let capture = cpu::start(Options::default().hz(500)).unwrap();
    let ok = in_child(move || {
        let inherited = matches!(capture.finish(), Err(Error::Forked));
        let own = cpu::start(Options::default().hz(500)).unwrap();
        let start = process_cpu();
        while process_cpu() - start < 0.2 {
            spin(10_000);
        }
        let profile = own.finish().unwrap();
        let seen = seconds(&profile, None);
        inherited && (0.1..0.4).contains(&seen)
    });
    assert!(ok);
}
