//! Minimum mutator utilisation.

use std::io::Write;

use oxprof_trace::mutator::{Curve, GcWork, Utilization};
use serde::Serialize;

use super::Report;
use crate::failure::{Failure, Result};
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, table};

/// The curve over windows from a microsecond to the whole trace.
#[derive(Debug, Serialize)]
pub(super) struct Mmu {
    windows: Vec<Row>,
    /// The worst windows of a millisecond: when, since the trace began, and their utilisation.
    worst: Vec<(i64, f64)>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Length of the window, in nanoseconds.
    window: i64,
    minimum: f64,
    /// All but one in a hundred windows are better.
    p99: f64,
    /// All but one in twenty windows are better.
    p95: f64,
}

const WORST_WINDOW: i64 = 1_000_000;

pub(super) fn read(args: &Args) -> Result<Mmu> {
    let mut utilization = Utilization::new(GcWork::default());
    let mut start = None;
    let trace = Trace::open(&args.file)?;
    trace
        .each(options(args), |event, tables| {
            start.get_or_insert(event.time);
            utilization.event(event, tables);
        })?
        .warn();
    let curve = utilization.finish();
    let curve = curve
        .ok_or_else(|| Failure::new("the trace does not say how many processors there are"))?;
    Ok(Mmu::new(&curve, start.unwrap_or_default()))
}

impl Mmu {
    fn new(curve: &Curve, start: i64) -> Self {
        let decades = (3..12).map(|power| 10i64.pow(power));
        let windows = decades.flat_map(|decade| [decade, 2 * decade, 5 * decade]);
        let duration = curve.duration();
        let row = |window| {
            let quantiles = curve.quantiles(window, &[0.01, 0.05]);
            Row { window, minimum: curve.minimum(window), p99: quantiles[0], p95: quantiles[1] }
        };
        let windows =
            windows.take_while(|&window| window < duration).chain([duration]).map(row).collect();
        let worst = curve.worst(WORST_WINDOW.min(duration), 5);
        Self { windows, worst: worst.iter().map(|w| (w.time - start, w.utilization)).collect() }
    }
}

impl Report for Mmu {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let percent = |part: f64| format!("{:.1}%", part * 100.0);
        let row = |row: &Row| {
            vec![duration(row.window), percent(row.minimum), percent(row.p99), percent(row.p95)]
        };
        let rows: Vec<_> = self.windows.iter().map(row).collect();
        table(&["window", "minimum", "p99", "p95"], &rows, out)?;
        writeln!(out, "\nThe worst windows of {}:", duration(WORST_WINDOW))?;
        let row = |&(time, utilization): &(i64, f64)| vec![duration(time), percent(utilization)];
        let rows: Vec<_> = self.worst.iter().map(row).collect();
        Ok(table(&["begins at", "utilisation"], &rows, out)?)
    }
}
