//! The profile `threadcreate`: the stacks that created threads.

use super::tasks;
use crate::code::sync::Ordering;
use crate::labels::{self, LabelsId};
use crate::registry::{self, Column, Key, Schema, Snapshot, Source};
use crate::stacks::table::{Position, Table};
use crate::stacks::{self, Stack, StackId};

/// How many threads were created, and how many of these ended, by stack and labels: some 4000 in at most 160 KiB.
static CREATED: Table<4> = Table::new(1 << 12, 1 << 12, 2);

const BEGUN: usize = 0;
const ENDED: usize = 1;

/// Where a thread was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Creator(Position);

/// See the module.
pub(crate) struct ThreadCreate;

/// The one there is.
pub(crate) static THREADCREATE: ThreadCreate = ThreadCreate;

impl Creator {
    /// The caller, who is about to create a thread; `None` if there is no room.
    pub(super) fn current() -> Option<Self> {
        let stack = u64::from(stacks::capture().to_raw());
        let labels = u64::from(labels::sample().to_raw());
        let position = CREATED.intern(&[stack | labels << 32]);
        position.or_else(|| CREATED.intern(&[StackId::LOST.to_raw().into()])).map(Self)
    }

    pub(super) fn note_begin(self) {
        self.count(BEGUN);
    }

    pub(super) fn note_end(self) {
        self.count(ENDED);
    }

    fn count(self, which: usize) {
        if let Some(counter) = CREATED.counters(self.0).get(which) {
            // Released so that who sees a thread ended sees it begun, too.
            counter.fetch_add(1, Ordering::Release);
        }
    }

    /// The stack that created the thread, and the labels in force there.
    pub(crate) fn stack(self) -> Option<(StackId, LabelsId)> {
        let key = CREATED.key(self.0).next()?;
        Some((StackId::from_raw(key as u32), LabelsId::from_raw((key >> 32) as u32)))
    }

    /// As a number that [`from_raw`](Self::from_raw) takes back; never 0.
    pub(super) fn to_raw(self) -> u32 {
        self.0.to_raw()
    }

    pub(super) fn from_raw(raw: u32) -> Option<Self> {
        Position::from_raw(raw).map(Self)
    }

    /// How many threads were created there, and how many are alive.
    fn counts(self) -> [u64; 2] {
        let [begun, ended] = CREATED.counters(self.0) else { return [0; 2] };
        // In this order: see `count`.
        let ended = ended.load(Ordering::Acquire);
        let total = begun.load(Ordering::Acquire);
        [total, total.saturating_sub(ended)]
    }
}

fn creators() -> impl Iterator<Item = Creator> {
    CREATED.iter().map(Creator)
}

/// Threads that did not come through our `pthread_create`.
struct Others {
    /// Whether the main thread is there.
    main: bool,
    others: u64,
}

impl Others {
    fn count(live: u64) -> Self {
        let main = tasks::main_is_alive();
        let all = tasks::count().unwrap_or(live);
        Self { main, others: all.saturating_sub(live + u64::from(main)) }
    }
}

impl Source for ThreadCreate {
    fn name(&self) -> &str {
        "threadcreate"
    }

    fn description(&self) -> &str {
        "Stacks that created threads: all that were ever created, and those that are alive."
    }

    fn count(&self) -> u64 {
        let [total, live] = creators()
            .map(Creator::counts)
            .fold([0; 2], |[total, live], [t, l]| [total + t, live + l]);
        let Others { main, others } = Others::count(live);
        total + u64::from(main) + others
    }

    fn snapshot(&self) -> Snapshot {
        let column =
            |kind: &str, is_gauge| Column { kind: kind.to_owned(), unit: "count", is_gauge };
        let columns = vec![column("threadcreate", false), column("live", true)];
        let period = ("threadcreate".to_owned(), "count", 1);
        let schema = Schema { columns, period, default: Some("threadcreate") };
        let mut snapshot = Snapshot::new(schema);
        let mut all_live = 0;
        for creator in creators() {
            let (Some((stack, labels)), counts) = (creator.stack(), creator.counts()) else {
                continue;
            };
            all_live += counts[1];
            let key = Key::new(stacks::get(stack), labels);
            snapshot.add(key, &counts.map(signed));
        }
        let Others { main, others } = Others::count(all_live);
        for (count, name) in [(u64::from(main), "[main thread]"), (others, "[unknown creator]")] {
            let stack = Stack::pseudo(name);
            let key = Key::new(stack, LabelsId::NONE);
            snapshot.add(key, &[signed(count); 2]);
        }
        snapshot
    }

    fn text(&self) -> String {
        registry::counts(self.name(), &self.snapshot().into_profile())
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
