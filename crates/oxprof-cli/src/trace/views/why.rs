//! Why something was late.

use std::io::Write;

use oxprof_trace::chain::{History, Link};
use oxprof_trace::{GoId, Summary};
use serde::Serialize;

use super::{Report, summarize};
use crate::failure::{Failure, Result};
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, or_unknown, table};

/// The chain of what an interval's end waited for.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    goroutine: i64,
    /// Since the trace began.
    start: i64,
    end: i64,
    links: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    goroutine: i64,
    function: String,
    state: String,
    reason: String,
    /// Since the trace began.
    start: i64,
    nanos: i64,
    woken_by: Option<i64>,
    stack: Vec<String>,
}

/// A goroutine and the interval that is asked about.
struct Question {
    goroutine: GoId,
    from: i64,
    to: i64,
}

pub(super) fn read(args: &Args, who: &str) -> Result<Why> {
    if args.file == "-" {
        return Err(Failure::new("-why reads the trace twice, so it cannot be standard input"));
    }
    let (summary, _) = summarize(args, &args.file)?;
    let question = question(&summary, who)?;
    let mut history = History::new(question.from, question.to);
    Trace::open(&args.file)?.each(options(args), |event, tables| history.event(event, tables))?;
    let row = |link: Link| Row {
        goroutine: link.goroutine.0,
        function: link.name,
        state: link.state.to_string().to_lowercase(),
        reason: link.reason,
        start: link.start - summary.start,
        nanos: link.end - link.start,
        woken_by: link.woken_by.map(|go| go.0),
        stack: link.stack,
    };
    Ok(Why {
        goroutine: question.goroutine.0,
        start: question.from - summary.start,
        end: question.to - summary.start,
        links: history.chain(question.goroutine).into_iter().map(row).collect(),
    })
}

fn question(summary: &Summary, who: &str) -> Result<Question> {
    let unknown = |what: &str| Failure::new(format_args!("{what} {who} is not in the trace"));
    if let Some(number) = who.strip_prefix("task:") {
        let task = summary.tasks.iter().find(|task| number.parse() == Ok(task.id.0));
        let task = task.ok_or_else(|| unknown("the task"))?;
        let from = task.start.map_or(summary.start, |mark| mark.time);
        let mark =
            task.end.or(task.start).ok_or_else(|| unknown("beginning or end of the task"))?;
        let to = task.end.map_or(summary.end, |mark| mark.time);
        return Ok(Question { goroutine: mark.goroutine, from, to });
    }
    let go = summary.goroutines.iter().rev().find(|go| who.parse() == Ok(go.id.0));
    let go = go.ok_or_else(|| unknown("the goroutine"))?;
    let to = go.ended.unwrap_or(summary.end);
    Ok(Question { goroutine: go.id, from: go.created, to })
}

impl Report for Why {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let took = duration(self.end - self.start);
        writeln!(out, "{took} until goroutine {} was done, spent like this:", self.goroutine)?;
        let row = |row: &Row| {
            let mut what = row.state.clone();
            if !row.reason.is_empty() {
                what += &format!(" ({})", row.reason);
            }
            if let Some(waker) = row.woken_by {
                what += &format!(", until goroutine {waker} woke it");
            }
            let at = row.stack.first().map_or(String::new(), |leaf| format!(" in {leaf}"));
            let (start, nanos) = (duration(row.start), duration(row.nanos));
            let function = or_unknown(&row.function).to_owned();
            vec![start, nanos, row.goroutine.to_string(), format!("{function}: {what}{at}")]
        };
        let rows: Vec<_> = self.links.iter().map(row).collect();
        Ok(table(&["at", "for", "goroutine", "what"], &rows, out)?)
    }
}
