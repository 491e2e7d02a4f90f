//! Goroutines by the function they start in, one by one, and compared with another trace.

use std::collections::BTreeMap;
use std::io::Write;

use oxprof_trace::{ExecStats, Group, Names, Summary};
use serde::Serialize;

use super::Report;
use crate::failure::{Failure, Result};
use crate::trace::input::Outcome;
use crate::trace::text::{change, duration, or_unknown, table};

/// Where time went, in nanoseconds.
#[derive(Debug, Default, Serialize)]
struct Times {
    total: i64,
    execution: i64,
    scheduler_wait: i64,
    syscall: i64,
    syscall_blocked: i64,
    unknown: i64,
    /// By reason.
    blocked: BTreeMap<String, i64>,
    /// In spans of special time, which overlap with the others.
    ranges: BTreeMap<String, i64>,
}

impl Times {
    fn new(stats: &ExecStats, names: &Names) -> Self {
        let named = |map: &[_]| {
            map.iter().map(|&(name, nanos)| (names.get(name).to_owned(), nanos)).collect()
        };
        Self {
            total: stats.total,
            execution: stats.exec,
            scheduler_wait: stats.sched_wait,
            syscall: stats.syscall,
            syscall_blocked: stats.syscall_block,
            unknown: stats.unknown(),
            blocked: named(&stats.blocked),
            ranges: named(&stats.ranges),
        }
    }

    /// The columns that every table has.
    fn cells(&self) -> Vec<String> {
        let blocked = self.blocked.values().sum();
        let syscall = self.syscall + self.syscall_blocked;
        [self.total, self.execution, self.scheduler_wait, syscall, blocked].map(duration).to_vec()
    }

    /// The reasons of blocking, the longest first.
    fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self.blocked.iter().filter(|(_, nanos)| **nanos > 0).collect();
        reasons.sort_by_key(|(_, nanos)| std::cmp::Reverse(**nanos));
        let reason = |(reason, nanos): &(&String, &i64)| {
            format!("{} {}", or_unknown(reason), duration(**nanos))
        };
        reasons.iter().take(3).map(reason).collect::<Vec<_>>().join(", ")
    }
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

/// Goroutines by the function they start in.
#[derive(Debug, Serialize)]
pub(super) struct Groups {
    groups: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    function: String,
    count: u64,
    times: Times,
}

impl Groups {
    pub(super) fn new(summary: &Summary) -> Self {
        let row = |group: &Group| Row {
            function: summary.names.get(group.name).to_owned(),
            count: group.count,
            times: Times::new(&group.stats, &summary.names),
        };
        Self { groups: summary.groups().iter().map(row).collect() }
    }
}

impl Report for Groups {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let heads = ["count", "total", "run", "runnable", "syscall", "blocked", "start function"];
        let row = |row: &Row| {
            let mut cells = vec![row.count.to_string()];
            cells.extend(row.times.cells());
            cells.push(or_unknown(&row.function).to_owned());
            cells
        };
        Ok(table(&heads, &self.groups.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

/// Each goroutine that starts in a function.
#[derive(Debug, Serialize)]
pub(super) struct Members {
    function: String,
    goroutines: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Member {
    id: i64,
    created: i64,
    started: Option<i64>,
    ended: Option<i64>,
    times: Times,
}

impl Members {
    pub(super) fn new(summary: &Summary, function: &str) -> Result<Self> {
        let since = |time: i64| time - summary.start;
        let members = summary.goroutines.iter().filter(|go| summary.names.get(go.name) == function);
        let mut goroutines: Vec<_> = members
            .map(|go| Member {
                id: go.id.0,
                created: since(go.created),
                started: go.started.map(since),
                ended: go.ended.map(since),
                times: Times::new(&go.stats, &summary.names),
            })
            .collect();
        if goroutines.is_empty() {
            let advice = "-goroutines lists the functions there are";
            return Err(Failure::new(format_args!("no goroutine starts in {function}; {advice}")));
        }
        goroutines.sort_by_key(|member| std::cmp::Reverse(member.times.total));
        Ok(Self { function: function.to_owned(), goroutines })
    }
}

impl Report for Members {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{} goroutines start in {}", self.goroutines.len(), self.function)?;
        let heads =
            ["goroutine", "created", "total", "run", "runnable", "syscall", "blocked", "mostly on"];
        let row = |member: &Member| {
            let mut cells = vec![member.id.to_string(), duration(member.created)];
            cells.extend(member.times.cells());
            cells.push(member.times.reasons());
            cells
        };
        Ok(table(&heads, &self.goroutines.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

/// Two traces compared, per second of each.
#[derive(Debug, Serialize)]
pub(super) struct Diff {
    base_duration: i64,
    duration: i64,
    rows: Vec<DiffRow>,
}

/// Nanoseconds per second of trace, base and new.
#[derive(Debug, Serialize)]
struct DiffRow {
    function: String,
    count: [f64; 2],
    execution: [i64; 2],
    scheduler_wait: [i64; 2],
    syscall: [i64; 2],
    blocked: [i64; 2],
}

impl Diff {
    pub(super) fn new(base: &Summary, new: &Summary) -> Self {
        let mut rows: BTreeMap<String, DiffRow> = BTreeMap::new();
        for (side, summary) in [base, new].into_iter().enumerate() {
            let second = 1e9 / summary.duration().max(1) as f64;
            let rate = |nanos: i64| (nanos as f64 * second).round() as i64;
            for group in summary.groups() {
                let name = summary.names.get(group.name);
                let row = rows.entry(name.to_owned()).or_insert_with(|| DiffRow::new(name));
                row.count[side] = group.count as f64 * second;
                row.execution[side] = rate(group.stats.exec);
                row.scheduler_wait[side] = rate(group.stats.sched_wait);
                row.syscall[side] = rate(group.stats.syscall + group.stats.syscall_block);
                row.blocked[side] = rate(group.stats.blocked_total());
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|row| {
            std::cmp::Reverse(grown(row.execution).abs() + grown(row.scheduler_wait).abs())
        });
        Self { base_duration: base.duration(), duration: new.duration(), rows }
    }
}

impl DiffRow {
    fn new(function: &str) -> Self {
        let none = [0; 2];
        Self {
            function: function.to_owned(),
            count: [0.0; 2],
            execution: none,
            scheduler_wait: none,
            syscall: none,
            blocked: none,
        }
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
