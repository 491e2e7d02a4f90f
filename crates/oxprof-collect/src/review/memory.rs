//! Heap profiles: what grows, and what is allocated only to be freed.

use oxprof_profile::Profile;

use super::{Evidence, Finding, Severity, heaviest};
use crate::growth::{self, Criteria, Growth, MIN_SNAPSHOTS, Snapshot, Verdict};
use crate::weights::{self, weigh};

/// Allocating this many times what is in use is churn.
const CHURN: i64 = 100;

/// Less than this allocated altogether is none.
const MIN_ALLOCATED: i64 = 64 << 20;

/// All there is to say about heap profiles.
pub(super) fn find(kind: &str, profiles: &[Profile], before: &[Profile]) -> Vec<Finding> {
    let leak = if profiles.len() >= MIN_SNAPSHOTS {
        leak(kind, profiles)
    } else {
        grown(kind, profiles, before)
    };
    leak.into_iter().chain(churn(kind, profiles)).collect()
}

fn leak(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    let mut snapshots: Vec<_> = profiles
        .iter()
        .filter_map(|p| {
            let column = weights::column(p, &["inuse_space"])?;
            Some(Snapshot::of(p, column, p.time_nanos as f64 / 1e9))
        })
        .collect();
    snapshots.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let Growth { verdict, reason, total, stacks, seconds, .. } =
        growth::judge(kind, "bytes", &snapshots, Criteria::of_memory(profiles.first()?));
    (verdict == Verdict::Growing).then(|| Finding {
        severity: Severity::Critical,
        detector: "leak",
        kind: kind.to_owned(),
        title: format!("memory in use grows: {reason}"),
        why: "What grows without end ends with the process.".to_owned(),
        evidence: std::iter::once(Evidence {
            p: total.trend.map(|t| t.p),
            ..Evidence::new("total", total.growth / seconds, "bytes per second")
        })
        .chain(stacks.iter().filter(|s| s.verdict == Verdict::Growing).take(4).map(|s| Evidence {
            p: s.trend.map(|t| t.p),
            ..Evidence::new(place(&s.stack), s.growth / seconds, "bytes per second")
        }))
        .collect(),
        next: "oxprof -sample_index=inuse_space -diff_base=FIRST -traces LAST shows the stacks."
            .to_owned(),
    })
}

/// The innermost function that is not part of the allocator or of a collection.
fn place(stack: &[String]) -> String {
    const LIBRARIES: &[&str] =
        &["alloc::", "<alloc::", "core::", "<core::", "std::", "<std::", "__rust", "hashbrown"];
    let own = stack.iter().find(|name| !LIBRARIES.iter().any(|start| name.starts_with(start)));
    own.or(stack.first()).cloned().unwrap_or_default()
}

fn in_use(profiles: &[Profile]) -> Option<i64> {
    let latest = profiles.iter().max_by_key(|p| p.time_nanos)?;
    Some(latest.totals()[weights::column(latest, &["inuse_space"])?])
}

/// More in use than in the baseline.
fn grown(kind: &str, profiles: &[Profile], before: &[Profile]) -> Option<Finding> {
    let (now, then) = (in_use(profiles)?, in_use(before)?);
    let limits = Criteria::of_memory(profiles.first()?);
    let growth = now - then;
    let matters = growth >= limits.absolute && growth as f64 >= limits.relative * then as f64;
    matters.then(|| Finding {
        severity: Severity::Warning,
        detector: "more-in-use",
        kind: kind.to_owned(),
        title: "more memory is in use than in the baseline".to_owned(),
        why: "It may be a leak, a cache, or only a later time.".to_owned(),
        evidence: vec![Evidence {
            before: Some(then as f64),
            ..Evidence::new("in use", now as f64, "bytes")
        }],
        next: "oxprof -diff_base=BASE -top shows where; oxprof leak tells leaks from caches."
            .to_owned(),
    })
}

fn churn(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    let latest = profiles.iter().max_by_key(|p| p.time_nanos)?;
    let column = weights::column(latest, &["alloc_space"])?;
    let weights = weigh(latest, column);
    let in_use = in_use(profiles)?.max(1);
    if weights.total < MIN_ALLOCATED || weights.total / in_use < CHURN {
        return None;
    }
    let stacks = weights::by_stack(latest, column);
    let mut places = std::collections::HashMap::<String, i64>::new();
    for (stack, value) in stacks {
        *places.entry(place(&stack)).or_default() += value;
    }
    Some(Finding {
        severity: Severity::Info,
        detector: "churn",
        kind: kind.to_owned(),
        title: format!("{} times what is in use was allocated and freed", weights.total / in_use),
        why: "Memory that lives shortly costs time in the allocator and misses caches.".to_owned(),
        evidence: heaviest(places, weights.total, 5),
        next: "oxprof -sample_index=alloc_space -peek on these; reuse buffers.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, profile};
    use super::*;

    /// At a minute, bytes in use by one function, and allocated.
    fn heap(minute: i64, mib: i64, allocated: i64) -> Profile {
        let mut p = profile(
            &[("alloc_space", "bytes"), ("inuse_space", "bytes")],
            &[("main;keep;alloc::vec::Vec<T>::push", &[allocated << 20, mib << 20])],
        );
        p.time_nanos = minute * 60_000_000_000;
        p.period_type = oxprof_profile::ValueType {
            kind: p.strings.intern("space"),
            unit: p.strings.intern("bytes"),
        };
        p.period = 512 << 10;
        p
    }

    #[test]
    fn snapshots_that_grow_are_a_leak() {
        let growing: Vec<_> = (0..8).map(|t| heap(t, 100 + 6 * t, 200)).collect();
        check(&find("heap", &growing, &[]), &["critical leak total 104858"]);
        let steady: Vec<_> = (0..8).map(|t| heap(t, 100 + t % 2, 200)).collect();
        check(&find("heap", &steady, &[]), &[]);
    }

    #[test]
    fn more_than_in_the_baseline() {
        check(
            &find("heap", &[heap(9, 150, 200)], &[heap(0, 100, 100)]),
            &["warning more-in-use in use 157286400"],
        );
        check(&find("heap", &[heap(9, 103, 200)], &[heap(0, 100, 100)]), &[]);
        check(&find("heap", &[heap(9, 150, 200)], &[]), &[]);
    }

    #[test]
    fn churn_is_much_allocated_for_little_in_use() {
        check(&find("heap", &[heap(0, 1, 500)], &[]), &["info churn keep 100"]);
        check(&find("heap", &[heap(0, 50, 500)], &[]), &[]);
    }
}
