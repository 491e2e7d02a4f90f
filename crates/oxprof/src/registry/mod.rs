//! The profiles of this program by name, as in Go's `runtime/pprof`.
//!
//! ```text
//! profiler ──Source──▶ Snapshot ──since, into_profile──▶ Profile ──▶ bytes, text
//! ```

mod blocks;
mod snapshot;
mod text;

use std::io::{self, Write};
use std::time::Instant;

use oxprof_profile::{Compression, Profile, encode_gzip};

pub(crate) use blocks::{Heading, fact, label_facts};
pub(crate) use snapshot::{Column, Key, Named, Schema, Snapshot, locations};
pub(crate) use text::{addresses, counts, frames, labels};

use crate::{contention, custom, goroutine, heap, tasks, threads};

/// A profiler that has something to show at any time.
pub(crate) trait Source: Send + Sync {
    fn name(&self) -> &str;
    /// What the profile shows, in a sentence for the index page; may be empty.
    fn description(&self) -> &str;
    /// Number of different things that the profile would list.
    fn count(&self) -> u64;
    /// What there is to show now.
    fn snapshot(&self) -> Snapshot;
    /// The same as text.
    fn text(&self) -> String;
    /// Each thing by itself, as text, where that makes a difference.
    fn text_of_each(&self) -> String {
        self.text()
    }
}

/// A profile that is always being taken, such as `heap`.
#[derive(Clone, Copy)]
pub struct NamedProfile(&'static dyn Source);

/// What a profile showed at some time, for a later one to be compared with.
pub struct Baseline {
    source: NamedProfile,
    taken: Instant,
    snapshot: Snapshot,
}

/// What a difference of two profiles shows of values that go up and down, such as memory in use. Values that only
/// grow, such as memory allocated, are always subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gauges {
    /// The later value, as it is.
    #[default]
    Keep,
    /// How much it has changed, which may be negative. Go does this.
    Subtract,
}

/// All profiles that this program can show, sorted by name.
///
/// `heap` and `allocs` are there if the global allocator is a [`Heap`](crate::Heap).
pub fn profiles() -> Vec<NamedProfile> {
    let of_heap: [&'static dyn Source; 2] = [&heap::ALLOCS, &heap::HEAP];
    let of_heap = of_heap.into_iter().filter(|_| heap::is_installed());
    const GOROUTINE: &dyn Source = &goroutine::GOROUTINE;
    let built_in = of_heap
        .chain(contention::sources())
        .chain(threads::sources())
        .chain(tasks::sources())
        .chain([GOROUTINE]);
    let mut all: Vec<_> = built_in.chain(custom::all()).map(NamedProfile).collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    all
}

/// The profile with this name.
pub fn lookup(name: &str) -> Option<NamedProfile> {
    profiles().into_iter().find(|profile| profile.name() == name)
}

impl NamedProfile {
    pub(crate) fn new(source: &'static dyn Source) -> Self {
        Self(source)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// What it shows, in a sentence; may be empty.
    pub fn description(&self) -> &'static str {
        self.0.description()
    }

    /// Number of things that it would list: live entries, or stacks.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// The profile, with names.
    pub fn profile(&self) -> Profile {
        let _paused = heap::pause();
        self.snapshot().into_profile().profile
    }

    /// The profile as text, with names, as Go's `debug=1`.
    pub fn text(&self) -> String {
        let _paused = heap::pause();
        crate::stacks::refresh();
        self.0.text()
    }

    /// Each thing that the profile shows by itself, as Go's `debug=2`: tasks and threads with what they do and for how
    /// long. Other profiles are as in [`text`](Self::text).
    pub fn text_of_each(&self) -> String {
        let _paused = heap::pause();
        crate::stacks::refresh();
        self.0.text_of_each()
    }

    /// Writes the profile: compressed for tools if `debug` is 0, as text for people if it is 1, and
    /// [each thing by itself](Self::text_of_each) otherwise.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, mut writer: impl Write, debug: u32) -> io::Result<()> {
        match debug {
            0 => writer.write_all(&self.gzipped()),
            1 => writer.write_all(self.text().as_bytes()),
            _ => writer.write_all(self.text_of_each().as_bytes()),
        }
    }

    /// Remembers what the profile shows now, to see later what came since.
    pub fn baseline(&self) -> Baseline {
        let _paused = heap::pause();
        Baseline { source: *self, taken: Instant::now(), snapshot: self.snapshot() }
    }

    fn gzipped(&self) -> Vec<u8> {
        let _paused = heap::pause();
        encode_gzip(&self.profile(), Compression::Fast)
    }

    fn snapshot(&self) -> Snapshot {
        // Libraries loaded since have names, too.
        crate::stacks::refresh();
        self.0.snapshot()
    }
}

impl std::fmt::Debug for NamedProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NamedProfile").field(&self.name()).finish()
    }
}

impl Baseline {
    /// The profile of what came since.
    pub fn profile(self, gauges: Gauges) -> Profile {
        let _paused = heap::pause();
        let later = self.source.snapshot();
        let duration = self.taken.elapsed();
        let mut profile = later.since(&self.snapshot, gauges).into_profile().profile;
        profile.duration_nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        profile
    }
}

impl std::fmt::Debug for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Baseline").field("source", &self.source).finish_non_exhaustive()
    }
}
