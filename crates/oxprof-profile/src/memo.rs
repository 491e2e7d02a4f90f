//! Answers of a matcher, asked once per string.

use crate::{StrId, Strings};

/// Decides by text. A regular expression, usually, which this crate does not need to know.
pub type Matcher<'a> = &'a dyn Fn(&str) -> bool;

pub(crate) struct Memo<'a> {
    matcher: Matcher<'a>,
    answers: Vec<Option<bool>>,
}

impl<'a> Memo<'a> {
    pub(crate) fn new(matcher: Matcher<'a>, strings: &Strings) -> Self {
        Self { matcher, answers: vec![None; strings.len()] }
    }

    pub(crate) fn matches(&mut self, strings: &Strings, id: StrId) -> bool {
        let matcher = self.matcher;
        *self.answers[id.index()].get_or_insert_with(|| matcher(strings.get(id)))
    }
}
