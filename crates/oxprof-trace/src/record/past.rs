//! What came before a recording: the state in which records have left threads and tasks.
//!
//! Records of different threads need not come in their order in time. So a task has the times of what was last done with
//! it, and its state is what they amount to.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Record, StackKey, Text, Waiting, What};
use crate::ThreadId;

/// A thread that there is when a recording begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// The thread.
    pub thread: ThreadId,
    /// What it waits for, what [wakes](What::WaitBegin::on) it and where it waits, unless it runs.
    pub waiting: Option<(Waiting, u64, StackKey)>,
}

/// What threads and tasks are doing at some time, at which a [`Recorder`](super::Recorder) may begin.
///
/// It is kept up to date by records, in a small part of the time that it takes to write them.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub(super) threads: FxHashMap<ThreadId, Thread>,
    pub(super) tasks: FxHashMap<u64, Task>,
    /// Tasks that ended among the last records and among those before: what else was done with them may come late.
    ended: [FxHashSet<u64>; 2],
}

#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub(super) waiting: Option<(Waiting, u64, StackKey)>,
    /// The tasks that it polls, outermost first.
    pub(super) polls: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) name: Text,
    /// When it was last polled, when that ended, and when it was woken; 0 if never.
    polled: u64,
    left: u64,
    woken: u64,
    /// For what it waits since then.
    waits: (Waiting, StackKey),
}

impl Task {
    fn new(name: Text) -> Self {
        Self { name, polled: 0, left: 0, woken: 0, waits: (Waiting::Await, 0) }
    }

    /// A poll ended, and it waits.
    fn leave(&mut self, time: u64, waits: (Waiting, StackKey)) {
        if time >= self.left {
            (self.left, self.waits) = (time, waits);
        }
    }

    /// For what and where it waits, unless it is about to be polled.
    pub(super) fn waits(&self) -> Option<(Waiting, StackKey)> {
        let is_woken = self.left == 0 || self.woken >= self.polled;
        (!is_woken).then_some(self.waits)
    }
}

impl Past {
    /// No tasks, and these threads.
    pub fn new(threads: &[Present]) -> Self {
        let thread = |p: &Present| (p.thread, Thread { waiting: p.waiting, polls: Vec::new() });
        Self { threads: threads.iter().map(thread).collect(), ..Self::default() }
    }

    /// Adds a task, which waits in a place, or if that is `None` is about to be polled.
    pub fn add_task(&mut self, task: u64, name: Text, waits: Option<StackKey>) {
        let task = self.tasks.entry(task).or_insert_with(|| Task::new(name));
        if let Some(stack) = waits {
            (task.polled, task.left, task.waits) = (1, 1, (Waiting::Await, stack));
        }
    }

    /// The threads there are.
    pub fn threads(&self) -> impl Iterator<Item = ThreadId> {
        self.threads.keys().copied()
    }

    /// Drops the tasks that are not there.
    pub fn retain_tasks(&mut self, mut is_there: impl FnMut(u64) -> bool) {
        self.tasks.retain(|&task, _| is_there(task));
    }

    /// Brings it up to date. The records of each thread come in order, and what was done with a task no later than
    /// with the records that follow those of its end.
    pub fn absorb(&mut self, records: impl IntoIterator<Item = Record>) {
        self.ended.swap(0, 1);
        self.ended[0].clear();
        records.into_iter().for_each(|record| self.record(record));
    }

    fn record(&mut self, record: Record) {
        let Record { time, thread: id, what } = record;
        if id.is_none() {
            return;
        }
        match what {
            What::ThreadBegin { token } => {
                let thread = self.threads.entry(id).or_default();
                if token != 0 {
                    *thread = Thread::default();
                }
            }
            What::ThreadEnd => _ = self.threads.remove(&id),
            What::WaitBegin { why, on, stack } => self.thread(id).waiting = Some((why, on, stack)),
            What::WaitEnd => self.thread(id).waiting = None,
            What::TaskCreate { task, name, .. } => self.change(task, |task| task.name = name),
            What::PollBegin { task } => {
                let polls = &mut self.thread(id).polls;
                polls.retain(|&polled| polled != task);
                polls.push(task);
                self.change(task, |task| task.polled = task.polled.max(time));
            }
            What::PollEnd { task, waits } => {
                let polls = &mut self.thread(id).polls;
                if let Some(i) = polls.iter().rposition(|&polled| polled == task) {
                    polls.truncate(i);
                }
                match waits {
                    Some(waits) => self.change(task, |task| task.leave(time, waits)),
                    None => self.end(task),
                }
            }
            What::TaskWake { task, .. } => {
                if let Some(task) = self.tasks.get_mut(&task) {
                    task.woken = task.woken.max(time);
                }
            }
            What::TaskDrop { task } => self.end(task),
            // What was lost may have been anything.
            What::Lost { .. } => *self.thread(id) = Thread::default(),
            _ => {}
        }
    }

    fn end(&mut self, task: u64) {
        self.tasks.remove(&task);
        self.ended[0].insert(task);
    }

    fn thread(&mut self, id: ThreadId) -> &mut Thread {
        self.threads.entry(id).or_default()
    }

    /// Changes a task, which need not be known yet, unless it has ended.
    fn change(&mut self, task: u64, change: impl FnOnce(&mut Task)) {
        if !self.ended.iter().any(|ended| ended.contains(&task)) {
            change(self.tasks.entry(task).or_insert_with(|| Task::new(UNNAMED.into())));
        }
    }
}

/// The name of a task whose creation nobody saw.
pub(super) const UNNAMED: &str = "task";
