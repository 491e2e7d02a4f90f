//! The bytes of a file: all at hand, or read as they are needed.
//!
//! Binaries with debug information are large, and a profile asks about little of it. [`Parts`] reads blocks where
//! little is wanted (headers, names), and longer pieces as a whole (tables); what was read stays.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::object::read::ReadRef;

use crate::shelf::Shelf;

/// A file as the caller opened it.
pub type Bytes = Arc<dyn Content>;

/// An object file in such bytes.
pub(crate) type File<'d> = ::object::File<'d, Data<'d>>;

/// A section of it.
pub(crate) type Section<'d, 'f> = ::object::Section<'d, 'f, Data<'d>>;

/// Something that has bytes.
pub trait Content: Send + Sync {
    /// Those bytes.
    fn data(&self) -> Data<'_>;
}

impl<T: AsRef<[u8]> + Send + Sync> Content for T {
    fn data(&self) -> Data<'_> {
        Data(Inner::Whole(self.as_ref()))
    }
}

/// The bytes of a file.
#[derive(Clone, Copy)]
pub struct Data<'d>(Inner<'d>);

#[derive(Clone, Copy)]
enum Inner<'d> {
    Whole(&'d [u8]),
    Parts(&'d Parts),
}

impl<'d, T: AsRef<[u8]> + ?Sized> From<&'d T> for Data<'d> {
    fn from(bytes: &'d T) -> Self {
        Self(Inner::Whole(bytes.as_ref()))
    }
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Data").field(&self.size()).finish()
    }
}

impl<'d> Data<'d> {
    /// How many bytes there are.
    pub fn size(self) -> u64 {
        match self.0 {
            Inner::Whole(bytes) => bytes.len() as u64,
            Inner::Parts(parts) => parts.file.size(),
        }
    }

    /// All bytes; `None` if they cannot be read.
    pub fn all(self) -> Option<&'d [u8]> {
        self.get(0..self.size())
    }

    /// Some of the bytes; `None` if the file does not have them.
    pub fn get(self, range: Range<u64>) -> Option<&'d [u8]> {
        match self.0 {
            Inner::Whole(bytes) => {
                bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
            }
            Inner::Parts(parts) => parts.get(range),
        }
    }

    /// The bytes of `range` before the first one that is `end`.
    pub(crate) fn until(self, range: Range<u64>, end: u8) -> Option<&'d [u8]> {
        match self.0 {
            Inner::Whole(_) => {
                let bytes = self.get(range)?;
                Some(&bytes[..bytes.iter().position(|&b| b == end)?])
            }
            Inner::Parts(parts) => parts.until(range, end),
        }
    }
}

impl<'d> ReadRef<'d> for Data<'d> {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size())
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'d [u8], ()> {
        self.get(offset..offset.checked_add(size).ok_or(())?).ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'d [u8], ()> {
        self.until(range, delimiter).ok_or(())
    }
}

/// A file that can be read anywhere.
pub trait ReadAt: Send + Sync {
    /// How long it is.
    fn size(&self) -> u64;

    /// Fills `into` with what is from `offset` on; false if that cannot be read.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool;
}

/// A file that is read as it is asked for.
pub struct Parts {
    file: Box<dyn ReadAt>,
    blocks: Box<[Block]>,
    /// Longer pieces, and those across blocks, by start and end.
    pieces: Mutex<HashMap<(u64, u64), Option<usize>>>,
    shelf: Shelf,
}

/// `None` if it cannot be read.
type Block = OnceLock<Option<Box<[u8]>>>;

/// What is read at once where little is wanted.
const BLOCK: u64 = 4 << 10;

/// Names beyond this length are not believed.
const MAX_TEXT: u64 = 1 << 20;

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("size", &self.file.size()).finish_non_exhaustive()
    }
}

impl Content for Parts {
    fn data(&self) -> Data<'_> {
        Data(Inner::Parts(self))
    }
}

impl Parts {
    /// Nothing is read yet.
    pub fn new(file: impl ReadAt + 'static) -> Self {
        let count = file.size().div_ceil(BLOCK);
        let blocks = (0..count).map(|_| OnceLock::new()).collect();
        let (pieces, shelf) = (Mutex::default(), Shelf::default());
        Self { file: Box::new(file), blocks, pieces, shelf }
    }

    fn get(&self, range: Range<u64>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.file.size() {
            return None;
        }
        if range.is_empty() {
            return Some(&[]);
        }
        let first = range.start / BLOCK;
        if (range.end - 1) / BLOCK == first {
            let start = first * BLOCK;
            return self
                .block(first)?
                .get((range.start - start) as usize..(range.end - start) as usize);
        }
        self.piece(range)
    }

    fn block(&self, index: u64) -> Option<&[u8]> {
        let cell = self.blocks.get(usize::try_from(index).ok()?)?;
        let start = index * BLOCK;
        let size = BLOCK.min(self.file.size() - start);
        cell.get_or_init(|| self.read(start, size).map(Vec::into_boxed_slice)).as_deref()
    }

    fn piece(&self, range: Range<u64>) -> Option<&[u8]> {
        // Whoever panicked here left the map as it was.
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (range.start, range.end);
        let place = *pieces
            .entry(key)
            .or_insert_with(|| self.shelf.keep(Arc::new(self.read(key.0, key.1 - key.0)?)));
        drop(pieces);
        self.shelf.get(place?)?.data().all()
    }

    fn read(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        self.file.read_at(offset, &mut bytes).then_some(bytes)
    }

    fn until(&self, range: Range<u64>, end: u8) -> Option<&[u8]> {
        let limit = range.end.min(range.start.saturating_add(MAX_TEXT)).min(self.file.size());
        let mut from = range.start;
        while from < limit {
            let next = limit.min((from / BLOCK + 1) * BLOCK);
            if let Some(at) = self.get(from..next)?.iter().position(|&b| b == end) {
                return self.get(range.start..from + at as u64);
            }
            from = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(u64);

    impl ReadAt for Numbers {
        fn size(&self) -> u64 {
            self.0
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
            into.iter_mut().zip(offset..).for_each(|(byte, at)| *byte = byte_at(at));
            offset + into.len() as u64 <= self.0
        }
    }

    fn byte_at(at: u64) -> u8 {
        (at % 251) as u8
    }

    fn check(data: Data<'_>, range: Range<u64>) {
        let expected: Option<Vec<u8>> =
            (range.end <= data.size()).then(|| range.clone().map(byte_at).collect());
        assert_eq!(data.get(range.clone()), expected.as_deref(), "{range:?}");
    }

    #[test]
    fn parts_are_those_of_the_whole() {
        let size = 3 * BLOCK + 5;
        let parts = Parts::new(Numbers(size));
        let ranges =
            [0..0, 0..1, 5..9, BLOCK - 1..BLOCK, BLOCK - 1..BLOCK + 1, 7..size, size - 1..size];
        for range in ranges {
            check(parts.data(), range.clone());
            check(parts.data(), range);
        }
        check(parts.data(), size..size + 1);
        check(parts.data(), 0..u64::MAX);
    }

    #[test]
    fn text_ends_where_it_says() {
        let parts = Parts::new(Numbers(2 * BLOCK));
        let text = |start, end, until| parts.data().until(start..end, until).map(<[u8]>::len);
        assert_eq!(text(0, 500, 7), Some(7));
        assert_eq!(text(8, 500, 7), Some(250));
        assert_eq!(text(BLOCK - 3, BLOCK + 300, byte_at(BLOCK + 2)), Some(5));
        assert_eq!(text(0, 5, 7), None);
        assert_eq!(text(2 * BLOCK, 2 * BLOCK + 9, 7), None);
    }
}
