//! CPU profiles of this process.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::hint::black_box;
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

#[test]
fn a_busy_function_is_seen() {
    let capture = cpu::start(Options::default().hz(250)).unwrap();
    spin_here(Duration::from_millis(500));
    let profile = capture.finish().unwrap();
    let share = share(&profile, "cpu::spin_here");
    assert!(
        share > 0.5,
        "{share}: {:?}",
        (0..profile.samples.len()).map(|i| names(&profile, i)).collect::<Vec<_>>()
    );
}

#[test]
fn rates_out_of_range_are_refused() {
    for hz in [0, 1001] {
        let error = cpu::start(Options::default().hz(hz)).map(drop).unwrap_err();
        assert!(matches!(error, Error::Rate { .. }));
        assert_eq!(error.to_string(), format!("hz must be from 1 to 1000, not {hz}"));
    }
}
