//! Minimum mutator utilisation, as text.

use std::io::Write;

use oxprof_trace::mutator::{GcWork, Utilization};
use oxprof_trace::views::{Mmu, MmuRow};

use super::Report;
use crate::failure::{Failure, Result};
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, table};

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

impl Report for Mmu {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let percent = |part: f64| format!("{:.1}%", part * 100.0);
        let row = |row: &MmuRow| {
            vec![duration(row.window), percent(row.minimum), percent(row.p99), percent(row.p95)]
        };
        let rows: Vec<_> = self.windows.iter().map(row).collect();
        table(&["window", "minimum", "p99", "p95"], &rows, out)?;
        writeln!(out, "\nThe worst windows of {}:", duration(Self::WORST_WINDOW))?;
        let row = |&(time, utilization): &(i64, f64)| vec![duration(time), percent(utilization)];
        let rows: Vec<_> = self.worst.iter().map(row).collect();
        Ok(table(&["begins at", "utilisation"], &rows, out)?)
    }
}
