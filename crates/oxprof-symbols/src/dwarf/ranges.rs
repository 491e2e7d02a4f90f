//! Values by address range, where ranges may overlap.

use std::ops::Range;

/// Finds what covers an address.
#[derive(Debug)]
pub(crate) struct RangeMap<T> {
    /// By ascending start.
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    start: u64,
    end: u64,
    /// The furthest end of this entry and all before.
    reach: u64,
    value: T,
}

impl<T> Default for RangeMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Copy + Ord> FromIterator<(Range<u64>, T)> for RangeMap<T> {
    fn from_iter<I: IntoIterator<Item = (Range<u64>, T)>>(ranges: I) -> Self {
        let entry = |(range, value): (Range<u64>, T)| {
            let Range { start, end } = range;
            Entry { start, end, reach: end, value }
        };
        let mut entries: Vec<_> = ranges.into_iter().map(entry).collect();
        entries.sort_unstable_by_key(|e| (e.start, std::cmp::Reverse(e.end), e.value));
        let mut reach = 0;
        for entry in &mut entries {
            reach = reach.max(entry.end);
            entry.reach = reach;
        }
        Self { entries }
    }
}

impl<T: Copy> RangeMap<T> {
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.entries.iter().map(|e| e.start..e.end)
    }

    /// What covers `address`, the nearest start first.
    pub(crate) fn covering(&self, address: u64) -> impl Iterator<Item = T> + '_ {
        let after = self.entries.partition_point(|e| e.start <= address);
        let before = self.entries[..after].iter().rev();
        before
            .take_while(move |e| e.reach > address)
            .filter(move |e| e.end > address)
            .map(|e| e.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_start_first() {
        let map: RangeMap<char> =
            [(10..20, 'a'), (0..30, 'b'), (15..16, 'c'), (40..50, 'd')].into_iter().collect();
        let check = |address, expected: &str| {
            assert_eq!(map.covering(address).collect::<String>(), expected, "{address}");
        };
        check(0, "b");
        check(10, "ab");
        check(15, "cab");
        check(16, "ab");
        check(20, "b");
        check(30, "");
        check(49, "d");
        check(50, "");
    }
}
