//! Heap profiles of this process: totals against the truth, and the moments at which allocators are hard.
// With the feature `malloc`, sums would have what the C library keeps for threads: see `heap_malloc`.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(feature = "malloc")))]

#[path = "../support/counting.rs"]
mod counting;
#[cfg(feature = "http")]
mod http;
mod odd_moments;
mod text;
mod totals;

use std::sync::{Mutex, MutexGuard, PoisonError};

use counting::Counting;
use oxprof_profile::{LabelValue, Profile};

#[global_allocator]
static ALLOC: oxprof::Heap<Counting> = oxprof::Heap::new(Counting);

/// One test at a time changes the rate. Back to the default when dropped.
struct Rate {
    _alone: MutexGuard<'static, ()>,
}

impl Rate {
    fn set(bytes: u64) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        oxprof::heap::prepare();
        oxprof::heap::set_rate(bytes);
        notice_rate();
        Self { _alone: alone }
    }
}

impl Drop for Rate {
    fn drop(&mut self) {
        oxprof::heap::set_rate(oxprof::heap::DEFAULT_RATE);
        notice_rate();
    }
}

/// Threads look at the rate once in a megabyte.
fn notice_rate() {
    for _ in 0..4 {
        drop(std::hint::black_box(vec![0u8; 1 << 20]));
    }
}

/// Sums of the four values over samples with a function of this name in their stack.
fn sums(profile: &Profile, name: &str) -> [i64; 4] {
    let mut sums = [0; 4];
    for sample in
        profile.samples.iter().filter(|s| names(profile, s.stack).any(|n| n.contains(name)))
    {
        sums.iter_mut().zip(sample.values).for_each(|(sum, value)| *sum += value);
    }
    sums
}

fn names<'a>(
    profile: &'a Profile,
    stack: &'a [oxprof_profile::LocationIdx],
) -> impl Iterator<Item = &'a str> {
    let lines = stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|line| profile.str(profile.functions[line.function.index()].name))
}

fn heap() -> Profile {
    oxprof::lookup("heap").expect("the allocator is ours").profile()
}

/// The numeric label of a sample.
fn bytes_label(profile: &Profile, sample: usize) -> Option<i64> {
    profile.samples.labels(sample).iter().find_map(|label| match label.value {
        LabelValue::Num { value, .. } if profile.str(label.key) == "bytes" => Some(value),
        _ => None,
    })
}
