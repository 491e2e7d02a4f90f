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
    /// Original bytes of the few strings that are not UTF-8, by ascending id.
    invalid: Vec<(StrId, Box<[u8]>)>,
    index: HashTable<StrId>,
}

impl Default for Strings {
    fn default() -> Self {
        let mut table = Self {
            text: String::new(),
            ends: Vec::new(),
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
    pub fn bytes(&self, id: StrId) -> &[u8] {
        match self.invalid.binary_search_by_key(&id, |(i, _)| *i) {
            Ok(at) => &self.invalid[at].1,
            Err(_) => self.get(id).as_bytes(),
        }
    }

    /// The id of `s`, adding it if it is new.
    pub fn intern(&mut self, s: &str) -> StrId {
        self.intern_parts(s, s.as_bytes())
    }

    /// The id of the string with exactly these bytes, adding it if it is new.
    pub fn intern_bytes(&mut self, bytes: &[u8]) -> StrId {
        self.intern_parts(&String::from_utf8_lossy(bytes), bytes)
    }

    /// Like [`intern_bytes`](Self::intern_bytes), but `None` when the table would outgrow 4 GiB.
    pub(crate) fn try_intern_bytes(&mut self, bytes: &[u8]) -> Option<StrId> {
        // A byte that is not UTF-8 reads as three.
        let room = u32::MAX as usize - self.text.len();
        (bytes.len() <= room / 3).then(|| self.intern_bytes(bytes))
    }

    /// The id of `s` if the table holds it.
    pub fn find(&self, s: &str) -> Option<StrId> {
        self.index.find(hash(s.as_bytes()), |&id| self.bytes(id) == s.as_bytes()).copied()
    }

    /// `bytes` is the identity; `text` is how it reads.
    fn intern_parts(&mut self, text: &str, bytes: &[u8]) -> StrId {
        let h = hash(bytes);
        if let Some(&id) = self.index.find(h, |&id| self.bytes(id) == bytes) {
            return id;
        }
        let id = StrId::from_index(self.ends.len());
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("string tables stay below 4 GiB"));
        if text.as_bytes() != bytes {
            self.invalid.push((id, bytes.into()));
        }
        let Self { text, ends, invalid, index } = self;
        index.insert_unique(h, id, |&id| {
            let i = id.index();
            let start = if i == 0 { 0 } else { ends[i - 1] as usize };
            match invalid.binary_search_by_key(&id, |(i, _)| *i) {
                Ok(at) => hash(&invalid[at].1),
                Err(_) => hash(&text.as_bytes()[start..ends[i] as usize]),
            }
        });
        id
    }
}

fn hash(bytes: &[u8]) -> u64 {
    FxBuildHasher.hash_one(bytes)
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
