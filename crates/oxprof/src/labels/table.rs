//! The label sets that samples have, each kept once, under a number.
//!
//! What is here runs inside hooks and signal handlers, but for [`get`], by the rules of [`stacks`](crate::stacks).

use super::set::Value;
use crate::stacks::table::{Position, Table};

/// Keys and values: some 100 000, in at most 16 MiB. A key is the number of bytes and the bytes.
static TEXTS: Table<64> = Table::new(1 << 17, 1 << 15, 0);
/// Sets of labels: some 100 000, in at most 8 MiB. A key is two words a label.
static SETS: Table<32> = Table::new(1 << 17, 1 << 15, 0);

/// Most labels of a sample.
const MAX_LABELS: usize = 16;
/// Most bytes of a key or a value.
const MAX_BYTES: usize = 256;
const CUT: &str = "…";
/// In the first word of a label: whether the second is the value, not the position of its text.
const NUMBER: u64 = 1 << 32;

/// The number of a set of labels. Equal sets have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LabelsId(u32);

impl LabelsId {
    /// Of no labels.
    pub(crate) const NONE: Self = Self(0);
    /// Of labels for which there was no room.
    pub(crate) const LOST: Self = Self(u32::MAX);

    pub(crate) fn to_raw(self) -> u32 {
        self.0
    }

    pub(crate) fn from_raw(raw: u32) -> Self {
        Self(raw)
    }
}

/// A set that is being put together, innermost labels first.
pub(super) struct Draft {
    labels: [(u64, u64); MAX_LABELS],
    len: usize,
    is_lost: bool,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self { labels: [(0, 0); MAX_LABELS], len: 0, is_lost: false }
    }

    /// Adds a label unless its key is there.
    pub(super) fn add(&mut self, key: &str, value: Value<'_>) {
        if key.is_empty() || self.len == MAX_LABELS {
            return;
        }
        let Some(key) = text(key).map(u64::from) else { return self.is_lost = true };
        if self.labels[..self.len].iter().any(|(k, _)| k & !NUMBER == key) {
            return;
        }
        self.labels[self.len] = match value {
            Value::Number(number) => (key | NUMBER, number.cast_unsigned()),
            Value::Text(value) => match text(value) {
                Some(value) => (key, u64::from(value)),
                None => return self.is_lost = true,
            },
        };
        self.len += 1;
    }

    /// Whether further labels would change nothing.
    pub(super) fn is_full(&self) -> bool {
        self.len == MAX_LABELS
    }

    pub(super) fn finish(mut self) -> LabelsId {
        if self.is_lost {
            return LabelsId::LOST;
        }
        if self.len == 0 {
            return LabelsId::NONE;
        }
        self.labels[..self.len].sort_unstable();
        let mut words = [0; 2 * MAX_LABELS];
        for (pair, (key, value)) in words.chunks_exact_mut(2).zip(&self.labels[..self.len]) {
            pair.copy_from_slice(&[*key, *value]);
        }
        let position = SETS.intern(&words[..2 * self.len]);
        position.map_or(LabelsId::LOST, |position| LabelsId(position.to_raw()))
    }
}

/// The number of a key or a value.
fn text(text: &str) -> Option<u32> {
    let (text, end) = match text.len() <= MAX_BYTES {
        true => (text, ""),
        false => (&text[..char_boundary(text, MAX_BYTES - CUT.len())], CUT),
    };
    let mut words = [0; 1 + MAX_BYTES / 8];
    words[0] = (text.len() + end.len()) as u64;
    for (i, byte) in text.bytes().chain(end.bytes()).enumerate() {
        words[1 + i / 8] |= u64::from(byte) << (8 * (i % 8));
    }
    let len = 1 + (text.len() + end.len()).div_ceil(8);
    TEXTS.intern(&words[..len]).map(Position::to_raw)
}

/// The last place up to `at` where the text can be cut.
fn char_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A value of a label, from its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resolved {
    Text(String),
    Number(i64),
}

/// The labels of a set, sorted by key.
pub(crate) fn get(id: LabelsId) -> Vec<(String, Resolved)> {
    if id == LabelsId::LOST {
        return vec![("labels".to_owned(), Resolved::Text("[lost]".to_owned()))];
    }
    let Some(position) = Position::from_raw(id.0) else { return Vec::new() };
    let words: Vec<u64> = SETS.key(position).collect();
    let label = |pair: &[u64]| {
        let value = match pair[0] & NUMBER {
            0 => Resolved::Text(text_of(pair[1])),
            _ => Resolved::Number(pair[1].cast_signed()),
        };
        (text_of(pair[0] & !NUMBER), value)
    };
    let mut labels: Vec<_> = words.chunks_exact(2).map(label).collect();
    labels.sort();
    labels
}

fn text_of(raw: u64) -> String {
    let Some(position) = Position::from_raw(raw as u32) else { return String::new() };
    let mut words = TEXTS.key(position);
    let len = words.next().unwrap_or(0) as usize;
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(len);
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    fn id(labels: &[(&str, Value<'_>)]) -> LabelsId {
        let mut draft = Draft::new();
        labels.iter().for_each(|(key, value)| draft.add(key, *value));
        draft.finish()
    }

    fn check(labels: &[(&str, Value<'_>)], expected: &[(&str, Resolved)]) {
        let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        assert_eq!(get(id(labels)), expected, "{labels:?}");
    }

    #[test]
    fn sets_are_what_was_put_in() {
        let text = |text: &str| Resolved::Text(text.to_owned());
        check(&[], &[]);
        check(&[("", "x".into())], &[]);
        check(&[("k", "".into())], &[("k", text(""))]);
        check(
            &[("b", 7.into()), ("a", "exactly8".into()), ("b", "outer".into())],
            &[("a", text("exactly8")), ("b", Resolved::Number(7))],
        );
        check(&[("n", i64::MIN.into())], &[("n", Resolved::Number(i64::MIN))]);
        let long = "ü".repeat(200);
        check(&[("k", (&long).into())], &[("k", text(&format!("{}…", "ü".repeat(126))))]);
        let just = "x".repeat(MAX_BYTES);
        check(&[("k", (&just).into())], &[("k", text(&just))]);
    }

    #[test]
    fn equal_sets_have_equal_numbers() {
        let of = |a, b| id(&[(a, "1".into()), (b, "1".into())]);
        assert_eq!(of("x", "y"), of("y", "x"));
        assert_ne!(of("x", "y"), of("x", "z"));
        assert_ne!(id(&[("x", 1.into())]), id(&[("x", "1".into())]));
    }

    #[test]
    fn the_innermost_labels_are_kept() {
        let keys: Vec<String> = (0..40).map(|i| format!("{i:02}")).collect();
        let labels: Vec<_> = keys.iter().map(|key| (key.as_str(), 0.into())).collect();
        assert_eq!(get(id(&labels)).len(), MAX_LABELS);
        assert_eq!(get(id(&labels))[0].0, "00");
    }

    #[test]
    fn lost_labels_say_so() {
        let lost = Resolved::Text("[lost]".to_owned());
        assert_eq!(get(LabelsId::LOST), [("labels".to_owned(), lost)]);
    }
}
