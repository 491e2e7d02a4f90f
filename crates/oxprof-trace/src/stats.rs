//! What a goroutine spends its time on.

use oxprof_profile::StrId;

use crate::names::Names;

/// Time by state, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecStats {
    /// From when it was known to when it ended, or the trace did.
    pub total: i64,
    /// Running.
    pub exec: i64,
    /// Able to run, waiting for a processor.
    pub sched_wait: i64,
    /// In system calls, holding a processor.
    pub syscall: i64,
    /// In system calls, after its processor was taken.
    pub syscall_block: i64,
    /// Waiting, by reason.
    pub blocked: Vec<(StrId, i64)>,
    /// In spans of special time, by name; these overlap with the states.
    pub ranges: Vec<(StrId, i64)>,
}

impl ExecStats {
    /// Waiting for whatever reason.
    pub fn blocked_total(&self) -> i64 {
        self.blocked.iter().fold(0, |sum: i64, (_, nanos)| sum.saturating_add(*nanos))
    }

    /// The part of the total that no state accounts for.
    pub fn unknown(&self) -> i64 {
        let parts =
            [self.exec, self.sched_wait, self.syscall, self.syscall_block, self.blocked_total()];
        parts.iter().fold(self.total, |rest, part| rest.saturating_sub(*part)).max(0)
    }

    /// All states with their names, as Go's tool calls them; they add up to the total.
    pub fn states(&self, names: &Names) -> Vec<(String, i64)> {
        let mut states = vec![
            ("Execution time".to_owned(), self.exec),
            ("Sched wait time".to_owned(), self.sched_wait),
            ("Syscall execution time".to_owned(), self.syscall),
            ("Block time (syscall)".to_owned(), self.syscall_block),
        ];
        let reason = |&(reason, nanos): &(StrId, i64)| {
            (format!("Block time ({})", names.get(reason)), nanos)
        };
        states.extend(self.blocked.iter().map(reason));
        states.push(("Unknown time".to_owned(), self.unknown()));
        states
    }

    /// Adds other times to these.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// These times less others.
    pub(crate) fn minus(mut self, other: &Self) -> Self {
        self.combine(other, -1);
        self
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        let add = |sum: &mut i64, nanos: i64| *sum = sum.saturating_add(sign * nanos);
        add(&mut self.total, other.total);
        add(&mut self.exec, other.exec);
        add(&mut self.sched_wait, other.sched_wait);
        add(&mut self.syscall, other.syscall);
        add(&mut self.syscall_block, other.syscall_block);
        for &(reason, nanos) in &other.blocked {
            add_to(&mut self.blocked, reason, sign * nanos);
        }
        for &(name, nanos) in &other.ranges {
            add_to(&mut self.ranges, name, sign * nanos);
        }
    }
}

/// Adds to the entry of a small map.
pub(crate) fn add_to(map: &mut Vec<(StrId, i64)>, key: StrId, nanos: i64) {
    match map.iter_mut().find(|(k, _)| *k == key) {
        Some((_, sum)) => *sum = sum.saturating_add(nanos),
        None => map.push((key, nanos)),
    }
}

/// The state that a goroutine is in, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Since {
    #[default]
    Unknown,
    Running(i64),
    Runnable(i64),
    Blocked(i64, StrId),
    /// In a system call since the first time; without a processor since the second.
    Syscall(i64, Option<i64>),
}

/// Times of a goroutine that is alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clockwork {
    pub(crate) created: i64,
    stats: ExecStats,
    since: Since,
    /// Spans of special time that are open, and since when.
    ranges: Vec<(StrId, i64)>,
}

impl Clockwork {
    pub(crate) fn new(created: i64) -> Self {
        Self { created, ..Self::default() }
    }

    /// The goroutine has been in this state from its creation to the moment in `since`.
    pub(crate) fn backdate(&mut self, since: Since) {
        self.account(match since {
            Since::Running(t) => (Since::Running(self.created), t),
            Since::Runnable(t) => (Since::Runnable(self.created), t),
            Since::Blocked(t, reason) => (Since::Blocked(self.created, reason), t),
            Since::Syscall(t, lost) => {
                (Since::Syscall(self.created, lost.map(|_| self.created)), t)
            }
            Since::Unknown => (Since::Unknown, self.created),
        });
    }

    /// The goroutine leaves its state for another.
    pub(crate) fn enter(&mut self, now: i64, state: Since) {
        self.account((self.since, now));
        self.since = state;
    }

    /// The goroutine loses its processor in a system call.
    pub(crate) fn lose_proc(&mut self, now: i64) {
        if let Since::Syscall(_, lost @ None) = &mut self.since {
            *lost = Some(now);
        }
    }

    fn account(&mut self, (state, until): (Since, i64)) {
        account(&mut self.stats, state, until);
    }

    pub(crate) fn range_begin(&mut self, name: StrId, now: i64) {
        match self.ranges.iter_mut().find(|(n, _)| *n == name) {
            Some((_, since)) => *since = now,
            None => self.ranges.push((name, now)),
        }
    }

    /// A span goes on in a new generation, which began at `now`.
    pub(crate) fn range_active(&mut self, name: StrId, now: i64) {
        if let Some((_, since)) = self.ranges.iter().find(|(n, _)| *n == name) {
            add_to(&mut self.stats.ranges, name, now - since);
        }
        self.range_begin(name, now);
    }

    pub(crate) fn range_end(&mut self, name: StrId, now: i64) {
        if let Some(i) = self.ranges.iter().position(|(n, _)| *n == name) {
            let (_, since) = self.ranges.swap_remove(i);
            add_to(&mut self.stats.ranges, name, now - since);
        }
    }

    /// All times up to now.
    pub(crate) fn snapshot(&self, now: i64) -> ExecStats {
        let mut stats = self.stats.clone();
        stats.total = now - self.created;
        account(&mut stats, self.since, now);
        for &(name, since) in &self.ranges {
            add_to(&mut stats.ranges, name, now - since);
        }
        stats
    }
}

fn account(stats: &mut ExecStats, state: Since, until: i64) {
    match state {
        Since::Unknown => {}
        Since::Running(since) => stats.exec += until - since,
        Since::Runnable(since) => stats.sched_wait += until - since,
        Since::Blocked(since, reason) => add_to(&mut stats.blocked, reason, until - since),
        Since::Syscall(since, None) => stats.syscall += until - since,
        Since::Syscall(since, Some(lost)) => {
            stats.syscall += lost - since;
            stats.syscall_block += until - lost;
        }
    }
}
