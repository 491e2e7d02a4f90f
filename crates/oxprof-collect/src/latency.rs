//! Latencies: a histogram that forgets nothing slow, and the schedule that keeps it honest.
//!
//! A load generator that waits for an answer before it sends the next request stops asking exactly when
//! the server is slow, and so leaves the worst out. Here every request has a time at which it is due; its
//! latency counts from then, whoever was late.

use std::time::Duration;

use serde::Serialize;

/// Buckets of a power of two; the relative error is at most half of its inverse.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of durations in buckets that are fine for short ones and coarse for long ones, within 1 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: Duration,
    min: Option<Duration>,
    max: Duration,
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        let bucket = bucket(micros(duration));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
        self.min = Some(self.min.map_or(duration, |min| min.min(duration)));
        self.max = self.max.max(duration);
    }

    /// Adds all that another has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.into_iter().chain(other.min).min();
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `percent` of all do not exceed, within 1 %.
    pub fn percentile(&self, percent: f64) -> Duration {
        let wanted =
            ((self.count as f64 * percent / 100.0).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(highest(bucket)).min(self.max);
            }
        }
        self.max
    }

    /// What reports show.
    pub fn summary(&self) -> Summary {
        let mean = self.sum.as_secs_f64() / self.count.max(1) as f64;
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let at = |percent| ms(self.percentile(percent));
        Summary {
            count: self.count,
            min_ms: ms(self.min.unwrap_or_default()),
            mean_ms: mean * 1e3,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: ms(self.max),
        }
    }
}

/// A histogram in a few numbers, all in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub count: u64,
    pub min_ms: f64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Values below [`STEPS`] have a bucket each; above, each doubling has [`STEPS`] buckets.
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    (u64::from(shift + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// The largest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS + 1) << shift).wrapping_sub(1)
}

/// When the requests of a load are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Requests a second; `None` for as many as get answered.
    pub rate: Option<f64>,
    /// For how long.
    pub duration: Duration,
}

impl Schedule {
    /// How long after the start request `number` is due, if it still belongs to the load. Without a rate
    /// it is due as soon as somebody is free to send it, which is `now`.
    pub fn due(&self, number: u64, now: Duration) -> Option<Duration> {
        let due = match self.rate {
            Some(rate) => Duration::try_from_secs_f64(number as f64 / rate).ok()?,
            None => now,
        };
        (due < self.duration).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut all = Histogram::default();
        for i in 1..=100_000u64 {
            all.record(Duration::from_micros(i));
        }
        #[track_caller]
        fn check(all: &Histogram, percent: f64, expected: f64) {
            let found = all.percentile(percent).as_secs_f64() * 1e6;
            assert!((found / expected - 1.0).abs() < 0.016, "{percent} %: {found}");
        }
        check(&all, 50.0, 50_000.0);
        check(&all, 99.0, 99_000.0);
        check(&all, 99.9, 99_900.0);
        assert_eq!(all.percentile(100.0), Duration::from_millis(100));
        assert_eq!(all.count(), 100_000);
    }

    #[test]
    fn every_value_is_in_the_bucket_that_ends_at_or_above_it() {
        for value in (0..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX >> 1, u64::MAX]) {
            let bucket = bucket(value);
            assert!(highest(bucket) >= value, "{value}");
            assert!(bucket == 0 || highest(bucket - 1) < value, "{value}");
        }
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut a, mut b, mut both) = <(Histogram, Histogram, Histogram)>::default();
        for (i, ms) in [5, 1, 900, 20].into_iter().enumerate() {
            let duration = Duration::from_millis(ms);
            let one = if i % 2 == 0 { &mut a } else { &mut b };
            one.record(duration);
            both.record(duration);
        }
        a.merge(&b);
        assert_eq!(a, both);
        assert_eq!(both.summary().max_ms, 900.0);
    }

    #[test]
    fn a_stall_counts_for_all_that_were_due_during_it() {
        let load = Schedule { rate: Some(100.0), duration: Duration::from_secs(10) };
        // One sender; the server answers in 1 ms, but stalls for two seconds at request 100.
        let (mut now, mut honest) = (Duration::ZERO, Histogram::default());
        let mut number = 0;
        while let Some(due) = load.due(number, now) {
            let takes = if number == 100 { 2000 } else { 1 };
            now = now.max(due) + Duration::from_millis(takes);
            honest.record(now - due);
            number += 1;
        }
        assert_eq!(number, 1000);
        // About 200 requests were due while it stalled: more than a tenth of all took over half a second.
        assert!(honest.percentile(90.0) > Duration::from_millis(500), "{:?}", honest.summary());
    }
}
