//! Jobs beyond Go's command line, each called by its name: `oxprof NAME …`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

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
    Subcommand { name: demo::NAME, about: demo::ABOUT, run: demo::run },
    Subcommand { name: "trace", about: trace::ABOUT, run: trace::run },
];

/// The subcommand that the arguments call, with its arguments. A file of that name comes first:
/// people have profiles called anything.
pub(crate) fn find(arguments: &[OsString]) -> Option<(&'static Subcommand, &[OsString])> {
    let (name, rest) = arguments.split_first()?;
    let subcommand = SUBCOMMANDS.iter().find(|s| name == s.name)?;
    (!Path::new(name).exists()).then_some((subcommand, rest))
}
