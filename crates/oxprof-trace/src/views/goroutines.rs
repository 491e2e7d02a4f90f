//! Goroutines by the function they start in, one by one, and compared with another trace.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::{ExecStats, Goroutine, Group, Names, Summary};

/// Where time went, in nanoseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Times {
    /// All of it.
    pub total: i64,
    /// Running.
    pub execution: i64,
    /// Able to run, waiting for a processor.
    pub scheduler_wait: i64,
    /// In system calls.
    pub syscall: i64,
    /// In system calls that cost the processor.
    pub syscall_blocked: i64,
    /// What no state accounts for.
    pub unknown: i64,
    /// Waiting, by reason.
    pub blocked: BTreeMap<String, i64>,
    /// In spans of special time, which overlap with the others.
    pub ranges: BTreeMap<String, i64>,
}

impl Times {
    /// The times with the names of their reasons.
    pub fn new(stats: &ExecStats, names: &Names) -> Self {
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
}

/// Goroutines by the function they start in.
#[derive(Clone, Debug, Serialize)]
pub struct Groups {
    /// A row for each function, those that ran longest first.
    pub groups: Vec<GroupRow>,
}

/// Goroutines that start in a function.
#[derive(Clone, Debug, Serialize)]
pub struct GroupRow {
    /// The function; empty if unknown.
    pub function: String,
    /// How many there are.
    pub count: u64,
    /// Where their time went, together.
    pub times: Times,
}

impl Groups {
    /// The groups of a trace.
    pub fn new(summary: &Summary) -> Self {
        let row = |group: &Group| GroupRow {
            function: summary.names.get(group.name).to_owned(),
            count: group.count,
            times: Times::new(&group.stats, &summary.names),
        };
        Self { groups: summary.groups().iter().map(row).collect() }
    }
}

/// Each goroutine that starts in a function.
#[derive(Clone, Debug, Serialize)]
pub struct Members {
    /// The function.
    pub function: String,
    /// How many goroutines there are.
    pub count: usize,
    /// The goroutines, those that took longest first.
    pub goroutines: Vec<Member>,
}

/// A goroutine.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Its number.
    pub id: i64,
    /// When it was created, or became known.
    pub created: i64,
    /// When it first ran.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Where its time went.
    pub times: Times,
}

impl Members {
    /// The goroutines of a function, at most so many; `None` if there are none.
    pub fn new(summary: &Summary, function: &str, most: usize) -> Option<Self> {
        let matches = |go: &&Goroutine| summary.names.get(go.name) == function;
        let mut members: Vec<_> = summary.goroutines.iter().filter(matches).collect();
        members.sort_by_key(|go| Reverse(go.stats.total));
        let count = members.len();
        let goroutines = members.iter().take(most).map(|go| Member::new(summary, go)).collect();
        (count > 0).then(|| Self { function: function.to_owned(), count, goroutines })
    }
}

impl Member {
    fn new(summary: &Summary, go: &Goroutine) -> Self {
        let since = |time: i64| time - summary.start;
        Self {
            id: go.id.0,
            created: since(go.created),
            started: go.started.map(since),
            ended: go.ended.map(since),
            times: Times::new(&go.stats, &summary.names),
        }
    }
}

/// Two traces compared, per second of each.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// Length of the trace to compare with.
    pub base_duration: i64,
    /// Length of the trace.
    pub duration: i64,
    /// A row for each function that goroutines start in, those that changed most first.
    pub rows: Vec<DiffRow>,
}

/// Nanoseconds per second of trace, base and new.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DiffRow {
    /// The function.
    pub function: String,
    /// Goroutines per second.
    pub count: [f64; 2],
    /// Running.
    pub execution: [i64; 2],
    /// Waiting for a processor.
    pub scheduler_wait: [i64; 2],
    /// In system calls.
    pub syscall: [i64; 2],
    /// Waiting for something else.
    pub blocked: [i64; 2],
}

impl Diff {
    /// Compares two traces.
    pub fn new(base: &Summary, new: &Summary) -> Self {
        let mut rows: BTreeMap<String, DiffRow> = BTreeMap::new();
        for (side, summary) in [base, new].into_iter().enumerate() {
            let second = 1e9 / summary.duration().max(1) as f64;
            let rate = |nanos: i64| (nanos as f64 * second).round() as i64;
            for group in summary.groups() {
                let function = summary.names.get(group.name).to_owned();
                let row = rows.entry(function.clone()).or_default();
                row.function = function;
                row.count[side] = group.count as f64 * second;
                row.execution[side] = rate(group.stats.exec);
                row.scheduler_wait[side] = rate(group.stats.sched_wait);
                row.syscall[side] = rate(group.stats.syscall + group.stats.syscall_block);
                row.blocked[side] = rate(group.stats.blocked_total());
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|row| {
            Reverse(grown(row.execution).abs() + grown(row.scheduler_wait).abs())
        });
        Self { base_duration: base.duration(), duration: new.duration(), rows }
    }
}

fn grown([base, new]: [i64; 2]) -> i64 {
    new - base
}
