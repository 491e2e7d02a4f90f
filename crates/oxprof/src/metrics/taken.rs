//! Profiles that were taken.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::exposition::{Exposition, Kind};

/// Names that are told apart. Those of a program are few; who makes more has no use for this metric.
const MAX_NAMES: usize = 100;

static TAKEN: Mutex<BTreeMap<String, Taken>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Default)]
struct Taken {
    count: u64,
    time: Duration,
}

/// Counts a profile that was taken.
pub(crate) fn note(name: &str, time: Duration) {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.len() < MAX_NAMES || taken.contains_key(name) {
        let entry = taken.entry(name.to_owned()).or_default();
        entry.count += 1;
        entry.time += time;
    }
}

pub(super) fn write(out: &mut Exposition) {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    out.metric("oxprof_profiles_total", Kind::Counter, "Profiles that were taken.");
    for (name, taken) in &taken {
        out.sample("oxprof_profiles_total", &[("profile", name)], taken.count);
    }
    let help = "Time for which profiles were taken.";
    out.metric("oxprof_profile_seconds_total", Kind::Counter, help);
    for (name, taken) in &taken {
        let labels = [("profile", name.as_str())];
        out.sample("oxprof_profile_seconds_total", &labels, taken.time.as_secs_f64());
    }
}
