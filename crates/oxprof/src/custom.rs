//! Custom profiles: where the things that a program has open were opened.
//!
//! ```
//! use std::sync::LazyLock;
//! use oxprof::custom::CustomProfile;
//!
//! static CONNECTIONS: LazyLock<CustomProfile> =
//!     LazyLock::new(|| CustomProfile::new("example/connections").expect("no other has this name"));
//!
//! struct Connection {
//!     // …
//!     _entry: oxprof::custom::Entry,
//! }
//!
//! let connection = Connection { _entry: CONNECTIONS.add() };
//! assert_eq!(oxprof::lookup("example/connections").unwrap().count(), 1);
//! drop(connection);
//! ```
//!
//! A profile counts its live entries by the stack that added them. It is listed with the others, and served under
//! `/debug/pprof/`. Adding costs a microsecond or so, removing nanoseconds; neither takes a lock.

use std::fmt;

use crate::code::fork::ForkMutex;
use crate::code::sync::{AtomicU64, Ordering};
use crate::labels::{self, LabelsId};
use crate::registry::{self, Column, Key, Schema, Snapshot, Source};
use crate::stacks::table::{Position, Table};
use crate::stacks::{self, StackId};

/// A profile of the program's own. See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct CustomProfile(&'static Registered);

/// Something that is there until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it removes the entry"]
pub struct Entry {
    /// `None` if there was no room to count it.
    position: Option<Position>,
}

/// Why there is no profile of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// Another profile has it, or it is one of those that servers of profiles expect to mean something else.
    Taken {
        /// The name.
        name: String,
    },
    /// The name has a control character, which would break the lines of text profiles.
    Control {
        /// The name.
        name: String,
    },
}

/// Names with a meaning of their own under `/debug/pprof/`.
const RESERVED: [&str; 18] = [
    "allocs",
    "block",
    "cmdline",
    "flame",
    "goroutine",
    "goroutineleak",
    "heap",
    "metrics",
    "mutex",
    "profile",
    "stats",
    "symbol",
    "tasks",
    "threadcreate",
    "threads",
    "trace",
    "wakeup",
    "wall",
];

/// Profiles are never removed, as in Go: an entry may outlive everything else.
static REGISTERED: ForkMutex<Vec<&'static Registered>> = ForkMutex::new(Vec::new());

/// Entries that were added and removed, by profile and stack: some 30 000 in at most 4 MiB.
static ENTRIES: Table<16> = Table::new(1 << 15, 1 << 15, 2);

#[derive(Debug)]
struct Registered {
    name: String,
    number: u32,
}

impl CustomProfile {
    /// A new profile. Its name is shown by tools; by convention it starts with the path of the crate that has it.
    ///
    /// # Errors
    /// When the name is empty, has control characters, or is taken.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        let name = name.to_owned();
        if name.contains(char::is_control) {
            return Err(NameError::Control { name });
        }
        let mut registered = REGISTERED.lock();
        if RESERVED.contains(&name.as_str()) || registered.iter().any(|r| r.name == name) {
            return Err(NameError::Taken { name });
        }
        let number = registered.len() as u32;
        let new: &'static Registered = Box::leak(Box::new(Registered { name, number }));
        registered.push(new);
        // Room for entries whose stack has none.
        ENTRIES.intern(&new.lost());
        stacks::prepare();
        Ok(Self(new))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        &self.0.name
    }

    /// Adds an entry with the stack of the caller.
    #[inline(never)]
    pub fn add(&self) -> Entry {
        let stack = stacks::capture();
        let position = ENTRIES
            .intern_labeled(labels::sample(), |labels| self.0.key(stack, labels))
            .or_else(|| ENTRIES.intern(&self.0.lost()));
        count(position, ADDED);
        Entry { position }
    }
}

/// Numbers of counters.
const ADDED: usize = 0;
const REMOVED: usize = 1;

fn count(position: Option<Position>, which: usize) {
    if let Some(counter) = position.and_then(|p| ENTRIES.counters(p).get(which)) {
        // Released so that who sees an entry removed sees it added, too.
        counter.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        count(self.position, REMOVED);
    }
}

/// All custom profiles.
pub(crate) fn all() -> Vec<&'static dyn Source> {
    let registered = REGISTERED.lock();
    registered.iter().map(|profile| *profile as &'static dyn Source).collect()
}

impl Registered {
    fn key(&self, stack: StackId, labels: LabelsId) -> [u64; 2] {
        [u64::from(self.number) << 32 | u64::from(stack.to_raw()), labels.to_raw().into()]
    }

    fn lost(&self) -> [u64; 2] {
        self.key(StackId::from_raw(0), LabelsId::NONE)
    }

    /// Stacks with entries, their labels, and how many.
    fn live(&self) -> impl Iterator<Item = (StackId, LabelsId, u64)> + '_ {
        ENTRIES.iter().filter_map(|position| {
            let mut words = ENTRIES.key(position);
            let (key, labels) = (words.next()?, LabelsId::from_raw(words.next()? as u32));
            let of = |counter: Option<&AtomicU64>| counter.map(|c| c.load(Ordering::Acquire));
            let counters = ENTRIES.counters(position);
            // In this order: see `count`.
            let removed = of(counters.get(REMOVED))?;
            let live = of(counters.get(ADDED))?.saturating_sub(removed);
            let is_ours = key >> 32 == u64::from(self.number) && live > 0;
            is_ours.then_some((StackId::from_raw(key as u32), labels, live))
        })
    }
}

impl Source for Registered {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        ""
    }

    fn count(&self) -> u64 {
        self.live().map(|(.., live)| live).sum()
    }

    fn snapshot(&self) -> Snapshot {
        let column = Column { kind: self.name.clone(), unit: "count", is_gauge: true };
        let period = (self.name.clone(), "count", 1);
        let mut snapshot = Snapshot::new(Schema { columns: vec![column], period, default: None });
        for (stack, labels, live) in self.live() {
            let live = i64::try_from(live).unwrap_or(i64::MAX);
            snapshot.add(Key::new(stacks::get(stack), labels), &[live]);
        }
        snapshot
    }

    fn text(&self) -> String {
        registry::counts(&self.name, &self.snapshot().into_profile())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a profile must have a name"),
            Self::Taken { name } => write!(f, "the profile name {name:?} is already in use"),
            Self::Control { name } => {
                write!(f, "the profile name {name:?} must not contain control characters")
            }
        }
    }
}

impl std::error::Error for NameError {}
