//! Sets of labels.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::scopes::{self, Scope};

/// A set of labels. Cheap to clone.
#[derive(Clone)]
pub struct Labels(Repr);

/// The value of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

#[derive(Clone)]
enum Repr {
    /// As they were written: in any order, of equal keys the last one counts.
    Static(&'static [(&'static str, &'static str)]),
    /// Sorted by key, which are all different.
    Shared(Arc<Set>),
}

struct Set {
    /// All text, back to back.
    text: String,
    labels: Vec<(Range<u32>, Stored)>,
}

enum Stored {
    Text(Range<u32>),
    Number(i64),
}

impl Labels {
    /// No labels.
    pub const EMPTY: Self = Self(Repr::Static(&[]));

    /// These labels; of equal keys, the last one counts.
    pub fn new<'v, K: AsRef<str>, V: Into<Value<'v>>>(
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut labels: Vec<_> = labels.into_iter().map(|(k, v)| (k, v.into())).collect();
        labels.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        let mut set = Set { text: String::new(), labels: Vec::with_capacity(labels.len()) };
        for (i, (key, value)) in labels.iter().enumerate() {
            let key = key.as_ref();
            let is_last = labels.get(i + 1).is_none_or(|(next, _)| next.as_ref() != key);
            if is_last && !key.is_empty() {
                set.push(key, *value);
            }
        }
        Self(Repr::Shared(Arc::new(set)))
    }

    /// Labels known when the program is compiled. Takes neither memory nor time.
    pub const fn from_static(labels: &'static [(&'static str, &'static str)]) -> Self {
        Self(Repr::Static(labels))
    }

    /// These labels and one more, which replaces one with an equal key.
    #[must_use]
    pub fn and<'v>(&self, key: &str, value: impl Into<Value<'v>>) -> Self {
        Self::new(self.iter().chain([(key, value.into())]))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All labels, each key once.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        (0..self.len()).filter_map(|i| self.at(i)).filter(|(key, _)| !key.is_empty())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Puts the labels in force in this thread until the guard is dropped. See [`scope`](super::scope) about async code.
    pub fn enter(&self) -> Scope {
        scopes::enter_shared(self)
    }

    /// Runs `f` with the labels in force.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        // Tasks without a name have none.
        let _scope = (!self.is_empty()).then(|| scopes::Lent::new(self));
        f()
    }

    /// Whether these are the very same, not only equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Static(own), Repr::Static(others)) => std::ptr::eq(*own, *others),
            (Repr::Shared(own), Repr::Shared(others)) => Arc::ptr_eq(own, others),
            _ => false,
        }
    }

    /// How many hold these, if they are shared.
    #[cfg(test)]
    pub(super) fn holders(&self) -> usize {
        match &self.0 {
            Repr::Static(_) => 0,
            Repr::Shared(set) => Arc::strong_count(set),
        }
    }

    /// Number of places, of which some may be without a label. For hooks.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Repr::Static(labels) => labels.len(),
            Repr::Shared(set) => set.labels.len(),
        }
    }

    /// The label at a place; `None` if a later one has the same key. For hooks.
    pub(super) fn at(&self, i: usize) -> Option<(&str, Value<'_>)> {
        match &self.0 {
            Repr::Static(labels) => {
                let (key, value) = labels.get(i)?;
                let is_last = labels[i + 1..].iter().all(|(later, _)| later != key);
                is_last.then_some((*key, Value::Text(value)))
            }
            Repr::Shared(set) => set.at(i),
        }
    }

    fn sorted(&self) -> Vec<(&str, Value<'_>)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable();
        all
    }
}

impl Set {
    fn push(&mut self, key: &str, value: Value<'_>) {
        let key = self.store(key);
        let value = match value {
            Value::Text(text) => Stored::Text(self.store(text)),
            Value::Number(number) => Stored::Number(number),
        };
        self.labels.push((key, value));
    }

    fn store(&mut self, text: &str) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        start..self.text.len() as u32
    }

    fn at(&self, i: usize) -> Option<(&str, Value<'_>)> {
        let text = |range: &Range<u32>| self.text.get(range.start as usize..range.end as usize);
        let (key, value) = self.labels.get(i)?;
        let value = match value {
            Stored::Text(range) => Value::Text(text(range)?),
            Stored::Number(number) => Value::Number(*number),
        };
        Some((text(key)?, value))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for Labels {}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.sorted()).finish()
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Self::Number(number.into())
            }
        }
    )*};
}

numbers!(i64, i32, i16, i8, u32, u16, u8);

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_and_empty_ones() {
        let check = |labels: Labels| {
            assert_eq!(labels.sorted(), [("a", "3".into()), ("b", "2".into())]);
            assert_eq!(labels.get("a"), Some("3".into()));
            assert_eq!((labels.get(""), labels.get("c")), (None, None));
        };
        const LABELS: [(&str, &str); 4] = [("a", "1"), ("b", "2"), ("", "x"), ("a", "3")];
        check(Labels::new(LABELS));
        check(Labels::from_static(&LABELS));
        check(Labels::from_static(&[("a", "1")]).and("b", "2").and("a", "3"));
    }

    #[test]
    fn values() {
        let name = String::from("x");
        let labels = Labels::new([("n", Value::from(-5)), ("t", Value::from(&name))]);
        assert_eq!(format!("{labels:?}"), r#"{"n": Number(-5), "t": Text("x")}"#);
        assert_eq!(labels.get("n").map(|v| v.to_string()).as_deref(), Some("-5"));
        assert!(Labels::EMPTY.is_empty() && Labels::from_static(&[("", "")]).is_empty());
    }
}
