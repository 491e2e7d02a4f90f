//! What all tasks do now.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::list;
use super::task::{Await, Counts, Nanos, Phase, Task};
use super::waker::Watching;

/// How long tasks have to answer.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// Time between looks at who answered: at first, and at most.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(2);

/// A task at the time of a dump.
pub(super) struct Dumped {
    pub(super) task: Arc<Task>,
    pub(super) state: State,
    pub(super) counts: Counts,
    /// When its state began.
    since: Nanos,
    pub(super) now: Nanos,
}

/// What a task does.
pub(super) enum State {
    /// It was not polled yet.
    New,
    /// It is being polled.
    Running,
    /// It was woken and is not polled yet; also if it did not answer.
    Runnable,
    /// It waits for any of these; for nothing that we could see if there are none.
    Waiting(Vec<Await>),
}

/// All tasks, after at most `patience`, by ascending id.
///
/// Those that were polled since they were last looked at are woken, to show what they wait for. Who does not answer in time
/// is shown without that.
pub(super) fn take(patience: Duration) -> Vec<Dumped> {
    let deadline = Instant::now() + patience;
    let _watching = Watching::new();
    let mut dumped = Vec::new();
    let mut silent = listen(list::all(), &mut dumped);
    silent.iter().for_each(|task| task.stir());
    let mut pause = SHORTEST;
    while !silent.is_empty() && Instant::now() < deadline {
        thread::sleep(pause);
        pause = (2 * pause).min(LONGEST);
        silent = listen(silent, &mut dumped);
    }
    let without_answer = |task: Arc<Task>| match task.phase().0 {
        Phase::Running => Dumped::new(task, State::Running),
        _ => Dumped::new(task, State::Runnable),
    };
    dumped.extend(silent.into_iter().map(without_answer));
    dumped.sort_unstable_by_key(|dumped| dumped.task.id);
    dumped
}

/// Moves tasks that answered to `dumped`, and returns the others.
fn listen(tasks: Vec<Arc<Task>>, dumped: &mut Vec<Dumped>) -> Vec<Arc<Task>> {
    let answers = |task: Arc<Task>| {
        match (task.awaits(), task.phase().0) {
            (Some(awaits), _) => dumped.push(Dumped::new(task, State::Waiting(awaits))),
            (None, Phase::New) => dumped.push(Dumped::new(task, State::New)),
            (None, Phase::Done) => {}
            (None, Phase::Running | Phase::Waiting) => return Some(task),
        }
        None
    };
    tasks.into_iter().filter_map(answers).collect()
}

impl Dumped {
    fn new(task: Arc<Task>, state: State) -> Self {
        let (_, since) = task.phase();
        Self { state, counts: task.counts(), since, now: Nanos::now(), task }
    }

    /// How long it has been in this state.
    pub(super) fn lasting(&self) -> Duration {
        self.since.until(self.now)
    }
}
