//! The statistics that judgements rest on: trends over time, and shares that differ.
//!
//! A trend is judged by ranks: the Mann–Kendall test says how likely a series without one would rise as
//! steadily, the Theil–Sen slope how fast it rises. Neither minds outliers or assumes a distribution.
//! Shares are compared as quasi-binomials: profiles of the same program differ by more than counting alone
//! explains, so the variance between profiles, where there are several, widens the intervals.

use serde::Serialize;

/// The middle of `values`, or the mean of the two in the middle; `None` if there are none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// How a series moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Change per unit of time (Theil–Sen).
    pub slope: f64,
    /// The slope lies between this …
    pub slope_low: f64,
    /// … and this with 95 % confidence.
    pub slope_high: f64,
    /// Probability that a series without trend rises this steadily (Mann–Kendall, one-sided).
    pub p: f64,
}

/// The trend of points, each a time and a value; `None` for fewer than three.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < 3 {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    let mut score = 0i64;
    for (i, &(t0, v0)) in points.iter().enumerate() {
        for &(t1, v1) in &points[i + 1..] {
            score += i64::from(v1 > v0) - i64::from(v1 < v0);
            if t1 != t0 {
                slopes.push((v1 - v0) / (t1 - t0));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let deviation = score_variance(points).sqrt();
    let (slope_low, slope_high) = slope_interval(&slopes, deviation);
    Some(Trend {
        slope: median(&slopes)?,
        slope_low,
        slope_high,
        p: p_of(points, score, deviation),
    })
}

/// Sen's interval: the slopes as far from the middle as the score varies by chance.
fn slope_interval(sorted: &[f64], deviation: f64) -> (f64, f64) {
    let n = sorted.len() as f64;
    let reach = 1.96 * deviation;
    let last = sorted.len() - 1;
    let low = ((n - reach) / 2.0).floor().max(0.0) as usize;
    let high = ((n + reach) / 2.0).ceil() as usize;
    (sorted[low.min(last)], sorted[high.min(last)])
}

/// Probability of a score at least this high if all orders were equally likely.
fn p_of(points: &[(f64, f64)], score: i64, deviation: f64) -> f64 {
    if deviation == 0.0 {
        return 1.0;
    }
    if ties(points).is_empty() && points.len() <= EXACT {
        return exact_p(points.len(), score);
    }
    let towards_zero = score.signum() as f64;
    normal_tail((score as f64 - towards_zero) / deviation)
}

/// Variance of the score by chance, less what ties take from it.
fn score_variance(points: &[(f64, f64)]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let tied: f64 = ties(points).into_iter().map(|n| term(n as f64)).sum();
    (term(points.len() as f64) - tied) / 18.0
}

/// Sizes of the groups of equal values.
fn ties(points: &[(f64, f64)]) -> Vec<usize> {
    let mut values: Vec<_> = points.iter().map(|&(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    values.chunk_by(|a, b| a == b).map(<[f64]>::len).filter(|&n| n > 1).collect()
}

/// Up to here the distribution of the score is computed rather than approximated.
const EXACT: usize = 30;

/// The score of a random order of `n` values is a known function of its number of inversions, whose
/// distribution builds up value by value.
fn exact_p(n: usize, score: i64) -> f64 {
    let pairs = n * (n - 1) / 2;
    let mut chance = vec![1.0];
    for placed in 1..n {
        let mut next = vec![0.0; chance.len() + placed];
        for (inversions, p) in chance.iter().enumerate() {
            for more in 0..=placed {
                next[inversions + more] += p / (placed + 1) as f64;
            }
        }
        chance = next;
    }
    let inversions = (pairs as i64 - score) / 2;
    chance.iter().take(usize::try_from(inversions + 1).unwrap_or(0)).sum::<f64>().min(1.0)
}

/// Probability that a standard normal variable exceeds `z`.
pub fn normal_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_tail(-z);
    }
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 3.0 {
        // The series of the integral from 0 to z.
        let (mut term, mut sum, mut n) = (z, z, 1.0);
        while term > sum * 1e-16 {
            n += 2.0;
            term *= z * z / n;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    // The continued fraction of what remains.
    let fraction = (1..=60).rev().fold(z, |below, k| z + f64::from(k) / below);
    density / fraction
}

/// A part of a whole, counted in one profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Samples of the part.
    pub hits: f64,
    /// Samples of the whole.
    pub of: f64,
}

impl Share {
    fn value(self) -> f64 {
        if self.of > 0.0 { self.hits / self.of } else { 0.0 }
    }
}

/// How a share differs between two groups of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShareChange {
    /// The share before, from 0 to 1.
    pub before: f64,
    /// The share after.
    pub after: f64,
    /// Probability of a difference this large, either way, if there were none.
    pub p: f64,
    /// By how much the variance exceeds that of counting.
    pub dispersion: f64,
}

/// Variance in excess of counting that is assumed where too few profiles are at hand to tell.
const ASSUMED_DISPERSION: f64 = 2.0;

/// Compares a share, counted in each profile of two groups.
pub fn compare_shares(before: &[Share], after: &[Share]) -> ShareChange {
    let (b, a) = (pooled(before), pooled(after));
    let dispersion = dispersion(before, after);
    let p = pooled(&[b, a]).value();
    let variance = dispersion * p * (1.0 - p) * (1.0 / b.of.max(1.0) + 1.0 / a.of.max(1.0));
    let z = if variance > 0.0 { (a.value() - b.value()).abs() / variance.sqrt() } else { 0.0 };
    ShareChange {
        before: b.value(),
        after: a.value(),
        p: (2.0 * normal_tail(z)).min(1.0),
        dispersion,
    }
}

fn pooled(shares: &[Share]) -> Share {
    let sum = |of: fn(&Share) -> f64| shares.iter().map(of).sum();
    Share { hits: sum(|s| s.hits), of: sum(|s| s.of) }
}

/// Pearson's statistic over its degrees of freedom; never below one.
fn dispersion(before: &[Share], after: &[Share]) -> f64 {
    let freedom = before.len() + after.len();
    if freedom < 6 {
        return ASSUMED_DISPERSION;
    }
    let excess = |group: &[Share]| {
        let p = pooled(group).value();
        let part = |s: &Share| (s.hits - s.of * p).powi(2) / (s.of * p * (1.0 - p));
        if p > 0.0 && p < 1.0 { group.iter().filter(|s| s.of > 0.0).map(part).sum() } else { 0.0 }
    };
    ((excess(before) + excess(after)) / (freedom - 2) as f64).max(1.0)
}

/// Which of many tests to believe so that at most `rate` of those believed are false (Benjamini–Hochberg).
pub fn discoveries(p: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<_> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let holds = |rank: usize| p[order[rank]] <= rate * (rank + 1) as f64 / p.len() as f64;
    let believed = (0..p.len()).rev().find(|&rank| holds(rank)).map_or(0, |rank| rank + 1);
    let mut result = vec![false; p.len()];
    order.into_iter().take(believed).for_each(|i| result[i] = true);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(t, &v)| (t as f64, v)).collect()
    }

    #[track_caller]
    fn check_trend(values: &[f64], slope: f64, p: f64) {
        let found = trend(&series(values)).unwrap();
        assert!((found.slope - slope).abs() < 1e-9, "{found:?}");
        assert!((found.p - p).abs() < 0.0005, "{found:?}");
        assert!(found.slope_low <= slope && slope <= found.slope_high, "{found:?}");
    }

    #[test]
    fn trends() {
        // One order of 5! rises throughout.
        check_trend(&[1.0, 2.0, 3.0, 4.0, 5.0], 1.0, 1.0 / 120.0);
        // 5 of 120 orders have at most one inversion.
        check_trend(&[1.0, 2.0, 3.0, 5.0, 4.0], 1.0, 5.0 / 120.0);
        check_trend(&[5.0, 4.0, 3.0, 2.0, 1.0], -1.0, 1.0);
        check_trend(&[3.0, 3.0, 3.0, 3.0], 0.0, 1.0);
        // An outlier does not bend the slope. 76 of 7! orders have at most three inversions.
        check_trend(&[0.0, 1.0, 2.0, 100.0, 4.0, 5.0, 6.0], 1.0, 76.0 / 5040.0);
    }

    #[test]
    fn two_points_are_no_trend() {
        assert_eq!(trend(&series(&[1.0, 2.0])), None);
    }

    #[test]
    fn exact_and_approximate_trends_agree() {
        for score in [0i64, 51, 101] {
            let exact = exact_p(25, score + (300 - score) % 2);
            let deviation = (25.0f64 * 24.0 * 55.0 / 18.0).sqrt();
            let near = normal_tail((score as f64 - 1.0) / deviation);
            assert!((exact - near).abs() < 0.01, "{score}: {exact} {near}");
        }
    }

    #[test]
    fn tails_of_the_normal_distribution() {
        #[track_caller]
        fn check(z: f64, expected: f64) {
            let found = normal_tail(z);
            assert!((found / expected - 1.0).abs() < 1e-6, "{z}: {found}");
        }
        check(0.0, 0.5);
        check(1.0, 0.15865525393145707);
        check(-1.0, 0.8413447460685429);
        check(2.5, 0.006209665325776132);
        check(4.0, 3.167124183311986e-5);
        check(8.0, 6.220960574271786e-16);
    }

    fn share(hits: f64) -> Share {
        Share { hits, of: 1000.0 }
    }

    #[test]
    fn shares_differ_when_chance_does_not_explain_it() {
        let same = compare_shares(&[share(100.0)], &[share(105.0)]);
        assert!(same.p > 0.5, "{same:?}");
        let other = compare_shares(&[share(100.0)], &[share(200.0)]);
        assert!(other.p < 1e-4, "{other:?}");
        assert_eq!(other.dispersion, ASSUMED_DISPERSION);
    }

    #[test]
    fn profiles_that_vary_prove_less() {
        let steady = [share(100.0), share(101.0), share(99.0)];
        let shaken = [share(20.0), share(100.0), share(180.0)];
        let after = [share(130.0), share(131.0), share(129.0)];
        let (sure, unsure) = (compare_shares(&steady, &after), compare_shares(&shaken, &after));
        assert!(sure.p < 0.001 && unsure.p > 0.1, "{sure:?} {unsure:?}");
        assert_eq!(sure.dispersion, 1.0);
    }

    #[test]
    fn many_tests_are_believed_less() {
        assert_eq!(discoveries(&[0.01, 0.04, 0.03, 0.9], 0.05), [true, false, false, false]);
        assert_eq!(discoveries(&[0.01, 0.02, 0.03], 0.05), [true, true, true]);
        assert_eq!(discoveries(&[], 0.05), [false; 0]);
    }
}
