//! How long was waited, and where.

use super::rates::{ONE, Weight};
use crate::code::sync::{AtomicU64, Ordering};
use crate::labels::LabelsId;
use crate::stacks::StackId;
use crate::stacks::table::Table;
use crate::threads::wait::Kind;

/// Waits, by stack, labels and kind: some 40 000 in at most 8 MiB.
static WAITS: Table<32> = Table::new(1 << 16, 1 << 15, COUNTERS);
/// What was charged to who ended waits, by stack, labels, and what the waiter had called.
static CHARGES: Table<32> = Table::new(1 << 16, 1 << 15, COUNTERS);

/// A count, in units of [`ONE`], and nanoseconds.
const COUNTERS: usize = 2;

/// Where threads have waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) stack: StackId,
    pub(super) labels: LabelsId,
    pub(super) kind: Kind,
    pub(super) sums: [i64; COUNTERS],
}

/// Where threads have ended waits of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charges {
    pub(super) stack: StackId,
    pub(super) labels: LabelsId,
    /// What one who waited had called.
    pub(super) kind: Kind,
    /// Innermost frames of his.
    pub(super) waiter: StackId,
    pub(super) sums: [i64; COUNTERS],
}

/// Books a wait that is over. For hooks.
pub(super) fn waited(stack: StackId, labels: LabelsId, kind: Kind, weight: Weight) {
    book(&WAITS, stack, labels, kind as u64, weight);
}

/// Books what is charged to who ends waits. For hooks.
pub(super) fn charged(
    stack: StackId,
    labels: LabelsId,
    (kind, waiter): (Kind, StackId),
    weight: Weight,
) {
    let what = u64::from(waiter.to_raw()) | (kind as u64) << 32;
    book(&CHARGES, stack, labels, what, weight);
}

fn book(table: &Table<32>, stack: StackId, labels: LabelsId, what: u64, weight: Weight) {
    let key =
        |labels: LabelsId| [u64::from(stack.to_raw()) | u64::from(labels.to_raw()) << 32, what];
    let position = table
        .intern_labeled(labels, key)
        .or_else(|| table.intern(&[StackId::LOST.to_raw().into(), what]));
    let counters = position.map_or(&[][..], |position| table.counters(position));
    for (counter, value) in counters.iter().zip([weight.count, weight.nanos]) {
        counter.fetch_add(value, Ordering::Relaxed);
    }
}

/// All waits that are over.
pub(super) fn waits() -> impl Iterator<Item = Waits> {
    rows(&WAITS).map(|(stack, labels, what, sums)| Waits {
        stack,
        labels,
        kind: Kind::from_u8(what as u8),
        sums,
    })
}

/// All that was charged.
pub(super) fn charges() -> impl Iterator<Item = Charges> {
    rows(&CHARGES).map(|(stack, labels, what, sums)| Charges {
        stack,
        labels,
        kind: Kind::from_u8((what >> 32) as u8),
        waiter: StackId::from_raw(what as u32),
        sums,
    })
}

type Row = (StackId, LabelsId, u64, [i64; COUNTERS]);

fn rows(table: &'static Table<32>) -> impl Iterator<Item = Row> {
    table.iter().filter_map(|position| {
        let mut key = table.key(position);
        let (first, what) = (key.next()?, key.next()?);
        let [count, nanos] = table.counters(position) else { return None };
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sums =
            [rounded(value(count)), value(nanos)].map(|sum| i64::try_from(sum).unwrap_or(i64::MAX));
        let labels = LabelsId::from_raw((first >> 32) as u32);
        Some((StackId::from_raw(first as u32), labels, what, sums))
    })
}

fn rounded(count: u64) -> u64 {
    count.saturating_add(ONE / 2) / ONE
}
