//! Dropping the leaf side of stacks: frames of allocators, locks and profilers that are in every sample.

use std::ops::Range;

use crate::memo::{Matcher, Memo};
use crate::{Line, Profile};

/// What pruning does with a location.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    No,
    /// Everything below the location goes.
    Below,
    /// The location goes too.
    Whole,
}

impl Profile {
    /// Removes from every stack the root-most frame whose function is unwanted, with all that it calls.
    ///
    /// Frames before the first wanted one, counted from the root, do not count, so that no stack is
    /// emptied. Matchers see names without argument lists, as [`simple_name`] makes them. This is what
    /// the profile's own `drop_frames` and `keep_frames` are for: a function is unwanted if the former
    /// matches its name and the latter does not, both anchored at both ends.
    pub fn drop_frames(&mut self, unwanted: Matcher<'_>) {
        let cuts = self.cuts(unwanted, |lines, matching| match lines.iter().rposition(matching) {
            None => (Cut::No, 0..lines.len()),
            Some(last) if last + 1 == lines.len() => (Cut::Whole, 0..lines.len()),
            Some(last) => (Cut::Below, last + 1..lines.len()),
        });
        self.samples.edit(|row| {
            let cut = |i: usize| cuts[row.stack()[i].index()];
            let depth = row.stack().len();
            let wanted = (0..depth).rev().find(|&i| cut(i) == Cut::No).unwrap_or(0);
            match (0..wanted).rev().find(|&i| cut(i) != Cut::No) {
                Some(i) if cut(i) == Cut::Whole => row.keep_frames(i + 1..depth),
                Some(i) => row.keep_frames(i..depth),
                None => {}
            }
            true
        });
    }

    /// Removes from every stack all that lies below (on the side of the leaf of) its leaf-most frame
    /// whose function matches; that frame stays. Matchers see names as [`simple_name`] makes them.
    pub fn prune_from(&mut self, matcher: Matcher<'_>) {
        let cuts = self.cuts(matcher, |lines, matching| match lines.iter().position(matching) {
            None => (Cut::No, 0..lines.len()),
            Some(first) => (Cut::Below, first..lines.len()),
        });
        self.samples.edit(|row| {
            let stack = row.stack();
            if let Some(first) = stack.iter().position(|l| cuts[l.index()] != Cut::No) {
                row.keep_frames(first..stack.len());
            }
            true
        });
    }

    /// Decides for each location, and which of its lines stay.
    fn cuts(
        &mut self,
        matcher: Matcher<'_>,
        decide: impl Fn(&[Line], &mut dyn FnMut(&Line) -> bool) -> (Cut, Range<usize>),
    ) -> Vec<Cut> {
        let simplified = |name: &str| !name.is_empty() && matcher(simple_name(name));
        let mut memo = Memo::new(&simplified, &self.strings);
        let mut cuts = vec![Cut::No; self.locations.len()];
        self.edit_lines(|profile, i, lines| {
            let mut matching = |line: &Line| {
                memo.matches(&profile.strings, profile.functions[line.function.index()].name)
            };
            let (cut, kept) = decide(lines, &mut matching);
            cuts[i] = cut;
            lines.truncate(kept.end);
            lines.drain(..kept.start);
        });
        cuts
    }
}

/// A function's name without the dot that some binary interfaces put first and without its argument
/// list: the text from the first parenthesis that is not part of `(anonymous namespace)` or `operator()`.
///
/// ```
/// use oxprof_profile::simple_name;
/// assert_eq!(simple_name("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
/// assert_eq!(simple_name("F::operator()(int)"), "F::operator()");
/// ```
pub fn simple_name(name: &str) -> &str {
    const ANONYMOUS: &str = "(anonymous namespace)";
    let name = name.strip_prefix('.').unwrap_or(name);
    let mut from = 0;
    while let Some(at) = name[from..].find('(').map(|i| i + from) {
        if name[at..].starts_with(ANONYMOUS) {
            from = at + ANONYMOUS.len();
        } else if name[at..].starts_with("()") && name[..at].ends_with("operator") {
            from = at + 2;
        } else {
            return &name[..at];
        }
    }
    name
}
