//! Automated review: what a careful reader of the profiles would point out.
//!
//! Each detector looks for one thing, says what it found with the numbers behind it, why that matters and what
//! to do next. Detectors are deterministic: the same profiles give the same findings.

mod contention;
mod cpu;
mod crowd;
mod memory;
mod quality;
mod regression;
mod text;

use std::fmt;

use oxprof_profile::Profile;
use serde::Serialize;

use crate::weights::{self, main_column};

pub use text::{Layout, write};

/// A profile to review.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it is from, for people.
    pub label: String,
    /// Its kind, such as `cpu`.
    pub kind: String,
    /// The profile.
    pub profile: Profile,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look soon.
    Warning,
    /// Will hurt.
    Critical,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something to point out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Which detector says so.
    pub detector: &'static str,
    /// Kind of profile that it shows in.
    pub kind: String,
    /// The finding in one line.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// The numbers behind it, the largest first.
    pub evidence: Vec<Evidence>,
    /// What to do next.
    pub next: String,
}

/// A number behind a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// A function, or what else the number is of.
    pub place: String,
    /// The number.
    pub value: f64,
    /// Its unit: `percent`, `bytes`, `nanoseconds`, `count` or `per second` of these.
    pub unit: String,
    /// The number in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// Probability that the difference is chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
}

impl Evidence {
    fn new(place: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { place: place.into(), value, unit: unit.to_owned(), before: None, p: None }
    }
}

/// A profile that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examined {
    /// Where it is from.
    pub label: String,
    /// Its kind.
    pub kind: String,
    /// Number of samples.
    pub samples: usize,
    /// Sum of its main value …
    pub total: i64,
    /// … and the unit of that.
    pub unit: String,
    /// Whether it belongs to the baseline.
    pub baseline: bool,
}

/// What a review found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// What was looked at.
    pub examined: Vec<Examined>,
    /// What there is to say, the most important first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The gravest of the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}

/// Reviews `current`, in comparison with `baseline` where it has profiles of the same kind.
pub fn review(current: &[Input], baseline: &[Input]) -> Report {
    let mut findings = Vec::new();
    for kind in kinds(current) {
        let of = |inputs: &[Input]| -> Vec<Profile> {
            inputs.iter().filter(|i| i.kind == kind).map(|i| i.profile.clone()).collect()
        };
        let (profiles, before) = (of(current), of(baseline));
        findings.extend(quality::find(&kind, &profiles));
        findings.extend(match &*kind {
            "cpu" => cpu::find(&profiles),
            "block" | "mutex" | "contention" => {
                contention::find(&kind, &profiles).into_iter().collect()
            }
            "heap" | "allocs" => memory::find(&kind, &profiles, &before),
            _ => crowd::find(&kind, &profiles).into_iter().collect(),
        });
        findings.extend(regression::find(&kind, &profiles, &before));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let examined = current.iter().map(|i| (i, false)).chain(baseline.iter().map(|i| (i, true)));
    Report { examined: examined.map(|(input, base)| examine(input, base)).collect(), findings }
}

fn kinds(inputs: &[Input]) -> Vec<String> {
    let mut kinds: Vec<_> = inputs.iter().map(|input| input.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // The two say the same, but for what they show first.
    let has_heap = kinds.iter().any(|kind| kind == "heap");
    kinds.retain(|kind| kind != "allocs" || !has_heap);
    kinds
}

fn examine(input: &Input, baseline: bool) -> Examined {
    let Input { label, kind, profile } = input;
    let main = main_column(profile);
    Examined {
        label: label.clone(),
        kind: kind.clone(),
        samples: profile.samples.len(),
        total: main.map_or(0, |column| profile.totals()[column]),
        unit: main.map_or("", |c| profile.str(profile.sample_types[c].unit)).to_owned(),
        baseline,
    }
}

/// The kind of a profile by what it measures, for files whose name does not tell.
pub fn kind_of(profile: &Profile) -> String {
    let has = |name: &str| weights::column(profile, &[name]).is_some();
    let first = profile.sample_types.first().map_or("", |t| profile.str(t.kind));
    let kind = match () {
        () if has("cpu") || profile.str(profile.period_type.kind) == "cpu" => "cpu",
        () if has("inuse_space") || has("alloc_space") => "heap",
        () if has("contentions") => "contention",
        () if first == "samples" => "cpu",
        () => first,
    };
    kind.to_owned()
}

/// A part as a percentage of the whole.
fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// The `n` heaviest of named values, as percentages of `whole`.
fn heaviest(
    values: impl IntoIterator<Item = (String, i64)>,
    whole: i64,
    n: usize,
) -> Vec<Evidence> {
    let mut values: Vec<_> = values.into_iter().filter(|(_, value)| *value > 0).collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let evidence = |(place, value)| Evidence::new(place, percent(value, whole), "percent");
    values.into_iter().take(n).map(evidence).collect()
}

#[cfg(test)]
mod tests {
    use oxprof_profile::Builder;

    use super::*;

    /// A profile of stacks `root;leaf`, with one value for each of `types`.
    pub(super) fn profile(types: &[(&str, &str)], samples: &[(&str, &[i64])]) -> Profile {
        let mut builder = Builder::new(types);
        for (stack, values) in samples {
            let stack: Vec<_> =
                stack.split(';').rev().map(|name| builder.named(name.as_bytes())).collect();
            builder.sample(values, &stack, &[]);
        }
        builder.finish()
    }

    pub(super) fn cpu(samples: &[(&str, i64)]) -> Profile {
        let rows: Vec<_> = samples.iter().map(|&(s, n)| (s, [n, n * 10_000_000])).collect();
        let rows: Vec<_> = rows.iter().map(|(stack, values)| (*stack, &values[..])).collect();
        profile(&[("samples", "count"), ("cpu", "nanoseconds")], &rows)
    }

    /// Severity, detector and first evidence of each finding.
    #[track_caller]
    pub(super) fn check(findings: &[Finding], expected: &[&str]) {
        let line = |f: &Finding| {
            let first = f
                .evidence
                .first()
                .map_or(String::new(), |e| format!(" {} {:.0}", e.place, e.value));
            format!("{} {}{first}", f.severity, f.detector)
        };
        assert_eq!(findings.iter().map(line).collect::<Vec<_>>(), expected, "{findings:#?}");
    }

    #[test]
    fn the_gravest_findings_come_first() {
        let input = |kind: &str, profile| Input { label: "x".into(), kind: kind.into(), profile };
        let goroutines = profile(&[("goroutine", "count")], &[("main;wait", &[5000])]);
        let found = review(
            &[input("cpu", cpu(&[("main;work", 500)])), input("goroutine", goroutines)],
            &[],
        );
        check(&found.findings, &["warning crowd wait 5000", "info hot-spot work 100"]);
        assert_eq!(found.worst(), Some(Severity::Warning));
        assert_eq!(found.examined[0].total, 5_000_000_000);
        assert_eq!(review(&[], &[]), Report::default());
    }

    #[test]
    fn kinds_are_told_by_what_is_measured() {
        #[track_caller]
        fn check(types: &[(&str, &str)], expected: &str) {
            assert_eq!(kind_of(&profile(types, &[])), expected);
        }
        check(&[("samples", "count"), ("cpu", "nanoseconds")], "cpu");
        check(&[("samples", "count")], "cpu");
        check(&[("alloc_space", "bytes"), ("inuse_space", "bytes")], "heap");
        check(&[("contentions", "count"), ("delay", "nanoseconds")], "contention");
        check(&[("goroutine", "count")], "goroutine");
        assert_eq!(kind_of(&Profile::default()), "");
    }
}
