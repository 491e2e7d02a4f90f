//! Jobs beyond Go's command line, each called by its name: `oxprof NAME …`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::ops::{analyze, archive, continuous, leak, load_test, monitor};
use crate::{demo, trace};

/// A job with a name and arguments of its own.
#[derive(Debug)]
pub(crate) struct Subcommand {
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Does it, given the arguments that follow the name.
    pub run: fn(&[OsString]) -> ExitCode,
}

/// All subcommands, in the order of help.
pub(crate) const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "analyze", about: analyze::ABOUT, run: analyze::run },
    Subcommand { name: "archive", about: archive::ABOUT, run: archive::run },
    Subcommand { name: "continuous", about: continuous::ABOUT, run: continuous::run },
    Subcommand { name: demo::NAME, about: demo::ABOUT, run: demo::run },
    Subcommand { name: "leak", about: leak::ABOUT, run: leak::run },
    Subcommand { name: "load-test", about: load_test::ABOUT, run: load_test::run },
    Subcommand { name: "monitor", about: monitor::ABOUT, run: monitor::run },
    Subcommand { name: "trace", about: trace::ABOUT, run: trace::run },
];

/// The subcommand that the arguments call, with its arguments. A file of that name comes first:
/// people have profiles called anything.
pub(crate) fn find(arguments: &[OsString]) -> Option<(&'static Subcommand, &[OsString])> {
    let (name, rest) = arguments.split_first()?;
    let subcommand = SUBCOMMANDS.iter().find(|s| name == s.name)?;
    (!Path::new(name).exists()).then_some((subcommand, rest))
}
