//! Reviews profiles as a careful reader would: hot spots, known wastes, contention, leaks, churn, and what got
//! worse since a baseline.
//!
//! usage: oxprof analyze [flags] SOURCE...
//!
//! A source is a file, a directory of files, an archive of oxprof archive, or a server (host:port or the URL of
//! its page of profiles), which is then profiled. Each finding comes with the numbers behind it and what to do
//! next. The exit code is 1 if a finding is as grave as -fail_on says. Profiles to compare should be of the same
//! load; several of each side make the comparison surer.
//!
//! ```text
//! # Is anything wrong with this service?
//! oxprof analyze -seconds=30 localhost:6060
//! # Did the new build get slower?  For a pull request, in Markdown
//! oxprof analyze -base=before/ -format=markdown after/
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use oxprof_collect::review::{self, Layout, Severity};

use super::Outcome;
use super::args::{Args, Command};
use super::sources::{self, Input};
use super::target::{NotTaken, Target, whole};
use crate::failure::{Failure, Result, file_error};

pub(crate) const ABOUT: &str = "review profiles: hot spots, contention, leaks, regressions";

const COMMAND: Command = Command {
    name: "analyze",
    source: include_str!("analyze.rs"),
    flags: &[
        ("base", "SOURCE", "compare with these profiles; repeatable"),
        ("seconds", "N", "how long to profile a server (10)"),
        ("format", "NAME", "text, markdown or json (text)"),
        ("output", "FILE", "write there instead of to standard output"),
        ("fail_on", "SEVERITY", "info, warning, critical, or never (warning)"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

fn perform(args: &Args) -> Result<Outcome> {
    let layout = args.value("format", "text, markdown or json", layout)?.unwrap_or_default();
    let words = "info, warning, critical or never";
    let fail_on = args.value("fail_on", words, fail_on)?.unwrap_or(Some(Severity::Warning));
    if args.positionals.is_empty() {
        return Err(Failure::Usage("no source was given".into()));
    }
    let bases: Vec<_> = args.all("base").map(str::to_owned).collect();
    let (current, baseline) = (inputs(&args.positionals, args)?, inputs(&bases, args)?);
    if current.is_empty() {
        return Err(Failure::new("there is no profile in what was given"));
    }
    let report = review::review(&current, &baseline);
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match args.get("output") {
        None => Box::new(io::stdout().lock()),
        Some(path) => {
            let file = File::create(path);
            Box::new(file.map_err(|e| Failure::new(file_error("open", path, &e)))?)
        }
    });
    review::write(&report, layout, &mut out)?;
    out.flush()?;
    let grave = fail_on.is_some_and(|limit| report.worst().is_some_and(|worst| worst >= limit));
    Ok(if grave { Outcome::Found } else { Outcome::Fine })
}

fn layout(name: &str) -> Option<Layout> {
    match name {
        "text" => Some(Layout::Text),
        "markdown" | "md" => Some(Layout::Markdown),
        "json" => Some(Layout::Json),
        _ => None,
    }
}

/// `None` within for never.
fn fail_on(name: &str) -> Option<Option<Severity>> {
    let named = Severity::ALL.into_iter().find(|severity| severity.name() == name);
    named.map(Some).or_else(|| (name == "never").then_some(None))
}

fn inputs(names: &[String], args: &Args) -> Result<Vec<Input>> {
    let (servers, files): (Vec<_>, Vec<_>) =
        names.iter().cloned().partition(|name| Target::is_named_by(name));
    let mut inputs = sources::load(&files)?;
    let seconds = Duration::from_secs(args.positive("seconds")?.unwrap_or(10));
    for server in servers {
        inputs.extend(profile(&Target::parse(&server, args)?, seconds)?);
    }
    Ok(inputs)
}

/// What a server is asked for, side by side; with `true`, for what comes about meanwhile.
const ASKED: [(&str, bool); 7] = [
    ("cpu", true),
    ("mutex", true),
    ("block", true),
    ("heap", false),
    ("goroutine", false),
    ("threads", false),
    ("tasks", false),
];

/// Profiles a server.
fn profile(target: &Target, time: Duration) -> Result<Vec<Input>> {
    eprintln!("Profiling {target} for {} s …", time.as_secs());
    let take = |name: &str, meanwhile: bool| {
        let query: &[_] = if meanwhile { &[("seconds", whole(time))] } else { &[] };
        target.get(super::kind(name).route(), query, time)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let asked =
            ASKED.map(|(name, meanwhile)| (name, scope.spawn(move || take(name, meanwhile))));
        asked.into_iter().map(|(name, t)| (name, t.join().expect("no request panics"))).collect()
    });
    let mut inputs = Vec::new();
    for (name, result) in results {
        match result {
            Ok(bytes) => {
                let input = sources::input(&format!("{target}{name}"), &bytes)?;
                inputs.push(Input { kind: name.to_owned(), ..input });
            }
            Err(NotTaken::Missing) => eprintln!("{name}: {}; left out", NotTaken::Missing),
            Err(NotTaken::Failed(why)) if name == "cpu" => return Err(Failure::new(why)),
            Err(NotTaken::Failed(why)) => eprintln!("{name}: {why}; left out"),
        }
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_layouts_and_severities() {
        assert_eq!(layout("markdown"), Some(Layout::Markdown));
        assert_eq!(layout("html"), None);
        assert_eq!(fail_on("critical"), Some(Some(Severity::Critical)));
        assert_eq!(fail_on("never"), Some(None));
        assert_eq!(fail_on("always"), None);
    }
}
