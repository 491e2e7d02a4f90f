//! What has been seen, and for how long.

use std::collections::HashMap;

use crate::registry::{Column, Key, Schema, Snapshot};
use crate::threads::clock::NANOS;

/// By place: how often somebody was there, and nanoseconds.
#[derive(Default)]
pub(super) struct Rows {
    rows: HashMap<Key, usize>,
    values: Vec<[i64; 2]>,
}

impl Rows {
    /// The row of a place.
    pub(super) fn row(&mut self, key: Key) -> usize {
        let values = &mut self.values;
        *self.rows.entry(key).or_insert_with(|| {
            values.push([0; 2]);
            values.len() - 1
        })
    }

    /// Somebody was there for so long.
    pub(super) fn add(&mut self, row: usize, nanos: u64) {
        let values = &mut self.values[row];
        values[0] += 1;
        values[1] = values[1].saturating_add_unsigned(nanos);
    }

    /// Begins anew, with the places that are known.
    pub(super) fn clear(&mut self) {
        self.values.iter_mut().for_each(|values| *values = [0; 2]);
    }

    pub(super) fn snapshot(self, hz: u32) -> Snapshot {
        let column = |kind: &str, unit| Column { kind: kind.to_owned(), unit, is_gauge: false };
        let columns = vec![column("samples", "count"), column("wall", "nanoseconds")];
        let period = (NANOS / u64::from(hz)) as i64;
        let period = ("wall".to_owned(), "nanoseconds", period);
        let mut snapshot = Snapshot::new(Schema { columns, period, default: None });
        for (key, row) in self.rows {
            snapshot.add(key, &self.values[row]);
        }
        snapshot
    }
}
