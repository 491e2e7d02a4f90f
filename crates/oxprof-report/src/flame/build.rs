//! From a report to a tree.

use oxprof_profile::units;

use super::color::hue;
use super::deal::{Cut, Direction, FlamePart, deal};
use super::sample::Sample;
use super::{FlameNames, FlameTree};
use crate::amounts::value_name;
use crate::header;
use crate::render::Report;
use crate::stacks::{Stacks, samples};

impl FlameTree {
    /// The tree of a report, without frames of less than `min_share` of the whole.
    pub(crate) fn new(report: &Report<'_>, min_share: f64) -> Self {
        let stacks = Stacks::new(report);
        let names = FlameNames::of_stacks(&stacks);
        let samples: Vec<Sample<'_>> = samples(report).map(Sample::new).collect();
        let whole: i64 = samples.iter().fold(0, |sum, s| sum.saturating_add(s.weight()));
        let difference = samples.iter().any(|s| s.value < 0);
        let min = ((whole as f64 * min_share).ceil() as i64).max(1);
        let cut = Cut { direction: Direction::Inwards, window: i64::MIN..i64::MAX, min };
        let FlamePart { frames, dropped, .. } = deal(&names, &cut, samples);
        let kind = value_name(report.profile, report.options);
        let total = stacks.amounts.shown(stacks.amounts.total).saturating_abs();
        Self {
            title: format!("{} {kind}", header::title(report.profile)).trim().to_owned(),
            legend: header::profile_labels(report.profile, report.options, &stacks.amounts),
            units: units_of(&stacks.amounts.from),
            total: if total == 0 { whole } else { total },
            difference,
            hues: names.texts.iter().map(|name| hue(name)).collect(),
            names: names.texts,
            frames,
            dropped,
        }
    }
}

/// Units of the family of `unit`, the smallest first.
pub(super) fn units_of(unit: &str) -> Vec<(f64, &'static str)> {
    let known = ["B", "kB", "MB", "GB", "TB", "ns", "us", "ms", "s", "hrs"];
    let factor = |name| Some((1.0 / units::ratio(unit, name)?, name));
    known.into_iter().filter_map(factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_family() {
        let names = |unit| units_of(unit).iter().map(|u| u.1).collect::<Vec<_>>().join(" ");
        assert_eq!(names("bytes"), "B kB MB GB TB");
        assert_eq!(names("nanoseconds"), "ns us ms s hrs");
        assert_eq!(names("count"), "");
        assert_eq!(units_of("milliseconds")[3], (1000.0, "s"));
    }
}
