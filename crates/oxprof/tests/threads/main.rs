//! The profiles of threads.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod create;
#[cfg(feature = "block")]
mod deadlock;
mod dump;
mod go;
mod wall;

use std::sync::{Mutex, MutexGuard, PoisonError};

use oxprof_profile::{Profile, Sample};

/// Tests that count the threads of the process take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn profile(name: &str) -> Profile {
    oxprof::lookup(name).unwrap_or_else(|| panic!("there is a profile {name}")).profile()
}

/// Whether a function of a sample's stack has `part` in its name.
fn mentions(profile: &Profile, sample: &Sample<'_>, part: &str) -> bool {
    sample
        .stack
        .iter()
        .flat_map(|&location| profile.lines_of(location))
        .any(|line| profile.str(profile.functions[line.function.index()].name).contains(part))
}

/// The sums of the values of all samples that have `part` in their stacks.
fn sums(profile: &Profile, part: &str) -> Vec<i64> {
    let mut sums = vec![0; profile.sample_types.len()];
    for sample in profile.samples.iter().filter(|sample| mentions(profile, sample, part)) {
        for (sum, value) in sums.iter_mut().zip(sample.values) {
            *sum += value;
        }
    }
    sums
}
