//! The profile `tasks`.

use std::time::Duration;

use super::dump::{self, Dumped, State};
use super::{list, text};
use crate::goroutine::Part;
use crate::registry::{self, Column, Key, Schema, Snapshot, Source};
use crate::stacks::{self, Stack};

/// The profile of tasks.
pub(crate) struct Tasks;

/// The one there is.
pub(crate) static TASKS: Tasks = Tasks;

/// The profiles of tasks.
pub(crate) fn sources() -> impl Iterator<Item = &'static dyn Source> {
    let tasks: &'static dyn Source = &TASKS;
    [tasks].into_iter()
}

impl Source for Tasks {
    fn name(&self) -> &str {
        "tasks"
    }

    fn description(&self) -> &str {
        "Async tasks that are known to the profiler, by what they await. Use debug=2 to see each with its state, \
         how long it has been waiting, and who created it."
    }

    fn count(&self) -> u64 {
        list::count()
    }

    fn snapshot(&self) -> Snapshot {
        snapshot(&dump::take(dump::PATIENCE))
    }

    fn text(&self) -> String {
        registry::counts(self.name(), &self.snapshot().into_profile())
    }

    fn text_of_each(&self) -> String {
        text::write(&dump::take(dump::PATIENCE))
    }
}

impl Part for Tasks {
    fn add_to(&self, snapshot: &mut Snapshot) {
        for dumped in dump::take(dump::PATIENCE) {
            if let Some((key, _)) = places(&dumped).into_iter().next() {
                snapshot.add(key, &[1]);
            }
        }
    }
}

/// The tasks by stack and labels. A task that waits in several places counts as a task at the first.
fn snapshot(dumped: &[Dumped]) -> Snapshot {
    let mut snapshot = Snapshot::new(schema());
    for dumped in dumped {
        for (i, (key, lasting)) in places(dumped).into_iter().enumerate() {
            let nanos = i64::try_from(lasting.as_nanos()).unwrap_or(i64::MAX);
            snapshot.add(key, &[i64::from(i == 0), 1, nanos]);
        }
    }
    snapshot
}

fn schema() -> Schema {
    let column = |kind: &str, unit| Column { kind: kind.to_owned(), unit, is_gauge: true };
    let columns =
        vec![column("tasks", "count"), column("awaits", "count"), column("wait", "nanoseconds")];
    let period = ("tasks".to_owned(), "count", 1);
    Schema { columns, period, default: Some("tasks") }
}

/// Where a task is, and how long it has been there. One place at least.
pub(super) fn places(dumped: &Dumped) -> Vec<(Key, Duration)> {
    let unseen = |beyond| {
        let stack = Stack::pseudo(beyond);
        vec![(Key::new(stack, dumped.task.labels), dumped.lasting())]
    };
    match &dumped.state {
        State::New => unseen("[not polled yet]"),
        State::Running => unseen("[running]"),
        State::Runnable => unseen("[woken]"),
        State::Waiting(awaits) if awaits.is_empty() => unseen("[waiting unseen]"),
        State::Waiting(awaits) => awaits
            .iter()
            .map(|a| {
                let key = Key::new(stacks::get(a.stack), a.labels);
                (key, a.since.until(dumped.now))
            })
            .collect(),
    }
}
