//! Tasks and regions.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::goroutines::Times;
use super::latency::Distribution;
use crate::{Histogram, Mark, RegionSummary, Summary, TaskSummary};

/// Tasks by type.
#[derive(Clone, Debug, Serialize)]
pub struct TaskTypes {
    /// By name.
    pub types: Vec<TaskType>,
}

/// Tasks of a type.
#[derive(Clone, Debug, Serialize)]
pub struct TaskType {
    /// The type; empty if unknown.
    pub name: String,
    /// How many there are.
    pub count: u64,
    /// Of those that begin and end in the trace.
    pub times: Distribution,
}

impl TaskTypes {
    /// The types of a trace.
    pub fn new(summary: &Summary) -> Self {
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

/// Tasks one by one, with what happened in them.
#[derive(Clone, Debug, Serialize)]
pub struct Tasks {
    /// How many there are.
    pub count: usize,
    /// The tasks, the longest first.
    pub tasks: Vec<Task>,
}

/// A task.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// Its type; empty if unknown.
    pub name: String,
    /// The task it is part of.
    pub parent: Option<u64>,
    /// When it began, or the trace did.
    pub start: i64,
    /// How long it took within the trace.
    pub duration: i64,
    /// Whether it begins and ends in the trace.
    pub complete: bool,
    /// How many goroutines worked for it.
    pub goroutines: usize,
    /// What happened in it, in order.
    pub events: Vec<Happening>,
}

/// Something that happened in a task.
#[derive(Clone, Debug, Serialize)]
pub struct Happening {
    /// When.
    pub time: i64,
    /// On which goroutine.
    pub goroutine: i64,
    /// `task begins`, `task ends`, `region begins`, `region ends` or `log`.
    pub what: &'static str,
    /// The name of the task or region, or the message.
    pub text: String,
    /// How long what ends took.
    pub took: Option<i64>,
}

impl Tasks {
    /// The tasks of a type, or the one of a number, at most so many; `None` if there are none.
    pub fn new(summary: &Summary, which: &str, most: usize) -> Option<Self> {
        let matches = |task: &&TaskSummary| {
            summary.names.get(task.name) == which || which.parse() == Ok(task.id.0)
        };
        let mut tasks: Vec<_> = summary.tasks.iter().filter(matches).collect();
        tasks.sort_by_key(|task| Reverse(summary.task_time(task)));
        let count = tasks.len();
        let tasks = tasks.iter().take(most).map(|task| Task::new(summary, task)).collect();
        (count > 0).then_some(Self { count, tasks })
    }
}

impl Task {
    fn new(summary: &Summary, task: &TaskSummary) -> Self {
        let name = |id| summary.names.get(id).to_owned();
        Self {
            id: task.id.0,
            name: name(task.name),
            parent: task.parent.map(|parent| summary.tasks[parent as usize].id.0),
            start: task.start.map_or(0, |mark| mark.time - summary.start),
            duration: summary.task_time(task),
            complete: task.start.is_some() && task.end.is_some(),
            goroutines: task.goroutines.len(),
            events: happenings(summary, task),
        }
    }
}

fn happenings(summary: &Summary, task: &TaskSummary) -> Vec<Happening> {
    let name = |id| summary.names.get(id).to_owned();
    let mut events = Vec::new();
    let mut add = |mark: Option<Mark>, what, text, took| {
        if let Some(mark) = mark {
            let (time, goroutine) = (mark.time - summary.start, mark.goroutine.0);
            events.push(Happening { time, goroutine, what, text, took });
        }
    };
    add(task.start, "task begins", name(task.name), None);
    for log in &task.logs {
        let (category, message) = (name(log.category), name(log.message));
        let text = if category.is_empty() { message } else { format!("[{category}] {message}") };
        add(Some(log.mark), "log", text, None);
    }
    for &region in &task.regions {
        let region = &summary.regions[region as usize];
        add(region.start, "region begins", name(region.name), None);
        add(region.end, "region ends", name(region.name), Some(summary.region_time(region)));
    }
    add(task.end, "task ends", name(task.name), Some(summary.task_time(task)));
    events.sort_by_key(|event| event.time);
    events
}

/// Regions by type and place.
#[derive(Clone, Debug, Serialize)]
pub struct RegionTypes {
    /// By name, then by place.
    pub types: Vec<RegionType>,
}

/// Regions of a type that begin in one place.
#[derive(Clone, Debug, Serialize)]
pub struct RegionType {
    /// The type; empty for one that goroutines inherit from the region they are created in.
    pub name: String,
    /// The function at the root of the stack where the regions begin.
    pub function: String,
    /// Where in it.
    pub pc: u64,
    /// How long they take.
    pub times: Distribution,
}

impl RegionTypes {
    /// The types of a trace.
    pub fn new(summary: &Summary) -> Self {
        let mut types: BTreeMap<_, Histogram> = BTreeMap::new();
        for region in &summary.regions {
            let (pc, function) = place(summary, region);
            let key = (summary.names.get(region.name), pc, function);
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

/// The root of the stack where a region begins: its program counter and function.
fn place<'a>(summary: &'a Summary, region: &RegionSummary) -> (u64, &'a str) {
    let root = region.start.and_then(|mark| summary.names.root(mark.stack));
    root.map_or((0, ""), |frame| (frame.pc, summary.names.get(frame.func)))
}

/// Regions one by one.
#[derive(Clone, Debug, Serialize)]
pub struct Regions {
    /// How many there are.
    pub count: usize,
    /// The regions, the longest first.
    pub regions: Vec<RegionRow>,
}

/// A region.
#[derive(Clone, Debug, Serialize)]
pub struct RegionRow {
    /// The goroutine it is on.
    pub goroutine: i64,
    /// The task it works for; 0 for none in particular.
    pub task: u64,
    /// When it began, or the trace did.
    pub start: i64,
    /// How long it took within the trace.
    pub duration: i64,
    /// What its goroutine spent its time on meanwhile.
    pub times: Times,
}

impl Regions {
    /// The regions of a type that begin at a program counter, at most so many; `None` if there are none.
    pub fn new(summary: &Summary, name: &str, pc: u64, most: usize) -> Option<Self> {
        let matches = |region: &&RegionSummary| {
            summary.names.get(region.name) == name && place(summary, region).0 == pc
        };
        let mut regions: Vec<_> = summary.regions.iter().filter(matches).collect();
        regions.sort_by_key(|region| Reverse(summary.region_time(region)));
        let row = |region: &&RegionSummary| RegionRow {
            goroutine: summary.goroutines[region.goroutine as usize].id.0,
            task: region.task.0,
            start: region.start.map_or(0, |mark| mark.time - summary.start),
            duration: summary.region_time(region),
            times: Times::new(&region.stats, &summary.names),
        };
        let count = regions.len();
        let regions = regions.iter().take(most).map(row).collect();
        (count > 0).then_some(Self { count, regions })
    }
}
