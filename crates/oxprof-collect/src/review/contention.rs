//! Block and mutex profiles: who waits for whom.

use std::collections::HashMap;

use oxprof_profile::Profile;

use super::{Evidence, Finding, Severity, percent};
use crate::weights::{self, by_stack};

/// Waiting of this many threads at any time is worth a warning.
const WAITING: f64 = 0.1;

/// Where the time of collection is unknown, this much waiting is worth a note, in nanoseconds …
const WAITED: i64 = 1_000_000_000;

/// … if one place has this share of it, in percent.
const CONCENTRATED: f64 = 50.0;

/// Where the waiting is, if there is enough of it.
pub(super) fn find(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    let (mut total, mut seconds, mut places) = (0i64, 0.0, HashMap::<String, i64>::new());
    for profile in profiles {
        let column = weights::column(profile, &["delay"])?;
        seconds += profile.duration_nanos as f64 / 1e9;
        let stacks = by_stack(profile, column);
        for (stack, delay) in stacks.into_iter().filter(|(stack, _)| is_contention(kind, stack)) {
            total += delay;
            *places.entry(place(&stack)).or_default() += delay;
        }
    }
    let mut places: Vec<_> = places.into_iter().filter(|(_, delay)| *delay > 0).collect();
    places.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let (worst, most) = places.first()?;
    let share = percent(*most, total);
    let waiting = total as f64 / 1e9 / seconds;
    let (severity, title) = if seconds > 0.0 {
        let title = format!("{waiting:.1} threads wait at any time, {share:.0} % of it in {worst}");
        (Severity::Warning, title)
    } else {
        (Severity::Info, format!("{share:.0} % of all waiting is in {worst}"))
    };
    let matters = match severity {
        Severity::Warning => waiting >= WAITING,
        _ => total >= WAITED && share >= CONCENTRATED,
    };
    let evidence =
        |(place, delay): &(String, i64)| Evidence::new(place.clone(), *delay as f64, "nanoseconds");
    matters.then(|| Finding {
        severity,
        detector: "contention",
        kind: kind.to_owned(),
        title,
        why: "Threads that wait for one another do not use the processors they have.".to_owned(),
        evidence: places.iter().take(5).map(evidence).collect(),
        next: "Hold the lock for less, split it, or share by other means.".to_owned(),
    })
}

/// Where waiting is written down, but not where it comes from.
const LIBRARIES: &[&str] = &[
    "std::",
    "core::",
    "alloc::",
    "<std::",
    "<core::",
    "<alloc::",
    "parking_lot",
    "<parking_lot",
    "lock_api::",
    "<lock_api::",
    "tokio::",
    "<tokio::",
    "crossbeam",
    "<crossbeam",
    "sync.",
    "runtime.",
    "internal/",
    "futex",
    "syscall",
    "pthread_",
    "__pthread_",
    "__lll_",
];

/// Whether a stack waits for others to be done, not for work to come. Profiles of blocking have both, and what the
/// taking of profiles waits for itself.
fn is_contention(kind: &str, stack: &[String]) -> bool {
    const LOCKS: [&str; 5] = ["Mutex", "RwLock", "Once", "mutex", "rwlock"];
    const PROFILERS: [&str; 3] = ["net/http/pprof.", "runtime/pprof.", "oxprof::"];
    let is_any = |names: &[&str], test: fn(&str, &str) -> bool| {
        stack.iter().any(|function| names.iter().any(|name| test(function, name)))
    };
    let ours = is_any(&PROFILERS, |function, name| function.starts_with(name));
    !ours && (kind != "block" || is_any(&LOCKS, |function, name| function.contains(name)))
}

/// The innermost function of a stack that is not part of a library of locks.
fn place(stack: &[String]) -> String {
    let own = stack.iter().find(|name| !LIBRARIES.iter().any(|start| name.starts_with(start)));
    own.or(stack.first()).map_or_else(|| "(unknown)".to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check as check_findings, profile};
    use super::*;

    #[track_caller]
    fn check(samples: &[(&str, i64)], seconds: i64, expected: &[&str]) {
        let rows: Vec<_> =
            samples.iter().map(|&(stack, ms)| (stack, [1, ms * 1_000_000])).collect();
        let rows: Vec<_> = rows.iter().map(|(stack, values)| (*stack, &values[..])).collect();
        let mut p = profile(&[("contentions", "count"), ("delay", "nanoseconds")], &rows);
        p.duration_nanos = seconds * 1_000_000_000;
        let found: Vec<_> = find("mutex", &[p]).into_iter().collect();
        check_findings(&found, expected);
    }

    #[test]
    fn waiting_for_work_is_no_contention() {
        let stack = |names: &str| names.split(';').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_contention("block", &stack("sync.(*Mutex).Lock;main.f")));
        assert!(!is_contention("block", &stack("runtime.chanrecv;main.worker")));
        assert!(is_contention("mutex", &stack("main.f")));
        assert!(!is_contention("mutex", &stack("sync.(*Mutex).Lock;net/http/pprof.Index")));
    }

    #[test]
    fn waiting_counts_by_how_many_wait() {
        let ledger = ("main;book;std::sync::Mutex::lock;futex_wait", 6000);
        check(
            &[ledger, ("main;log;sync.(*Mutex).Lock", 100)],
            10,
            &["warning contention book 6000000000"],
        );
        check(&[ledger], 100, &[]);
        check(&[ledger], 0, &["info contention book 6000000000"]);
        check(&[("main;a", 600), ("main;b", 500), ("main;c", 500)], 0, &[]);
        check(&[], 0, &[]);
    }
}
