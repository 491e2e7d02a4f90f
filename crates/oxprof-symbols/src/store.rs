//! Bytes that come to light while an object is read.

use std::fmt;
use std::sync::Arc;

use crate::data::{Bytes, Data};
use crate::shelf::Shelf;

/// A file that an object's debug information refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DebugFile<'a> {
    /// What several objects share (`.gnu_debugaltlink`, made by dwz).
    Shared {
        /// Path as the object has it, possibly relative to the object.
        path: &'a str,
        /// Build id of the shared file.
        build_id: &'a [u8],
    },
    /// The package of all split units of the object, beside it with `.dwp` appended.
    Package,
    /// Symbols and lines of a program of Windows.
    Symbols {
        /// Path as the linker was told, with separators of either system.
        path: &'a str,
    },
    /// One split unit (`-gsplit-dwarf`).
    Split {
        /// Directory that `path` is relative to.
        directory: &'a str,
        /// Path as the compiler was told.
        path: &'a str,
    },
}

/// Keeps what objects find while they are read (decompressed sections, further files) for as long as
/// they look at it, and asks the caller for those files.
pub struct Store<'f> {
    open: Box<dyn Fn(DebugFile<'_>) -> Option<Bytes> + Send + Sync + 'f>,
    kept: Shelf,
}

impl fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Default for Store<'_> {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl<'f> Store<'f> {
    /// A store that finds further files with `open`.
    pub fn new(open: impl Fn(DebugFile<'_>) -> Option<Bytes> + Send + Sync + 'f) -> Self {
        Self { open: Box::new(open), kept: Shelf::default() }
    }

    pub(crate) fn open(&self, file: DebugFile<'_>) -> Option<Data<'_>> {
        let place = self.kept.keep((self.open)(file)?)?;
        Some(self.kept.get(place)?.data())
    }

    pub(crate) fn keep(&self, bytes: Vec<u8>) -> Option<&[u8]> {
        let place = self.kept.keep(Arc::new(bytes))?;
        self.kept.get(place)?.data().all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_while_more_is_added() {
        let store = Store::default();
        let kept: Vec<&[u8]> = (0..100_u8).map(|i| store.keep(vec![i; 3]).unwrap()).collect();
        assert!(kept.iter().enumerate().all(|(i, bytes)| *bytes == [i as u8; 3]));
    }
}
