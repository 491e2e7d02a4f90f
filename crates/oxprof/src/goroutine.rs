//! The profile `goroutine`: all that runs or waits, under the name by which Go's clients ask for it.

use crate::registry::{self, Column, Schema, Snapshot, Source};
use crate::{tasks, threads};

/// A kind of things that are shown as goroutines.
pub(crate) trait Part: Source {
    /// Adds all there are, each as 1, to a snapshot of one value.
    fn add_to(&self, snapshot: &mut Snapshot);
}

/// See the module.
pub(crate) struct Goroutine;

/// The one there is.
pub(crate) static GOROUTINE: Goroutine = Goroutine;

fn parts() -> [&'static dyn Part; 2] {
    [&threads::THREADS, &tasks::TASKS]
}

impl Source for Goroutine {
    fn name(&self) -> &str {
        "goroutine"
    }

    fn description(&self) -> &str {
        "Stacks of all threads and of all async tasks that are known to the profiler. Use debug=2 to see each by itself."
    }

    fn count(&self) -> u64 {
        parts().iter().map(|part| part.count()).sum()
    }

    fn snapshot(&self) -> Snapshot {
        let column = Column { kind: self.name().to_owned(), unit: "count", is_gauge: true };
        let period = (self.name().to_owned(), "count", 1);
        let mut snapshot = Snapshot::new(Schema { columns: vec![column], period, default: None });
        parts().iter().for_each(|part| part.add_to(&mut snapshot));
        snapshot
    }

    fn text(&self) -> String {
        registry::counts(self.name(), &self.snapshot().into_profile())
    }

    fn text_of_each(&self) -> String {
        parts().iter().map(|part| part.text_of_each()).collect()
    }
}
