//! Labels on the samples of every profile, as our own decoder and as Go's tool read them.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use oxprof::custom::CustomProfile;
use oxprof::labels::{self, LabelFuture, Labels};
use oxprof::{cpu, heap};
use oxprof_profile::{Compression, LabelValue, Profile, Sample, encode_gzip};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

/// Tests of the whole process take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The labels of a sample, as text; without the size.
fn shown(profile: &Profile, sample: &Sample<'_>) -> String {
    let label = |label: &oxprof_profile::Label| {
        let key = profile.str(label.key);
        match label.value {
            LabelValue::Str(text) => Some(format!("{key}={}", profile.str(text))),
            LabelValue::Num { .. } if key == "bytes" => None,
            LabelValue::Num { value, .. } => Some(format!("{key}#{value}")),
        }
    };
    let labels: Vec<_> = sample.labels.iter().filter_map(label).collect();
    labels.join(" ")
}

/// Sums of the last value by labels.
fn by_labels(profile: &Profile) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for sample in profile.samples.iter() {
        *sums.entry(shown(profile, &sample)).or_default() += sample.values.last().unwrap();
    }
    sums
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Uses this much CPU time.
fn spin(time: Duration) {
    let end = thread_cpu() + time;
    while thread_cpu() < end {
        black_box((0..1000u64).fold(1, |x, i| x ^ i));
    }
}

const SLICE: Duration = Duration::from_millis(60);

const STATIC: Labels = Labels::from_static(&[("kind", "prepared"), ("phase", "parse")]);

/// Is polled again and again, in between by somebody with other labels.
fn poll_with_others<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        labels::with([("kind", "other")], || spin(SLICE));
    }
}

async fn spin_in_pieces() {
    for _ in 0..3 {
        spin(SLICE / 3);
        let mut polled = false;
        poll_fn(
            |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
    }
}

/// CPU time by labels, in slices that were spent under various ones.
fn sampled_slices() -> BTreeMap<String, f64> {
    let capture = cpu::start(cpu::Options::default().hz(1000)).unwrap();
    STATIC.run(|| {
        spin(SLICE);
        labels::with([("kind", "inner")], || spin(SLICE));
        let inherited = labels::inherit(|| {
            cpu::register_current_thread();
            spin(SLICE);
        });
        std::thread::scope(|scope| _ = scope.spawn(inherited));
    });
    labels::with([("number", 5)], || spin(SLICE));
    poll_with_others(spin_in_pieces().labeled(Labels::new([("kind", "future")])));
    let sums = by_labels(&capture.finish().unwrap());
    sums.into_iter().map(|(k, nanos)| (k, nanos as f64 / SLICE.as_nanos() as f64)).collect()
}

#[test]
fn cpu_time_has_the_labels_in_force() {
    let _turn = turn();
    let expected = [
        ("kind=prepared phase=parse", 2.0),
        ("kind=inner phase=parse", 1.0),
        ("number#5", 1.0),
        ("kind=future", 1.0),
        ("kind=other", 3.0),
    ];
    // A processor that is taken away from a virtual machine delays signals, so that they hit what comes next.
    let is_close = |sums: &BTreeMap<String, f64>| {
        expected.iter().all(|(labels, slices)| {
            sums.get(*labels).is_some_and(|got| (got - slices).abs() < 0.25)
        })
    };
    let mut last = BTreeMap::new();
    let succeeds = |_| {
        last = sampled_slices();
        is_close(&last)
    };
    assert!((0..8).any(succeeds), "{last:?}");
}

#[inline(never)]
fn allocate() -> Vec<u8> {
    black_box(Vec::with_capacity(5 << 20))
}

#[test]
fn blocks_have_the_labels_of_their_allocation() {
    let _turn = turn();
    heap::prepare();
    let kept = labels::with([("blocks", "kept")], || [allocate(), allocate()]);
    let freed = labels::with([("blocks", "freed")], allocate);
    // Labels of who frees are of no interest.
    labels::with([("blocks", "other")], || drop(freed));
    let profile = oxprof::lookup("heap").unwrap().profile();
    let in_use = by_labels(&profile);
    // So much larger than the rate that they are sampled nearly always, and count as hardly more than they are.
    assert_eq!(in_use.get("blocks=kept").map(|bytes| bytes >> 10), Some(10 << 10), "{in_use:?}");
    assert_eq!(in_use.get("blocks=freed"), Some(&0), "{in_use:?}");
    assert_eq!(in_use.get("blocks=other"), None, "{in_use:?}");
    let text = oxprof::lookup("heap").unwrap().text();
    assert!(text.contains("\n# labels: {\"blocks\":\"kept\"}\n#\t0x"), "{text}");
    drop(kept);
}

#[test]
fn entries_have_the_labels_of_their_addition() {
    let profile = CustomProfile::new("test/labeled").unwrap();
    let add = |value| labels::with([("user", value), ("n", value)], || profile.add());
    let entries = ["a", "b", "a"].map(add);
    let sums = by_labels(&oxprof::lookup("test/labeled").unwrap().profile());
    let expected = [("n=a user=a", 2), ("n=b user=b", 1)].map(|(k, v)| (k.to_owned(), v));
    assert_eq!(sums, BTreeMap::from(expected));
    let text = oxprof::lookup("test/labeled").unwrap().text();
    assert!(text.starts_with("test/labeled profile: total 3\n2 @ 0x"), "{text}");
    assert!(text.contains("\n# labels: {\"n\":\"a\", \"user\":\"a\"}\n#\t0x"), "{text}");
    drop(entries);
}

#[test]
fn go_shows_and_focuses_labels() {
    let _turn = turn();
    let capture = cpu::start(cpu::Options::default().hz(1000)).unwrap();
    labels::with([("tenant", "acme \"quoted\"")], || spin(SLICE));
    labels::with([("tenant", "other")], || spin(3 * SLICE));
    let profile = capture.finish().unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("labels.pb.gz");
    std::fs::write(&path, encode_gzip(&profile, Compression::Fast)).unwrap();
    let go = |args: &[&str]| {
        let output =
            Command::new("go").args(["tool", "pprof"]).args(args).arg(&path).output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let (Some(tags), Some(focused)) = (go(&["-tags"]), go(&["-top", "-tagfocus=tenant=other"]))
    else {
        eprintln!("skipped: go is not installed");
        return;
    };
    assert!(tags.contains("tenant: Total"), "{tags}");
    assert!(tags.contains("other") && tags.contains("acme \"quoted\""), "{tags}");
    assert!(focused.contains("labels::spin"), "{focused}");
}
