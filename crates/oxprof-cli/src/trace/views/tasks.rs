//! Tasks and regions.

use std::collections::BTreeMap;
use std::io::Write;

use oxprof_trace::{Histogram, Mark, Summary, TaskSummary};
use serde::Serialize;

use super::Report;
use super::latency::Distribution;
use crate::failure::{Failure, Result};
use crate::trace::text::{duration, or_unknown, table};

/// Tasks by type.
#[derive(Debug, Serialize)]
pub(super) struct TaskTypes {
    types: Vec<TaskType>,
}

#[derive(Debug, Serialize)]
struct TaskType {
    name: String,
    count: u64,
    /// Of tasks that begin and end in the trace.
    times: Distribution,
}

impl TaskTypes {
    pub(super) fn new(summary: &Summary) -> Self {
        let mut types: BTreeMap<&str, (u64, Histogram)> = BTreeMap::new();
        for task in &summary.tasks {
            let (count, times) = types.entry(summary.names.get(task.name)).or_default();
            *count += 1;
            if task.start.is_some() && task.end.is_some() {
                times.add(summary.task_time(task));
            }
        }
        let row = |(name, (count, times)): (&str, (u64, Histogram))| TaskType {
            name: name.to_owned(),
            count,
            times: Distribution::from(&times),
        };
        Self { types: types.into_iter().map(row).collect() }
    }
}

impl Report for TaskTypes {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["count", "complete"];
        heads.extend(Distribution::HEADS);
        heads.push("type");
        let row = |row: &TaskType| {
            let mut cells = vec![row.count.to_string(), row.times.count.to_string()];
            cells.extend(row.times.cells());
            cells.push(or_unknown(&row.name).to_owned());
            cells
        };
        Ok(table(&heads, &self.types.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

/// Tasks one by one, with what happened in them.
#[derive(Debug, Serialize)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
}

#[derive(Debug, Serialize)]
struct Task {
    id: u64,
    name: String,
    parent: Option<u64>,
    /// Since the trace began.
    start: i64,
    duration: i64,
    complete: bool,
    goroutines: usize,
    events: Vec<Happening>,
}

#[derive(Debug, Serialize)]
struct Happening {
    /// Since the trace began.
    time: i64,
    goroutine: i64,
    what: String,
}

impl Tasks {
    /// The tasks of a type, or the one of a number.
    pub(super) fn new(summary: &Summary, which: &str) -> Result<Self> {
        let matches = |task: &&TaskSummary| {
            summary.names.get(task.name) == which || which.parse() == Ok(task.id.0)
        };
        let mut tasks: Vec<_> =
            summary.tasks.iter().filter(matches).map(|task| Task::new(summary, task)).collect();
        if tasks.is_empty() {
            let advice = "-tasks lists the types there are";
            return Err(Failure::new(format_args!(
                "no task is of type or number {which}; {advice}"
            )));
        }
        tasks.sort_by_key(|task| task.duration);
        Ok(Self { tasks })
    }
}

impl Task {
    fn new(summary: &Summary, task: &TaskSummary) -> Self {
        let name = |id| summary.names.get(id);
        let mut events = Vec::new();
        let mut add = |mark: Option<Mark>, what: String| {
            if let Some(mark) = mark {
                let time = mark.time - summary.start;
                events.push(Happening { time, goroutine: mark.goroutine.0, what });
            }
        };
        add(task.start, format!("task {} begins", name(task.name)));
        for log in &task.logs {
            let category = name(log.category);
            let prefix = if category.is_empty() { String::new() } else { format!("[{category}] ") };
            add(Some(log.mark), format!("log {prefix}{}", name(log.message)));
        }
        for &region in &task.regions {
            let region = &summary.regions[region as usize];
            add(region.start, format!("region {} begins", name(region.name)));
            let took = duration(summary.region_time(region));
            add(region.end, format!("region {} ends after {took}", name(region.name)));
        }
        add(task.end, format!("task {} ends", name(task.name)));
        events.sort_by_key(|event| event.time);
        Self {
            id: task.id.0,
            name: name(task.name).to_owned(),
            parent: task.parent.map(|parent| summary.tasks[parent as usize].id.0),
            start: task.start.map_or(0, |mark| mark.time - summary.start),
            duration: summary.task_time(task),
            complete: task.start.is_some() && task.end.is_some(),
            goroutines: task.goroutines.len(),
            events,
        }
    }
}

impl Report for Tasks {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        for task in &self.tasks {
            let complete = if task.complete { "" } else { ", incomplete" };
            let (name, took) = (or_unknown(&task.name), duration(task.duration));
            writeln!(
                out,
                "task {} {name}: {took}{complete}, {} goroutines",
                task.id, task.goroutines
            )?;
            let mut last = task.start;
            for event in &task.events {
                let (time, elapsed) = (event.time as f64 / 1e9, duration(event.time - last));
                let (goroutine, what) = (event.goroutine, event.what.trim());
                writeln!(out, "  {time:14.9}s  {elapsed:>9}  goroutine {goroutine:<6}  {what}")?;
                last = event.time;
            }
        }
        Ok(())
    }
}

/// Regions by type and place.
#[derive(Debug, Serialize)]
pub(super) struct RegionTypes {
    types: Vec<RegionType>,
}

#[derive(Debug, Serialize)]
struct RegionType {
    name: String,
    /// The function at the root of the stack where the regions begin.
    function: String,
    pc: u64,
    times: Distribution,
}

impl RegionTypes {
    pub(super) fn new(summary: &Summary) -> Self {
        let mut types: BTreeMap<_, Histogram> = BTreeMap::new();
        for region in &summary.regions {
            let root = region.start.and_then(|mark| summary.names.root(mark.stack));
            let key = (
                summary.names.get(region.name),
                root.map_or(0, |frame| frame.pc),
                root.map_or("", |frame| summary.names.get(frame.func)),
            );
            types.entry(key).or_default().add(summary.region_time(region));
        }
        let row = |((name, pc, function), times): ((&str, u64, &str), Histogram)| RegionType {
            name: name.to_owned(),
            function: function.to_owned(),
            pc,
            times: Distribution::from(&times),
        };
        Self { types: types.into_iter().map(row).collect() }
    }
}

impl Report for RegionTypes {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["count"];
        heads.extend(Distribution::HEADS);
        heads.extend(["type", "goroutines that start in"]);
        let row = |row: &RegionType| {
            let mut cells = vec![row.times.count.to_string()];
            cells.extend(row.times.cells());
            let name = if row.name.is_empty() { "(inherited)" } else { &row.name };
            cells.extend([name.to_owned(), or_unknown(&row.function).to_owned()]);
            cells
        };
        Ok(table(&heads, &self.types.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}
