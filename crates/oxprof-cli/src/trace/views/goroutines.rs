//! Goroutines by the function they start in, one by one, and compared with another trace: as text.

use std::io::Write;

use oxprof_trace::views::{Diff, DiffRow, GroupRow, Groups, Member, Members, Times};
use oxprof_trace::{ExecStats, Summary};
use serde::Serialize;

use super::Report;
use crate::failure::Result;
use crate::trace::input::Outcome;
use crate::trace::text::{change, duration, or_unknown, table};

/// The columns that every table of times has.
fn cells(times: &Times) -> Vec<String> {
    let blocked = times.blocked.values().sum();
    let syscall = times.syscall + times.syscall_blocked;
    [times.total, times.execution, times.scheduler_wait, syscall, blocked].map(duration).to_vec()
}

/// The reasons of blocking, the longest first.
fn reasons(times: &Times) -> String {
    let mut reasons: Vec<_> = times.blocked.iter().filter(|(_, nanos)| **nanos > 0).collect();
    reasons.sort_by_key(|(_, nanos)| std::cmp::Reverse(**nanos));
    let reason =
        |(reason, nanos): &(&String, &i64)| format!("{} {}", or_unknown(reason), duration(**nanos));
    reasons.iter().take(3).map(reason).collect::<Vec<_>>().join(", ")
}

/// What is in the trace.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    duration: i64,
    events: u64,
    bytes: u64,
    problems: u64,
    bytes_skipped: u64,
    goroutines: usize,
    tasks: usize,
    regions: usize,
    times: Times,
    #[serde(skip)]
    busiest: Groups,
}

impl Overview {
    pub(super) fn new(summary: &Summary, outcome: &Outcome) -> Self {
        let mut stats = ExecStats::default();
        summary.goroutines.iter().for_each(|go| stats.add(&go.stats));
        let mut busiest = Groups::new(summary);
        busiest.groups.truncate(10);
        Self {
            duration: summary.duration(),
            events: summary.events,
            bytes: outcome.bytes,
            problems: outcome.problems.count,
            bytes_skipped: outcome.problems.bytes_skipped,
            goroutines: summary.goroutines.len(),
            tasks: summary.tasks.len(),
            regions: summary.regions.len(),
            times: Times::new(&stats, &summary.names),
            busiest,
        }
    }
}

impl Report for Overview {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let (length, events, bytes) = (duration(self.duration), self.events, self.bytes);
        writeln!(out, "{length} of trace: {events} events in {bytes} bytes")?;
        let (goroutines, tasks, regions) = (self.goroutines, self.tasks, self.regions);
        writeln!(out, "{goroutines} goroutines, {tasks} tasks, {regions} regions")?;
        let times = &self.times;
        let (running, runnable) = (duration(times.execution), duration(times.scheduler_wait));
        writeln!(
            out,
            "All goroutines together ran for {running} and waited {runnable} for a processor."
        )?;
        writeln!(out, "\nThose that ran longest:")?;
        self.busiest.text(out)
    }
}

impl Report for Groups {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let heads = ["count", "total", "run", "runnable", "syscall", "blocked", "start function"];
        let row = |row: &GroupRow| {
            let mut cells = vec![row.count.to_string()];
            cells.extend(self::cells(&row.times));
            cells.push(or_unknown(&row.function).to_owned());
            cells
        };
        Ok(table(&heads, &self.groups.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

impl Report for Members {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{} goroutines start in {}", self.goroutines.len(), self.function)?;
        let heads =
            ["goroutine", "created", "total", "run", "runnable", "syscall", "blocked", "mostly on"];
        let row = |member: &Member| {
            let mut cells = vec![member.id.to_string(), duration(member.created)];
            cells.extend(self::cells(&member.times));
            cells.push(reasons(&member.times));
            cells
        };
        Ok(table(&heads, &self.goroutines.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

fn grown([base, new]: [i64; 2]) -> i64 {
    new - base
}

impl Report for Diff {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let (base, new) = (duration(self.base_duration), duration(self.duration));
        writeln!(out, "{base} of trace before, {new} after; changes per second of trace")?;
        let heads = ["count", "run", "runnable", "syscall", "blocked", "start function"];
        let row = |row: &DiffRow| {
            let [base, new] = row.count;
            let mut cells = vec![format!("{:+.1}", new - base)];
            let times = [row.execution, row.scheduler_wait, row.syscall, row.blocked];
            cells.extend(times.map(|pair| change(grown(pair))));
            cells.push(or_unknown(&row.function).to_owned());
            cells
        };
        Ok(table(&heads, &self.rows.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}
