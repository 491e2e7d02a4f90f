//! All profilers at once, at high rates, while the process does everything that is hard on a profiler.
//!
//! Takes five seconds, or ten minutes with `OXPROF_LONG=1`; `OXPROF_STRESS_SECONDS` says otherwise.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod jobs;
mod observers;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use jobs::{in_child, library, on_user_signal, spin};
use oxprof::contention::Sampling;
use oxprof::cpu::{self, Error, Options};
use oxprof::wall;
use oxprof_profile::Profile;

#[global_allocator]
static ALLOCATOR: oxprof::Heap = oxprof::Heap::system();

static STOP: AtomicBool = AtomicBool::new(false);

/// What is done, over and over, each by a thread of its own; and how often it was.
struct Job {
    name: &'static str,
    done: AtomicU64,
    work: fn(u64),
}

static JOBS: [Job; 20] = [
    Job::new("threads", jobs::threads),
    Job::new("registered threads", jobs::registered_threads),
    Job::new("allocations", jobs::allocations),
    Job::new("libraries", jobs::libraries),
    Job::new("processes", jobs::processes),
    Job::new("forks", jobs::forks),
    Job::new("panics", jobs::panics),
    Job::new("nested signals", jobs::nested_signals),
    Job::new("recursion", jobs::recursion),
    Job::new("waits", jobs::waits),
    Job::new("contention", jobs::contention),
    Job::new("labels", jobs::labelled),
    Job::new("tasks", jobs::tasks),
    Job::new("CPU profiles", observers::cpu),
    Job::new("dumps", observers::dumps),
    Job::new("profiles", observers::all_profiles),
    Job::new("wall-clock profiles", observers::walls),
    Job::new("traces", observers::traces),
    Job::new("profiles of contention", observers::contention),
    Job::new("entries", observers::entries),
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

fn length() -> Duration {
    let seconds = std::env::var("OXPROF_STRESS_SECONDS").ok().and_then(|s| s.parse().ok());
    let usual = if std::env::var_os("OXPROF_LONG").is_some() { 600 } else { 5 };
    Duration::from_secs(seconds.unwrap_or(usual))
}

/// Tables of stacks fill, and captures get larger, up to this; what leaks does not stop there.
const MOST_GROWTH: u64 = 256 << 20;

/// What a process may leak.
#[derive(Debug)]
struct Held {
    /// Memory in RAM, in bytes.
    resident: u64,
    descriptors: u64,
    mappings: u64,
}

impl Held {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            resident: kilobytes << 10,
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count() as u64,
            mappings: maps.lines().count() as u64,
        }
    }

    /// Tables of stacks fill, and captures get larger, up to a limit; what leaks does not stop there. Descriptors and
    /// threads, whose stacks are mappings, come and go.
    fn check(&self, half_way: &Self) {
        eprintln!("half-way {half_way:?}, at the end {self:?}");
        assert!(self.resident < half_way.resident + MOST_GROWTH);
        assert!(self.descriptors < half_way.descriptors + 100);
        assert!(self.mappings < half_way.mappings + 1000);
    }
}

#[test]
fn nothing_breaks_and_nothing_is_lost() {
    let length = length();
    oxprof::heap::set_rate(16 << 10);
    let sampling = Sampling::new().block(1).mutex(1).start();
    // Giving names at the end takes a while on a machine that has much else to do.
    watch(length * 2 + Duration::from_secs(300));
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<Vec<u64>>().is_none() {
            eprintln!("{info}");
        }
    }));
    // SAFETY: the handler only computes.
    unsafe { libc::signal(libc::SIGUSR1, on_user_signal as *const () as usize) };
    let (before, capture) = (process_cpu(), cpu::start(Options::default().hz(1000)).unwrap());
    let whole = wall::start(wall::Options::default().hz(500)).unwrap();
    let profile = std::thread::scope(|scope| {
        let jobs: Vec<_> = JOBS.iter().map(|job| scope.spawn(|| job.run())).collect();
        std::thread::sleep(length / 2);
        let half_way = Held::now();
        std::thread::sleep(length / 2);
        Held::now().check(&half_way);
        check_threads(&whole.finish().unwrap());
        STOP.store(true, Relaxed);
        jobs.into_iter().for_each(|job| job.join().unwrap());
        capture.finish().unwrap()
    });
    drop(sampling);
    check_contention();
    report(&profile, process_cpu() - before);
}

/// What threads have waited is there, and no more; and no more of it is charged to who ended the waits.
fn check_contention() {
    let nanos = |name: &str| {
        let profile = oxprof::lookup(name).expect("hooks are here").profile();
        let named = |line: &oxprof_profile::Line| {
            let function = &profile.functions[line.function.index()];
            profile.str(function.name).starts_with("stress::jobs::contended")
        };
        let samples = profile.samples.iter();
        let ours =
            samples.filter(|s| s.stack.iter().any(|&l| profile.lines_of(l).iter().any(named)));
        (ours.map(|s| s.values[1]).sum::<i64>() as u64, observers::total(&profile, 1) as u64)
    };
    let ((block, all), (_, mutex), (_, wakeup)) = (nanos("block"), nanos("mutex"), nanos("wakeup"));
    let waited = jobs::WAITED.load(Relaxed);
    eprintln!(
        "{waited} ns around calls that wait, {block} in block; of all {all} there, {mutex} in mutex, {wakeup} in wakeup"
    );
    assert!(block <= waited && block > waited / 10, "{block} of {waited}");
    assert!(mutex + wakeup <= all && mutex > 0 && wakeup > 0, "{mutex} + {wakeup} of {all}");
}

/// The time in a wall-clock profile is that of as many threads as there are jobs, and more.
fn check_threads(profile: &Profile) {
    let lived: i64 = profile.samples.iter().map(|sample| sample.values[1]).sum();
    let threads = lived as f64 / profile.duration_nanos as f64;
    eprintln!("{threads:.1} threads at a time, by wall-clock time");
    assert!(threads > JOBS.len() as f64, "{threads}");
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
    // Where others want the CPU the collector comes late.
    let lost = seconds(profile, Some("[lost]")) / total;
    assert!(lost < 0.01, "{lost} of all is lost");
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
