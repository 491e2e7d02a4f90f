//! What takes a larger share than it did in the baseline.

use std::collections::{HashMap, HashSet};

use oxprof_profile::Profile;

use super::{Evidence, Finding, Severity};
use crate::stats::{self, Share, ShareChange, compare_shares};
use crate::weights::{self, Weights, weigh};

/// At most this part of the changes reported is chance.
const FALSE: f64 = 0.05;

/// A change matters from this many percentage points on.
const POINTS: f64 = 1.0;

/// It is grave from this many on.
const GRAVE: f64 = 10.0;

/// A function with fewer samples than this on both sides proves nothing.
const MIN_HITS: f64 = 100.0;

/// A callee that explains this part of its caller's change is what to look at instead.
const EXPLAINED: f64 = 0.8;

/// Functions whose share of the time, or of the memory allocated, has become larger.
pub(super) fn find(kind: &str, profiles: &[Profile], before: &[Profile]) -> Option<Finding> {
    let value = match kind {
        "cpu" => Value::Samples,
        "heap" | "allocs" => Value::Allocated,
        _ => return None,
    };
    let (before, after) = (value.of(before)?, value.of(profiles)?);
    let changes = changes(&before, &after);
    let costs_more = |c: &&Change<'_>| match (rate(&before, c.name), rate(&after, c.name)) {
        (Some(before), Some(after)) => after > before,
        _ => true,
    };
    let grown: Vec<_> =
        changes.iter().filter(|c| c.points() >= POINTS).filter(costs_more).collect();
    let names: HashSet<_> = grown.iter().map(|c| c.name).collect();
    let mut evident: Vec<_> = grown
        .iter()
        .filter(|change| !is_explained(change, &grown, &names, &before, &after))
        .collect();
    evident.sort_by(|a, b| b.points().total_cmp(&a.points()).then_with(|| a.name.cmp(b.name)));
    let worst = evident.first()?;
    let moved = evident.iter().all(|change| is_moved(change.name, &before, &after));
    let severity = match () {
        () if moved => Severity::Info,
        () if worst.points() >= GRAVE => Severity::Critical,
        () => Severity::Warning,
    };
    Some(Finding {
        severity,
        detector: "regression",
        kind: kind.to_owned(),
        title: format!(
            "{} takes {:.1} % of {} instead of {:.1} %",
            worst.name,
            worst.change.after * 100.0,
            value.what(),
            worst.change.before * 100.0,
        ),
        why: if moved {
            "Cost has moved within the same crate or package, which as a whole takes no more."
                .to_owned()
        } else {
            "The share differs by more than profiles of one program do by chance.".to_owned()
        },
        evidence: evident.iter().take(10).map(|c| c.evidence()).collect(),
        next: "oxprof -diff_base=BASE -top -cum shows the whole difference.".to_owned(),
    })
}

/// What shares are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Samples,
    Allocated,
}

impl Value {
    fn what(self) -> &'static str {
        match self {
            Self::Samples => "the time",
            Self::Allocated => "what is allocated",
        }
    }

    /// Weights of each profile in units of one sample, since it is samples that chance deals with.
    fn of(self, profiles: &[Profile]) -> Option<Vec<Counted>> {
        let counted = |profile: &Profile| match self {
            Self::Samples => {
                let column = super::cpu::hits_column(profile)?;
                let is_time = profile.str(profile.sample_types[column].unit) == "nanoseconds";
                let unit = if is_time { profile.period.max(1) } else { 1 };
                let seconds = profile.duration_nanos as f64 / 1e9;
                Some(Counted { weights: weigh(profile, column), unit: unit as f64, seconds })
            }
            Self::Allocated => {
                let column = weights::column(profile, &["alloc_space"])?;
                Some(Counted {
                    weights: weigh(profile, column),
                    unit: profile.period.max(1) as f64,
                    seconds: 0.0,
                })
            }
        };
        let counted: Option<Vec<_>> = profiles.iter().map(counted).collect();
        counted.filter(|all| !all.is_empty())
    }
}

/// Weights, and how much of them one sample is.
struct Counted {
    weights: Weights,
    unit: f64,
    /// How long it was collected for; 0 if unknown, or if the weights are since the program's start.
    seconds: f64,
}

impl Counted {
    fn share(&self, value: i64) -> Share {
        Share { hits: value as f64 / self.unit, of: self.weights.total as f64 / self.unit }
    }

    fn cum(&self, name: &str) -> Share {
        self.share(self.weights.functions.get(name).map_or(0, |w| w.cum))
    }
}

/// What a function costs a second; `None` if the time is unknown. When something else has become cheaper, its
/// share is larger though this is not.
fn rate(group: &[Counted], name: &str) -> Option<f64> {
    let seconds: f64 = group.iter().map(|c| c.seconds).sum();
    let hits: f64 = group.iter().map(|c| c.cum(name).hits).sum();
    group.iter().all(|c| c.seconds > 0.0).then(|| hits / seconds)
}

struct Change<'a> {
    name: &'a str,
    change: ShareChange,
}

impl Change<'_> {
    /// Growth in percentage points.
    fn points(&self) -> f64 {
        (self.change.after - self.change.before) * 100.0
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            before: Some(self.change.before * 100.0),
            p: Some(self.change.p),
            ..Evidence::new(self.name, self.change.after * 100.0, "percent")
        }
    }
}

/// Functions whose share has changed, beyond doubt.
fn changes<'a>(before: &'a [Counted], after: &'a [Counted]) -> Vec<Change<'a>> {
    let groups = before.iter().chain(after);
    let names: HashSet<_> = groups.flat_map(|c| c.weights.functions.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let shares = |group: &[Counted]| group.iter().map(|c| c.cum(name)).collect::<Vec<_>>();
        let (b, a) = (shares(before), shares(after));
        let hits = |group: &[Share]| group.iter().map(|s| s.hits).sum::<f64>();
        if hits(&b).max(hits(&a)) >= MIN_HITS {
            changes.push(Change { name, change: compare_shares(&b, &a) });
        }
    }
    let p: Vec<_> = changes.iter().map(|c| c.change.p).collect();
    let mut believed = stats::discoveries(&p, FALSE).into_iter();
    changes.retain(|_| believed.next().unwrap_or(false));
    changes
}

/// Whether one of the functions that it calls has grown by nearly as much on its behalf.
fn is_explained(
    change: &Change<'_>,
    grown: &[&Change<'_>],
    names: &HashSet<&str>,
    before: &[Counted],
    after: &[Counted],
) -> bool {
    let on_behalf = |group: &[Counted]| -> HashMap<String, f64> {
        let mut shares = HashMap::new();
        for counted in group {
            for ((caller, callee), value) in &counted.weights.calls {
                if caller == change.name && names.contains(callee.as_str()) {
                    let share = counted.share(*value);
                    *shares.entry(callee.clone()).or_default() +=
                        share.hits / share.of.max(1.0) / group.len() as f64;
                }
            }
        }
        shares
    };
    let (b, a) = (on_behalf(before), on_behalf(after));
    grown.iter().filter(|other| other.name != change.name).any(|other| {
        let share = |of: &HashMap<String, f64>| of.get(other.name).copied().unwrap_or(0.0);
        (share(&a) - share(&b)) * 100.0 >= EXPLAINED * change.points()
    })
}

/// Whether the crate or package of a function takes no larger share than before.
fn is_moved(name: &str, before: &[Counted], after: &[Counted]) -> bool {
    let shares = |group: &[Counted]| -> Vec<Share> {
        let of_home = |c: &Counted| {
            let all = c.weights.functions.iter();
            c.share(all.filter(|(n, _)| home(n) == home(name)).map(|(_, w)| w.flat).sum())
        };
        group.iter().map(of_home).collect()
    };
    let ShareChange { before, after, .. } = compare_shares(&shares(before), &shares(after));
    !home(name).is_empty() && before > 0.0 && (after - before) * 100.0 < POINTS / 2.0
}

/// The crate or package of a function; empty if the name does not say.
fn home(name: &str) -> &str {
    let name = name.trim_start_matches(['<', '&']);
    if let Some((home, _)) = name.split_once("::") {
        return home;
    }
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    name[start..].find('.').map_or("", |dot| &name[..start + dot])
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check as check_findings, cpu};
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, i64)], after: &[(&str, i64)], expected: &[&str]) {
        let found: Vec<_> = find("cpu", &[cpu(after)], &[cpu(before)]).into_iter().collect();
        check_findings(&found, expected);
    }

    #[test]
    fn what_takes_more_is_reported_where_it_happens() {
        let before = [("app::main;app::serve;json::parse", 200), ("app::main;app::idle", 1800)];
        let after = [("app::main;app::serve;json::parse", 500), ("app::main;app::idle", 1500)];
        check(&before, &after, &["critical regression json::parse 25"]);
        check(&before, &before, &[]);
    }

    #[test]
    fn a_larger_share_of_less_is_no_regression() {
        let mut before = cpu(&[("app::main;json::parse", 500), ("app::main;app::work", 500)]);
        let mut after = cpu(&[("app::main;json::parse", 100), ("app::main;app::work", 480)]);
        let found = |b: &Profile, a: &Profile| {
            find("cpu", std::slice::from_ref(a), std::slice::from_ref(b))
        };
        assert!(found(&before, &after).is_some(), "without durations, shares are all there is");
        (before.duration_nanos, after.duration_nanos) = (10_000_000_000, 10_000_000_000);
        assert_eq!(found(&before, &after), None);
    }

    #[test]
    fn cost_that_moves_within_a_crate_is_no_regression() {
        let before = [("app::main;json::old", 500), ("app::main;app::idle", 1500)];
        let after = [("app::main;json::new", 500), ("app::main;app::idle", 1500)];
        check(&before, &after, &["info regression json::new 25"]);
    }

    #[test]
    fn chance_is_no_regression() {
        let before = [("m::main;m::a", 1000), ("m::main;m::b", 1000)];
        let after = [("m::main;m::a", 1030), ("m::main;m::b", 970)];
        check(&before, &after, &[]);
    }

    #[test]
    fn homes() {
        assert_eq!(home("<alloc::vec::Vec<T> as x::Y>::f"), "alloc");
        assert_eq!(home("encoding/json.(*decodeState).object"), "encoding/json");
        assert_eq!(home("malloc"), "");
    }
}
