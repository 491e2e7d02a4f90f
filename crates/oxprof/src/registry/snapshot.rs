//! What a profiler has seen, by stack, before it is given names.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use oxprof_profile::{Label, LabelValue, LocationIdx, Profile, ValueType};

use super::Gauges;
use crate::code::builder::Builder;
use crate::contention::Category;
use crate::labels::LabelsId;
use crate::stacks::{self, Stack};
use crate::threads::state::{self, Doing};

/// What the values of a profile mean.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) columns: Vec<Column>,
    /// What a sampling period counts, and how many of it there are between samples.
    pub(crate) period: (String, &'static str, i64),
    /// The column to show first, unless it is the last.
    pub(crate) default: Option<&'static str>,
}

/// A value of each sample.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) kind: String,
    pub(crate) unit: &'static str,
    /// Whether it goes up and down.
    pub(crate) is_gauge: bool,
}

/// What tells samples apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) stack: Stack,
    pub(crate) labels: LabelsId,
    /// Size of the objects in bytes, if they have one.
    pub(crate) size: Option<u64>,
    /// The kind of thread, and what it does, if that matters.
    pub(crate) thread: Option<state::Thread>,
    /// What it waited for, if that matters.
    pub(crate) category: Option<Category>,
}

impl Key {
    pub(crate) fn new(stack: Stack, labels: LabelsId) -> Self {
        Self { stack, labels, size: None, thread: None, category: None }
    }
}

/// Samples at one time.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    schema: Schema,
    time: SystemTime,
    rows: HashMap<Key, Vec<i64>>,
}

/// A profile, and how far into its function each of its locations is.
pub(crate) struct Named {
    pub(crate) profile: Profile,
    pub(crate) offsets: Vec<Option<u64>>,
}

impl Snapshot {
    pub(crate) fn new(schema: Schema) -> Self {
        Self { schema, time: SystemTime::now(), rows: HashMap::new() }
    }

    /// Adds to a sample.
    pub(crate) fn add(&mut self, key: Key, values: &[i64]) {
        let row = self.rows.entry(key).or_insert_with(|| vec![0; self.schema.columns.len()]);
        for (sum, value) in row.iter_mut().zip(values) {
            *sum = sum.saturating_add(*value);
        }
    }

    /// What has come since `earlier`.
    pub(crate) fn since(mut self, earlier: &Self, gauges: Gauges) -> Self {
        let columns = &self.schema.columns;
        let subtracted: Vec<bool> =
            columns.iter().map(|c| !c.is_gauge || gauges == Gauges::Subtract).collect();
        for (key, before) in &earlier.rows {
            let row = self.rows.entry(key.clone()).or_insert_with(|| vec![0; before.len()]);
            let columns = row.iter_mut().zip(before).zip(&subtracted);
            for ((value, before), _) in columns.filter(|(_, subtracted)| **subtracted) {
                *value = value.saturating_sub(*before);
            }
        }
        self
    }

    /// The profile, with names, without samples that are all zero. The order of samples is that of their addresses.
    pub(crate) fn into_profile(self) -> Named {
        let maps = stacks::maps();
        let types: Vec<(&str, &str)> =
            self.schema.columns.iter().map(|c| (c.kind.as_str(), c.unit)).collect();
        let mut samples = Samples::new(Builder::new(&maps, &types));
        let mut rows: Vec<_> =
            self.rows.iter().filter(|(_, v)| v.iter().any(|v| *v != 0)).collect();
        rows.sort_unstable_by_key(|(key, _)| {
            (&key.stack.frames, key.size, key.stack.beyond, key.labels, &key.thread, key.category)
        });
        for (key, values) in rows {
            samples.add(key, values);
        }
        let mut builder = samples.builder;
        self.describe(&mut builder.profile);
        let offsets = builder.offsets();
        Named { profile: builder.finish(), offsets }
    }

    fn describe(&self, profile: &mut Profile) {
        let (kind, unit, period) = &self.schema.period;
        let strings = &mut profile.strings;
        profile.period_type = ValueType { kind: strings.intern(kind), unit: strings.intern(unit) };
        profile.period = *period;
        profile.default_sample_type = strings.intern(self.schema.default.unwrap_or_default());
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        profile.time_nanos = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
    }
}

struct Samples<'a> {
    builder: Builder<'a>,
}

impl<'a> Samples<'a> {
    fn new(builder: Builder<'a>) -> Self {
        Self { builder }
    }

    fn add(&mut self, key: &Key, values: &[i64]) {
        let stack = locations(&mut self.builder, &key.stack);
        let mut labels = self.labels(key);
        if let Some(thread) = &key.thread {
            labels.extend(self.thread_labels(thread, &stack));
        }
        self.builder.profile.samples.push(values, &stack, &labels);
    }

    fn labels(&mut self, key: &Key) -> Vec<Label> {
        let mut labels = self.builder.labels(key.labels, key.stack.guessed);
        let strings = &mut self.builder.profile.strings;
        if let Some(size) = key.size {
            let value = i64::try_from(size).unwrap_or(i64::MAX);
            let value = LabelValue::Num { value, unit: strings.intern("") };
            labels.push(Label { key: strings.intern("bytes"), value });
        }
        if let Some(category) = key.category {
            let value = LabelValue::Str(strings.intern(category.name()));
            labels.push(Label { key: strings.intern("category"), value });
        }
        labels
    }

    /// What a thread does, and what it is called.
    fn thread_labels(&mut self, thread: &state::Thread, stack: &[LocationIdx]) -> Vec<Label> {
        let profile = &mut self.builder.profile;
        let lines = stack.iter().flat_map(|&location| profile.lines_of(location));
        let functions =
            lines.map(|line| profile.str(profile.functions[line.function.index()].name));
        let state = thread.doing.name(functions);
        let cpu = if thread.doing == Doing::Running { "on" } else { "off" };
        let strings = &mut profile.strings;
        let group = thread.group.text();
        let labels = [("cpu", cpu), ("state", state), ("thread", &*group)];
        let label = |(key, value)| {
            let value = LabelValue::Str(strings.intern(value));
            Label { key: strings.intern(key), value }
        };
        labels.into_iter().filter(|(_, value)| !value.is_empty()).map(label).collect()
    }
}

/// The locations of a stack, without innermost and outermost frames that are our own or the allocator's.
pub(crate) fn locations(builder: &mut Builder<'_>, stack: &Stack) -> Vec<LocationIdx> {
    let mut locations = Vec::with_capacity(stack.frames.len());
    for (i, &address) in stack.frames.iter().enumerate() {
        let is_end = locations.is_empty() || i + 1 == stack.frames.len();
        locations.extend(match is_end {
            true => builder.end(address, is_plumbing),
            false => Some(builder.location(address)),
        });
    }
    locations.extend(stack.beyond.map(|beyond| builder.pseudo(beyond)));
    locations
}

/// Whether a function is part of every allocation or entry, and so says nothing about any.
fn is_plumbing(name: &str) -> bool {
    const PREFIXES: [&str; 24] = [
        "std::sys::alloc::",
        "alloc::task::",
        "__rust_",
        "__rustc",
        "__rg_",
        "alloc::alloc::",
        "<alloc::alloc::Global as ",
        "oxprof::heap::",
        "<oxprof::heap::",
        "oxprof::contention::",
        "oxprof::custom::",
        "<oxprof::custom::",
        "oxprof::labels::",
        "<oxprof::labels::",
        "oxprof::stacks::",
        "oxprof::spawn",
        "oxprof::tasks::",
        "<oxprof::tasks::",
        "oxprof::goroutine::",
        "oxprof::hooks::",
        "oxprof::threads::",
        "<oxprof::threads::",
        "core::task::wake::",
        "<core::task::wake::",
    ];
    /// Our functions in front of libc's.
    const NAMES: [&str; 7] = [
        "malloc",
        "calloc",
        "realloc",
        "reallocarray",
        "memalign",
        "aligned_alloc",
        "posix_memalign",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &str, is_gauge: bool) -> Column {
        Column { kind: kind.to_owned(), unit: "count", is_gauge }
    }

    fn key(address: u64) -> Key {
        let stack = Stack { frames: [address].into(), beyond: None, guessed: false };
        Key::new(stack, LabelsId::NONE)
    }

    fn snapshot(rows: &[(u64, [i64; 2])]) -> Snapshot {
        let columns = vec![column("allocated", false), column("live", true)];
        let period = ("events".to_owned(), "count", 1);
        let mut snapshot = Snapshot::new(Schema { columns, period, default: None });
        rows.iter().for_each(|(address, values)| snapshot.add(key(*address), values));
        snapshot
    }

    fn check(gauges: Gauges, expected: &[(u64, [i64; 2])]) {
        let before = snapshot(&[(1, [10, 4]), (2, [5, 5]), (3, [1, 1])]);
        let after = snapshot(&[(1, [15, 2]), (2, [5, 5]), (3, [1, 0]), (4, [2, 2])]);
        let difference = after.since(&before, gauges);
        let profile = difference.into_profile().profile;
        let samples = profile.samples.iter();
        let got: Vec<(u64, [i64; 2])> = samples
            .map(|s| (profile.locations[s.stack[0].index()].address, [s.values[0], s.values[1]]))
            .collect();
        assert_eq!(got, expected, "{gauges:?}");
    }

    #[test]
    fn differences() {
        check(Gauges::Keep, &[(1, [5, 2]), (2, [0, 5]), (4, [2, 2])]);
        check(Gauges::Subtract, &[(1, [5, -2]), (3, [0, -1]), (4, [2, 2])]);
    }

    #[test]
    fn plumbing() {
        for name in [
            "__rustc::__rust_alloc",
            "__rust_realloc",
            "__rustc[f4ab]::__rdl_alloc",
            "alloc::alloc::exchange_malloc",
            "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
            "<oxprof::heap::Heap as core::alloc::global::GlobalAlloc>::alloc",
        ] {
            assert!(is_plumbing(name), "{name}");
        }
        for name in
            ["alloc::raw_vec::finish_grow", "alloc::vec::Vec<T>::push", "main", "oxprof::http::x"]
        {
            assert!(!is_plumbing(name), "{name}");
        }
    }
}
