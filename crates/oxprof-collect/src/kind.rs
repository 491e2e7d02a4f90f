//! Kinds of profile, as they are named on command lines, in URLs and in file names.

use std::fmt;
use std::str::FromStr;

/// A kind of profile that a server under `/debug/pprof/` may offer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(String);

/// Why a name cannot be a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no kind of profile; write cpu, heap, goroutine or the like", self.0)
    }
}

impl std::error::Error for KindError {}

impl Kind {
    /// What every server of profiles may have, in the order in which to ask: what takes no time first,
    /// so that it is not disturbed by what does.
    pub const USUAL: [&'static str; 12] = [
        "heap",
        "allocs",
        "goroutine",
        "threads",
        "tasks",
        "threadcreate",
        "block",
        "mutex",
        "cpu",
        "wall",
        "trace",
        "goroutineleak",
    ];

    /// The name for people: `cpu`, not `profile`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it is collected over a time that the request states.
    pub fn takes_time(&self) -> bool {
        matches!(&*self.0, "cpu" | "wall" | "trace")
    }

    /// Whether it counts from the start of the program, so that two of them can be subtracted.
    pub fn is_cumulative(&self) -> bool {
        matches!(&*self.0, "heap" | "allocs" | "block" | "mutex" | "contention")
    }

    /// The last part of its URL.
    pub fn route(&self) -> &str {
        if self.0 == "cpu" { "profile" } else { &self.0 }
    }

    /// What its files are called behind the last part of their name.
    pub fn extension(&self) -> &'static str {
        if self.0 == "trace" { "out" } else { "pb.gz" }
    }

    /// Its name where a slash would be taken for a directory.
    pub fn file_stem(&self) -> String {
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        self.0.chars().map(|c| if harmless(c) { c } else { '-' }).collect()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Kind {
    type Err = KindError;

    /// Takes any name, since programs have profiles of their own; `profile` is `cpu`.
    fn from_str(text: &str) -> Result<Self, KindError> {
        let strange = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '&');
        match text {
            "profile" => Ok(Self("cpu".into())),
            "" | "." | ".." => Err(KindError(text.into())),
            _ if text.contains(strange)
                || text.split('/').any(|p| matches!(p, "" | "." | "..")) =>
            {
                Err(KindError(text.into()))
            }
            _ => Ok(Self(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, &str)>) {
        let kind = text.parse::<Kind>().ok();
        let found = kind.as_ref().map(|k| (k.name(), k.route(), k.file_stem()));
        let found = found.as_ref().map(|(n, r, s)| (*n, *r, s.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_routes_and_files() {
        check("cpu", Some(("cpu", "profile", "cpu")));
        check("profile", Some(("cpu", "profile", "cpu")));
        check("heap", Some(("heap", "heap", "heap")));
        check("app/connections", Some(("app/connections", "app/connections", "app-connections")));
        check("", None);
        check("../secret", None);
        check("a//b", None);
        check("heap?gc=1", None);
    }
}
