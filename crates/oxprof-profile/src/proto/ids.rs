//! From the file's ids to positions in our tables.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// The positions of a table's ids.
#[derive(Debug)]
pub(crate) enum IdMap {
    /// Ids are 1, 2, 3, …: what nearly every writer does. No table holds id 0.
    Sequential(u64),
    /// Position by id, plus one; 0 for ids that do not occur.
    Dense(Vec<u32>),
    Sparse(HashMap<u64, u32, FxBuildHasher>),
}

/// An id that occurs twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DuplicateId(pub(crate) u64);

impl IdMap {
    pub(crate) fn new(
        ids: impl ExactSizeIterator<Item = u64> + Clone,
    ) -> Result<Self, DuplicateId> {
        let count = ids.len();
        if ids.clone().zip(1..).all(|(id, n)| id == n) {
            return Ok(Self::Sequential(count as u64));
        }
        let highest = ids.clone().max().unwrap_or(0);
        if highest < 4 * count as u64 + 1024 {
            Self::dense(ids, highest)
        } else {
            Self::sparse(ids)
        }
    }

    /// The position of `id`.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        match self {
            Self::Sequential(count) => {
                let position = id.wrapping_sub(1);
                (position < *count).then_some(position as u32)
            }
            Self::Dense(positions) => match positions.get(usize::try_from(id).ok()?) {
                None | Some(0) => None,
                Some(&position) => Some(position - 1),
            },
            Self::Sparse(positions) => positions.get(&id).copied(),
        }
    }

    fn dense(ids: impl Iterator<Item = u64>, highest: u64) -> Result<Self, DuplicateId> {
        let mut positions = vec![0; highest as usize + 1];
        for (id, position) in ids.zip(1..) {
            if std::mem::replace(&mut positions[id as usize], position) != 0 {
                return Err(DuplicateId(id));
            }
        }
        Ok(Self::Dense(positions))
    }

    fn sparse(ids: impl ExactSizeIterator<Item = u64>) -> Result<Self, DuplicateId> {
        let mut positions = HashMap::with_capacity_and_hasher(ids.len(), FxBuildHasher);
        for (id, position) in ids.zip(0..) {
            if positions.insert(id, position).is_some() {
                return Err(DuplicateId(id));
            }
        }
        Ok(Self::Sparse(positions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ids: &[u64], kind: &str) {
        let map = IdMap::new(ids.iter().copied()).unwrap();
        assert!(format!("{map:?}").starts_with(kind), "{map:?}");
        for (position, &id) in ids.iter().enumerate() {
            assert_eq!(map.get(id), Some(position as u32));
        }
        for absent in [0, 2_000_000, u64::MAX] {
            assert_eq!(map.get(absent), None);
        }
    }

    #[test]
    fn every_kind_finds_its_ids() {
        check(&[], "Sequential");
        check(&[1, 2, 3], "Sequential");
        check(&[3, 1, 900], "Dense");
        check(&[7, 1 << 63, 5], "Sparse");
    }

    #[test]
    fn ids_are_unique() {
        let error = |ids: &[u64]| IdMap::new(ids.iter().copied()).unwrap_err();
        assert_eq!(error(&[5, 6, 5]), DuplicateId(5));
        assert_eq!(error(&[1 << 40, 1 << 40]), DuplicateId(1 << 40));
    }
}
