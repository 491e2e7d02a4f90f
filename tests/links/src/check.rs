//! What is checked, and what is said about it.

use std::fmt;
use std::process::ExitCode;

use crate::profiles;

/// What came of checking a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds what it must.
    Right,
    /// This program does not have it, and says so.
    Off,
    /// It does not hold what it must.
    Wrong(String),
}

/// Whether anything was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub is_right: bool,
}

/// Checks one profile after the other. Prints a line for each, with the name of `who` checks.
pub fn run_all(who: &str) -> Outcome {
    let mut is_right = true;
    for (name, check) in profiles::CHECKS {
        let finding = check();
        println!("{who} {name} {finding}");
        is_right &= !matches!(finding, Finding::Wrong(_));
    }
    Outcome { is_right }
}

impl Finding {
    /// `Right` if so, or else this is wrong.
    pub(crate) fn of(is_right: bool, what: impl FnOnce() -> String) -> Self {
        if is_right { Self::Right } else { Self::Wrong(what()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("ok"),
            Self::Off => f.write_str("off"),
            Self::Wrong(what) => write!(f, "WRONG: {what}"),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        if outcome.is_right { Self::SUCCESS } else { Self::FAILURE }
    }
}
