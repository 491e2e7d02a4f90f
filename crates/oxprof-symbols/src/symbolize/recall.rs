//! Answers that were found before, as bytes to keep.
//!
//! They are by offset in the file, so that known addresses need no binary at all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::Frame;
use crate::cursor::Cursor;

/// What is known of one build of a binary.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Where the binary was.
    pub(super) path: String,
    frames: BTreeMap<u64, Vec<Frame<'static>>>,
}

/// Kind and version of the bytes.
const MAGIC: &[u8; 8] = b"oxsym\0\x01\n";

impl Known {
    pub(super) fn get(&self, offset: u64) -> Option<&[Frame<'static>]> {
        self.frames.get(&offset).map(Vec::as_slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn add(&mut self, offset: u64, frames: &[Frame<'_>]) {
        self.frames.insert(offset, frames.iter().map(owned).collect());
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` if it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, content) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        if u64::from_le_bytes(*sum) != checksum(content) {
            return None;
        }
        let mut cursor = Cursor::new(content, false);
        let mut texts = Vec::new();
        for _ in 0..cursor.uleb()? {
            let size = usize::try_from(cursor.uleb()?).ok()?;
            texts.push(std::str::from_utf8(cursor.bytes(size)?).ok()?);
        }
        let path = (*texts.first()?).to_owned();
        let mut frames = BTreeMap::new();
        let mut offset = 0_u64;
        while !cursor.is_at_end() {
            offset = offset.checked_add(cursor.uleb()?)?;
            let count = cursor.uleb()?;
            let chain =
                (0..count).map(|_| read_frame(&mut cursor, &texts)).collect::<Option<_>>()?;
            frames.insert(offset, chain);
        }
        Some(Self { path, frames })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut texts = Texts::default();
        texts.index(&self.path);
        let (mut chains, mut last) = (Vec::new(), 0);
        for (offset, frames) in &self.frames {
            put(&mut chains, offset - last);
            last = *offset;
            put(&mut chains, frames.len() as u64);
            for frame in frames {
                put(&mut chains, texts.index(&frame.system_name));
                // File 0 is none.
                let file = frame.file.as_deref();
                put(&mut chains, file.map_or(0, |file| texts.index(file) + 1));
                for number in [frame.line, frame.column, frame.start_line] {
                    put(&mut chains, u64::from(number));
                }
                put(&mut chains, u64::from(frame.inlined));
            }
        }
        let mut content = texts.encode();
        content.extend(chains);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(checksum(&content).to_le_bytes());
        bytes.extend(content);
        bytes
    }
}

fn owned(frame: &Frame<'_>) -> Frame<'static> {
    let own = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
    Frame {
        system_name: own(&frame.system_name),
        file: frame.file.as_ref().map(own),
        line: frame.line,
        column: frame.column,
        start_line: frame.start_line,
        inlined: frame.inlined,
    }
}

fn read_frame(cursor: &mut Cursor<'_>, texts: &[&str]) -> Option<Frame<'static>> {
    let text = |index: u64| texts.get(usize::try_from(index).ok()?).map(|text| (*text).to_owned());
    let name = text(cursor.uleb()?)?;
    let file = match cursor.uleb()? {
        0 => None,
        index => Some(Cow::Owned(text(index - 1)?)),
    };
    let mut number = || u32::try_from(cursor.uleb()?).ok();
    Some(Frame {
        system_name: Cow::Owned(name),
        file,
        line: number()?,
        column: number()?,
        start_line: number()?,
        inlined: number()? != 0,
    })
}

/// Texts, each once.
#[derive(Default)]
struct Texts<'a> {
    list: Vec<&'a str>,
    indexes: std::collections::HashMap<&'a str, u64>,
}

impl<'a> Texts<'a> {
    fn index(&mut self, text: &'a str) -> u64 {
        *self.indexes.entry(text).or_insert_with(|| {
            self.list.push(text);
            self.list.len() as u64 - 1
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.list.len() as u64);
        for text in &self.list {
            put(&mut out, text.len() as u64);
            out.extend(text.bytes());
        }
        out
    }
}

/// A number in as few bytes as it needs.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Tells damage, not malice (FNV-1a).
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let frame = |name: &'static str, line| Frame {
            system_name: name.into(),
            file: (line > 0).then(|| "/src/a.rs".into()),
            line,
            column: 7,
            start_line: 1,
            inlined: line == 9,
        };
        let mut known = Known { path: "/bin/app".into(), ..Known::default() };
        known.add(0x1000, &[frame("inner", 9), frame("outer", 300)]);
        known.add(0x20, &[frame("other", 5)]);
        known.add(0x30, &[frame("symbol", 0)]);
        known.add(0x40, &[]);
        known
    }

    #[test]
    fn what_is_kept_reads_as_it_was_written() {
        assert_eq!(Known::decode(&known().encode()), Some(known()));
        assert_eq!(Known::decode(&Known::default().encode()), Some(Known::default()));
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = known().encode();
        for cut in 0..bytes.len() {
            assert_eq!(Known::decode(&bytes[..cut]), None);
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Known::decode(&damaged), None);
        }
    }
}
