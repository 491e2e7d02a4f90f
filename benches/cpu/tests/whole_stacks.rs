//! On a default release build with regex, serde_json, rayon and tokio, stacks reach the thread's root.
//! Run with `--release`. `OXPROF_LONG=1` takes ten times as long.

use std::time::{Duration, Instant};

use oxprof::cpu::{self, Options};
use oxprof_profile::Profile;

/// CPU time in samples with a frame of this name, or in all.
fn nanos(profile: &Profile, name: Option<&str>) -> i64 {
    let named = |l: &oxprof_profile::Line| {
        name.is_none_or(|n| profile.str(profile.functions[l.function.index()].name).contains(n))
    };
    let holds = |stack: &[oxprof_profile::LocationIdx]| {
        name.is_none() || stack.iter().any(|&l| profile.lines_of(l).iter().any(named))
    };
    profile.samples.iter().filter(|s| holds(s.stack)).map(|s| s.values[1]).sum()
}

#[test]
fn stacks_reach_the_root() {
    let long = std::env::var_os("OXPROF_LONG").is_some();
    let each = Duration::from_secs(if long { 20 } else { 2 });
    let (mut all, mut broken) = (0, 0);
    for (name, work) in oxprof_bench_cpu::KINDS {
        let capture = cpu::start(Options::default().hz(1000)).unwrap();
        let start = Instant::now();
        let mut n = 0;
        while start.elapsed() < each {
            work(n);
            n += 1;
        }
        let profile = capture.finish().unwrap();
        let total = nanos(&profile, None) - nanos(&profile, Some("[unattributed]"));
        let incomplete =
            nanos(&profile, Some("[incomplete]")) + nanos(&profile, Some("[truncated]"));
        let depth: usize = profile.samples.iter().map(|s| s.stack.len()).sum();
        eprintln!(
            "{name}: {:.2} s, {} stacks of {:.1} frames, {:.3} % whole",
            total as f64 / 1e9,
            profile.samples.len(),
            depth as f64 / profile.samples.len() as f64,
            100.0 - 100.0 * incomplete as f64 / total as f64
        );
        assert!(nanos(&profile, Some("[lost]")) == 0);
        all += total;
        broken += incomplete;
    }
    assert!(broken as f64 / all as f64 <= 0.001, "{broken} ns of {all} not whole");
}
