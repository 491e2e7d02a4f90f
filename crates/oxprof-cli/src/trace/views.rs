//! Views of a trace: values first, which are the JSON, and text made from them.

mod goroutines;
mod latency;
mod mmu;
mod tasks;
mod timeline;
mod why;

use std::io::Write;

use oxprof_trace::views::{Diff, Groups, Members, RegionTypes, TaskTypes, Tasks};
use oxprof_trace::{Summarizer, Summary};
use serde::Serialize;

use super::args::{Args, View};
use super::input::{Outcome, Trace};
use super::options;
use crate::failure::{Failure, Result};

/// A view as values.
trait Report: Serialize {
    /// Writes it as text.
    fn text(&self, out: &mut dyn Write) -> Result<()>;
}

/// Shows a view of the trace.
pub(super) fn show(args: &Args, view: &View, out: &mut dyn Write) -> Result<()> {
    match view {
        View::Summary => {
            let (summary, outcome) = summarize(args, &args.file)?;
            write(args, &goroutines::Overview::new(&summary, &outcome), out)
        }
        View::Goroutines => write(args, &Groups::new(&summarize(args, &args.file)?.0), out),
        View::Goroutine(func) => {
            let members = Members::new(&summarize(args, &args.file)?.0, func, usize::MAX);
            let advice = "-goroutines lists the functions there are";
            let none = || Failure::new(format_args!("no goroutine starts in {func}; {advice}"));
            write(args, &members.ok_or_else(none)?, out)
        }
        View::Diff(base) => {
            let (base, new) = (summarize(args, base)?.0, summarize(args, &args.file)?.0);
            write(args, &Diff::new(&base, &new), out)
        }
        View::Tasks => write(args, &TaskTypes::new(&summarize(args, &args.file)?.0), out),
        View::Task(which) => {
            let tasks = Tasks::new(&summarize(args, &args.file)?.0, which, usize::MAX);
            let advice = "-tasks lists the types there are";
            let none =
                || Failure::new(format_args!("no task is of type or number {which}; {advice}"));
            write(args, &tasks.ok_or_else(none)?, out)
        }
        View::Regions => write(args, &RegionTypes::new(&summarize(args, &args.file)?.0), out),
        View::Latency => write(args, &latency::read(args)?, out),
        View::Timeline(by) => write(args, &timeline::read(args, *by)?, out),
        View::Mmu => write(args, &mmu::read(args)?, out),
        View::Why(who) => write(args, &why::read(args, who)?, out),
    }
}

fn write(args: &Args, report: &impl Report, out: &mut dyn Write) -> Result<()> {
    if !args.json {
        return report.text(out);
    }
    serde_json::to_writer_pretty(&mut *out, report).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Reads a whole trace into a summary.
fn summarize(args: &Args, file: &str) -> Result<(Summary, Outcome)> {
    let mut summarizer = Summarizer::default();
    let trace = Trace::open(file)?;
    let outcome = trace.each(options(args), |event, tables| summarizer.event(event, tables))?;
    outcome.warn();
    Ok((summarizer.finish(), outcome))
}
