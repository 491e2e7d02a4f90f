//! Profiles that count things that are there: goroutines, threads, tasks, and a program's own.

use oxprof_profile::Profile;

use super::{Evidence, Finding, Severity};
use crate::weights::{by_stack, main_column};

/// So many at one place are a crowd.
const CROWD: i64 = 1000;

/// Places where very many are, in the latest profile.
pub(super) fn find(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    let latest = profiles.iter().max_by_key(|p| p.time_nanos)?;
    let mut stacks: Vec<_> = by_stack(latest, main_column(latest)?)
        .into_iter()
        .filter(|(_, count)| *count >= CROWD)
        .map(|(stack, count)| (stack.into_iter().next().unwrap_or_default(), count))
        .collect();
    stacks.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let (place, count) = stacks.first()?;
    Some(Finding {
        severity: Severity::Warning,
        detector: "crowd",
        kind: kind.to_owned(),
        title: format!("{count} {kind} entries are at one place, {place}"),
        why: "So many at one place usually wait for something that does not come.".to_owned(),
        evidence: stacks
            .iter()
            .take(5)
            .map(|(place, count)| Evidence::new(place.clone(), *count as f64, "count"))
            .collect(),
        next: "Run oxprof leak to see whether they become more; read their whole stacks with ?debug=2."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check as check_findings, profile};
    use super::*;

    #[test]
    fn a_thousand_are_a_crowd() {
        let of =
            |count| find("tasks", &[profile(&[("tasks", "count")], &[("main;wait", &[count])])]);
        check_findings(&of(1000).into_iter().collect::<Vec<_>>(), &["warning crowd wait 1000"]);
        assert_eq!(of(999), None);
    }
}
