//! Tasks and regions, as text.

use std::io::Write;

use oxprof_trace::views::{Happening, RegionType, RegionTypes, TaskType, TaskTypes, Tasks};

use super::Report;
use super::latency::{self, HEADS};
use crate::failure::Result;
use crate::trace::text::{duration, or_unknown, table};

impl Report for TaskTypes {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["count", "complete"];
        heads.extend(HEADS);
        heads.push("type");
        let row = |row: &TaskType| {
            let mut cells = vec![row.count.to_string(), row.times.count.to_string()];
            cells.extend(latency::cells(&row.times));
            cells.push(or_unknown(&row.name).to_owned());
            cells
        };
        Ok(table(&heads, &self.types.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

impl Report for Tasks {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        for task in self.tasks.iter().rev() {
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
                let (goroutine, what) = (event.goroutine, sentence(event));
                writeln!(out, "  {time:14.9}s  {elapsed:>9}  goroutine {goroutine:<6}  {what}")?;
                last = event.time;
            }
        }
        Ok(())
    }
}

/// What happened, as a sentence.
fn sentence(event: &Happening) -> String {
    let text = event.text.trim();
    match event.what.split_once(' ') {
        None => format!("{} {text}", event.what),
        Some(("region", "ends")) => {
            format!("region {text} ends after {}", duration(event.took.unwrap_or(0)))
        }
        Some((what, change)) => format!("{what} {text} {change}"),
    }
}

impl Report for RegionTypes {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let mut heads = vec!["count"];
        heads.extend(HEADS);
        heads.extend(["type", "goroutines that start in"]);
        let row = |row: &RegionType| {
            let mut cells = vec![row.times.count.to_string()];
            cells.extend(latency::cells(&row.times));
            let name = if row.name.is_empty() { "(inherited)" } else { &row.name };
            cells.extend([name.to_owned(), or_unknown(&row.function).to_owned()]);
            cells
        };
        Ok(table(&heads, &self.types.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}
