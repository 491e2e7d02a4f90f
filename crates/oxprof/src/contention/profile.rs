//! The profiles `block`, `mutex` and `wakeup`.

use super::class::{Category, Classifier, is_inside};
use super::{sites, text};
use crate::labels::LabelsId;
use crate::registry::{Column, Key, Schema, Snapshot, Source};
use crate::stacks::{self, Stack};
use crate::threads;

/// How long threads have waited, by where they did.
#[derive(Debug)]
pub(crate) struct Block {
    /// Whether sleeping, and waiting for the world outside, counts.
    pub(super) outside: bool,
    /// Whether waits that are not over count.
    pub(super) pending: bool,
}

/// How long others have waited, by who let them go on.
#[derive(Debug)]
pub(crate) struct Wakes {
    name: &'static str,
    description: &'static str,
    /// Whether waits for locks are what it shows, or all others.
    locks: bool,
}

/// By whether they show waits for the world outside, and waits that are not over.
pub(super) static BLOCK: [[Block; 2]; 2] = [
    [Block { outside: false, pending: false }, Block { outside: false, pending: true }],
    [Block { outside: true, pending: false }, Block { outside: true, pending: true }],
];

pub(crate) static MUTEX: Wakes = Wakes {
    name: "mutex",
    description: "Stacks that unlocked what others waited for, and how long those had waited. Parameters: seconds, \
                  and fraction, the waits of which one is sampled.",
    locks: true,
};

pub(crate) static WAKEUP: Wakes = Wakes {
    name: "wakeup",
    description: "Stacks that let others go on which waited for anything but locks, and how long those had \
                  waited: as mutex, for condition variables, channels, parking and the like.",
    locks: false,
};

impl Source for Block {
    fn name(&self) -> &str {
        "block"
    }

    fn description(&self) -> &str {
        "Stacks that waited for other threads, and how long. Parameters: seconds, rate, the nanoseconds for \
         each sample; with all=1 also sleeping and waiting for the world outside, with pending=1 also waits that are \
         not over."
    }

    fn count(&self) -> u64 {
        let maps = stacks::maps();
        let mut classifier = Classifier::new(&maps);
        let is_shown = |waits: &sites::Waits| {
            let mut category = || classifier.category(waits.kind, &stacks::get(waits.stack));
            self.outside || is_inside(waits.kind, category())
        };
        sites::waits().filter(is_shown).count() as u64
    }

    fn snapshot(&self) -> Snapshot {
        let maps = stacks::maps();
        let mut classifier = Classifier::new(&maps);
        let mut snapshot = Snapshot::new(schema());
        let mut add = |stack: Stack, labels, kind, sums: [i64; 2]| {
            let category = classifier.category(kind, &stack);
            if self.outside || is_inside(kind, category) {
                snapshot.add(key(stack, labels, category), &sums);
            }
        };
        for waits in sites::waits() {
            add(stacks::get(waits.stack), waits.labels, waits.kind, waits.sums);
        }
        if self.pending {
            for (thread, place) in threads::waiting() {
                // What the program asked for, not what it is asked with.
                let wait = place.wait.filter(|_| !thread.name().is_ours());
                if let Some(wait) = wait {
                    let nanos = i64::try_from(wait.lasting).unwrap_or(i64::MAX);
                    add(place.stack, place.labels, wait.kind, [1, nanos]);
                }
            }
        }
        snapshot
    }

    fn text(&self) -> String {
        text::write("--- contention:", &[], &self.snapshot().into_profile())
    }
}

impl Source for Wakes {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        self.description
    }

    fn count(&self) -> u64 {
        let maps = stacks::maps();
        let mut classifier = Classifier::new(&maps);
        self.charges(&mut classifier).len() as u64
    }

    fn snapshot(&self) -> Snapshot {
        let maps = stacks::maps();
        let mut classifier = Classifier::new(&maps);
        let mut snapshot = Snapshot::new(schema());
        for (charges, category) in self.charges(&mut classifier) {
            let key = key(stacks::get(charges.stack), charges.labels, category);
            snapshot.add(key, &charges.sums);
        }
        snapshot
    }

    fn text(&self) -> String {
        // The values are of all waits, whatever was sampled: readers multiply them by this.
        let period = ["sampling period=1"];
        text::write("--- mutex:", &period, &self.snapshot().into_profile())
    }
}

impl Wakes {
    /// What was charged for the waits that it shows.
    fn charges(&self, classifier: &mut Classifier<'_>) -> Vec<(sites::Charges, Category)> {
        let category = |charges: sites::Charges| {
            let waiter = stacks::get(charges.waiter);
            (charges, classifier.category(charges.kind, &waiter))
        };
        let all = sites::charges().map(category);
        all.filter(|(_, category)| (*category == Category::Lock) == self.locks).collect()
    }
}

fn key(stack: Stack, labels: LabelsId, category: Category) -> Key {
    Key { category: Some(category), ..Key::new(stack, labels) }
}

fn schema() -> Schema {
    let column = |kind: &str, unit| Column { kind: kind.to_owned(), unit, is_gauge: false };
    let columns = vec![column("contentions", "count"), column("delay", "nanoseconds")];
    Schema { columns, period: ("contentions".to_owned(), "count", 1), default: None }
}
