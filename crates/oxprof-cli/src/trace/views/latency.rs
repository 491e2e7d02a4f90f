//! How long goroutines wait each time.

use std::io::Write;

use oxprof_trace::{Histogram, Latencies};
use serde::Serialize;

use super::Report;
use crate::failure::Result;
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, or_unknown, table};

/// A distribution of durations, in nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct Distribution {
    pub count: u64,
    pub sum: i64,
    pub min: i64,
    pub p50: i64,
    pub p90: i64,
    pub p99: i64,
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

impl Distribution {
    pub(super) const HEADS: [&str; 5] = ["p50", "p90", "p99", "max", "sum"];

    pub(super) fn cells(&self) -> Vec<String> {
        [self.p50, self.p90, self.p99, self.max, self.sum].map(duration).to_vec()
    }
}

/// All waits.
#[derive(Debug, Serialize)]
pub(super) struct Waits {
    waits: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    goroutine: String,
    waits_for: String,
    times: Distribution,
}

pub(super) fn read(args: &Args) -> Result<Waits> {
    let mut latencies = Latencies::new();
    let trace = Trace::open(&args.file)?;
    trace.each(options(args), |event, tables| latencies.event(event, tables))?.warn();
    let rows = latencies.finish().into_iter().map(|row| Row {
        times: Distribution::from(&row.times),
        goroutine: row.goroutine,
        waits_for: row.wait,
    });
    Ok(Waits { waits: rows.collect() })
}

impl Report for Waits {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["waits"];
        heads.extend(Distribution::HEADS);
        heads.extend(["for", "goroutines that start in"]);
        let row = |row: &Row| {
            let mut cells = vec![row.times.count.to_string()];
            cells.extend(row.times.cells());
            cells.extend([row.waits_for.clone(), or_unknown(&row.goroutine).to_owned()]);
            cells
        };
        Ok(table(&heads, &self.waits.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}
