//! The options that choose samples, frames and tags.

use oxprof_profile::{LabelUnits, NameFilter, Profile, TagFilter};

use super::PipelineError;
use crate::options::Options;
use crate::{Regexp, RegexpError};

/// Filters, compiled.
pub(super) struct Filters {
    focus: Option<Regexp>,
    ignore: Option<Regexp>,
    hide: Option<Regexp>,
    show: Option<Regexp>,
    show_from: Option<Regexp>,
    tagfocus: Option<TagFilter>,
    tagignore: Option<TagFilter>,
    tagshow: Option<Regexp>,
    taghide: Option<Regexp>,
    prune_from: Option<Regexp>,
}

impl Filters {
    /// Compiles the filters of `options`; `remarks` tells of values that can be read in two ways.
    pub(super) fn new(options: &Options, remarks: &mut Vec<String>) -> Result<Self, PipelineError> {
        Ok(Self {
            focus: compile("focus", &options.focus)?,
            ignore: compile("ignore", &options.ignore)?,
            hide: compile("hide", &options.hide)?,
            show: compile("show", &options.show)?,
            show_from: compile("show_from", &options.show_from)?,
            tagfocus: tag_filter("tagfocus", &options.tagfocus, remarks)?,
            tagignore: tag_filter("tagignore", &options.tagignore, remarks)?,
            tagshow: compile("tagshow", &options.tagshow)?,
            taghide: compile("taghide", &options.taghide)?,
            prune_from: compile("prune_from", &options.prune_from)?,
        })
    }

    /// Applies them; `remarks` tells of those that matched nothing.
    pub(super) fn apply(
        &self,
        profile: &mut Profile,
        units: &LabelUnits,
        remarks: &mut Vec<String>,
    ) {
        let mut check = |name: &str, is_set: bool, matched: bool| {
            if is_set && !matched {
                remarks.push(format!("{name} expression matched no samples"));
            }
        };
        self.by_name(profile, &mut check);
        if self.tagfocus.is_some() || self.tagignore.is_some() {
            let (focus, ignore) = (self.tagfocus.as_ref(), self.tagignore.as_ref());
            let matched = profile.filter_by_tag(focus, ignore, units);
            check("TagFocus", focus.is_some(), matched.focus);
            check("TagIgnore", ignore.is_some(), matched.ignore);
        }
        self.tags(profile, &mut check);
        if let Some(prune_from) = &self.prune_from {
            profile.prune_from(&|name| prune_from.is_match(name));
        }
    }

    fn by_name(&self, profile: &mut Profile, check: &mut impl FnMut(&str, bool, bool)) {
        let Self { focus, ignore, hide, show, show_from, .. } = self;
        let [f, i, h, s] = [focus, ignore, hide, show].map(matcher);
        let filter = NameFilter {
            focus: focus.is_some().then_some(&f),
            ignore: ignore.is_some().then_some(&i),
            hide: hide.is_some().then_some(&h),
            show: show.is_some().then_some(&s),
        };
        let matched = profile.filter_by_name(&filter);
        check("Focus", focus.is_some(), matched.focus);
        check("Ignore", ignore.is_some(), matched.ignore);
        check("Hide", hide.is_some(), matched.hide);
        check("Show", show.is_some(), matched.show);
        if let Some(regexp) = show_from {
            let matched = profile.show_from(&|name| regexp.is_match(name));
            check("ShowFrom", true, matched);
        }
    }

    fn tags(&self, profile: &mut Profile, check: &mut impl FnMut(&str, bool, bool)) {
        let Self { tagshow, taghide, .. } = self;
        if tagshow.is_none() && taghide.is_none() {
            return;
        }
        let [show, hide] = [tagshow, taghide].map(matcher);
        let matched = profile
            .filter_tags(tagshow.is_some().then_some(&show), taghide.is_some().then_some(&hide));
        check("TagShow", tagshow.is_some(), matched.show);
        check("TagHide", taghide.is_some(), matched.hide);
    }
}

fn matcher(regexp: &Option<Regexp>) -> impl Fn(&str) -> bool {
    move |name: &str| regexp.as_ref().is_some_and(|r| r.is_match(name))
}

fn compile(option: &'static str, text: &str) -> Result<Option<Regexp>, PipelineError> {
    if text.is_empty() {
        return Ok(None);
    }
    Regexp::new(text).map(Some).map_err(|error| wrong(option, error))
}

fn tag_filter(
    option: &'static str,
    text: &str,
    remarks: &mut Vec<String>,
) -> Result<Option<TagFilter>, PipelineError> {
    if text.is_empty() {
        return Ok(None);
    }
    let filter = TagFilter::parse(text, |pattern| {
        let regexp = Regexp::new(pattern)?;
        Ok(Box::new(move |text: &str| regexp.is_match(text)) as oxprof_profile::OwnedMatcher)
    });
    let filter = filter.map_err(|error| wrong(option, error))?;
    if let Some(range) = filter.range() {
        remarks.push(format!("{option}:Interpreted '{range}' as range, not regexp"));
    }
    Ok(Some(filter))
}

fn wrong(option: &'static str, error: RegexpError) -> PipelineError {
    PipelineError::Regexp { option, argument: None, error }
}
