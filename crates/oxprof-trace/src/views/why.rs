//! Why something was late.

use serde::Serialize;

use crate::chain::{History, Link};
use crate::{GoId, Summary, TaskId};

/// A goroutine and the interval that is asked about, on the trace's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The goroutine.
    pub goroutine: GoId,
    /// Where the interval begins.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
}

impl Question {
    /// Why a goroutine's life took so long; `None` if there is no such goroutine.
    pub fn of_goroutine(summary: &Summary, id: GoId) -> Option<Self> {
        let go = summary.goroutines.iter().rev().find(|go| go.id == id)?;
        Some(Self { goroutine: id, from: go.created, to: go.ended.unwrap_or(summary.end) })
    }

    /// Why a task took so long; `None` if neither its beginning nor its end is in the trace.
    pub fn of_task(summary: &Summary, id: TaskId) -> Option<Self> {
        let task = summary.tasks.iter().find(|task| task.id == id)?;
        let goroutine = task.end.or(task.start)?.goroutine;
        let from = task.start.map_or(summary.start, |mark| mark.time);
        Some(Self { goroutine, from, to: task.end.map_or(summary.end, |mark| mark.time) })
    }
}

/// The chain of what an interval's end waited for.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The goroutine it is about.
    pub goroutine: i64,
    /// Where the interval begins.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// The chain, the latest link last.
    pub links: Vec<LinkRow>,
}

/// A piece of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct LinkRow {
    /// The goroutine that the chain goes through.
    pub goroutine: i64,
    /// The function it starts in; empty if unknown.
    pub function: String,
    /// What it does.
    pub state: String,
    /// Why, if it waits.
    pub reason: String,
    /// When the piece begins.
    pub start: i64,
    /// How long it is.
    pub nanos: i64,
    /// The goroutine that ended it by waking this one.
    pub woken_by: Option<i64>,
    /// Function names of the stack with which it began, leaf first.
    pub stack: Vec<String>,
}

impl Why {
    /// The answer to a question from the history of its interval, in a trace that begins at `start`.
    pub fn new(question: &Question, history: &History, start: i64) -> Self {
        let row = |link: Link| LinkRow {
            goroutine: link.goroutine.0,
            function: link.name,
            state: link.state.to_string().to_lowercase(),
            reason: link.reason,
            start: link.start - start,
            nanos: link.end - link.start,
            woken_by: link.woken_by.map(|go| go.0),
            stack: link.stack,
        };
        Self {
            goroutine: question.goroutine.0,
            start: question.from - start,
            end: question.to - start,
            links: history.chain(question.goroutine).into_iter().map(row).collect(),
        }
    }
}
