//! How long goroutines wait each time, as text.

use std::io::Write;

use oxprof_trace::Latencies;
use oxprof_trace::views::{Distribution, WaitRow, Waits};

use super::Report;
use crate::failure::Result;
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, or_unknown, table};

/// The columns of a distribution.
pub(super) const HEADS: [&str; 5] = ["p50", "p90", "p99", "max", "sum"];

pub(super) fn cells(times: &Distribution) -> Vec<String> {
    [times.p50, times.p90, times.p99, times.max, times.sum].map(duration).to_vec()
}

pub(super) fn read(args: &Args) -> Result<Waits> {
    let mut latencies = Latencies::new();
    let trace = Trace::open(&args.file)?;
    trace.each(options(args), |event, tables| latencies.event(event, tables))?.warn();
    Ok(Waits::new(latencies.finish()))
}

impl Report for Waits {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["waits"];
        heads.extend(HEADS);
        heads.extend(["for", "goroutines that start in"]);
        let row = |row: &WaitRow| {
            let mut cells = vec![row.times.count.to_string()];
            cells.extend(self::cells(&row.times));
            cells.extend([row.waits_for.clone(), or_unknown(&row.goroutine).to_owned()]);
            cells
        };
        Ok(table(&heads, &self.waits.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}
