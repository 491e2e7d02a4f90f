//! What a report is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::ValueSelector;

/// Kinds of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Functions by weight (`-top`, `-text`).
    Top,
    /// Functions by weight, each with its callers and callees.
    Tree,
    /// Like [`Tree`](Self::Tree), for the functions that [`ReportOptions::pattern`] matches.
    Peek,
    /// Every sample with its stack.
    Traces,
    /// Labels by weight.
    Tags,
    /// Source lines of the functions that [`ReportOptions::pattern`] matches.
    List,
    /// The profile itself, as text.
    Raw,
    /// The profile itself, as a gzipped `profile.proto`.
    Proto,
    /// The rows of [`Top`](Self::Top) as a gzipped `profile.proto`.
    TopProto,
    /// The profile's comments.
    Comments,
    /// Input of callgrind's viewers.
    Callgrind,
    /// The call graph as input of Graphviz.
    Dot,
    /// One line a stack, `root;…;leaf value`.
    Folded,
    /// JSON for <https://www.speedscope.app>.
    Speedscope,
    /// JSON for <https://profiler.firefox.com>.
    Firefox,
    /// A summary to paste into a ticket.
    Markdown,
    /// A flame graph as a picture.
    Flame,
    /// A flame graph as a page that can be zoomed and searched.
    FlamePage,
}

/// How top, tree, peek and tags are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Columns for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header row.
    Csv,
}

/// Order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// By a function's own weight.
    #[default]
    Flat,
    /// By the weight of a function and all that it calls.
    Cum,
}

/// The time zone in which the profile's time is shown: the one in force at that time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Seconds east of Greenwich.
    pub offset_seconds: i32,
    /// Abbreviation, such as `UTC` or `CEST`.
    pub abbreviation: String,
}

impl Default for Zone {
    fn default() -> Self {
        Self { offset_seconds: 0, abbreviation: "UTC".to_owned() }
    }
}

/// A matcher of names with the text it was made from.
#[derive(Clone)]
pub struct Pattern {
    /// What the user typed; shown when nothing matches.
    pub text: String,
    /// Whether a name matches.
    pub matches: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

/// Everything that shapes a report, resolved: no default is left to be looked up.
///
/// Overrides that a format makes (spec: trimming off for raw, lists, peek, …) are already applied.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Kind of report.
    pub format: Format,
    /// How it is written, for those kinds that have a choice.
    pub encoding: Encoding,
    /// The value to show.
    pub value: ValueSelector,
    /// What percentages are of. [`ValueSelector::total`] of the profile before it was filtered, or after
    /// filtering when percentages are to be relative to what is shown.
    pub total: i64,
    /// Shown values are divided by this; 1 for none.
    pub divide_by: f64,
    /// Unit to show values in; `minimum` or `auto` to choose.
    pub unit: String,
    /// Order of rows.
    pub sort: Sort,
    /// How many nodes to show at most; 0 for all.
    pub node_count: usize,
    /// Hide nodes below this fraction of the total.
    pub node_fraction: f64,
    /// Hide edges below this fraction of the total.
    pub edge_fraction: f64,
    /// Keep calling contexts apart (dot and callgrind only).
    pub call_tree: bool,
    /// Hide nodes with negative values.
    pub drop_negative: bool,
    /// Leave the description of the profile out of headers.
    pub compact_labels: bool,
    /// Filters in force, each as `name=value`, for the header.
    pub active_filters: Vec<String>,
    /// Unit of the numeric labels of each key, found in the profile before it was filtered.
    pub label_units: BTreeMap<String, String>,
    /// The name to match for [`Format::Peek`] and [`Format::List`].
    pub pattern: Option<Pattern>,
    /// Directories to look for relative source files in, separated as in `PATH`; empty for
    /// `working_dir`. When `trim_path` is empty, file names are also cut behind the last element of
    /// each.
    pub source_path: String,
    /// Prefixes to remove from file names, separated as in `PATH`.
    pub trim_path: String,
    /// The current directory.
    pub working_dir: String,
    /// Zone for the profile's time.
    pub zone: Zone,
}

impl ReportOptions {
    /// The options of a plain report of `format` on value `value`, as if no flag had been given.
    pub fn new(format: Format, value: ValueSelector, total: i64) -> Self {
        Self {
            format,
            encoding: Encoding::Text,
            value,
            total,
            divide_by: 1.0,
            unit: "minimum".to_owned(),
            sort: Sort::Flat,
            node_count: 0,
            node_fraction: 0.005,
            edge_fraction: 0.001,
            call_tree: false,
            drop_negative: false,
            compact_labels: false,
            active_filters: Vec::new(),
            label_units: BTreeMap::new(),
            pattern: None,
            source_path: String::new(),
            trim_path: String::new(),
            working_dir: ".".to_owned(),
            zone: Zone::default(),
        }
    }

    /// Unit of the numeric labels of a key; empty if unknown.
    pub(crate) fn label_unit(&self, key: &str) -> &str {
        self.label_units.get(key).map_or("", String::as_str)
    }
}
