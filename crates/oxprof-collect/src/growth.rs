//! Whether something grows without end: snapshots of what a program holds, judged over time.
//!
//! A leak rises steadily: not in every snapshot, but far more often than chance, by an amount that matters, and
//! its low points rise, too, which those of a cache that fills and empties do not. All three are asked for, of
//! the total and of each stack.

use std::collections::HashMap;
use std::fmt;

use oxprof_profile::Profile;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::Serialize;

use crate::stats::{self, Trend};
use crate::weights;

/// What a program held at a time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When, in seconds since any fixed time.
    pub seconds: f64,
    /// Sum over all stacks.
    pub total: i64,
    /// By stack of function names, leaf first.
    pub stacks: HashMap<Vec<String>, i64, FxBuildHasher>,
}

impl Snapshot {
    /// The values of a column of `profile`.
    pub fn of(profile: &Profile, column: usize, seconds: f64) -> Self {
        let stacks = weights::by_stack(profile, column);
        Self { seconds, total: stacks.values().sum(), stacks }
    }
}

/// What counts as growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criteria {
    /// Certainty asked for, such as 0.99.
    pub confidence: f64,
    /// Growth over all snapshots that matters, as a part of the first total.
    pub relative: f64,
    /// Growth that matters in the unit of the values. Both this and `relative` must be reached.
    pub absolute: i64,
}

impl Criteria {
    /// For memory in use, as `profile` samples it: a tenth, and a mebibyte or what eight samples stand for, as
    /// fewer may be chance.
    pub fn of_memory(profile: &Profile) -> Self {
        let is_bytes = profile.str(profile.period_type.unit) == "bytes";
        let period = if is_bytes { profile.period.max(0) } else { 0 };
        Self { confidence: 0.99, relative: 0.1, absolute: (1 << 20).max(period.saturating_mul(8)) }
    }

    /// For threads, tasks and other things that are counted one by one: a tenth, and ten of them.
    pub const OF_COUNTS: Self = Self { confidence: 0.99, relative: 0.1, absolute: 10 };
}

/// Fewer snapshots than this prove nothing.
pub const MIN_SNAPSHOTS: usize = 6;

/// What the snapshots say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It grows: a leak, or a cache without bound.
    Growing,
    /// It does not, or not enough to matter.
    Steady,
    /// There are too few snapshots to tell.
    Unknown,
}

/// Snapshots of one value, judged.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Kind of profile.
    pub kind: String,
    /// Unit of the values.
    pub unit: String,
    /// Number of snapshots.
    pub snapshots: usize,
    /// Seconds from the first to the last.
    pub seconds: f64,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// All stacks together.
    pub total: Series,
    /// Stacks that grow, the fastest first.
    pub stacks: Vec<Series>,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The total rises steadily and by enough.
    TotalRises,
    /// The total hides it, but at least one stack rises steadily and by enough.
    StackRises,
    /// Nothing rises more steadily than chance explains.
    NoTrend,
    /// What rises does so by too little to matter.
    TooSmall,
    /// It rises and falls back.
    FallsBack,
    /// There are too few snapshots.
    TooFew,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TotalRises => "the total rises steadily",
            Self::StackRises => "the total does not show it, but at least one stack rises steadily",
            Self::NoTrend => "nothing rises more steadily than chance explains",
            Self::TooSmall => "what rises does so by too little to matter",
            Self::FallsBack => "it rises, but falls back",
            Self::TooFew => "there are too few snapshots",
        })
    }
}

/// One value over time.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Function names, leaf first; empty for the total.
    pub stack: Vec<String>,
    /// The value in each snapshot.
    pub values: Vec<i64>,
    /// The trend a second.
    pub trend: Option<Trend>,
    /// By how much it grew over all snapshots, by its slope.
    pub growth: f64,
    /// Whether this alone counts as growing.
    pub verdict: Verdict,
}

/// Judges snapshots, which are in order of time.
pub fn judge(kind: &str, unit: &str, snapshots: &[Snapshot], criteria: Criteria) -> Growth {
    let seconds: Vec<_> = snapshots.iter().map(|s| s.seconds).collect();
    let span = seconds.last().zip(seconds.first()).map_or(0.0, |(last, first)| last - first);
    let total = Series::of(Vec::new(), snapshots.iter().map(|s| s.total).collect(), &seconds);
    let total_reason = total.judge(criteria, 1.0 - criteria.confidence);
    let mut stacks = series_by_stack(snapshots, &seconds);
    confirm(&mut stacks, criteria);
    let stack_rises = stacks.iter().any(|s| s.verdict == Verdict::Growing);
    let reason = match total_reason {
        Reason::NoTrend | Reason::TooSmall if stack_rises => Reason::StackRises,
        reason => reason,
    };
    let verdict = reason.verdict();
    let total = Series { verdict: total_reason.verdict(), ..total };
    Growth {
        kind: kind.to_owned(),
        unit: unit.to_owned(),
        snapshots: snapshots.len(),
        seconds: span,
        verdict,
        reason,
        total,
        stacks,
    }
}

impl Reason {
    fn verdict(self) -> Verdict {
        match self {
            Self::TotalRises | Self::StackRises => Verdict::Growing,
            Self::TooFew => Verdict::Unknown,
            _ => Verdict::Steady,
        }
    }
}

/// Stacks with an upward slope, steepest first.
fn series_by_stack(snapshots: &[Snapshot], seconds: &[f64]) -> Vec<Series> {
    let mut values: FxHashMap<&Vec<String>, Vec<i64>> = FxHashMap::default();
    for (i, snapshot) in snapshots.iter().enumerate() {
        for (stack, value) in &snapshot.stacks {
            values.entry(stack).or_insert_with(|| vec![0; snapshots.len()])[i] = *value;
        }
    }
    let mut series: Vec<_> = values
        .into_iter()
        .map(|(stack, values)| Series::of(stack.clone(), values, seconds))
        .filter(|series| series.growth > 0.0)
        .collect();
    series.sort_by(|a, b| b.growth.total_cmp(&a.growth).then_with(|| a.stack.cmp(&b.stack)));
    series
}

/// Among many stacks some rise by chance: the certainty asked for is that of all believed together.
fn confirm(stacks: &mut [Series], criteria: Criteria) {
    let p: Vec<_> = stacks.iter().map(|s| s.trend.map_or(1.0, |t| t.p)).collect();
    let believed = stats::discoveries(&p, 1.0 - criteria.confidence);
    for (series, believed) in stacks.iter_mut().zip(believed) {
        let reason = series.judge(criteria, if believed { 1.0 } else { 0.0 });
        series.verdict = reason.verdict();
    }
}

impl Series {
    fn of(stack: Vec<String>, values: Vec<i64>, seconds: &[f64]) -> Self {
        let points: Vec<_> = seconds.iter().zip(&values).map(|(&t, &v)| (t, v as f64)).collect();
        let trend = stats::trend(&points);
        let span = points.last().zip(points.first()).map_or(0.0, |(last, first)| last.0 - first.0);
        let growth = trend.map_or(0.0, |t| t.slope * span);
        Self { stack, values, trend, growth, verdict: Verdict::Steady }
    }

    /// A trend with a probability up to `p` of being chance is believed.
    fn judge(&self, criteria: Criteria, p: f64) -> Reason {
        let Some(trend) = self.trend.filter(|_| self.values.len() >= MIN_SNAPSHOTS) else {
            return Reason::TooFew;
        };
        let first = self.values.first().map_or(0.0, |&v| v as f64);
        if trend.slope <= 0.0 || trend.p > p {
            Reason::NoTrend
        } else if self.growth < criteria.absolute as f64 || self.growth < criteria.relative * first
        {
            Reason::TooSmall
        } else if !self.low_points_rise() {
            Reason::FallsBack
        } else {
            Reason::TotalRises
        }
    }

    /// Whether the lowest of the last third is above the lowest of the first third.
    fn low_points_rise(&self) -> bool {
        let third = self.values.len().div_ceil(3);
        let (first, last) = (&self.values[..third], &self.values[self.values.len() - third..]);
        last.iter().min() > first.iter().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRITERIA: Criteria = Criteria { confidence: 0.99, relative: 0.1, absolute: 50 };

    /// Each series a stack of that name; a snapshot a second.
    fn judged(series: &[(&str, &[i64])]) -> Growth {
        let count = series.first().map_or(0, |(_, values)| values.len());
        let snapshot = |i: usize| {
            let stacks: HashMap<_, _, _> =
                series.iter().map(|(name, v)| (vec![(*name).to_owned()], v[i])).collect();
            Snapshot { seconds: i as f64, total: stacks.values().sum(), stacks }
        };
        let snapshots: Vec<_> = (0..count).map(snapshot).collect();
        judge("heap", "bytes", &snapshots, CRITERIA)
    }

    #[track_caller]
    fn check(series: &[(&str, &[i64])], verdict: Verdict, reason: Reason, growing: &[&str]) {
        let found = judged(series);
        assert_eq!((found.verdict, found.reason), (verdict, reason), "{found:?}");
        let names = found.stacks.iter().filter(|s| s.verdict == Verdict::Growing);
        assert_eq!(names.map(|s| s.stack[0].as_str()).collect::<Vec<_>>(), growing);
    }

    #[test]
    fn verdicts() {
        let leak: &[i64] = &[100, 120, 140, 155, 180, 200, 220, 240];
        check(&[("leak", leak)], Verdict::Growing, Reason::TotalRises, &["leak"]);
        let even: &[i64] = &[100, 130, 90, 110, 140, 95, 120, 100];
        check(&[("even", even)], Verdict::Steady, Reason::NoTrend, &[]);
        let little: &[i64] = &[100, 101, 102, 103, 104, 105, 106, 107];
        check(&[("little", little)], Verdict::Steady, Reason::TooSmall, &[]);
        // A cache that is emptied at the end of the window.
        let saw: &[i64] = &[100, 120, 140, 155, 180, 200, 220, 240, 260, 280, 100];
        check(&[("saw", saw)], Verdict::Steady, Reason::FallsBack, &[]);
        check(&[("few", &[1, 200, 300])], Verdict::Unknown, Reason::TooFew, &[]);
    }

    #[test]
    fn a_leak_below_noise_is_found_by_its_stack() {
        let leak: &[i64] = &[0, 20, 40, 55, 80, 100, 120, 140];
        let noise: &[i64] = &[9000, 8200, 9900, 8100, 9500, 8800, 9100, 8300];
        check(&[("leak", leak), ("noise", noise)], Verdict::Growing, Reason::StackRises, &["leak"]);
    }

    #[test]
    fn the_growth_is_that_of_the_slope() {
        let found = judged(&[("a", &[0, 10, 20, 30, 40, 50, 60]), ("b", &[0, 1, 2, 3, 4, 5, 6])]);
        let rows: Vec<_> = found.stacks.iter().map(|s| (s.stack[0].as_str(), s.growth)).collect();
        assert_eq!(rows, [("a", 60.0), ("b", 6.0)]);
        assert_eq!(found.seconds, 6.0);
    }
}
