//! Distributions of durations, in little memory.

/// Counts durations in buckets whose width is at most 1/32 of their lower bound, which bounds the error of
/// quantiles to about 3 %. Smallest, largest and sum are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: i64,
    min: i64,
    max: i64,
}

/// Each power of two has this many buckets.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.ilog2();

impl Histogram {
    /// Counts a duration; a negative one counts as 0.
    pub fn add(&mut self, nanos: i64) {
        let nanos = nanos.max(0);
        let bucket = bucket(nanos as u64);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum = self.sum.saturating_add(nanos);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// The shortest; 0 if there is none.
    pub fn min(&self) -> i64 {
        self.min
    }

    /// The longest; 0 if there is none.
    pub fn max(&self) -> i64 {
        self.max
    }

    /// Their mean; 0 if there is none.
    pub fn mean(&self) -> i64 {
        self.sum.checked_div(self.count as i64).unwrap_or(0)
    }

    /// The duration that a fraction of them does not exceed; 0 if there is none.
    pub fn quantile(&self, fraction: f64) -> i64 {
        let rank = (fraction * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (i, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(i).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// The same counts in five buckets for each power of ten, from the first that is not empty to the last:
    /// lower bound and count.
    pub fn decades(&self) -> Vec<(i64, u64)> {
        let mut rows: Vec<u64> = Vec::new();
        for (i, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let row = (5.0 * (upper_bound(i).max(1) as f64).log10()) as usize;
            if row >= rows.len() {
                rows.resize(row + 1, 0);
            }
            rows[row] += count;
        }
        let bound = |row: usize| 10f64.powf(row as f64 / 5.0).round() as i64;
        rows.into_iter()
            .enumerate()
            .skip_while(|&(_, count)| count == 0)
            .map(|(row, count)| (bound(row), count))
            .collect()
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    ((u64::from(shift) + 1) * STEPS + (nanos >> shift) - STEPS) as usize
}

/// The largest duration of a bucket.
fn upper_bound(bucket: usize) -> i64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket as i64;
    }
    let shift = bucket / STEPS - 1;
    let end = u128::from(bucket % STEPS + STEPS + 1) << shift;
    i64::try_from(end - 1).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_narrow_bucket() {
        for nanos in (0..200).chain([1000, 12_345, 1 << 40, i64::MAX - 1, i64::MAX]) {
            let top = upper_bound(bucket(nanos as u64));
            assert!(top >= nanos && top - nanos <= nanos / 32, "{nanos} has bucket up to {top}");
        }
    }

    #[test]
    fn quantiles_are_within_three_percent() {
        let mut h = Histogram::default();
        (1..=1000).for_each(|i| h.add(i * 1000));
        for (fraction, exact) in [(0.5, 500_000), (0.9, 900_000), (0.99, 990_000), (1.0, 1_000_000)]
        {
            let found = h.quantile(fraction);
            assert!((found - exact).abs() <= exact / 32, "{fraction}: {found}");
        }
        assert_eq!((h.count(), h.min(), h.max(), h.mean()), (1000, 1000, 1_000_000, 500_500));
        assert_eq!(h.decades().iter().map(|(_, count)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn an_empty_one_has_no_durations() {
        let h = Histogram::default();
        assert_eq!((h.quantile(0.5), h.mean(), h.decades()), (0, 0, vec![]));
    }
}
