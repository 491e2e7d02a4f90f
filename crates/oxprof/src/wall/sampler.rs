//! The thread that looks at all others, and at the tasks.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use oxprof_profile::Profile;

use super::rows::Rows;
use super::tasks::Tasks;
use crate::heap;
use crate::registry::{Key, Snapshot};
use crate::stacks;
use crate::threads::clock::{self, NANOS};
use crate::threads::dump::{self, Call, Listed, Place};
use crate::threads::name::Name;
use crate::threads::state;

/// Most threads that are looked at at once; more take turns.
const MOST_AT_ONCE: usize = 512;

/// Looks at threads, and keeps where they were.
pub(super) struct Sampler {
    hz: u32,
    known: HashMap<i32, Known>,
    rows: Rows,
    /// When threads were looked at before, on `CLOCK_MONOTONIC`.
    last: u64,
    /// Whose turn it is: threads above this id.
    turn: i32,
}

/// What is known of a thread from the last look at it.
struct Known {
    generation: Option<u32>,
    /// Where it was; `None` for the profiler's own threads.
    row: Option<usize>,
    /// When it was looked at.
    since: u64,
    evidence: Evidence,
}

/// What would have changed, had the thread run since.
enum Evidence {
    /// The number of the wait that it published.
    Wait(u64),
    /// The CPU time it had used, and the call it was in.
    Clock(Option<u64>, Option<Call>),
}

/// All that was seen.
#[derive(Debug)]
pub(super) struct Recorded {
    snapshot: Snapshot,
    duration: Duration,
}

impl Sampler {
    pub(super) fn new(hz: u32) -> Self {
        Self { hz, known: HashMap::new(), rows: Rows::default(), last: clock::monotonic(), turn: 0 }
    }

    /// Looks until the other end is dropped.
    pub(super) fn run(mut self, stopped: &Receiver<()>) -> Recorded {
        let _paused = heap::pause();
        stacks::refresh();
        let period = Duration::from_nanos(NANOS / u64::from(self.hz));
        let mut next = Instant::now();
        self.look();
        let begun = self.last;
        self.rows.clear();
        let mut tasks = Tasks::new(begun, &mut self.rows);
        loop {
            // After a pause longer than a period, what was missed is not caught up with.
            next = (next + period).max(Instant::now());
            match stopped.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    tasks.look(self.last, &mut self.rows);
                }
                _ => break,
            }
        }
        self.turn = 0;
        self.look();
        tasks.finish(self.last, &mut self.rows);
        // From the first look to the last, as the time that was booked: looks take time, too.
        let duration = Duration::from_nanos(self.last - begun);
        Recorded { snapshot: self.rows.snapshot(self.hz), duration }
    }

    /// Looks at all threads, or at those whose turn it is.
    fn look(&mut self) {
        let threads = self.take_turn(dump::list());
        let now = clock::monotonic();
        let unknown: Vec<Listed> =
            threads.into_iter().filter(|thread| !self.is_where_it_was(thread, now)).collect();
        for (thread, place) in dump::places(&unknown) {
            self.book_at(&thread, place, now);
        }
        self.last = now;
    }

    fn take_turn(&mut self, mut threads: Vec<Listed>) -> Vec<Listed> {
        if self.known.len() > 2 * threads.len() {
            let is_there = |tid: &i32| threads.binary_search_by_key(tid, |t| t.tid).is_ok();
            self.known.retain(|tid, _| is_there(tid));
        }
        if threads.len() <= MOST_AT_ONCE {
            return threads;
        }
        let first = threads.partition_point(|thread| thread.tid <= self.turn);
        threads.rotate_left(first);
        threads.truncate(MOST_AT_ONCE);
        self.turn = threads.last().map_or(0, |thread| thread.tid);
        threads
    }

    /// Books the time since the last look where the thread was then, if it has not run since.
    fn is_where_it_was(&mut self, thread: &Listed, now: u64) -> bool {
        let Some(known) = self.known.get_mut(&thread.tid) else { return false };
        if known.generation != thread.generation() || !known.evidence.still_holds(thread) {
            return false;
        }
        if let Some(row) = known.row {
            self.rows.add(row, now.saturating_sub(known.since));
        }
        known.since = now;
        true
    }

    /// Books the time since the last look at the place where the thread is now.
    fn book_at(&mut self, thread: &Listed, place: Place, now: u64) {
        let generation = thread.generation();
        let before = self.known.get(&thread.tid).filter(|known| known.generation == generation);
        // A thread that is new began some time since the last look: half of that, on average.
        let time = before.map_or((now - self.last) / 2, |known| now.saturating_sub(known.since));
        let evidence = match &place.wait {
            Some(wait) => Evidence::Wait(wait.sequence),
            None => Evidence::Clock(thread.cpu(), Call::of(thread.tid)),
        };
        let name = thread.name();
        let row = (!name.is_ours()).then(|| self.row(place, name));
        if let Some(row) = row {
            self.rows.add(row, time);
        }
        self.known.insert(thread.tid, Known { generation, row, since: now, evidence });
    }

    fn row(&mut self, place: Place, name: Name) -> usize {
        let thread = state::Thread { doing: place.doing, group: name.group() };
        self.rows.row(Key { thread: Some(thread), ..Key::new(place.stack, place.labels) })
    }
}

impl Evidence {
    /// Whether the thread has not run since, but for what looking at it took.
    fn still_holds(&mut self, thread: &Listed) -> bool {
        match (self, thread.wait_sequence()) {
            (Self::Wait(before), now) => now == Some(*before),
            (Self::Clock(..), Some(_)) => false,
            (Self::Clock(before, call), None) => {
                let now = thread.cpu();
                let has_run = now != *before;
                *before = now;
                // Answering a signal is running, too: the call that it went back to is the same then.
                !has_run || (call.is_some() && Call::of(thread.tid) == *call)
            }
        }
    }
}

impl Recorded {
    pub(super) fn into_profile(self) -> Profile {
        let _paused = heap::pause();
        stacks::refresh();
        let mut profile = self.snapshot.into_profile().profile;
        profile.duration_nanos = i64::try_from(self.duration.as_nanos()).unwrap_or(i64::MAX);
        profile
    }
}
