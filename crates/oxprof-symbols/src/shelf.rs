//! What is kept while it is lent out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::data::{Bytes, Content};

/// A list that only grows, so that what is in it can be lent out while more is added. Row `n` has 2^n
/// places.
#[derive(Default)]
pub(crate) struct Shelf {
    rows: [OnceLock<Box<[OnceLock<Bytes>]>>; 20],
    used: AtomicUsize,
}

impl Shelf {
    /// How much is kept.
    #[cfg(feature = "lines")]
    pub(crate) fn len(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Where it is kept now; `None` when all places, about a million, are taken.
    pub(crate) fn keep(&self, bytes: Bytes) -> Option<usize> {
        let place = self.used.fetch_add(1, Ordering::Relaxed) + 1;
        let row = place.ilog2() as usize;
        let cells =
            self.rows.get(row)?.get_or_init(|| (0..1 << row).map(|_| OnceLock::new()).collect());
        cells[place - (1 << row)].get_or_init(|| bytes);
        Some(place)
    }

    /// What is kept at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&dyn Content> {
        let row = place.checked_ilog2()? as usize;
        Some(&**self.rows.get(row)?.get()?.get(place - (1 << row))?.get()?)
    }
}
