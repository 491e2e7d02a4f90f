//! Why something was late, as text.

use std::io::Write;

use oxprof_trace::chain::History;
use oxprof_trace::views::{LinkRow, Question, Why};
use oxprof_trace::{GoId, Summary, TaskId};

use super::{Report, summarize};
use crate::failure::{Failure, Result};
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, or_unknown, table};

pub(super) fn read(args: &Args, who: &str) -> Result<Why> {
    if args.file == "-" {
        return Err(Failure::new("-why reads the trace twice, so it cannot be standard input"));
    }
    let (summary, _) = summarize(args, &args.file)?;
    let question = question(&summary, who)?;
    let mut history = History::new(question.from, question.to);
    Trace::open(&args.file)?.each(options(args), |event, tables| history.event(event, tables))?;
    Ok(Why::new(&question, &history, summary.start))
}

fn question(summary: &Summary, who: &str) -> Result<Question> {
    let found = match who.strip_prefix("task:") {
        Some(task) => task.parse().ok().and_then(|id| Question::of_task(summary, TaskId(id))),
        None => who.parse().ok().and_then(|id| Question::of_goroutine(summary, GoId(id))),
    };
    let unknown = "is neither a goroutine nor, as task:NUMBER, a task of the trace";
    found.ok_or_else(|| Failure::new(format_args!("{who} {unknown}")))
}

impl Report for Why {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let took = duration(self.end - self.start);
        writeln!(out, "{took} until goroutine {} was done, spent like this:", self.goroutine)?;
        let row = |row: &LinkRow| {
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
