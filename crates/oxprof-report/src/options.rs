//! Options: everything that a person may set about a report, described once.
//!
//! [`Options`] holds the values, typed. [`OPTIONS`] describes each of them as a row of data, and
//! [`FORMATS`] each report that can be asked for. Command-line flags, shell variables, URL
//! parameters, saved settings, help, man page and completions are all read off these two tables:
//! an option exists everywhere once it has a row here.
//!
//! Nothing in here touches files, terminals or profiles; see the pipeline for what options do.

mod formats;
mod number;
mod table;
mod url;

use crate::{Encoding, Sort};

pub use formats::{Destination, FORMATS, FormatKind, FormatRow, GraphicKind, Usage, Viewer};
pub use number::{NumberError, go_float, parse_flag_int, parse_float};
pub use table::{Choice, Hint, Kind, OPTIONS, OptionRow, SetError, find_option, parse_bool_word};

/// What is merged into one entry of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Functions of the same name.
    Functions,
    /// Functions of the same name in the same file.
    FileFunctions,
    /// Source files.
    Files,
    /// Source lines.
    Lines,
    /// Instruction addresses.
    Addresses,
}

/// Values of all options. Field names are the options' names.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is documented by its row in OPTIONS")]
pub struct Options {
    pub output: String,
    pub call_tree: bool,
    pub relative_percentages: bool,
    pub unit: String,
    pub compact_labels: bool,
    pub source_path: String,
    pub trim_path: String,
    pub intel_syntax: bool,
    pub mean: bool,
    pub sample_index: String,
    pub divide_by: f64,
    pub normalize: bool,
    pub sort: Sort,
    pub tagroot: String,
    pub tagleaf: String,
    pub drop_negative: bool,
    /// How many nodes to show: −1 leaves it to the format, 0 and other negative numbers mean all.
    pub nodecount: i64,
    pub nodefraction: f64,
    pub edgefraction: f64,
    pub trim: bool,
    pub focus: String,
    pub ignore: String,
    pub prune_from: String,
    pub hide: String,
    pub show: String,
    pub show_from: String,
    pub tagfocus: String,
    pub tagignore: String,
    pub tagshow: String,
    pub taghide: String,
    pub noinlines: bool,
    pub showcolumns: bool,
    /// `None` leaves it to the format.
    pub granularity: Option<Granularity>,
    pub form: Encoding,
    pub graphviz: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            output: String::new(),
            call_tree: false,
            relative_percentages: false,
            unit: "minimum".into(),
            compact_labels: false,
            source_path: String::new(),
            trim_path: String::new(),
            intel_syntax: false,
            mean: false,
            sample_index: String::new(),
            divide_by: 1.0,
            normalize: false,
            sort: Sort::Flat,
            tagroot: String::new(),
            tagleaf: String::new(),
            drop_negative: false,
            nodecount: -1,
            nodefraction: 0.005,
            edgefraction: 0.001,
            trim: true,
            focus: String::new(),
            ignore: String::new(),
            prune_from: String::new(),
            hide: String::new(),
            show: String::new(),
            show_from: String::new(),
            tagfocus: String::new(),
            tagignore: String::new(),
            tagshow: String::new(),
            taghide: String::new(),
            noinlines: false,
            showcolumns: false,
            granularity: None,
            form: Encoding::Text,
            graphviz: false,
        }
    }
}
