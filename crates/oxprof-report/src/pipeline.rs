//! From decoded profiles to what a report is made of.
//!
//! ```text
//! sources, bases ──combine──▶ one profile ──finish──▶ loaded profile      (once)
//! loaded profile + Options ──prepare──▶ Profile + ReportOptions           (for every report)
//! ```
//!
//! Symbols are filled in between [`combine`] and [`finish`], by whoever can. Everything here is a
//! function of its arguments; remarks for the user come back as values.

mod combine;
mod filters;
mod prepare;
mod sample_index;

use std::fmt;

use oxprof_profile::MergeError;

use crate::RegexpError;

pub use combine::{Base, Loaded, combine, finish, identify, name_mappings};
pub use prepare::{Prepared, Request, describe, prepare};
pub use sample_index::{SampleIndexError, sample_index};

/// Why a profile cannot be prepared for a report.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PipelineError {
    /// Profiles do not fit together.
    Merge(MergeError),
    /// Samples have no values.
    NoValues,
    /// The chosen value does not exist.
    SampleIndex(SampleIndexError),
    /// Values are to be divided by zero.
    ZeroDivisor,
    /// A filter is no regular expression.
    Regexp {
        /// The option; `argument` for the argument of a report.
        option: &'static str,
        /// What it was set to, where Go's message says so.
        argument: Option<String>,
        /// Why it is none.
        error: RegexpError,
    },
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(error) => error.fmt(f),
            Self::NoValues => f.write_str("profile has no samples"),
            Self::SampleIndex(error) => error.fmt(f),
            Self::ZeroDivisor => f.write_str("zero divisor specified"),
            Self::Regexp { option, argument: Some(text), error } => {
                write!(f, "parsing {option} regexp {text}: {error}")
            }
            Self::Regexp { option, argument: None, error } => {
                write!(f, "parsing {option} regexp: {error}")
            }
        }
    }
}

impl std::error::Error for PipelineError {}

impl From<MergeError> for PipelineError {
    fn from(error: MergeError) -> Self {
        Self::Merge(error)
    }
}

impl From<SampleIndexError> for PipelineError {
    fn from(error: SampleIndexError) -> Self {
        Self::SampleIndex(error)
    }
}

#[cfg(test)]
mod tests {
    use oxprof_profile::{
        Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Profile, Samples,
        ValueType,
    };

    use super::*;
    use crate::Zone;
    use crate::options::{FormatRow, Options};

    /// A profile of `cpu` in `unit`, with one sample for every stack, leaf first.
    fn profile(unit: &str, stacks: &[(&str, i64)]) -> Profile {
        let mut p = Profile::default();
        let (kind, unit) = (p.strings.intern("cpu"), p.strings.intern(unit));
        p.sample_types = vec![ValueType { kind, unit }];
        p.samples = Samples::new(1);
        for (names, value) in stacks {
            let stack: Vec<_> = names.split(' ').map(|name| place(&mut p, name)).collect();
            p.samples.push(&[*value], &stack, &[]);
        }
        p
    }

    fn place(p: &mut Profile, name: &str) -> LocationIdx {
        let i = p.locations.len();
        let (id, name) = (i as u64 + 1, p.strings.intern(name));
        p.functions.push(Function { id, name, system_name: name, ..Function::default() });
        p.lines.push(Line { function: FunctionIdx::from_index(i), line: 1, column: 0 });
        let lines = i as u32..i as u32 + 1;
        p.locations.push(Location { id, address: id, lines, ..Location::default() });
        LocationIdx::from_index(i)
    }

    fn prepared(profile: Profile, options: &Options) -> Result<Prepared, PipelineError> {
        let format = FormatRow::find("top").unwrap();
        prepare(
            profile,
            &Request {
                format,
                argument: "",
                options,
                interactive: false,
                zone: Zone::default(),
                working_dir: "/".into(),
            },
        )
    }

    /// Values of the samples that remain.
    fn values(p: &Profile) -> Vec<i64> {
        p.samples.iter().map(|s| s.values[0]).collect()
    }

    #[track_caller]
    fn check_base(base: Base, expected: &[i64]) {
        let source = profile("ms", &[("a main", 30), ("b main", 10)]);
        let subtrahend = profile("ms", &[("a main", 10), ("c main", 10)]);
        let whole = combine(source, Some(subtrahend), base).unwrap();
        let mut values = values(&whole);
        values.sort_unstable();
        assert_eq!(values, expected);
    }

    #[test]
    fn bases_are_subtracted() {
        check_base(Base::default(), &[-10, 10, 20]);
    }

    #[test]
    fn a_base_to_compare_with_stays_apart() {
        check_base(Base { compare: true, normalize: false }, &[-10, -10, 10, 30]);
    }

    #[test]
    fn sources_are_scaled_to_the_base_on_request() {
        check_base(Base { compare: true, normalize: true }, &[-10, -10, 5, 15]);
    }

    #[test]
    fn a_profile_without_mapping_gets_one() {
        let mut p = profile("ms", &[("a", 1)]);
        identify(&mut p, "/bin/service", "b1");
        let main = &p.mappings[0];
        assert_eq!((p.str(main.file), p.str(main.build_id)), ("/bin/service", "b1"));
        assert!(p.locations.iter().all(|l| l.mapping.is_some()));
    }

    #[test]
    fn names_taken_from_urls_are_taken_away_again() {
        let mut p = profile("ms", &[("a", 1)]);
        identify(&mut p, "", "");
        name_mappings(&mut p, "http://h/debug/pprof/profile");
        assert_eq!(p.str(p.mappings[0].file), "http://h/debug/pprof/profile");
        finish(&mut p, &Loaded::default());
        assert_eq!(p.str(p.mappings[0].file), "");
    }

    #[test]
    fn frames_to_drop_are_dropped_unless_all_are_wanted() {
        #[track_caller]
        fn check(keep: &str, all_frames: bool, frames: usize) {
            let mut p = profile("ms", &[("malloc work main", 1)]);
            p.drop_frames = p.strings.intern("mal.*|[");
            finish(&mut p, &Loaded::default());
            assert_eq!(p.samples.stack(0).len(), 3, "a wrong expression drops nothing");
            p.drop_frames = p.strings.intern("mal.*");
            p.keep_frames = p.strings.intern(keep);
            finish(&mut p, &Loaded { all_frames, comment: "note" });
            assert_eq!(p.samples.stack(0).len(), frames);
            assert_eq!(p.str(p.comments[0]), "note");
        }
        check("", false, 2);
        check("", true, 3);
        check("malloc", false, 3);
    }

    #[test]
    fn totals_are_of_all_samples_unless_relative() {
        #[track_caller]
        fn check(relative_percentages: bool, expected: i64) {
            let p = profile("ms", &[("a main", 30), ("b main", 10)]);
            let options =
                Options { focus: "^a$".into(), relative_percentages, ..Options::default() };
            let prepared = prepared(p, &options).unwrap();
            assert_eq!(prepared.options.total, expected);
            assert_eq!(values(&prepared.profile), [30]);
        }
        check(false, 40);
        check(true, 30);
    }

    #[test]
    fn filters_that_match_nothing_are_remarked_on() {
        #[track_caller]
        fn check(set: fn(&mut Options), expected: &str) {
            let mut options = Options::default();
            set(&mut options);
            let prepared = prepared(profile("ms", &[("a main", 30)]), &options).unwrap();
            assert_eq!(prepared.remarks, [expected]);
        }
        check(|o| o.focus = "zzz".into(), "Focus expression matched no samples");
        check(|o| o.ignore = "zzz".into(), "Ignore expression matched no samples");
        check(|o| o.hide = "zzz".into(), "Hide expression matched no samples");
        check(|o| o.show = "zzz".into(), "Show expression matched no samples");
        check(|o| o.show_from = "zzz".into(), "ShowFrom expression matched no samples");
        check(|o| o.tagfocus = "zzz".into(), "TagFocus expression matched no samples");
        check(|o| o.tagignore = "zzz".into(), "TagIgnore expression matched no samples");
        check(|o| o.tagshow = "zzz".into(), "TagShow expression matched no samples");
        check(|o| o.taghide = "zzz".into(), "TagHide expression matched no samples");
        check(|o| o.tagroot = "zzz".into(), "TagRoot expression matched no samples");
        check(|o| o.tagleaf = "zzz".into(), "TagLeaf expression matched no samples");
    }

    #[test]
    fn units_that_disagree_are_remarked_on() {
        let mut p = profile("ms", &[]);
        let key = p.strings.intern("size");
        for unit in ["kb", "b", "mb"] {
            let unit = p.strings.intern(unit);
            let value = LabelValue::Num { value: 1, unit };
            p.samples.push(&[1], &[], &[Label { key, value }]);
        }
        let remarks = prepared(p, &Options::default()).unwrap().remarks;
        assert_eq!(remarks, ["For tag size used unit kb, also encountered unit(s) b, mb"]);
    }

    #[test]
    fn ranges_of_tags_are_pointed_out() {
        let options = Options { tagignore: "400kb:".into(), ..Options::default() };
        let prepared = prepared(profile("ms", &[("a", 1)]), &options).unwrap();
        assert_eq!(prepared.remarks[0], "tagignore:Interpreted '400kb:' as range, not regexp");
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        #[track_caller]
        fn check(set: fn(&mut Options), expected: &str) {
            let mut options = Options::default();
            set(&mut options);
            let error = prepared(profile("ms", &[("a", 1)]), &options).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        const WHY: &str = "error parsing regexp: missing closing ): `(`";
        check(|o| o.focus = "(".into(), &format!("parsing focus regexp: {WHY}"));
        check(|o| o.prune_from = "(".into(), &format!("parsing prune_from regexp: {WHY}"));
        check(|o| o.tagfocus = "a=(".into(), &format!("parsing tagfocus regexp: {WHY}"));
        check(|o| o.taghide = "(".into(), &format!("parsing taghide regexp: {WHY}"));
        check(|o| o.divide_by = 0.0, "zero divisor specified");
        check(|o| o.sample_index = "x".into(), "sample_index \"x\" must be one of: [cpu]");
        let error = prepared(Profile::default(), &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "profile has no samples");
    }

    #[test]
    fn formats_override_options() {
        #[track_caller]
        fn check(format: &str, interactive: bool, expected: (usize, f64)) {
            let request = Request {
                format: FormatRow::find(format).unwrap(),
                argument: "a",
                options: &Options::default(),
                interactive,
                zone: Zone::default(),
                working_dir: "/".into(),
            };
            let options = prepare(profile("ms", &[("a", 1)]), &request).unwrap().options;
            assert_eq!((options.node_count, options.node_fraction), expected, "{format}");
        }
        check("top", false, (0, 0.005));
        check("top", true, (10, 0.005));
        check("tree", true, (80, 0.005));
        check("svg", false, (80, 0.005));
        check("topproto", true, (0, 0.005));
        check("peek", false, (0, 0.0));
        check("raw", false, (0, 0.0));
        check("callgrind", false, (0, 0.0));
        check("list", true, (0, 0.0));
    }
}
