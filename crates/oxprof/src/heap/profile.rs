//! The profiles `heap` and `allocs`: the same numbers, shown with a different one first.

use super::sites::{self, Site};
use super::{rate, text};
use crate::registry::{Column, Key, Schema, Snapshot, Source};
use crate::stacks;

/// One of the two.
pub(crate) struct HeapProfile {
    name: &'static str,
    description: &'static str,
    default: Option<&'static str>,
}

pub(crate) static HEAP: HeapProfile = HeapProfile {
    name: "heap",
    description: "Memory in use, sampled, by the stack that allocated it; and all that was ever allocated.",
    default: None,
};

pub(crate) static ALLOCS: HeapProfile = HeapProfile {
    name: "allocs",
    description: "All memory that was ever allocated, sampled, by the stack that allocated it.",
    default: Some("alloc_space"),
};

impl Source for HeapProfile {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        self.description
    }

    fn count(&self) -> u64 {
        sites::count()
    }

    fn snapshot(&self) -> Snapshot {
        take(self.default, estimates)
    }

    fn text(&self) -> String {
        let rate = text_rate();
        text::write(&take(self.default, |site| samples(site, rate)).into_profile(), rate)
    }
}

/// All sites, with values that `values` makes of them.
fn take(default: Option<&'static str>, values: impl Fn(&Site) -> [i64; 4]) -> Snapshot {
    let mut snapshot = Snapshot::new(schema(default));
    for site in sites::iter() {
        let size = (site.class > 0).then_some(site.class);
        let key = Key { size, ..Key::new(stacks::get(site.stack), site.labels) };
        snapshot.add(key, &values(&site));
    }
    snapshot
}

fn schema(default: Option<&'static str>) -> Schema {
    let column = |kind: &str, unit, is_gauge| Column { kind: kind.to_owned(), unit, is_gauge };
    let columns = vec![
        column("alloc_objects", "count", false),
        column("alloc_space", "bytes", false),
        column("inuse_objects", "count", true),
        column("inuse_space", "bytes", true),
    ];
    let period = i64::try_from(rate::get()).unwrap_or(i64::MAX);
    Schema { columns, period: ("space".to_owned(), "bytes", period), default }
}

/// What the samples of a site stand for.
fn estimates(site: &Site) -> [i64; 4] {
    let (all, live) = (site.allocated, site.in_use);
    [all.objects.round() as i64, signed(all.bytes), live.objects.round() as i64, signed(live.bytes)]
}

/// The samples of a site as if all had been taken at `rate`, for a reader that knows only one.
fn samples(site: &Site, rate: u64) -> [i64; 4] {
    [site.allocated, site.in_use]
        .map(|sums| {
            if site.rate == rate {
                return [signed(sums.sampled_objects), signed(sums.sampled_bytes)];
            }
            let size = sums.bytes as f64 / sums.objects.max(1.0);
            let share = if rate <= 1 { 1.0 } else { -(-size / rate as f64).exp_m1() };
            let objects = (sums.objects * share).round();
            // Readers refuse bytes without objects.
            [objects as i64, (objects * size).round() as i64]
        })
        .concat()
        .try_into()
        .unwrap_or([0; 4])
}

/// The rate that text is written for: the one in force, or the usual one if none is.
fn text_rate() -> u64 {
    match rate::get() {
        0 => rate::DEFAULT_RATE,
        rate => rate,
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
