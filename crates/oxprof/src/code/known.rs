//! Names that were looked up, for the next profile, which has most addresses in common with the last.
//!
//! They are kept by build, of which the same place in the file always has the same name, whatever is loaded where.
//! Whoever finds the lock taken looks the name up himself: in a child of `fork` it may be taken for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::maps::Row;
use super::names::Frame;

/// What there is to know about an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The functions there, innermost inlined one first.
    pub(crate) frames: Arc<[Frame]>,
    /// Bytes from the start of the outermost.
    pub(crate) offset: Option<u64>,
}

/// Most addresses that are kept, in some 10 MiB. When there are more, all are forgotten.
const MOST: usize = 1 << 15;

static BY_BUILD: Mutex<Option<HashMap<String, HashMap<u64, Known>>>> = Mutex::new(None);

/// What is known of an address in a mapping.
pub(super) fn get(row: &Row, address: u64) -> Option<Known> {
    let by_build = BY_BUILD.try_lock().ok()?;
    by_build.as_ref()?.get(&row.build_id)?.get(&file_offset(row, address)).cloned()
}

/// Keeps what was found out. Without a name, it may be found another time, when there is a debug file; without a build,
/// nothing says that a file is the same.
pub(super) fn put(row: &Row, address: u64, known: &Known) {
    if row.build_id.is_empty() || known.frames.is_empty() {
        return;
    }
    let Ok(mut by_build) = BY_BUILD.try_lock() else { return };
    let by_build = by_build.get_or_insert_default();
    if by_build.values().map(HashMap::len).sum::<usize>() >= MOST {
        by_build.clear();
    }
    let of_build = by_build.entry(row.build_id.clone()).or_default();
    of_build.insert(file_offset(row, address), known.clone());
}

fn file_offset(row: &Row, address: u64) -> u64 {
    address.wrapping_sub(row.range.start).wrapping_add(row.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(build_id: &str, start: u64) -> Row {
        let (file, build_id) = ("/lib/x".to_owned(), build_id.to_owned());
        Row { range: start..start + 0x1000, offset: 0x200, file, build_id }
    }

    #[test]
    fn names_are_those_of_a_place_in_a_build() {
        let known = Known { frames: [Frame::default()].into(), offset: Some(7) };
        put(&row("known.rs 1", 0x1000), 0x1010, &known);
        put(&row("", 0x1000), 0x1010, &known);
        put(&row("known.rs 2", 0x1000), 0x1010, &Known::default());
        let offset = |build: &str, start, address| {
            // Another test may hold the lock just now.
            (0..1000).find_map(|_| get(&row(build, start), address)).and_then(|known| known.offset)
        };
        assert_eq!(offset("known.rs 1", 0x1000, 0x1010), Some(7));
        assert_eq!(offset("known.rs 1", 0x9000, 0x9010), Some(7), "loaded elsewhere");
        assert_eq!(offset("known.rs 1", 0x1000, 0x1011), None);
        assert_eq!(offset("known.rs 2", 0x1000, 0x1010), None, "nothing to keep");
        assert_eq!(offset("", 0x1000, 0x1010), None, "no build");
    }
}
