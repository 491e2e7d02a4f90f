//! Things that run or wait, each by itself: the grammar of Go's `debug=2`.
//!
//! ```text
//! goroutine 7 [chan receive, 2 minutes] {tenant: "acme", thread: "worker-3"}:
//! shop::refill(...)
//! \tsrc/main.rs:12 +0x1f
//! created by shop::main
//! \tsrc/main.rs:40 +0x80
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use oxprof_profile::LocationIdx;

use super::snapshot::Named;
use super::text::quoted;
use crate::labels::{self, LabelsId, Resolved};

/// The first line.
pub(crate) struct Heading<'a> {
    pub(crate) id: u64,
    /// What it does.
    pub(crate) state: &'a str,
    /// For how long.
    pub(crate) lasting: Duration,
    /// More to be said between the brackets.
    pub(crate) remark: Option<String>,
    /// What is between braces, if anything.
    pub(crate) facts: &'a [String],
}

impl Heading<'_> {
    pub(crate) fn write(&self, out: &mut String) {
        let minutes = self.lasting.as_secs() / 60;
        let minutes = if minutes > 0 { format!(", {minutes} minutes") } else { String::new() };
        let remark = self.remark.as_ref().map(|r| format!(", {r}")).unwrap_or_default();
        let facts = match self.facts {
            [] => String::new(),
            facts => format!(" {{{}}}", facts.join(", ")),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "goroutine {} [{}{minutes}{remark}]{facts}:", self.id, self.state);
    }
}

/// A fact that is text.
pub(crate) fn fact(key: &str, value: &str) -> String {
    format!("{}: {}", bare(key), quoted(value))
}

/// Labels as facts.
pub(crate) fn label_facts(id: LabelsId) -> impl Iterator<Item = String> {
    labels::get(id).into_iter().map(|(key, value)| match value {
        Resolved::Text(value) => fact(&key, &value),
        Resolved::Number(value) => format!("{}: {value}", bare(&key)),
    })
}

/// A key as it is if that is unambiguous.
fn bare(key: &str) -> String {
    let is_plain = key.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
    if is_plain { key.to_owned() } else { quoted(key) }
}

impl Named {
    /// The functions of a location, innermost first: name, file and line.
    pub(crate) fn functions(
        &self,
        location: LocationIdx,
    ) -> impl Iterator<Item = (&str, &str, i64)> {
        let profile = &self.profile;
        profile.lines_of(location).iter().map(|line| {
            let function = &profile.functions[line.function.index()];
            (profile.str(function.name), profile.str(function.filename), line.line)
        })
    }

    /// The lines of a frame: each function that is inlined there, too.
    pub(crate) fn write_frame(&self, out: &mut String, location: LocationIdx) {
        let mut is_unknown = true;
        for (name, file, line) in self.functions(location) {
            self.write_call(out, location, &format!("{name}(...)"), (file, line));
            is_unknown = false;
        }
        if is_unknown {
            let address = self.profile.locations[location.index()].address;
            self.write_call(out, location, &format!("{address:#x}(...)"), ("", 0));
        }
    }

    /// The lines of the function that created something, which is the innermost at a location.
    pub(crate) fn write_creator(&self, out: &mut String, location: LocationIdx) {
        if let Some((name, file, line)) = self.functions(location).next() {
            self.write_call(out, location, &format!("created by {name}"), (file, line));
        }
    }

    fn write_call(&self, out: &mut String, at: LocationIdx, call: &str, (file, line): (&str, i64)) {
        let file = if file.is_empty() { "?" } else { file };
        let offset = self.offsets.get(at.index()).copied().flatten().unwrap_or(0);
        let _ = writeln!(out, "{call}\n\t{file}:{line} +{offset:#x}");
    }
}
