//! CPU profiles of this process.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use oxprof::cpu::{self, Error, Options};
use oxprof_profile::Profile;

#[inline(never)]
fn spin_here(duration: Duration) -> u64 {
    let (start, mut x) = (Instant::now(), 1u64);
    while start.elapsed() < duration {
        for _ in 0..1000 {
            x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
    x
}

/// Names of a sample's frames, leaf first.
fn names(profile: &Profile, sample: usize) -> Vec<&str> {
    let stack = profile.samples.stack(sample);
    let lines = stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|line| profile.str(profile.functions[line.function.index()].name)).collect()
}

/// Share of CPU time in samples one of whose frames is in a function with this name.
fn share(profile: &Profile, name: &str) -> f64 {
    let cpu = |sample: usize| profile.samples.values(sample)[1];
    let all: i64 = (0..profile.samples.len()).map(cpu).sum();
    let holds = |sample: &usize| names(profile, *sample).iter().any(|n| n.ends_with(name));
    let with: i64 = (0..profile.samples.len()).filter(holds).map(cpu).sum();
    with as f64 / all as f64
}

/// Sums of both values.
fn totals(profile: &Profile) -> (i64, i64) {
    profile.samples.iter().fold((0, 0), |(a, b), s| (a + s.values[0], b + s.values[1]))
}

fn after(capture: cpu::Capture, work: impl FnOnce()) -> Profile {
    work();
    capture.finish().unwrap()
}

fn start(hz: u32) -> cpu::Capture {
    cpu::start(Options::default().hz(hz)).unwrap()
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
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_busy_function_is_seen() {
    let profile = after(start(250), || _ = spin_here(Duration::from_millis(500)));
    let share = share(&profile, "cpu::spin_here");
    assert!(share > 0.5, "{share}");
    let (samples, nanos) = totals(&profile);
    assert_eq!((profile.period, samples * profile.period), (4_000_000, nanos));
}

#[test]
fn profiles_look_like_gos() {
    let profile = after(start(100), || _ = spin_here(Duration::from_millis(200)));
    let kind = |t: &oxprof_profile::ValueType| (profile.str(t.kind), profile.str(t.unit));
    let types: Vec<_> = profile.sample_types.iter().map(kind).collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert_eq!((kind(&profile.period_type), profile.period), (("cpu", "nanoseconds"), 10_000_000));
    assert!(profile.time_nanos > 0 && profile.duration_nanos >= 200_000_000);
    for (i, mapping) in profile.mappings.iter().enumerate() {
        assert_eq!(mapping.id, i as u64 + 1);
        assert!(mapping.start < mapping.limit && !mapping.file.is_empty());
    }
    let program = std::env::current_exe().unwrap();
    let own = |m: &&oxprof_profile::Mapping| profile.str(m.file) == program.to_str().unwrap();
    let own = profile.mappings.first().filter(own).expect("the program comes first");
    assert!(own.has_functions && profile.str(own.build_id).len() >= 16);
    for (i, location) in profile.locations.iter().enumerate() {
        assert_eq!(location.id, i as u64 + 1);
        assert_ne!(location.address, 0);
    }
    for (i, function) in profile.functions.iter().enumerate() {
        assert_eq!(function.id, i as u64 + 1);
        let (name, system_name) = (profile.str(function.name), profile.str(function.system_name));
        assert!(!name.contains("::") || name != system_name, "{name} would be cut by pprof");
    }
}

#[test]
fn stacks_are_whole_and_named() {
    let profile = after(start(1000), || _ = spin_here(Duration::from_millis(200)));
    let deepest =
        (0..profile.samples.len()).map(|i| names(&profile, i)).max_by_key(Vec::len).unwrap();
    let position = |name: &str| deepest.iter().position(|n| n.ends_with(name));
    let (leaf, test) = (position("cpu::spin_here"), position("cpu::stacks_are_whole_and_named"));
    assert!(leaf.is_some() && leaf < test, "{deepest:#?}");
    assert!(deepest.last().unwrap().contains("thread_start") || deepest.len() > 10, "{deepest:#?}");
}

/// A slow and a fast capture share the timers; both tell the same CPU time at their own rates.
#[test]
fn captures_at_different_rates_agree() {
    let (slow, fast) = (start(50), start(1000));
    spin_here(Duration::from_millis(1000));
    let (slow, fast) = (slow.finish().unwrap(), fast.finish().unwrap());
    assert_eq!((slow.period, fast.period), (20_000_000, 1_000_000));
    let ((slow_count, slow_nanos), (fast_count, fast_nanos)) = (totals(&slow), totals(&fast));
    assert_eq!((slow_count * 20_000_000, fast_count * 1_000_000), (slow_nanos, fast_nanos));
    // Other tests of this process run beside and are in both.
    let difference = (slow_nanos - fast_nanos).abs() as f64;
    assert!(difference < 0.1 * fast_nanos as f64 + 6e7, "{slow_nanos} and {fast_nanos} ns");
}

#[test]
fn a_capture_runs_for_a_time() {
    let before = Instant::now();
    let profile = wait(start(100).run_for(Duration::from_millis(150))).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(150));
    assert!((150_000_000..5_000_000_000).contains(&profile.duration_nanos));
}

#[test]
fn dropped_captures_and_futures_cancel() {
    drop(start(100));
    drop(start(100).run_for(Duration::from_secs(3600)));
    let mut future = Box::pin(start(100).run_for(Duration::from_secs(3600)));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_file_is_written() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpu.pb.gz");
    let guard = cpu::start_to_file(&path).unwrap();
    spin_here(Duration::from_millis(100));
    guard.finish().unwrap();
    let profile = oxprof_profile::decode(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((profile.sample_types.len(), profile.period), (2, 10_000_000));
    let error = cpu::start_to_file("/nowhere/cpu.pb.gz").map(drop).unwrap_err();
    assert!(error.to_string().starts_with("could not write the profile to /nowhere/cpu.pb.gz: "));
}

/// Threads much shorter than the time between scans have stacks if they register.
#[test]
fn registered_threads_are_seen_from_their_start() {
    #[inline(never)]
    fn registered() {
        cpu::register_current_thread();
        spin_here(Duration::from_millis(20));
    }
    let profile = after(start(1000), || {
        for _ in 0..20 {
            std::thread::spawn(registered).join().unwrap();
        }
    });
    assert!(share(&profile, "registered") > 0.1);
}

#[test]
fn rates_out_of_range_are_refused() {
    for hz in [0, 1001] {
        let error = cpu::start(Options::default().hz(hz)).map(drop).unwrap_err();
        assert!(matches!(error, Error::Rate { .. }));
        assert_eq!(error.to_string(), format!("hz must be from 1 to 1000, not {hz}"));
    }
}
