//! The bytes of a file: all at hand, or read as they are needed.
//!
//! Binaries with debug information are large, and a profile asks about little of it. [`Parts`] reads blocks where
//! little is wanted (headers, names), and longer pieces as a whole (tables); what was read stays. Blocks are in a tree
//! that is as deep as the file is long, so that threads do not wait for each other. Pieces overlap in damaged files only,
//! so once they take as much as the file, it is read as a whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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

    /// The same for what is gone over once: nothing of it stays, and what has to be read takes the memory of `spare`.
    #[cfg(feature = "lines")]
    pub(crate) fn passing(self, range: Range<u64>, spare: Vec<u8>) -> Option<Cow<'d, [u8]>> {
        match self.0 {
            Inner::Parts(parts) if parts.is_to_be_read(&range) => {
                parts.read(range, spare).map(Cow::Owned)
            }
            _ => self.get(range).map(Cow::Borrowed),
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

/// Bytes that are in memory, read as those of a file are.
impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        let from = usize::try_from(offset).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        from.map(|from| into.copy_from_slice(from)).is_some()
    }
}

/// A file that is read as it is asked for. It takes little more than three times its size in memory.
pub struct Parts {
    file: Box<dyn ReadAt>,
    blocks: OnceLock<Node>,
    pieces: RwLock<Pieces>,
    /// What is in the pieces.
    shelf: Shelf,
    /// All of the file, once the pieces are too many; `None` if it cannot be read.
    whole: OnceLock<Option<Vec<u8>>>,
}

/// Part of the tree of blocks.
enum Node {
    Branches(Box<[OnceLock<Self>; FAN]>),
    /// A block; `None` if it cannot be read.
    Block(Option<Box<[u8]>>),
}

/// What is longer than a block, or across blocks.
#[derive(Default)]
struct Pieces {
    /// Their places on the shelf, by start and end; `None` for what cannot be read.
    places: HashMap<(u64, u64), Option<usize>>,
    /// How much memory they take.
    bytes: u64,
}

/// What is read at once where little is wanted.
const BLOCK: u64 = 4 << 10;

/// How many branches there are at each node of the tree of blocks.
const FAN: usize = 64;

/// What a piece takes beside its bytes, at most.
const PIECE_COST: u64 = 128;

/// There are at most so many pieces, about half of what a shelf has room for.
const MAX_PIECES: usize = 1 << 19;

/// What is read at a time, so that files which are shorter than they say are found out in time.
const CHUNK: usize = 1 << 20;

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
        Self {
            file: Box::new(file),
            blocks: OnceLock::new(),
            pieces: RwLock::default(),
            shelf: Shelf::default(),
            whole: OnceLock::new(),
        }
    }

    fn get(&self, range: Range<u64>) -> Option<&[u8]> {
        let size = self.file.size();
        if range.start > range.end || range.end > size {
            return None;
        }
        if range.is_empty() {
            return Some(&[]);
        }
        if range == (0..size) {
            return self.whole();
        }
        if let Some(Some(whole)) = self.whole.get() {
            return part(whole, 0, range);
        }
        let block = range.start / BLOCK;
        if (range.end - 1) / BLOCK == block {
            return part(self.block(block)?, block * BLOCK, range);
        }
        self.piece(range)
    }

    fn block(&self, index: u64) -> Option<&[u8]> {
        let last = (self.file.size() - 1) / BLOCK;
        let mut level = last.checked_ilog(FAN as u64).map_or(0, |level| level + 1);
        let mut node = &self.blocks;
        loop {
            let found = node.get_or_init(|| match level {
                0 => Node::Block(self.read_block(index)),
                _ => Node::Branches(Box::new([const { OnceLock::new() }; FAN])),
            });
            match found {
                Node::Block(bytes) => return bytes.as_deref(),
                Node::Branches(nodes) => {
                    level -= 1;
                    node = &nodes[(index / (FAN as u64).pow(level)) as usize % FAN];
                }
            }
        }
    }

    fn read_block(&self, index: u64) -> Option<Box<[u8]>> {
        let start = index * BLOCK;
        let end = self.file.size().min(start.saturating_add(BLOCK));
        self.read(start..end, Vec::new()).map(Vec::into_boxed_slice)
    }

    /// Whether it takes reading to have `range`, which is a good one.
    #[cfg(feature = "lines")]
    fn is_to_be_read(&self, range: &Range<u64>) -> bool {
        let is_good = range.start < range.end && range.end <= self.file.size();
        is_good && self.whole.get().is_none()
    }

    fn piece(&self, range: Range<u64>) -> Option<&[u8]> {
        let key = (range.start, range.end);
        let known = {
            // Whoever panicked here left the pieces as they were.
            let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
            pieces.places.get(&key).copied()
        };
        let Some(place) = known.or_else(|| self.add(key)) else {
            return part(self.whole()?, 0, range);
        };
        self.shelf.get(place?)?.data().all()
    }

    /// Reads a piece, unless another thread has just done so. `None` if there are too many.
    fn add(&self, key: (u64, u64)) -> Option<Option<usize>> {
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&place) = pieces.places.get(&key) {
            return Some(place);
        }
        let bytes = pieces.bytes.saturating_add(key.1 - key.0 + PIECE_COST);
        if bytes > self.file.size() || pieces.places.len() >= MAX_PIECES {
            return None;
        }
        let read = self.read(key.0..key.1, Vec::new());
        let place = read.and_then(|bytes| self.shelf.keep(Arc::new(bytes)));
        pieces.places.insert(key, place);
        pieces.bytes = bytes;
        Some(place)
    }

    fn whole(&self) -> Option<&[u8]> {
        self.whole.get_or_init(|| self.read(0..self.file.size(), Vec::new())).as_deref()
    }

    /// Reads into the memory of `bytes`. `None` also if there is not enough for more: files may say that they are of
    /// any size.
    fn read(&self, range: Range<u64>, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let size = usize::try_from(range.end - range.start).ok()?;
        bytes.truncate(size);
        let more = size - bytes.len();
        // What is used again may soon have to be longer.
        let is_new = bytes.capacity() == 0;
        if is_new { bytes.try_reserve_exact(more) } else { bytes.try_reserve(more) }.ok()?;
        let mut at = 0;
        while at < size {
            let next = size.min(at + CHUNK);
            bytes.resize(next.max(bytes.len()), 0);
            self.file.read_at(range.start + at as u64, &mut bytes[at..next]).then_some(())?;
            at = next;
        }
        Some(bytes)
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

/// Text as it is shown: what is no UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly all is, which takes less to find out than where it is not.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// What is in `range` of a file, of which `bytes` are those from `start` on.
fn part(bytes: &[u8], start: u64, range: Range<u64>) -> Option<&[u8]> {
    let place = |at: u64| usize::try_from(at - start).ok();
    bytes.get(place(range.start)?..place(range.end)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Numbers(u64);

    /// Numbers of which one counts how many are read.
    struct Counted(Numbers, Arc<AtomicU64>);

    impl ReadAt for Counted {
        fn size(&self) -> u64 {
            self.0.0
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
            self.1.fetch_add(into.len() as u64, Ordering::Relaxed);
            self.0.read_at(offset, into)
        }
    }

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

    #[test]
    fn what_overlaps_is_read_a_few_times_only() {
        let read = Arc::new(AtomicU64::new(0));
        let size = 30 * BLOCK;
        let parts = Parts::new(Counted(Numbers(size), Arc::clone(&read)));
        for start in (0..size).step_by(1000) {
            check(parts.data(), start..size - 1);
            check(parts.data(), start..start + 2);
        }
        let read = read.load(Ordering::Relaxed);
        assert!(read <= 3 * size, "{read}");
    }

    #[test]
    fn a_file_may_be_of_any_size() {
        let size = 1 << 60;
        let parts = Parts::new(Numbers(size));
        check(parts.data(), size - 5..size);
        check(parts.data(), size / 2 - 5..size / 2 + 5);
        assert_eq!(parts.data().all(), None);
        assert_eq!(parts.data().get(1..size), None);
    }
}
