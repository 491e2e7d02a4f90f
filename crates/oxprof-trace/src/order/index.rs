//! Slots of goroutines by their ids.
//!
//! Programs number goroutines one after another, so that ids that come together in a trace are near each other. Here
//! their slots are, too: they stand in pages, and a table of pages is small enough to stay in the processor's cache.

use rustc_hash::FxHashMap;

use crate::{GoId, Slot};

/// Ids on a page.
const PAGE: usize = 64;

/// The slots of goroutines that exist.
#[derive(Debug, Default)]
pub(super) struct GoIndex {
    pages: FxHashMap<i64, Box<Page>>,
}

#[derive(Debug)]
struct Page {
    /// How many of its slots are some.
    used: usize,
    slots: [Slot; PAGE],
}

impl GoIndex {
    #[inline]
    pub(super) fn get(&self, id: GoId) -> Option<Slot> {
        let (page, at) = place(id);
        let slot = self.pages.get(&page)?.slots[at];
        (!slot.is_none()).then_some(slot)
    }

    /// Puts a goroutine in a slot.
    pub(super) fn insert(&mut self, id: GoId, slot: Slot) {
        let (page, at) = place(id);
        let empty = || Box::new(Page { used: 0, slots: [Slot::NONE; PAGE] });
        let page = self.pages.entry(page).or_insert_with(empty);
        page.used += usize::from(page.slots[at].is_none());
        page.slots[at] = slot;
    }

    /// Forgets a goroutine.
    pub(super) fn remove(&mut self, id: GoId) {
        let (number, at) = place(id);
        let Some(page) = self.pages.get_mut(&number) else { return };
        page.used -= usize::from(!page.slots[at].is_none());
        page.slots[at] = Slot::NONE;
        if page.used == 0 {
            self.pages.remove(&number);
        }
    }
}

/// The page of an id, and where it is on that.
#[inline]
fn place(id: GoId) -> (i64, usize) {
    let page = id.0.div_euclid(PAGE as i64);
    (page, id.0.rem_euclid(PAGE as i64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_a_slot_of_its_own_until_it_is_forgotten() {
        let ids = [0, 1, 63, 64, 65, -1, -64, -65, i64::MAX, i64::MIN, 1 << 40].map(GoId);
        let mut index = GoIndex::default();
        for (i, &id) in ids.iter().enumerate() {
            assert_eq!(index.get(id), None);
            index.insert(id, Slot(i as u32));
            index.insert(id, Slot(i as u32 + 100));
        }
        for (i, &id) in ids.iter().enumerate() {
            assert_eq!(index.get(id), Some(Slot(i as u32 + 100)));
            index.remove(id);
            index.remove(id);
            assert_eq!(index.get(id), None);
        }
        assert!(index.pages.is_empty());
    }
}
