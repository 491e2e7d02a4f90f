//! Filters on the labels of samples.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::memo::{Matcher, Memo};
use crate::units::scale;
use crate::{LabelValue, Profile, Sample, StrId, Strings};

/// What labels a sample must have, as written `[key=]value`.
///
/// The value is a range of numbers if it reads as one: `N`, `N:`, `:N` or `N:M`, ends included, each
/// number with an optional sign and unit (`400kb:`, `-5:12ms`). It applies to numeric labels. A label
/// matches if its value, scaled to the unit of the range, is within; labels that measure something else
/// never match. A range without unit matches labels whose unit is not a known one.
///
/// Otherwise the value is a comma-separated list of patterns for textual labels. With a key, one pattern
/// must match one value of that key. Without a key every pattern must match some `key:value`.
pub struct TagFilter {
    key: Option<String>,
    value: String,
    test: Test,
}

/// A matcher that owns what it needs, such as a compiled regular expression.
pub type OwnedMatcher = Box<dyn Fn(&str) -> bool>;

enum Test {
    Range(Range),
    Patterns(Vec<OwnedMatcher>),
}

/// A closed interval of numbers of one unit.
#[derive(Debug, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    unit: String,
}

/// Which of two tag filters any sample passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagMatches {
    /// A sample passed the focus, or there was none.
    pub focus: bool,
    /// A sample matched what to ignore.
    pub ignore: bool,
}

/// Which of two key filters any label passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyMatches {
    /// A key matched what to show.
    pub show: bool,
    /// A key matched what to hide.
    pub hide: bool,
}

/// The unit of every numeric label; see [`Profile::label_units`].
#[derive(Clone, Debug, Default)]
pub struct LabelUnits {
    units: HashMap<String, String>,
    ignored: Vec<(String, Vec<String>)>,
}

impl LabelUnits {
    /// The unit of the numeric label `key`.
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.units.get(key).map_or_else(|| traditional_unit(key), String::as_str)
    }

    /// Keys whose samples disagree about the unit, each with the units that were not chosen; sorted.
    pub fn ignored(&self) -> &[(String, Vec<String>)] {
        &self.ignored
    }
}

/// The unit of labels for which no sample gives one.
fn traditional_unit(key: &str) -> &str {
    match key {
        "alignment" | "request" => "bytes",
        key => key,
    }
}

impl TagFilter {
    /// Understands `[key=]value`; `compile` makes a matcher of a pattern.
    ///
    /// # Errors
    /// Those of `compile`.
    pub fn parse<E>(
        text: &str,
        mut compile: impl FnMut(&str) -> Result<OwnedMatcher, E>,
    ) -> Result<Self, E> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (Some(key.to_owned()).filter(|key| !key.is_empty()), value),
            None => (None, text),
        };
        let test = match Range::parse(value) {
            Some(range) => Test::Range(range),
            None => Test::Patterns(value.split(',').map(&mut compile).collect::<Result<_, E>>()?),
        };
        Ok(Self { key, value: value.to_owned(), test })
    }

    /// The value, if it was understood as a range rather than as patterns.
    pub fn range(&self) -> Option<&str> {
        matches!(self.test, Test::Range(_)).then_some(&self.value)
    }
}

impl fmt::Debug for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagFilter")
            .field("key", &self.key)
            .field("value", &self.value)
            .field("is_range", &self.range().is_some())
            .finish()
    }
}

impl Profile {
    /// Keeps the samples that pass `focus` and do not match `ignore`.
    ///
    /// `units` is what [`label_units`](Self::label_units) said before any filter was applied.
    pub fn filter_by_tag(
        &mut self,
        focus: Option<&TagFilter>,
        ignore: Option<&TagFilter>,
        units: &LabelUnits,
    ) -> TagMatches {
        let mut found = TagMatches::default();
        let mut keep = Vec::with_capacity(self.samples.len());
        let mut focus = focus.map(|f| Evaluation::new(f, &self.strings, units));
        let mut ignore = ignore.map(|f| Evaluation::new(f, &self.strings, units));
        for sample in self.samples.iter() {
            let focused = focus.as_mut().is_none_or(|f| f.matches(&sample));
            let ignored = ignore.as_mut().is_some_and(|f| f.matches(&sample));
            found.focus |= focused;
            found.ignore |= ignored;
            keep.push(focused && !ignored);
        }
        let mut keep = keep.into_iter();
        self.samples.edit(|_| keep.next().expect("one verdict per sample"));
        found
    }

    /// Takes from all samples the labels whose key does not match `show` or matches `hide`.
    pub fn filter_tags(
        &mut self,
        show: Option<Matcher<'_>>,
        hide: Option<Matcher<'_>>,
    ) -> KeyMatches {
        let mut found = KeyMatches::default();
        let Self { samples, strings, .. } = self;
        let mut show = show.map(|m| Memo::new(m, strings));
        let mut hide = hide.map(|m| Memo::new(m, strings));
        samples.edit(|row| {
            row.retain_labels(|label| {
                let shown = show.as_mut().map(|m| m.matches(strings, label.key));
                let hidden = hide.as_mut().map(|m| m.matches(strings, label.key));
                found.show |= shown == Some(true);
                found.hide |= hidden == Some(true);
                shown != Some(false) && hidden != Some(true)
            });
            true
        });
        found
    }

    /// The unit of each numeric label by its key: the first that a sample gives; without any, `bytes` for
    /// `alignment` and `request`, and the key itself for others.
    pub fn label_units(&self) -> LabelUnits {
        let mut chosen: HashMap<StrId, StrId> = HashMap::new();
        let mut ignored: HashMap<StrId, BTreeSet<&str>> = HashMap::new();
        for label in self.samples.iter().flat_map(|s| s.labels) {
            if let LabelValue::Num { unit, .. } = label.value
                && !unit.is_empty()
                && *chosen.entry(label.key).or_insert(unit) != unit
            {
                ignored.entry(label.key).or_default().insert(self.str(unit));
            }
        }
        let text = |id: StrId| self.str(id).to_owned();
        let list = |units: BTreeSet<&str>| units.into_iter().map(str::to_owned).collect();
        let mut ignored: Vec<_> =
            ignored.into_iter().map(|(k, units)| (text(k), list(units))).collect();
        ignored.sort();
        LabelUnits {
            units: chosen.into_iter().map(|(k, unit)| (text(k), text(unit))).collect(),
            ignored,
        }
    }
}

/// A filter at work on one profile.
struct Evaluation<'a> {
    filter: &'a TagFilter,
    strings: &'a Strings,
    units: &'a LabelUnits,
    /// For labels seen before, which tests they pass.
    answers: HashMap<(StrId, LabelValue), Vec<bool>>,
    /// Which tests the labels of the sample at hand pass.
    met: Vec<bool>,
}

impl<'a> Evaluation<'a> {
    fn new(filter: &'a TagFilter, strings: &'a Strings, units: &'a LabelUnits) -> Self {
        Self { filter, strings, units, answers: HashMap::new(), met: vec![false; filter.tests()] }
    }

    fn matches(&mut self, sample: &Sample<'_>) -> bool {
        self.met.fill(false);
        for label in sample.labels {
            let answers = self.answers.entry((label.key, label.value)).or_insert_with(|| {
                self.filter.ask(self.strings, self.units, label.key, label.value)
            });
            for (met, &answer) in self.met.iter_mut().zip(&*answers) {
                *met |= answer;
            }
        }
        let every = self.filter.key.is_none() && matches!(self.filter.test, Test::Patterns(_));
        if every { self.met.iter().all(|&m| m) } else { self.met.iter().any(|&m| m) }
    }
}

impl TagFilter {
    fn tests(&self) -> usize {
        match &self.test {
            Test::Range(_) => 1,
            Test::Patterns(patterns) => patterns.len(),
        }
    }

    /// Which of the tests a label passes.
    fn ask(
        &self,
        strings: &Strings,
        units: &LabelUnits,
        key: StrId,
        value: LabelValue,
    ) -> Vec<bool> {
        let key = strings.get(key);
        if self.key.as_deref().is_some_and(|wanted| wanted != key) {
            return Vec::new();
        }
        match (&self.test, value) {
            (Test::Range(range), LabelValue::Num { value, .. }) => {
                vec![range.contains(value, units.get(key))]
            }
            (Test::Patterns(patterns), LabelValue::Str(value)) => {
                let value = strings.get(value);
                let text =
                    if self.key.is_some() { value.to_owned() } else { format!("{key}:{value}") };
                patterns.iter().map(|matches| matches(&text)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => {
                let (number, unit) = quantity(text)?;
                Some(Self { low: number, high: number, unit })
            }
            Some((low, "")) => {
                let (low, unit) = quantity(low)?;
                Some(Self { low, high: f64::INFINITY, unit })
            }
            Some(("", high)) => {
                let (high, unit) = quantity(high)?;
                Some(Self { low: f64::NEG_INFINITY, high, unit })
            }
            Some((low, high)) => Self::between(low, high),
        }
    }

    /// Both ends given; the upper one is scaled to the unit of the lower.
    fn between(low: &str, high: &str) -> Option<Self> {
        let (low, unit) = quantity(low)?;
        let (value, high_unit) = number_and_unit(high)?;
        let (high, scaled_unit) = scale(value, high_unit, &unit);
        (scaled_unit == unit).then_some(Self { low, high, unit })
    }

    fn contains(&self, value: i64, unit: &str) -> bool {
        let (value, unit) = scale(value, unit, &self.unit);
        unit == self.unit && (self.low..=self.high).contains(&value)
    }
}

/// A number with the canonical name of its unit.
fn quantity(text: &str) -> Option<(f64, String)> {
    let (value, unit) = number_and_unit(text)?;
    let (number, unit) = scale(value, unit, unit);
    Some((number, unit.to_owned()))
}

/// Splits an integer from the letters that follow it.
fn number_and_unit(text: &str) -> Option<(i64, &str)> {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (number, unit) = text.split_at(letters);
    number.ends_with(|c: char| c.is_ascii_digit()).then_some(())?;
    Some((number.parse().ok()?, unit))
}
