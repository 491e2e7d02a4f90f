//! Contention of this process against what is known of it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[cfg(feature = "http")]
#[path = "../support/counting.rs"]
mod counting;
mod go;
mod odd_moments;
mod scenarios;

use std::sync::{Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

use oxprof::contention::{self, BlockView, Sampling};
use oxprof_profile::{LabelValue, Profile, Sample};

/// Samples every wait from now on, also for the world outside.
fn sample_all() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::mem::forget(Sampling::new().block(1).mutex(1).outside().start()));
}

/// Everything that `block` can show.
fn block(pending: bool) -> Profile {
    contention::block(BlockView { outside: true, pending }).expect("hooks are here").profile()
}

fn named(name: &str) -> Profile {
    oxprof::lookup(name).expect("hooks are here").profile()
}

/// How many waits of a category there are with this function, or one inside of it, in their stack; and how long they were.
fn sums(profile: &Profile, function: &str, category: &str) -> (i64, Duration) {
    let inside = format!("{function}::");
    let is_ours = |name: &str| name == function || name.starts_with(&inside);
    let samples = profile.samples.iter().filter(|sample| label(profile, sample) == Some(category));
    let ours = samples.filter(|sample| names(profile, sample).any(is_ours));
    let sum = ours.fold((0, 0), |(c, d), sample| (c + sample.values[0], d + sample.values[1]));
    (sum.0, Duration::from_nanos(sum.1.cast_unsigned()))
}

fn label<'a>(profile: &'a Profile, sample: &Sample<'a>) -> Option<&'a str> {
    sample.labels.iter().find_map(|label| match label.value {
        LabelValue::Str(value) if profile.str(label.key) == "category" => Some(profile.str(value)),
        _ => None,
    })
}

fn names<'a>(profile: &'a Profile, sample: &Sample<'a>) -> impl Iterator<Item = &'a str> {
    let lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|line| profile.str(profile.functions[line.function.index()].name))
}

/// How long `f` takes.
fn timed<R>(f: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// How long a lock is held while somebody waits for it.
const HELD: Duration = Duration::from_millis(30);

#[inline(never)]
fn waits_for(mutex: &Mutex<()>) {
    drop(mutex.lock().expect("nobody panics"));
}

#[inline(never)]
fn unlocks(held: MutexGuard<'_, ()>) {
    drop(held);
}

/// Makes a thread wait for a mutex. Returns how long it did.
#[inline(never)]
fn contend() -> Duration {
    let mutex = Mutex::new(());
    let held = mutex.lock().expect("nobody panics");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| timed(|| waits_for(&mutex)));
        std::thread::sleep(HELD);
        unlocks(held);
        waiter.join().expect("nobody panics")
    })
}
