//! How long goroutines wait each time.

use serde::Serialize;

use crate::{Histogram, LatencyRow};

/// A distribution of durations, in nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    /// How many there are.
    pub count: u64,
    /// All of them together.
    pub sum: i64,
    /// The shortest.
    pub min: i64,
    /// The median.
    pub p50: i64,
    /// One in ten is longer.
    pub p90: i64,
    /// One in a hundred is longer.
    pub p99: i64,
    /// The longest.
    pub max: i64,
    /// Lower bound and count, five a decade.
    pub histogram: Vec<(i64, u64)>,
}

impl From<&Histogram> for Distribution {
    fn from(h: &Histogram) -> Self {
        Self {
            count: h.count(),
            sum: h.sum(),
            min: h.min(),
            p50: h.quantile(0.5),
            p90: h.quantile(0.9),
            p99: h.quantile(0.99),
            max: h.max(),
            histogram: h.decades(),
        }
    }
}

/// All waits.
#[derive(Clone, Debug, Serialize)]
pub struct Waits {
    /// Those with the longest waits in sum first.
    pub waits: Vec<WaitRow>,
}

/// The waits of some goroutines for something.
#[derive(Clone, Debug, Serialize)]
pub struct WaitRow {
    /// The function that the goroutines start in; empty if unknown.
    pub goroutine: String,
    /// What they wait for: `sched`, `syscall` or the reason of a block.
    pub waits_for: String,
    /// How long.
    pub times: Distribution,
}

impl Waits {
    /// The waits that [`Latencies`](crate::Latencies) found.
    pub fn new(rows: Vec<LatencyRow>) -> Self {
        let row = |row: LatencyRow| WaitRow {
            times: Distribution::from(&row.times),
            goroutine: row.goroutine,
            waits_for: row.wait,
        };
        Self { waits: rows.into_iter().map(row).collect() }
    }
}
