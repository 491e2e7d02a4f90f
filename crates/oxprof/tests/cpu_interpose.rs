//! With the feature `pthread-create`, threads are profiled from their first instruction.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::hint::black_box;
use std::time::Duration;

use oxprof::cpu::{self, Options};

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Much less than the time between two scans, enough for a tick or two.
#[inline(never)]
fn short_lived() {
    while thread_cpu() < Duration::from_millis(12) {
        black_box((0..1000).fold(1u64, |x, i| black_box(x * 31 % 1_000_003 + i)));
    }
}

#[test]
fn short_threads_have_stacks() {
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    for _ in 0..60 {
        std::thread::spawn(short_lived).join().unwrap();
    }
    let profile = capture.finish().unwrap();
    let cpu_in = |wanted: &str| -> i64 {
        let named = |l: &oxprof_profile::Line| {
            profile.str(profile.functions[l.function.index()].name).contains(wanted)
        };
        let holds = |s: &oxprof_profile::Sample<'_>| {
            s.stack.iter().any(|&location| profile.lines_of(location).iter().any(named))
        };
        profile.samples.iter().filter(holds).map(|s| s.values[1]).sum()
    };
    let (seen, missed) = (cpu_in("short_lived"), cpu_in("[before attach]"));
    eprintln!("{seen} ns with stacks, {missed} ns before attach, of 720000000 ns");
    // What a thread runs after its last tick has no stack, and with ticks 4 ms apart that is a good part here.
    assert!(seen > 200_000_000, "{seen}");
    assert!(missed <= 20_000_000, "{missed}");
}
