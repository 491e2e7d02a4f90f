//! The interned string table of a profile.
//!
//! All text lives in one arena. Equal strings have equal [`StrId`]s, so the rest of the code compares
//! and hashes integers. Profiles from the wild sometimes hold strings that are not UTF-8; those keep
//! their bytes (an encoder writes them back unchanged) and read as text with replacement characters.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::StrId;

/// An append-only table of distinct strings; [`StrId::EMPTY`] is always present.
#[derive(Clone)]
pub struct Strings {
    /// Text of all strings, back to back; valid UTF-8.
    text: String,
    /// `ends[i]` is where string `i` ends in `text`; it starts where its predecessor ends.
    ends: Vec<u32>,
    /// Hashes of all strings, so that neither growing nor copying to another table computes them anew.
    hashes: Vec<u32>,
    /// Original bytes of the few strings that are not UTF-8, by ascending id.
    invalid: Vec<(StrId, Box<[u8]>)>,
    index: HashTable<StrId>,
}

impl Default for Strings {
    fn default() -> Self {
        let mut table = Self {
            text: String::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
            invalid: Vec::new(),
            index: HashTable::new(),
        };
        table.intern("");
        table
    }
}

impl std::fmt::Debug for Strings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.len()).map(|i| self.get(StrId::from_index(i)))).finish()
    }
}

impl Strings {
    /// Number of distinct strings, the empty one included.
    #[expect(clippy::len_without_is_empty, reason = "a table always holds the empty string")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Removes all strings but the empty one; their memory stays.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.hashes.clear();
        self.invalid.clear();
        self.index.clear();
        self.intern("");
    }

    /// Bytes of all strings together.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// The text of `id`; bytes that are not UTF-8 read as U+FFFD.
    ///
    /// # Panics
    /// When `id` comes from another table and is out of range here.
    #[inline]
    pub fn get(&self, id: StrId) -> &str {
        let i = id.index();
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.text[start..self.ends[i] as usize]
    }

    /// The bytes of `id` exactly as they were read.
    #[inline]
    pub fn bytes(&self, id: StrId) -> &[u8] {
        if !self.invalid.is_empty()
            && let Ok(at) = self.invalid.binary_search_by_key(&id, |(i, _)| *i)
        {
            return &self.invalid[at].1;
        }
        self.get(id).as_bytes()
    }

    /// The id of `s`, adding it if it is new.
    pub fn intern(&mut self, s: &str) -> StrId {
        let hash = hash(s.as_bytes());
        self.known(hash, s.as_bytes()).unwrap_or_else(|| self.add(hash, s, s.as_bytes()))
    }

    /// The id of the string with exactly these bytes, adding it if it is new.
    pub fn intern_bytes(&mut self, bytes: &[u8]) -> StrId {
        let hash = hash(bytes);
        self.known(hash, bytes)
            .unwrap_or_else(|| self.add(hash, &String::from_utf8_lossy(bytes), bytes))
    }

    /// The id of a string of another table, adding it if it is new here.
    pub(crate) fn intern_from(&mut self, other: &Self, id: StrId) -> StrId {
        let (hash, bytes) = (other.hashes[id.index()], other.bytes(id));
        self.known(hash, bytes).unwrap_or_else(|| self.add(hash, other.get(id), bytes))
    }

    /// The id of a string of another table, if this one holds it.
    pub(crate) fn find_from(&self, other: &Self, id: StrId) -> Option<StrId> {
        self.known(other.hashes[id.index()], other.bytes(id))
    }

    /// Like [`intern_bytes`](Self::intern_bytes), but `None` when the table would outgrow 4 GiB.
    pub(crate) fn try_intern_bytes(&mut self, bytes: &[u8]) -> Option<StrId> {
        // A byte that is not UTF-8 reads as three.
        let room = u32::MAX as usize - self.text.len();
        (bytes.len() <= room / 3).then(|| self.intern_bytes(bytes))
    }

    /// The id of `s` if the table holds it.
    pub fn find(&self, s: &str) -> Option<StrId> {
        self.known(hash(s.as_bytes()), s.as_bytes())
    }

    fn known(&self, hash: u32, bytes: &[u8]) -> Option<StrId> {
        let is_same = |&id: &StrId| self.hashes[id.index()] == hash && self.bytes(id) == bytes;
        self.index.find(spread(hash), is_same).copied()
    }

    /// Adds a new string. `bytes` is the identity; `text` is how it reads.
    fn add(&mut self, hash: u32, text: &str, bytes: &[u8]) -> StrId {
        let id = StrId::from_index(self.ends.len());
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("string tables stay below 4 GiB"));
        self.hashes.push(hash);
        if text.as_bytes() != bytes {
            self.invalid.push((id, bytes.into()));
        }
        let Self { hashes, index, .. } = self;
        index.insert_unique(spread(hash), id, |&id| spread(hashes[id.index()]));
        id
    }
}

fn hash(bytes: &[u8]) -> u32 {
    (FxBuildHasher.hash_one(bytes) >> 32) as u32
}

/// What a [`HashTable`], which takes its bits from both ends, is given for 32 bits of a hash.
#[inline]
pub(crate) fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_an_id() {
        let mut t = Strings::default();
        let a = t.intern("alpha");
        assert_eq!(t.intern("alpha"), a);
        assert_ne!(t.intern("beta"), a);
        assert_eq!(t.intern(""), StrId::EMPTY);
        assert_eq!((t.get(a), t.find("alpha"), t.find("gamma")), ("alpha", Some(a), None));
    }

    #[test]
    fn bytes_that_are_not_utf8_survive() {
        let mut t = Strings::default();
        let a = t.intern_bytes(b"a\xff");
        let b = t.intern("a\u{fffd}");
        assert_ne!(a, b);
        assert_eq!((t.get(a), t.bytes(a)), ("a\u{fffd}", &b"a\xff"[..]));
        assert_eq!(t.intern_bytes(b"a\xff"), a);
        for i in 0..100 {
            t.intern(&format!("grow {i}"));
        }
        assert_eq!(t.intern_bytes(b"a\xff"), a);
    }
}
