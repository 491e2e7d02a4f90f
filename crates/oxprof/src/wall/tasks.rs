//! Async tasks: where their time passes while nobody polls them. While somebody does, it passes in his thread.
//!
//! A task that was not polled or woken since it was last looked at is where it was. Of others nobody knows: they are asked, by
//! a poll that is brought about, and have answered by the next look. Only so many are asked at a time; the rest
//! take turns, and their time is booked when they have had theirs.

use std::collections::HashMap;

use super::rows::Rows;
use crate::tasks::{Asked, Handle, Place};

/// Most tasks that are asked at once.
const MOST_ASKED: usize = 64;
/// Tasks for each of which one look is left out: more of them are looked at less often.
const MOST_AT_ONCE: usize = 512;

/// What is known of the tasks.
pub(super) struct Tasks {
    known: HashMap<u64, Known>,
    /// When they were looked at before, on `CLOCK_MONOTONIC`.
    last: u64,
    /// Whose turn it is to be asked: tasks above this id.
    turn: u64,
    /// Looks to leave out.
    pause: usize,
}

struct Known {
    /// Where it was; `None` if it was being polled.
    row: Option<usize>,
    /// Until when its time is booked.
    since: u64,
    /// What would have changed, had it done anything since.
    moves: Option<u64>,
    asked: Option<Asked>,
}

impl Tasks {
    /// The first look, at all of them.
    pub(super) fn new(now: u64, rows: &mut Rows) -> Self {
        let known = |(task, key): (Handle, Option<_>)| {
            let row = key.map(|key| rows.row(key));
            (task.id(), Known { row, ..Known::new(now) })
        };
        let known = Handle::all_with_places().into_iter().map(known).collect();
        Self { known, last: now, turn: 0, pause: 0 }
    }

    /// Another look.
    pub(super) fn look(&mut self, now: u64, rows: &mut Rows) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let mut tasks = Handle::all();
        self.pause = tasks.len() / MOST_AT_ONCE;
        if self.known.len() > 2 * tasks.len() {
            let is_there = |id: &u64| tasks.binary_search_by_key(id, Handle::id).is_ok();
            self.known.retain(|id, _| is_there(id));
        }
        let first = tasks.partition_point(|task| task.id() <= self.turn);
        tasks.rotate_left(first);
        let mut budget = MOST_ASKED;
        for task in tasks {
            // Of one that is new, and was not there at the last look. What is too much at its beginning is missing at its
            // end, which is before the next look.
            let known = self.known.entry(task.id()).or_insert_with(|| Known::new(self.last));
            if known.look(&task, now, rows, budget > 0) {
                budget -= 1;
                self.turn = task.id();
            }
        }
        self.last = now;
    }

    /// The last look, at all of them.
    pub(super) fn finish(self, now: u64, rows: &mut Rows) {
        for (task, key) in Handle::all_with_places() {
            let since = self.known.get(&task.id()).map_or(self.last, |known| known.since);
            if let Some(key) = key {
                let row = rows.row(key);
                rows.add(row, now.saturating_sub(since));
            }
        }
    }
}

impl Known {
    fn new(since: u64) -> Self {
        Self { row: None, since, moves: None, asked: None }
    }

    /// Books the time until now, if it is known where the task is. Whether the task was asked for that.
    fn look(&mut self, task: &Handle, now: u64, rows: &mut Rows, may_ask: bool) -> bool {
        // Before the place, so that what changes meanwhile is noticed the next time.
        let moves = task.moves();
        if self.moves == Some(moves) {
            self.book(now, rows);
            return false;
        }
        match task.place(self.asked) {
            Place::At { key, is_current } => {
                self.row = Some(rows.row(key));
                self.moves = is_current.then_some(moves);
                self.asked = None;
                self.book(now, rows);
            }
            Place::Running => *self = Self { moves: Some(moves), ..Self::new(now) },
            Place::Unknown if may_ask && self.asked.is_none() => {
                self.asked = Some(task.ask());
                return true;
            }
            Place::Unknown => {}
        }
        false
    }

    fn book(&mut self, now: u64, rows: &mut Rows) {
        if let Some(row) = self.row {
            rows.add(row, now.saturating_sub(self.since));
        }
        self.since = now;
    }
}
