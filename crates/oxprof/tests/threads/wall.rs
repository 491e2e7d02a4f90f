//! Wall-clock profiles.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use oxprof::wall::{self, Options};
use oxprof_profile::Profile;

use super::{sums, turn};

#[inline(never)]
fn sleeps(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(7));
    }
}

#[inline(never)]
fn computes(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        black_box((0..1000u64).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i)));
    }
}

#[inline(never)]
fn receives(receiver: &mpsc::Receiver<()>) {
    // Until the sender is dropped.
    assert!(receiver.recv().is_err());
}

/// A profile of a second in which one thread sleeps, one computes and one waits.
fn one_of_each() -> (Profile, Duration) {
    static STOP: AtomicBool = AtomicBool::new(false);
    STOP.store(false, Ordering::Relaxed);
    let (sender, receiver) = mpsc::channel();
    let threads = [
        thread::spawn(|| sleeps(&STOP)),
        thread::spawn(|| computes(&STOP)),
        thread::spawn(move || receives(&receiver)),
    ];
    thread::sleep(Duration::from_millis(50));
    let (start, capture) = (Instant::now(), wall::start(Options::default()).unwrap());
    thread::sleep(Duration::from_secs(1));
    let profile = capture.finish().unwrap();
    let lasted = start.elapsed();
    STOP.store(true, Ordering::Relaxed);
    drop(sender);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    (profile, lasted)
}

#[test]
fn time_is_where_it_passes() {
    let _turn = turn();
    let (profile, lasted) = one_of_each();
    let lasted = lasted.as_nanos() as f64;
    // Naming functions comes after the time that is measured; so does waiting for a turn on the CPU.
    let taken = profile.duration_nanos as f64;
    assert!(taken > 0.9e9 && taken <= lasted, "{taken} of {lasted}");
    // A thread that computes does not answer while it waits for a CPU.
    let least = if std::env::var_os("OXPROF_LONG").is_some() { 0.9 } else { 0.7 };
    for name in ["wall::computes", "wall::receives"] {
        let [count, nanos] = sums(&profile, name)[..] else { panic!("two values") };
        assert!((least..1.1).contains(&(nanos as f64 / taken)), "{name}: {nanos} of {taken}");
        assert!(count > 20, "{name}: {count}");
    }
    let types: Vec<_> =
        profile.sample_types.iter().map(|t| (profile.str(t.kind), profile.str(t.unit))).collect();
    assert_eq!(types, [("samples", "count"), ("wall", "nanoseconds")]);
}

#[test]
fn cpu_label() {
    let _turn = turn();
    let (profile, _) = one_of_each();
    let time_in = |name: &str, cpu: &str| -> i64 {
        let has_label = |label: &oxprof_profile::Label| {
            profile.str(label.key) == "cpu"
                && matches!(label.value, oxprof_profile::LabelValue::Str(s) if profile.str(s) == cpu)
        };
        let samples = profile.samples.iter();
        samples
            .filter(|s| super::mentions(&profile, s, name) && s.labels.iter().any(has_label))
            .map(|s| s.values[1])
            .sum()
    };
    assert_eq!(time_in("wall::receives", "on"), 0);
    assert!(time_in("wall::receives", "off") > 0);
    assert!(time_in("wall::computes", "on") > time_in("wall::computes", "off"));
}

#[test]
fn rates_out_of_range_are_refused() {
    for hz in [0, 1001] {
        let error = wall::start(Options::default().hz(hz)).unwrap_err();
        assert_eq!(error.to_string(), format!("hz must be from 1 to 1000, not {hz}"));
    }
}

/// Looks do not interrupt a thread in a call that then returns early: `recv` with a timeout is one that std does not
/// repeat.
#[test]
fn no_call_is_broken() {
    let _turn = turn();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    let receiver = thread::spawn(move || socket.recv(&mut [0; 8]).map_err(|error| error.kind()));
    // While it runs up to the call, it may be asked where it is, and get the answer in the call.
    thread::sleep(Duration::from_millis(100));
    let capture = wall::start(Options::default().hz(1000)).unwrap();
    let result = receiver.join().unwrap();
    drop(capture);
    assert_eq!(result, Err(std::io::ErrorKind::WouldBlock));
}
