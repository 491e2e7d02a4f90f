//! Who looks at the process meanwhile.

use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};
use std::time::Duration;

use oxprof::contention::{self, BlockView, Sampling};
use oxprof::cpu::{self, Options};
use oxprof::custom::CustomProfile;
use oxprof::trace::{self, FlightRecorder};
use oxprof::{Gauges, wall};
use oxprof_profile::Profile;

use crate::STOP;

/// Captures of all kinds, also cancelled ones, come and go beside the long one.
pub(crate) fn cpu(n: u64) {
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
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
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

pub(crate) fn total(profile: &Profile, column: usize) -> i64 {
    profile.samples.iter().map(|sample| sample.values[column]).sum()
}

/// Dumps of all threads and tasks, as profiles and as text.
pub(crate) fn dumps(n: u64) {
    let name = ["threads", "goroutine"][n as usize % 2];
    let profile = oxprof::lookup(name).expect("there is always one");
    match n / 2 % 3 {
        0 => assert!(profile.text().starts_with(&format!("{name} profile: total "))),
        1 => assert!(profile.text_of_each().contains("goroutine ")),
        _ => {
            let count = total(&profile.profile(), 0);
            // This thread, the main thread, and those of the other jobs; at the end they leave before us.
            assert!(count >= 10 || STOP.load(Relaxed), "{count} in {name}");
        }
    }
}

/// Every profile that is always being taken, in every form.
pub(crate) fn all_profiles(n: u64) {
    let profiles = oxprof::profiles();
    let profile = profiles[n as usize % profiles.len()];
    let baseline = profile.baseline();
    for debug in [0, 1, 2] {
        let mut written = Vec::new();
        profile.write_to(&mut written, debug).unwrap();
        // There may be no task at the time, of which there is then nothing to say.
        let may_be_empty = (profile.name(), debug) == ("tasks", 2);
        assert!(may_be_empty || !written.is_empty(), "{} {debug}", profile.name());
    }
    drop(baseline.profile([Gauges::Keep, Gauges::Subtract][n as usize % 2]));
}

/// Wall-clock profiles, some of them cancelled.
pub(crate) fn walls(n: u64) {
    let capture = wall::start(wall::Options::default().hz([99, 1000][n as usize % 2])).unwrap();
    std::thread::sleep(Duration::from_millis(n % 50));
    if n.is_multiple_of(3) {
        return drop(capture);
    }
    let profile = capture.finish().unwrap();
    // Many threads are there all the time, so their time is several times that of the capture.
    assert!(total(&profile, 1) >= 5 * profile.duration_nanos, "{}", profile.duration_nanos);
}

/// Traces, some of them dropped half-way, and a recorder that keeps the last moments.
pub(crate) fn traces(n: u64) {
    let recorder = n.is_multiple_of(3).then(|| FlightRecorder::builder().start().unwrap());
    let capture = trace::start().unwrap();
    std::thread::sleep(Duration::from_millis(n % 40));
    if n.is_multiple_of(4) {
        return drop(capture);
    }
    let mut bytes = Vec::new();
    capture.finish(&mut bytes).unwrap();
    let strict = oxprof_trace::Options { strict: true, max_generation: 1 << 30 };
    let mut events = 0u64;
    oxprof_trace::for_each(&bytes[..], strict, |_, _| events += 1).unwrap();
    assert!(events > 0);
    if let Some(recorder) = recorder {
        assert!(!recorder.snapshot().is_empty());
    }
}

/// Rates of contention that come and go beside those that sample every wait, and its profiles in all their forms.
pub(crate) fn contention(n: u64) {
    contention::set_block_profile_rate([0, 1, 1000, 1_000_000][n as usize % 4]);
    contention::set_mutex_profile_fraction([0, 7, 1][n as usize % 3]);
    let _sampling = n.is_multiple_of(2).then(|| Sampling::new().block(10).outside().start());
    let view = BlockView { outside: n.is_multiple_of(5), pending: n.is_multiple_of(3) };
    let block = contention::block(view).expect("hooks are here");
    let baseline = block.baseline();
    std::thread::sleep(Duration::from_millis(n % 5));
    assert!(total(&baseline.profile(Gauges::Keep), 1) >= 0);
    assert!(block.text().starts_with("--- contention:\ncycles/second=1000000000\n"));
}

/// Entries of a profile of the program's own, added and removed by different threads.
pub(crate) fn entries(n: u64) {
    static OPEN: LazyLock<CustomProfile> =
        LazyLock::new(|| CustomProfile::new("stress/open").expect("no other has this name"));
    let entries: Vec<_> = (0..n % 20).map(|_| OPEN.add()).collect();
    std::thread::spawn(move || drop(entries)).join().unwrap();
}
