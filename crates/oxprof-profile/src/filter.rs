//! Which stacks, and which of their frames, remain: focus, ignore, hide, show and show_from.
//!
//! A frame is matched by the name of its function or of its source file; the path of the binary counts
//! for all frames of a location. Matchers are asked once per distinct string.

use crate::memo::{Matcher, Memo};
use crate::{Line, Location, Profile};

/// What to look for with [`Profile::filter_by_name`]; `None` leaves that criterion out.
#[derive(Clone, Copy, Default)]
#[expect(missing_debug_implementations, reason = "functions have nothing to show")]
pub struct NameFilter<'a> {
    /// Keep only samples that contain a matching location.
    pub focus: Option<Matcher<'a>>,
    /// Drop samples that contain a matching location, even if `focus` matches too.
    pub ignore: Option<Matcher<'a>>,
    /// Remove matching frames.
    pub hide: Option<Matcher<'a>>,
    /// Remove frames that do not match.
    pub show: Option<Matcher<'a>>,
}

/// Which criteria of a [`NameFilter`] matched anything, so that the user can be told of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameMatches {
    /// A location was in focus: it matched `focus`, or there was none, and was not ignored.
    pub focus: bool,
    /// A location matched `ignore`.
    pub ignore: bool,
    /// A frame matched `hide`.
    pub hide: bool,
    /// A frame matched `show`.
    pub show: bool,
}

/// What becomes of a location.
#[derive(Clone, Copy, Default)]
struct Fate {
    focused: bool,
    ignored: bool,
    hidden: bool,
}

impl Profile {
    /// Keeps the samples and frames that `filter` asks for.
    ///
    /// Focus and ignore look at whole locations: one matching inlined frame brings in all frames of its
    /// location. Hide and show work on single frames; a location that loses all of them leaves its
    /// stacks, and a sample that loses all locations is dropped. A location without line information
    /// never survives `show`. A sample with an empty stack does not survive any criterion.
    pub fn filter_by_name(&mut self, filter: &NameFilter<'_>) -> NameMatches {
        let mut matches = NameMatches::default();
        if filter.is_empty() {
            return NameMatches { focus: true, ..matches };
        }
        let fates = self.fates(filter, &mut matches);
        self.samples.edit(|row| {
            let fate = |l: crate::LocationIdx| fates[l.index()];
            let wanted = row.stack().iter().any(|&l| fate(l).focused)
                && !row.stack().iter().any(|&l| fate(l).ignored);
            if wanted {
                row.retain_frames(|l| !fate(l).hidden);
            }
            wanted && !row.stack().is_empty()
        });
        matches
    }

    /// Cuts every stack off above (on the side of the root of) its root-most frame that matches, and
    /// drops samples without one. Tells whether any sample had one.
    pub fn show_from(&mut self, matcher: Matcher<'_>) -> bool {
        let mut memo = Memo::new(matcher, &self.strings);
        let mut found = vec![false; self.locations.len()];
        self.edit_lines(|profile, i, lines| {
            let location = &profile.locations[i];
            if profile.mapping_matches(location, &mut memo) {
                found[i] = true;
            } else if let Some(last) =
                lines.iter().rposition(|l| profile.line_matches(l, &mut memo))
            {
                found[i] = true;
                lines.truncate(last + 1);
            }
        });
        let mut any = false;
        self.samples.edit(|row| {
            let Some(last) = row.stack().iter().rposition(|l| found[l.index()]) else {
                return false;
            };
            row.keep_frames(0..last + 1);
            any = true;
            true
        });
        any
    }

    fn fates(&mut self, filter: &NameFilter<'_>, matches: &mut NameMatches) -> Vec<Fate> {
        let memo = |matcher: Option<_>| matcher.map(|m| Memo::new(m, &self.strings));
        let (mut focus, mut ignore) = (memo(filter.focus), memo(filter.ignore));
        let (mut hide, mut show) = (memo(filter.hide), memo(filter.show));
        let mut fates = vec![Fate::default(); self.locations.len()];
        self.edit_lines(|profile, i, lines| {
            let location = &profile.locations[i];
            let mut matching = |memo: &mut Memo<'_>| profile.location_matches(location, memo);
            let ignored = ignore.as_mut().is_some_and(&mut matching);
            let focused = !ignored && focus.as_mut().is_none_or(&mut matching);
            matches.ignore |= ignored;
            matches.focus |= focused;

            let mut hidden = false;
            if let Some(hide) = &mut hide
                && profile.location_matches(location, hide)
            {
                matches.hide = true;
                let binary = profile.mapping_matches(location, hide);
                lines.retain(|line| !binary && !profile.line_matches(line, hide));
                hidden |= lines.is_empty();
            }
            if let Some(show) = &mut show {
                let binary = profile.mapping_matches(location, show);
                lines.retain(|line| binary || profile.line_matches(line, show));
                matches.show |= !lines.is_empty();
                hidden |= lines.is_empty();
            }
            fates[i] = Fate { focused, ignored, hidden };
        });
        fates
    }

    fn location_matches(&self, location: &Location, memo: &mut Memo<'_>) -> bool {
        let range = location.lines.start as usize..location.lines.end as usize;
        self.lines[range].iter().any(|line| self.line_matches(line, memo))
            || self.mapping_matches(location, memo)
    }

    fn mapping_matches(&self, location: &Location, memo: &mut Memo<'_>) -> bool {
        location.mapping.is_some_and(|m| memo.matches(&self.strings, self.mappings[m.index()].file))
    }

    fn line_matches(&self, line: &Line, memo: &mut Memo<'_>) -> bool {
        let function = &self.functions[line.function.index()];
        memo.matches(&self.strings, function.name) || memo.matches(&self.strings, function.filename)
    }

    /// Passes the lines of each location to `edit`, together with the profile as it was and the position
    /// of the location.
    pub(crate) fn edit_lines(&mut self, mut edit: impl FnMut(&Self, usize, &mut Vec<Line>)) {
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut ranges = Vec::with_capacity(self.locations.len());
        let mut scratch = Vec::new();
        for (i, location) in self.locations.iter().enumerate() {
            scratch.clear();
            let range = location.lines.start as usize..location.lines.end as usize;
            scratch.extend_from_slice(&self.lines[range]);
            edit(self, i, &mut scratch);
            let start = lines.len() as u32;
            lines.extend_from_slice(&scratch);
            ranges.push(start..lines.len() as u32);
        }
        self.lines = lines;
        for (location, range) in self.locations.iter_mut().zip(ranges) {
            location.lines = range;
        }
    }
}

impl NameFilter<'_> {
    fn is_empty(&self) -> bool {
        self.focus.is_none() && self.ignore.is_none() && self.hide.is_none() && self.show.is_none()
    }
}
