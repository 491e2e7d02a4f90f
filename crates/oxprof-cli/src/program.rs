//! Under which name the command was called.

use std::ffi::OsStr;
use std::path::Path;

use crate::flags::Grammar;

/// The name, which decides how closely Go's pprof is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Ourselves.
    Oxprof,
    /// The original, to the letter.
    Pprof,
}

impl Program {
    /// By the path that the process was started with.
    pub(crate) fn of(argument: Option<&OsStr>) -> Self {
        let stem = argument.and_then(|path| Path::new(path).file_stem());
        if stem == Some(OsStr::new("pprof")) { Self::Pprof } else { Self::Oxprof }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oxprof => "oxprof",
            Self::Pprof => "pprof",
        }
    }

    pub(crate) fn grammar(self) -> Grammar {
        match self {
            Self::Oxprof => Grammar::Free,
            Self::Pprof => Grammar::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_decides() {
        #[track_caller]
        fn check(path: &str, expected: Program) {
            assert_eq!(Program::of(Some(OsStr::new(path))), expected);
        }
        check("pprof", Program::Pprof);
        check("/usr/bin/pprof", Program::Pprof);
        check("pprof.exe", Program::Pprof);
        check("./oxprof", Program::Oxprof);
        check("pprof-like", Program::Oxprof);
    }
}
