//! Whether the profiles can be trusted at all.

use oxprof_profile::Profile;

use super::{Evidence, Finding, Severity, percent};
use crate::weights::main_column;

/// Share of the value without a name from which on reports mislead, in percent.
const NAMELESS: f64 = 20.0;

/// Fewer samples of CPU time say little.
const FEW: i64 = 100;

/// What is wrong with the profiles themselves.
pub(super) fn find(kind: &str, profiles: &[Profile]) -> Vec<Finding> {
    nameless(kind, profiles).into_iter().chain(too_few(kind, profiles)).collect()
}

fn finding(kind: &str, severity: Severity, detector: &'static str, value: Evidence) -> Finding {
    Finding {
        severity,
        detector,
        kind: kind.to_owned(),
        title: String::new(),
        why: String::new(),
        evidence: vec![value],
        next: String::new(),
    }
}

/// Samples whose innermost place has no name.
fn nameless(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    let (mut total, mut without) = (0i64, 0i64);
    for profile in profiles {
        let column = main_column(profile)?;
        for sample in profile.samples.iter() {
            let Some(&leaf) = sample.stack.first() else { continue };
            total += sample.values[column].abs();
            without +=
                if profile.lines_of(leaf).is_empty() { sample.values[column].abs() } else { 0 };
        }
    }
    let share = percent(without, total);
    (share >= NAMELESS).then(|| Finding {
        title: format!("{share:.0} % of the samples have no function names"),
        why: "Findings below see only what has a name.".to_owned(),
        next: "Give oxprof the binary, or set PPROF_BINARY_PATH.".to_owned(),
        ..finding(
            kind,
            Severity::Warning,
            "no-names",
            Evidence::new("without names", share, "percent"),
        )
    })
}

fn too_few(kind: &str, profiles: &[Profile]) -> Option<Finding> {
    if kind != "cpu" {
        return None;
    }
    let hits = |p: &Profile| super::cpu::hits_column(p).map_or(0, |column| p.totals()[column]);
    let samples: i64 = profiles.iter().map(hits).sum();
    (samples < FEW).then(|| Finding {
        title: format!("there are only {samples} samples"),
        why: "Shares of so few samples are off by several percent by chance.".to_owned(),
        next: "Profile for longer, or under load.".to_owned(),
        ..finding(
            kind,
            Severity::Info,
            "few-samples",
            Evidence::new("samples", samples as f64, "count"),
        )
    })
}

#[cfg(test)]
mod tests {
    use oxprof_profile::Builder;

    use super::super::tests::{check, cpu};
    use super::*;

    #[test]
    fn names_and_numbers() {
        let mut builder = Builder::new(&[("samples", "count")]);
        let (named, nameless) = (builder.named(b"f"), builder.address(None, 0x1234));
        builder.sample(&[70], &[named], &[]);
        builder.sample(&[80], &[nameless, named], &[]);
        check(&find("cpu", &[builder.finish()]), &["warning no-names without names 53"]);
        check(&find("cpu", &[cpu(&[("f", 20)])]), &["info few-samples samples 20"]);
        check(&find("cpu", &[cpu(&[("f", 200)])]), &[]);
    }
}
