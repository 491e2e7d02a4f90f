//! The flags of the command line: every format and option of the report level, and the command's own.
//!
//! [`parse`] turns arguments into [`LowArgs`] without touching the world; [`crate::plan`] resolves
//! them against it.

mod parse;

use std::ffi::OsString;

use oxprof_report::options::{
    Choice, FORMATS, FormatRow, Hint, Kind, OPTIONS, OptionRow, Options, find_option,
};

pub(crate) use parse::{Grammar, parse};

/// Arguments as they were given: parsed, but nothing looked up.
#[derive(Debug)]
pub(crate) struct LowArgs {
    /// Formats that were asked for, each with its argument.
    pub formats: Vec<(&'static FormatRow, String)>,
    /// Options except those that are chosen by flags of their own.
    pub options: Options,
    /// Choices that were asked for, each with its option.
    pub choices: Vec<(&'static OptionRow, &'static Choice)>,
    /// Legacy flags that were given, in the order of their precedence.
    pub legacy: [bool; LEGACY.len()],
    /// What follows the flags.
    pub positionals: Vec<OsString>,
    pub seconds: i64,
    pub timeout: i64,
    pub symbolize: String,
    pub build_id: String,
    pub add_comment: String,
    pub all_frames: bool,
    pub bases: Vec<String>,
    pub diff_bases: Vec<String>,
    pub tools: Option<String>,
    pub http: String,
    pub no_browser: bool,
    pub tls_cert: String,
    pub tls_key: String,
    pub tls_ca: String,
    pub headers: Vec<String>,
    pub no_save: bool,
    pub max_size: String,
    pub version: bool,
    pub help: bool,
    pub man: bool,
    pub completions: String,
}

impl Default for LowArgs {
    fn default() -> Self {
        Self {
            formats: Vec::new(),
            options: Options::default(),
            choices: Vec::new(),
            legacy: [false; LEGACY.len()],
            positionals: Vec::new(),
            seconds: -1,
            timeout: -1,
            symbolize: String::new(),
            build_id: String::new(),
            add_comment: String::new(),
            all_frames: false,
            bases: Vec::new(),
            diff_bases: Vec::new(),
            tools: None,
            http: String::new(),
            no_browser: false,
            tls_cert: String::new(),
            tls_key: String::new(),
            tls_ca: String::new(),
            headers: Vec::new(),
            no_save: false,
            max_size: String::new(),
            version: false,
            help: false,
            man: false,
            completions: String::new(),
        }
    }
}

/// A flag, whichever table it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flag {
    /// Asks for a report.
    Format(&'static FormatRow),
    /// Sets an option.
    Option(&'static OptionRow),
    /// Chooses one value of an option.
    Choice(&'static OptionRow, &'static Choice),
    /// Selects a value as older versions did: index into [`LEGACY`].
    Legacy(usize),
    /// One of the command's own.
    Own(&'static OwnFlag),
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true` and the like.
    Switch,
    Int,
    Float,
    /// Text, with its name for help and what it stands for.
    Text(&'static str, Hinted),
}

/// What may be suggested for text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hinted {
    File,
    Directory,
    Words(&'static [&'static str]),
    Nothing,
}

/// A flag of the command itself, that no report knows of.
#[derive(Debug)]
pub(crate) struct OwnFlag {
    pub name: &'static str,
    pub slot: Slot,
    /// Name of the value in help.
    pub value: &'static str,
    pub hint: Hinted,
    pub section: Section,
    /// Whether Go's pprof lacks it.
    pub extension: bool,
    pub about: &'static str,
    pub details: &'static [&'static str],
}

/// Where a flag's value is kept.
#[derive(Clone, Copy)]
pub(crate) enum Slot {
    Switch(fn(&mut LowArgs) -> &mut bool),
    Int(fn(&mut LowArgs) -> &mut i64),
    Text(fn(&mut LowArgs) -> &mut String),
    /// Text whose absence differs from its emptiness.
    Maybe(fn(&mut LowArgs) -> &mut Option<String>),
    /// Text that may be repeated; in Go's grammar the last one wins.
    List(fn(&mut LowArgs) -> &mut Vec<String>),
    /// Text that may be repeated in every grammar.
    Every(fn(&mut LowArgs) -> &mut Vec<String>),
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot")
    }
}

/// Part of the help that a flag is listed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Source,
    Symbols,
    Web,
    Misc,
}

/// A flag of older versions and the value that it selects.
#[derive(Debug)]
pub(crate) struct LegacyFlag {
    pub name: &'static str,
    pub sample_index: &'static str,
    pub mean: bool,
}

const fn legacy(name: &'static str, sample_index: &'static str, mean: bool) -> LegacyFlag {
    LegacyFlag { name, sample_index, mean }
}

/// In order of precedence.
pub(crate) const LEGACY: &[LegacyFlag] = &[
    legacy("total_delay", "delay", false),
    legacy("mean_delay", "delay", true),
    legacy("contentions", "contentions", false),
    legacy("inuse_space", "inuse_space", false),
    legacy("inuse_objects", "inuse_objects", false),
    legacy("alloc_space", "alloc_space", false),
    legacy("alloc_objects", "alloc_objects", false),
];

const ROW: OwnFlag = OwnFlag {
    name: "",
    slot: Slot::Switch(|a| &mut a.help),
    value: "",
    hint: Hinted::Nothing,
    section: Section::Misc,
    extension: false,
    about: "",
    details: &[],
};

/// The command's own flags, in the order of help.
pub(crate) const OWN_FLAGS: &[OwnFlag] = &[
    OwnFlag {
        name: "seconds",
        slot: Slot::Int(|a| &mut a.seconds),
        value: "n",
        section: Section::Source,
        about: "Collect a profile for this long from a URL",
        ..ROW
    },
    OwnFlag {
        name: "timeout",
        slot: Slot::Int(|a| &mut a.timeout),
        value: "n",
        section: Section::Source,
        about: "Give up on a URL after this many seconds",
        details: &["Otherwise after one and a half times the duration, or 60."],
        ..ROW
    },
    OwnFlag {
        name: "base",
        slot: Slot::List(|a| &mut a.bases),
        value: "source",
        hint: Hinted::File,
        section: Section::Source,
        about: "Subtract this profile",
        details: &["May be given several times; the profiles are added up."],
        ..ROW
    },
    OwnFlag {
        name: "diff_base",
        slot: Slot::List(|a| &mut a.diff_bases),
        value: "source",
        hint: Hinted::File,
        section: Section::Source,
        about: "Compare with this profile: percentages are of its total",
        details: &["May be given several times; the profiles are added up."],
        ..ROW
    },
    OwnFlag {
        name: "add_comment",
        slot: Slot::Text(|a| &mut a.add_comment),
        value: "text",
        section: Section::Source,
        about: "Add a comment to the profile",
        ..ROW
    },
    OwnFlag {
        name: "all_frames",
        slot: Slot::Switch(|a| &mut a.all_frames),
        section: Section::Source,
        about: "Keep the frames that the profile asks to drop",
        ..ROW
    },
    OwnFlag {
        name: "header",
        slot: Slot::Every(|a| &mut a.headers),
        value: "'name: value'",
        section: Section::Source,
        extension: true,
        about: "Send this header with requests",
        details: &["May be given several times."],
        ..ROW
    },
    OwnFlag {
        name: "no_save",
        slot: Slot::Switch(|a| &mut a.no_save),
        section: Section::Source,
        extension: true,
        about: "Do not save fetched profiles",
        ..ROW
    },
    OwnFlag {
        name: "max_size",
        slot: Slot::Text(|a| &mut a.max_size),
        value: "size",
        section: Section::Source,
        extension: true,
        about: "Refuse profiles that are larger than this, decompressed: 512MB, 2GB",
        ..ROW
    },
    OwnFlag {
        name: "tls_cert",
        slot: Slot::Text(|a| &mut a.tls_cert),
        value: "file",
        hint: Hinted::File,
        section: Section::Source,
        about: "Certificate to present to servers (PEM)",
        ..ROW
    },
    OwnFlag {
        name: "tls_key",
        slot: Slot::Text(|a| &mut a.tls_key),
        value: "file",
        hint: Hinted::File,
        section: Section::Source,
        about: "Private key of that certificate (PEM)",
        ..ROW
    },
    OwnFlag {
        name: "tls_ca",
        slot: Slot::Text(|a| &mut a.tls_ca),
        value: "file",
        hint: Hinted::File,
        section: Section::Source,
        about: "Certificates of authorities to trust, instead of the usual ones (PEM)",
        ..ROW
    },
    OwnFlag {
        name: "symbolize",
        slot: Slot::Text(|a| &mut a.symbolize),
        value: "mode",
        hint: Hinted::Words(&["none", "local", "fastlocal", "remote", "force"]),
        section: Section::Symbols,
        about: "Where names of functions come from: parts joined by `:`",
        details: &[
            "none                  nowhere",
            "local                 binaries on this machine",
            "fastlocal             their symbol tables only",
            "remote                the server that the profile came from",
            "force                 look up what has names already",
            "demangle=none|full|templates|default",
        ],
        ..ROW
    },
    OwnFlag {
        name: "buildid",
        slot: Slot::Text(|a| &mut a.build_id),
        value: "id",
        section: Section::Symbols,
        about: "Build id of the program, where the profile has none",
        ..ROW
    },
    OwnFlag {
        name: "tools",
        slot: Slot::Maybe(|a| &mut a.tools),
        value: "dirs",
        hint: Hinted::Directory,
        section: Section::Symbols,
        about: "Accepted for compatibility: no object tools are needed",
        ..ROW
    },
    OwnFlag {
        name: "http",
        slot: Slot::Text(|a| &mut a.http),
        value: "[host]:[port]",
        section: Section::Web,
        about: "Serve a web page at this address",
        ..ROW
    },
    OwnFlag {
        name: "no_browser",
        slot: Slot::Switch(|a| &mut a.no_browser),
        section: Section::Web,
        about: "Do not open a browser for the web page",
        ..ROW
    },
    OwnFlag {
        name: "h",
        slot: Slot::Switch(|a| &mut a.help),
        about: "Print this help (also -help)",
        ..ROW
    },
    OwnFlag {
        name: "version",
        slot: Slot::Switch(|a| &mut a.version),
        extension: true,
        about: "Print the version",
        ..ROW
    },
    OwnFlag {
        name: "man",
        slot: Slot::Switch(|a| &mut a.man),
        extension: true,
        about: "Print the manual page, for man -l -",
        ..ROW
    },
    OwnFlag {
        name: "completions",
        slot: Slot::Text(|a| &mut a.completions),
        value: "shell",
        hint: Hinted::Words(&["bash", "zsh", "fish"]),
        extension: true,
        about: "Print completions for this shell",
        ..ROW
    },
];

impl Flag {
    /// The flag called `name`, written without dashes.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let own = if name == "help" { "h" } else { name };
        if let Some(flag) = OWN_FLAGS.iter().find(|f| f.name == own) {
            return Some(Self::Own(flag));
        }
        if let Some(index) = LEGACY.iter().position(|f| f.name == name) {
            return Some(Self::Legacy(index));
        }
        if let Some(format) = FormatRow::find(name) {
            return Some(Self::Format(format));
        }
        match find_option(name)? {
            // The choices are the flags, not the option that they choose for.
            (row, None) => row.choices().is_empty().then_some(Self::Option(row)),
            (row, Some(choice)) => Some(Self::Choice(row, choice)),
        }
    }

    /// All flags, table by table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let formats = FORMATS.iter().map(Self::Format);
        let plain = OPTIONS.iter().filter(|o| o.choices().is_empty()).map(Self::Option);
        let choices = OPTIONS.iter().flat_map(|o| o.choices().iter().map(|c| Self::Choice(o, c)));
        let legacy = (0..LEGACY.len()).map(Self::Legacy);
        formats.chain(plain).chain(choices).chain(OWN_FLAGS.iter().map(Self::Own)).chain(legacy)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format(row) => row.name,
            Self::Option(row) => row.name,
            Self::Choice(_, choice) => choice.name,
            Self::Legacy(index) => LEGACY[index].name,
            Self::Own(row) => row.name,
        }
    }

    pub(crate) fn about(self) -> String {
        match self {
            Self::Format(row) => row.about.into(),
            Self::Option(row) => row.about.into(),
            Self::Choice(_, choice) => choice.about.into(),
            Self::Own(row) => row.about.into(),
            Self::Legacy(index) => {
                let LegacyFlag { sample_index, mean, .. } = LEGACY[index];
                let mean = if mean { "-mean " } else { "" };
                format!("Same as {mean}-sample_index={sample_index}")
            }
        }
    }

    pub(crate) fn details(self) -> &'static [&'static str] {
        match self {
            Self::Option(row) => row.details,
            Self::Choice(_, choice) => choice.details,
            Self::Own(row) => row.details,
            Self::Format(_) | Self::Legacy(_) => &[],
        }
    }

    /// Whether Go's pprof lacks it.
    pub(crate) fn is_extension(self) -> bool {
        match self {
            Self::Format(row) => row.extension,
            Self::Option(row) | Self::Choice(row, _) => row.extension,
            Self::Own(row) => row.extension,
            Self::Legacy(_) => false,
        }
    }

    pub(crate) fn takes(self) -> Takes {
        match self {
            Self::Format(row) if row.takes_argument() => Takes::Text("regexp", Hinted::Nothing),
            Self::Option(row) => option_takes(row),
            Self::Own(row) => match row.slot {
                Slot::Switch(_) => Takes::Switch,
                Slot::Int(_) => Takes::Int,
                _ => Takes::Text(row.value, row.hint),
            },
            Self::Format(_) | Self::Choice(..) | Self::Legacy(_) => Takes::Switch,
        }
    }
}

fn option_takes(row: &OptionRow) -> Takes {
    match row.kind {
        Kind::Bool { .. } | Kind::Choice { .. } => Takes::Switch,
        Kind::Int { .. } => Takes::Int,
        Kind::Float { .. } => Takes::Float,
        Kind::Text { hint, .. } => match hint {
            Hint::Regexp | Hint::TagRegexp => Takes::Text("regexp", Hinted::Nothing),
            Hint::TagFilter => Takes::Text("filter", Hinted::Nothing),
            Hint::TagList => Takes::Text("tags", Hinted::Nothing),
            Hint::File => Takes::Text("file", Hinted::File),
            Hint::Paths => Takes::Text("dirs", Hinted::Directory),
            Hint::Unit => Takes::Text("unit", Hinted::Words(UNITS)),
            Hint::SampleType => Takes::Text("type", Hinted::Nothing),
        },
    }
}

const UNITS: &[&str] =
    &["minimum", "auto", "ns", "us", "ms", "s", "hours", "B", "kB", "MB", "GB", "TB"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_flag_is_found_under_its_only_name() {
        let mut seen = HashSet::new();
        for flag in Flag::all() {
            assert!(seen.insert(flag.name()), "{} is taken twice", flag.name());
            assert_eq!(Flag::find(flag.name()).unwrap().name(), flag.name());
            assert!(!flag.about().is_empty() && !flag.about().ends_with('.'), "{}", flag.name());
        }
    }

    #[test]
    fn options_with_choices_are_no_flags_themselves() {
        assert!(Flag::find("granularity").is_none());
        assert!(matches!(Flag::find("lines"), Some(Flag::Choice(..))));
    }
}
