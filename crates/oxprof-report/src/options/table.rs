//! The table of options.

use std::fmt;

use super::number::{NumberError, go_float, parse_float, parse_int};
use super::{Granularity, Options};
use crate::{Encoding, Sort};

/// One option.
#[derive(Debug)]
pub struct OptionRow {
    /// Its name: `-name` as a flag, `name` in the shell.
    pub name: &'static str,
    /// What values it takes, and where they are kept.
    pub kind: Kind,
    /// Its name in the web page's URLs; `None` if it is not part of them.
    pub url: Option<&'static str>,
    /// Whether named settings remember it.
    pub saved: bool,
    /// Whether Go's pprof lacks it.
    pub extension: bool,
    /// One line of help.
    pub about: &'static str,
    /// Further lines of help.
    pub details: &'static [&'static str],
}

/// Kinds of values, each with the way to its field of [`Options`].
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "`get` and `set` lead to the field")]
pub enum Kind {
    /// Yes or no.
    Bool { get: fn(&Options) -> bool, set: fn(&mut Options, bool) },
    /// A whole number.
    Int { get: fn(&Options) -> i64, set: fn(&mut Options, i64) },
    /// A number.
    Float { get: fn(&Options) -> f64, set: fn(&mut Options, f64) },
    /// Text, whose meaning `hint` tells.
    Text { hint: Hint, get: fn(&Options) -> &str, set: fn(&mut Options, String) },
    /// One of a few words, each of which is also a flag of its own. `get` gives the index into
    /// `choices`, or `None` while the format decides.
    Choice {
        choices: &'static [Choice],
        get: fn(&Options) -> Option<usize>,
        set: fn(&mut Options, usize),
    },
}

/// What text stands for, to complete and to describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A regular expression over function names.
    Regexp,
    /// `[key=]regexp` or `[key=]range`.
    TagFilter,
    /// A regular expression over tag names.
    TagRegexp,
    /// Comma-separated tag names.
    TagList,
    /// A file.
    File,
    /// A list of directories.
    Paths,
    /// A unit of measurement.
    Unit,
    /// Name or number of a sample type.
    SampleType,
}

/// A value of an option that has few.
#[derive(Debug)]
pub struct Choice {
    /// Its name: a flag too.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Further lines of help.
    pub details: &'static [&'static str],
}

/// Why an option cannot have a value.
#[derive(Clone, Debug, PartialEq)]
pub enum SetError {
    /// Not a boolean word.
    Bool(String),
    /// Not a whole number.
    Int(String, NumberError),
    /// Not a number.
    Float(String, NumberError),
    /// Not one of the choices.
    Choice {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "illegal value \"{value}\" for bool variable"),
            Self::Int(value, e) => write!(f, "strconv.Atoi: parsing {value:?}: {e}"),
            Self::Float(value, e) => write!(f, "strconv.ParseFloat: parsing {value:?}: {e}"),
            Self::Choice { option, value } => write!(f, "invalid {option:?} value {value:?}"),
        }
    }
}

impl std::error::Error for SetError {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool { .. } => "Bool",
            Self::Int { .. } => "Int",
            Self::Float { .. } => "Float",
            Self::Text { .. } => "Text",
            Self::Choice { .. } => "Choice",
        })
    }
}

impl OptionRow {
    /// Its value, as text that [`set`](Self::set) reads back; empty for a choice left open.
    pub fn get(&self, options: &Options) -> String {
        match self.kind {
            Kind::Bool { get, .. } => get(options).to_string(),
            Kind::Int { get, .. } => get(options).to_string(),
            Kind::Float { get, .. } => go_float(get(options)),
            Kind::Text { get, .. } => get(options).to_owned(),
            Kind::Choice { choices, get, .. } => {
                get(options).map_or_else(String::new, |i| choices[i].name.to_owned())
            }
        }
    }

    /// Gives it the value that `text` stands for, in the shell's and the web page's notation.
    ///
    /// # Errors
    /// When `text` is no value of its kind; `options` stay as they were.
    pub fn set(&self, options: &mut Options, text: &str) -> Result<(), SetError> {
        match self.kind {
            Kind::Bool { set, .. } => set(options, parse_bool_word(text)?),
            Kind::Int { set, .. } => {
                set(options, parse_int(text).map_err(|e| SetError::Int(text.into(), e))?);
            }
            Kind::Float { set, .. } => {
                set(options, parse_float(text).map_err(|e| SetError::Float(text.into(), e))?);
            }
            Kind::Text { set, .. } => set(options, text.to_owned()),
            Kind::Choice { choices, set, .. } => {
                let index = choices.iter().position(|c| c.name == text);
                let wrong = || SetError::Choice { option: self.name, value: text.into() };
                set(options, index.ok_or_else(wrong)?);
            }
        }
        Ok(())
    }

    /// Its value before anyone sets it.
    pub fn default(&self) -> String {
        self.get(&Options::default())
    }

    /// The values that it may have, where there are few.
    pub fn choices(&self) -> &'static [Choice] {
        match self.kind {
            Kind::Choice { choices, .. } => choices,
            _ => &[],
        }
    }

    /// Whether it can be set by its mere name.
    pub fn is_bool(&self) -> bool {
        matches!(self.kind, Kind::Bool { .. })
    }
}

/// Reads a boolean as people type it at the shell: nothing at all means yes.
///
/// # Errors
/// When `text` is neither a word for yes nor one for no.
pub fn parse_bool_word(text: &str) -> Result<bool, SetError> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "" => Ok(true),
        "false" | "f" | "no" | "n" | "0" => Ok(false),
        _ => Err(SetError::Bool(text.to_owned())),
    }
}

/// The option called `name`, or the option and choice that `name` selects.
pub fn find_option(name: &str) -> Option<(&'static OptionRow, Option<&'static Choice>)> {
    OPTIONS.iter().find_map(|row| {
        if row.name == name {
            return Some((row, None));
        }
        let choice = row.choices().iter().find(|c| c.name == name)?;
        Some((row, Some(choice)))
    })
}

macro_rules! bool {
    ($field:ident) => {
        Kind::Bool { get: |o| o.$field, set: |o, v| o.$field = v }
    };
}

macro_rules! float {
    ($field:ident) => {
        Kind::Float { get: |o| o.$field, set: |o, v| o.$field = v }
    };
}

macro_rules! text {
    ($field:ident, $hint:ident) => {
        Kind::Text { hint: Hint::$hint, get: |o| &o.$field, set: |o, v| o.$field = v }
    };
}

/// A row with the commonest properties, to override with `..`.
const ROW: OptionRow = OptionRow {
    name: "",
    kind: bool!(trim),
    url: None,
    saved: true,
    extension: false,
    about: "",
    details: &[],
};

const MATCHES: &str = "The name of a function, its file or its binary may match.";
const RANGES: &str = "Numbers and ranges: 1kb, 1kb:10kb, memory=32mb: (at least 32 MB).";
const TAG_REGEXPS: &str = "Text: foo, foo.*bar, mytag=foo.*bar.";

const SORTS: &[Choice] = &[
    Choice {
        name: "cum",
        about: "Sort entries by the weight of them and all they call",
        details: &[],
    },
    Choice { name: "flat", about: "Sort entries by their own weight", details: &[] },
];

const SORT_VALUES: &[Sort] = &[Sort::Cum, Sort::Flat];

const GRANULARITIES: &[Choice] = &[
    Choice {
        name: "functions",
        about: "Merge by function",
        details: &["Functions of the same name in several files are one."],
    },
    Choice {
        name: "filefunctions",
        about: "Merge by function and file",
        details: &["Functions of the same name in several files are apart."],
    },
    Choice { name: "files", about: "Merge by source file", details: &[] },
    Choice { name: "lines", about: "Merge by source line", details: &[] },
    Choice {
        name: "addresses",
        about: "Merge by instruction address",
        details: &["Addresses are shown in the report."],
    },
];

const GRANULARITY_VALUES: &[Granularity] = &[
    Granularity::Functions,
    Granularity::FileFunctions,
    Granularity::Files,
    Granularity::Lines,
    Granularity::Addresses,
];

const FORMS: &[Choice] = &[
    Choice { name: "plain", about: "Write tables as aligned text", details: &[] },
    Choice {
        name: "json",
        about: "Write top, tree, peek and tags as JSON",
        details: &["Values are whole numbers in the unit of the profile."],
    },
    Choice {
        name: "csv",
        about: "Write top, tree, peek and tags as comma-separated values",
        details: &["Values are whole numbers in the unit of the profile."],
    },
];

const FORM_VALUES: &[Encoding] = &[Encoding::Text, Encoding::Json, Encoding::Csv];

fn index_of<T: PartialEq>(values: &[T], value: &T) -> Option<usize> {
    values.iter().position(|v| v == value)
}

/// All options, in the order of their names.
pub const OPTIONS: &[OptionRow] = &[
    OptionRow {
        name: "call_tree",
        kind: bool!(call_tree),
        url: Some("calltree"),
        about: "Keep what a function does for each of its callers apart",
        details: &["A node of the graph is then a path from the root. For dot and callgrind."],
        ..ROW
    },
    OptionRow {
        name: "compact_labels",
        kind: bool!(compact_labels),
        url: Some("compact"),
        about: "Leave out the header that describes the profile",
        ..ROW
    },
    OptionRow {
        name: "divide_by",
        kind: float!(divide_by),
        saved: false,
        about: "Divide all values by this number",
        details: &["For example the number of processors, jobs or requests."],
        ..ROW
    },
    OptionRow {
        name: "drop_negative",
        kind: bool!(drop_negative),
        url: Some("dropneg"),
        about: "Leave out what became less than in the base profile",
        ..ROW
    },
    OptionRow {
        name: "edgefraction",
        kind: float!(edgefraction),
        url: Some("ef"),
        about: "Hide calls of less than this share of the total",
        ..ROW
    },
    OptionRow {
        name: "focus",
        kind: text!(focus, Regexp),
        url: Some("f"),
        about: "Keep only samples with a frame that matches",
        details: &[MATCHES],
        ..ROW
    },
    OptionRow {
        name: "form",
        kind: Kind::Choice {
            choices: FORMS,
            get: |o| index_of(FORM_VALUES, &o.form),
            set: |o, i| o.form = FORM_VALUES[i],
        },
        extension: true,
        about: "How tables are written",
        ..ROW
    },
    OptionRow {
        name: "granularity",
        kind: Kind::Choice {
            choices: GRANULARITIES,
            get: |o| index_of(GRANULARITY_VALUES, o.granularity.as_ref()?),
            set: |o, i| o.granularity = Some(GRANULARITY_VALUES[i]),
        },
        url: Some("g"),
        about: "What is merged into one entry",
        ..ROW
    },
    OptionRow {
        name: "graphviz",
        kind: bool!(graphviz),
        extension: true,
        about: "Let an installed dot draw pictures of the call graph",
        details: &["Without it, they are laid out and drawn here."],
        ..ROW
    },
    OptionRow {
        name: "hide",
        kind: text!(hide, Regexp),
        url: Some("h"),
        about: "Leave out frames that match, keep the rest of their stacks",
        details: &[MATCHES],
        ..ROW
    },
    OptionRow {
        name: "ignore",
        kind: text!(ignore, Regexp),
        url: Some("i"),
        about: "Leave out samples with a frame that matches",
        details: &[MATCHES, "Beats focus."],
        ..ROW
    },
    OptionRow {
        name: "intel_syntax",
        kind: bool!(intel_syntax),
        url: Some("intel"),
        about: "Show x86 instructions in Intel's notation",
        details: &["For disasm and weblist."],
        ..ROW
    },
    OptionRow {
        name: "mean",
        kind: bool!(mean),
        url: Some("mean"),
        about: "Show the average per event: the value divided by the first value",
        details: &["For example bytes per allocation, or delay per contention."],
        ..ROW
    },
    OptionRow {
        name: "nodecount",
        kind: Kind::Int { get: |o| o.nodecount, set: |o, v| o.nodecount = v },
        url: Some("n"),
        about: "Show at most this many nodes",
        details: &[
            "-1 leaves it to the report, 0 shows all.",
            "In graphs, dotted edges stand for paths through nodes that are not shown.",
        ],
        ..ROW
    },
    OptionRow {
        name: "nodefraction",
        kind: float!(nodefraction),
        url: Some("nf"),
        about: "Hide nodes of less than this share of the total",
        ..ROW
    },
    OptionRow {
        name: "noinlines",
        kind: bool!(noinlines),
        url: Some("noinlines"),
        about: "Count inlined functions to the function that contains them",
        ..ROW
    },
    OptionRow {
        name: "normalize",
        kind: bool!(normalize),
        url: Some("norm"),
        about: "Scale the profile to the total of the base profile before comparing",
        ..ROW
    },
    OptionRow {
        name: "output",
        kind: text!(output, File),
        saved: false,
        about: "Write the report to this file",
        ..ROW
    },
    OptionRow {
        name: "prune_from",
        kind: text!(prune_from, Regexp),
        url: Some("prunefrom"),
        about: "Leave out what matching frames call",
        details: &["The matching frame stays as the leaf.", MATCHES],
        ..ROW
    },
    OptionRow {
        name: "relative_percentages",
        kind: bool!(relative_percentages),
        url: Some("rel"),
        about: "Show percentages of what the filters left",
        details: &["Otherwise they are of the whole profile, to compare between filters."],
        ..ROW
    },
    OptionRow {
        name: "sample_index",
        kind: text!(sample_index, SampleType),
        url: Some("si"),
        saved: false,
        about: "Which value of the samples to show: its name, or its number from 0",
        ..ROW
    },
    OptionRow {
        name: "show",
        kind: text!(show, Regexp),
        url: Some("s"),
        about: "Show only frames that match",
        details: &[MATCHES],
        ..ROW
    },
    OptionRow {
        name: "show_from",
        kind: text!(show_from, Regexp),
        url: Some("sf"),
        about: "Leave out the callers of the outermost frame that matches",
        details: &["Samples without such a frame are left out.", MATCHES],
        ..ROW
    },
    OptionRow {
        name: "showcolumns",
        kind: bool!(showcolumns),
        url: Some("showcolumns"),
        about: "Show columns beside line numbers",
        ..ROW
    },
    OptionRow {
        name: "sort",
        kind: Kind::Choice {
            choices: SORTS,
            get: |o| index_of(SORT_VALUES, &o.sort),
            set: |o, i| o.sort = SORT_VALUES[i],
        },
        url: Some("sort"),
        about: "The order of entries",
        ..ROW
    },
    OptionRow {
        name: "source_path",
        kind: text!(source_path, Paths),
        saved: false,
        about: "Directories to look for source files in",
        ..ROW
    },
    OptionRow {
        name: "tagfocus",
        kind: text!(tagfocus, TagFilter),
        url: Some("tf"),
        about: "Keep only samples with tags that match or lie in a range",
        details: &[TAG_REGEXPS, RANGES],
        ..ROW
    },
    OptionRow {
        name: "taghide",
        kind: text!(taghide, TagRegexp),
        url: Some("th"),
        about: "Leave out tags whose name matches",
        ..ROW
    },
    OptionRow {
        name: "tagignore",
        kind: text!(tagignore, TagFilter),
        url: Some("ti"),
        about: "Leave out samples with tags that match or lie in a range",
        details: &[TAG_REGEXPS, RANGES],
        ..ROW
    },
    OptionRow {
        name: "tagleaf",
        kind: text!(tagleaf, TagList),
        url: Some("tagleaf"),
        about: "Add the values of these tags to stacks, below the leaf",
        details: &["Comma-separated names; the last one becomes the leaf."],
        ..ROW
    },
    OptionRow {
        name: "tagroot",
        kind: text!(tagroot, TagList),
        url: Some("tagroot"),
        about: "Add the values of these tags to stacks, above the root",
        details: &["Comma-separated names; the first one becomes the root."],
        ..ROW
    },
    OptionRow {
        name: "tagshow",
        kind: text!(tagshow, TagRegexp),
        url: Some("ts"),
        about: "Show only tags whose name matches",
        ..ROW
    },
    OptionRow {
        name: "trim",
        kind: bool!(trim),
        url: Some("trim"),
        about: "Apply nodecount, nodefraction and edgefraction",
        details: &["Set it to false to see everything."],
        ..ROW
    },
    OptionRow {
        name: "trim_path",
        kind: text!(trim_path, Paths),
        saved: false,
        about: "Prefixes to cut from the paths of source files",
        ..ROW
    },
    OptionRow {
        name: "unit",
        kind: text!(unit, Unit),
        url: Some("unit"),
        about: "Unit to show values in",
        details: &[
            "Time: ns, us, ms, s, hours. Memory: B, kB, MB, GB.",
            "minimum picks one unit for a report, auto one for each value.",
        ],
        ..ROW
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::options::FORMATS;

    #[test]
    fn names_are_unique_across_options_choices_and_formats() {
        let mut seen = HashSet::new();
        let choices = OPTIONS.iter().flat_map(|o| o.choices()).map(|c| c.name);
        let formats = FORMATS.iter().map(|f| f.name);
        for name in OPTIONS.iter().map(|o| o.name).chain(choices).chain(formats) {
            assert!(seen.insert(name), "{name} is taken twice");
        }
    }

    #[test]
    fn rows_are_in_order_and_documented() {
        assert!(OPTIONS.is_sorted_by_key(|o| o.name));
        for row in OPTIONS {
            assert!(!row.about.is_empty() && !row.about.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn url_parameters_are_unique() {
        let mut seen = HashSet::new();
        assert!(OPTIONS.iter().filter_map(|o| o.url).all(|url| seen.insert(url)));
    }

    #[test]
    fn every_row_leads_to_a_field_of_its_own() {
        for row in OPTIONS {
            let mut options = Options::default();
            let value = match row.kind {
                Kind::Bool { .. } => {
                    if row.default() == "true" {
                        "false"
                    } else {
                        "true"
                    }
                }
                Kind::Int { .. } | Kind::Float { .. } => "7",
                Kind::Text { .. } => "text",
                Kind::Choice { choices, .. } => {
                    choices.iter().map(|c| c.name).find(|&c| c != row.default()).unwrap()
                }
            };
            row.set(&mut options, value).unwrap();
            assert_eq!(row.get(&options), value);
            let changed: Vec<_> =
                OPTIONS.iter().filter(|r| r.get(&options) != r.default()).map(|r| r.name).collect();
            assert_eq!(changed, [row.name]);
        }
    }

    #[test]
    fn wrong_values_are_told_as_go_tells_them() {
        #[track_caller]
        fn check(name: &str, value: &str, expected: &str) {
            let (row, _) = find_option(name).unwrap();
            let error = row.set(&mut Options::default(), value).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        check("mean", "x", "illegal value \"x\" for bool variable");
        check("sort", "foo", "invalid \"sort\" value \"foo\"");
        check("nodecount", "x", "strconv.Atoi: parsing \"x\": invalid syntax");
        check("nodefraction", "x", "strconv.ParseFloat: parsing \"x\": invalid syntax");
        check("nodefraction", "1e999", "strconv.ParseFloat: parsing \"1e999\": value out of range");
    }

    #[test]
    fn choices_are_found_by_their_own_name() {
        let (row, choice) = find_option("lines").unwrap();
        assert_eq!((row.name, choice.map(|c| c.name)), ("granularity", Some("lines")));
        assert!(find_option("lines ").is_none());
    }
}
