//! What was allocated and freed, by stack, labels and size.

use super::live::Block;
use super::rate::{self, ONE_OBJECT, Weight};
use crate::code::sync::{AtomicU64, Ordering};
use crate::labels::LabelsId;
use crate::stacks::StackId;
use crate::stacks::table::{Position, Table};

/// Up to 100 000 sites or so, in at most 17 MiB.
static SITES: Table<64> = Table::new(1 << 17, 1 << 15, COUNTERS);

/// Samples for which there was no room are booked here.
const OVERFLOW: [u64; 3] = [0, 0, 0];

const COUNTERS: usize = 2 * SUMS;
/// Sampled objects and bytes, then the objects and bytes that they stand for.
const SUMS: usize = 4;

/// What one site has allocated, and not freed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) stack: StackId,
    pub(super) labels: LabelsId,
    /// The size class of its objects.
    pub(super) class: u64,
    /// The rate at which they were sampled; 0 if several.
    pub(super) rate: u64,
    pub(super) allocated: Sums,
    pub(super) in_use: Sums,
}

/// Sums over objects.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(super) sampled_objects: u64,
    pub(super) sampled_bytes: u64,
    /// Estimates of all objects and bytes, of which the sampled ones are a part.
    pub(crate) objects: f64,
    pub(crate) bytes: u64,
}

/// The site of objects that this stack allocates with these labels. For hooks.
pub(super) fn find(stack: StackId, labels: LabelsId, size: usize, rate: u64) -> Option<Position> {
    let key = |labels: LabelsId| {
        [u64::from(stack.to_raw()) | class(size) << 32, rate, labels.to_raw().into()]
    };
    SITES.intern_labeled(labels, key).or_else(|| SITES.intern(&OVERFLOW))
}

/// Sees to it that there is room for what overflows. For hooks.
pub(super) fn reserve() {
    SITES.intern(&OVERFLOW);
}

/// Books an allocation. For hooks.
pub(super) fn allocated(site: Position, block: Block) {
    book(SITES.counters(site), block);
}

/// Books that a block was freed. For hooks.
pub(super) fn freed(block: Block) {
    if let Some(site) = Position::from_raw(block.site) {
        book(SITES.counters(site).get(SUMS..).unwrap_or(&[]), block);
    }
}

fn book(counters: &[AtomicU64], block: Block) {
    let Weight { objects, bytes } = rate::weight(block.size, block.rate);
    for (counter, value) in counters.iter().zip([1, block.size as u64, objects, bytes]) {
        // Released so that who sees a block freed sees it allocated, too.
        counter.fetch_add(value, Ordering::Release);
    }
}

/// All sites.
pub(super) fn iter() -> impl Iterator<Item = Site> {
    SITES.iter().filter_map(|position| {
        let mut key = SITES.key(position);
        let (first, rate, labels) = (key.next()?, key.next()?, key.next()?);
        let counters = SITES.counters(position);
        let (allocated, freed) = counters.split_at_checked(SUMS)?;
        // In this order: see `book`.
        let freed = read(freed)?;
        let allocated = read(allocated)?;
        let in_use = [0, 1, 2, 3].map(|i| allocated[i].saturating_sub(freed[i]));
        Some(Site {
            stack: StackId::from_raw(first as u32),
            labels: LabelsId::from_raw(labels as u32),
            class: unclass(first >> 32),
            rate,
            allocated: Sums::new(allocated),
            in_use: Sums::new(in_use),
        })
    })
}

/// Number of sites.
pub(super) fn count() -> u64 {
    SITES.iter().count() as u64
}

fn read(counters: &[AtomicU64]) -> Option<[u64; SUMS]> {
    let counters: &[AtomicU64; SUMS] = counters.try_into().ok()?;
    Some(counters.each_ref().map(|counter| counter.load(Ordering::Acquire)))
}

impl Sums {
    fn new([sampled_objects, sampled_bytes, objects, bytes]: [u64; SUMS]) -> Self {
        let objects = objects as f64 / ONE_OBJECT as f64;
        Self { sampled_objects, sampled_bytes, objects, bytes }
    }
}

/// Number of the size class that holds `size`: eight for each power of two, and one for each size up to 16.
///
/// Vectors and strings come in all sizes; each its own site would be more than anyone wants to read.
fn class(size: usize) -> u64 {
    let size = size as u64;
    if size <= 16 {
        return size;
    }
    let exponent = (size - 1).ilog2();
    let step = ((size - 1) >> (exponent - 3)) & 7;
    16 + u64::from(exponent - 4) * 8 + step + 1
}

/// The largest size in a class.
fn unclass(class: u64) -> u64 {
    match class.checked_sub(17) {
        None => class,
        Some(beyond) => (9 + beyond % 8) << (1 + (beyond / 8).min(58)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (size, expected) in [
            (0, 0),
            (1, 1),
            (16, 16),
            (17, 18),
            (24, 24),
            (32, 32),
            (33, 36),
            (64, 64),
            (65, 72),
            (1000, 1024),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + (1 << 17)),
            (1 << 46, 1 << 46),
        ] {
            assert_eq!(unclass(class(size)), expected, "{size}");
        }
        for size in 1..100_000 {
            let rounded = unclass(class(size)) as usize;
            assert!(size <= rounded && rounded <= size + size / 8 + 1, "{size} {rounded}");
        }
    }
}
