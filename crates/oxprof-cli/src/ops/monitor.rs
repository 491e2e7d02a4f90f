//! Shows what a service does, live: its statistics, and where its time goes.
//!
//! usage: oxprof monitor [flags] TARGET
//!
//! A target is host:port or the URL of a page of profiles. On a terminal the view is drawn anew every time; else
//! each interval is one line. Statistics are those of /debug/stats beside the profiles; where a server has none,
//! as in Go, what its profiles count is shown instead. ^C ends it.
//!
//! ```text
//! # Every two seconds, the ten hottest functions
//! oxprof monitor -every=2s -top=10 localhost:6060
//! # A line a minute, into a log
//! oxprof monitor -every=1m localhost:6060 >> service.log
//! ```

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxprof_collect::weights::{self, Weights};
use oxprof_profile::{decode, units};
use serde_json::Value;

use super::Outcome;
use super::args::{Args, Command};
use super::target::{NotTaken, Target};
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupts;

pub(crate) const ABOUT: &str = "show statistics and hottest functions of a service, live";

const COMMAND: Command = Command {
    name: "monitor",
    source: include_str!("monitor.rs"),
    flags: &[
        ("every", "TIME", "time between views; CPU time is that of the whole interval (5s)"),
        ("count", "N", "end after so many views"),
        ("top", "N", "how many functions to show (10)"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

fn perform(args: &Args) -> Result<Outcome> {
    let target = Target::parse(args.only("target")?, args)?;
    let every =
        args.duration("every")?.unwrap_or(Duration::from_secs(5)).max(Duration::from_secs(1));
    let (count, top) =
        (args.positive("count")?.unwrap_or(u64::MAX), args.positive("top")?.unwrap_or(10));
    let interrupts = Interrupts::catch();
    let is_terminal = std::io::stdout().is_terminal();
    let (mut shown, mut answered) = (0, false);
    while shown < count && !interrupts.pressed() {
        let view = match look(&target, every, top) {
            Ok(view) => view,
            // A service that restarts is waited for, but one that was never there is a mistake.
            Err(why) if !answered => return Err(Failure::new(why)),
            Err(why) => {
                interrupts.sleep(every);
                View { trouble: Some(why.to_string()), ..View::default() }
            }
        };
        answered |= view.trouble.is_none();
        let now = Timestamp::try_from(SystemTime::now()).unwrap_or_default();
        let time = now.strftime("%H:%M:%S").to_string();
        let text = if is_terminal {
            screen(&target.to_string(), &time, &view)
        } else {
            line(&time, &view)
        };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        shown += 1;
    }
    Ok(Outcome::Fine)
}

/// What is shown at a time.
#[derive(Debug, Default, PartialEq)]
struct View {
    /// Names and values in words.
    stats: Vec<(String, String)>,
    /// Processors in use, on average.
    cores: Option<f64>,
    /// Functions by their own share of CPU time, in percent.
    top: Vec<(String, f64)>,
    /// Why there is nothing.
    trouble: Option<String>,
}

/// Takes a CPU profile of an interval, and the statistics at its end.
fn look(target: &Target, every: Duration, top: usize) -> std::result::Result<View, NotTaken> {
    let start = SystemTime::now();
    let bytes = target.take(&super::kind("cpu"), every)?;
    let wall = start.elapsed().unwrap_or(every).min(every.mul_f64(1.5)).max(every);
    let profile = decode(&bytes).map_err(|e| NotTaken::Failed(e.to_string()))?;
    let column = weights::column(&profile, &["cpu"]).or_else(|| weights::main_column(&profile));
    let weights = column.map(|column| weights::weigh(&profile, column)).unwrap_or_default();
    let seconds = match profile.duration_nanos {
        0 => wall.as_secs_f64(),
        nanos => nanos as f64 / 1e9,
    };
    Ok(View {
        stats: stats(target)?,
        cores: Some(weights.total as f64 / 1e9 / seconds),
        top: hottest(&weights, top),
        trouble: None,
    })
}

fn hottest(weights: &Weights, count: usize) -> Vec<(String, f64)> {
    let mut functions: Vec<_> = weights.functions.iter().filter(|(_, w)| w.flat > 0).collect();
    functions.sort_by(|a, b| b.1.flat.cmp(&a.1.flat).then_with(|| a.0.cmp(b.0)));
    let share = |flat: i64| flat as f64 * 100.0 / weights.total as f64;
    functions.into_iter().take(count).map(|(name, w)| (name.clone(), share(w.flat))).collect()
}

/// The server's own statistics, or what its profiles count.
fn stats(target: &Target) -> std::result::Result<Vec<(String, String)>, NotTaken> {
    match target.beside("../stats") {
        Ok(json) => {
            let value: Value = serde_json::from_slice(&json)
                .map_err(|e| NotTaken::Failed(format!("/debug/stats is no JSON: {e}")))?;
            Ok(flatten(&value))
        }
        Err(NotTaken::Missing) => counted(target),
        Err(why) => Err(why),
    }
}

fn counted(target: &Target) -> std::result::Result<Vec<(String, String)>, NotTaken> {
    let mut stats = Vec::new();
    for name in ["heap", "goroutine", "threadcreate"] {
        let bytes = match target.take(&super::kind(name), Duration::ZERO) {
            Ok(bytes) => bytes,
            Err(NotTaken::Missing) => continue,
            Err(why) => return Err(why),
        };
        let profile = decode(&bytes).map_err(|e| NotTaken::Failed(e.to_string()))?;
        if let Some(column) = weights::main_column(&profile) {
            let unit = profile.str(profile.sample_types[column].unit);
            stats.push((name.to_owned(), units::label(profile.totals()[column], unit)));
        }
    }
    Ok(stats)
}

/// Numbers and short texts of an object, those of nested ones as `outer.inner`.
fn flatten(value: &Value) -> Vec<(String, String)> {
    let mut stats = Vec::new();
    let mut todo = vec![(String::new(), value)];
    while let Some((path, value)) = todo.pop() {
        match value {
            Value::Object(fields) => {
                let name =
                    |key: &str| if path.is_empty() { key.into() } else { format!("{path}.{key}") };
                todo.extend(fields.iter().rev().map(|(key, value)| (name(key), value)));
            }
            Value::Number(number) => {
                let whole = number.as_i64().filter(|_| is_bytes(&path));
                let text = whole.map_or_else(|| number.to_string(), |n| units::label(n, "bytes"));
                stats.push((path, text));
            }
            Value::String(text) if text.len() < 40 => stats.push((path, text.clone())),
            _ => {}
        }
    }
    stats
}

/// Whether a value of this name is a number of bytes.
fn is_bytes(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    last.contains("bytes")
        || last.contains("rss")
        || matches!(&*last, "heap_alloc" | "alloc" | "sys" | "heap_sys")
}

const CLEAR: &str = "\x1b[H\x1b[2J";
const COLUMNS: usize = 3;

/// The view for a terminal.
fn screen(target: &str, time: &str, view: &View) -> String {
    let mut out = format!("{CLEAR}{target}  {time}");
    if let Some(cores) = view.cores {
        let _ = write!(out, "  {cores:.2} cores");
    }
    out.push_str("\n\n");
    if let Some(trouble) = &view.trouble {
        return out + trouble + "\n";
    }
    for row in view.stats.chunks(COLUMNS) {
        for (name, value) in row {
            let _ = write!(out, "{name:>20} {value:<14}");
        }
        out.push('\n');
    }
    out.push_str("\n  CPU %  function\n");
    for (name, share) in &view.top {
        let _ = writeln!(out, "{share:>7.1}  {name}");
    }
    out
}

/// The view for a log.
fn line(time: &str, view: &View) -> String {
    let mut parts = vec![time.to_owned()];
    parts.extend(view.trouble.clone());
    parts.extend(view.cores.map(|cores| format!("cores={cores:.2}")));
    parts.extend(view.stats.iter().map(|(name, value)| format!("{name}={value}")));
    let top = view.top.iter().take(3).map(|(name, share)| format!("{name} {share:.0}%"));
    parts.extend(
        (!view.top.is_empty()).then(|| format!("top: {}", top.collect::<Vec<_>>().join(", "))),
    );
    parts.join("  ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let json =
            r#"{"goroutines": 7, "memory": {"rss": 2097152, "list": [1]}, "version": "1.2"}"#;
        View {
            stats: flatten(&serde_json::from_str(json).unwrap()),
            cores: Some(0.5),
            top: vec![("parse".into(), 61.25), ("main".into(), 10.0)],
            trouble: None,
        }
    }

    #[test]
    fn a_line() {
        let expected = "12:00:00  cores=0.50  goroutines=7  memory.rss=2MB  version=1.2  top: parse 61%, main 10%\n";
        assert_eq!(line("12:00:00", &view()), expected);
        let away = View { trouble: Some("connection refused".into()), ..View::default() };
        assert_eq!(line("12:00:00", &away), "12:00:00  connection refused\n");
    }

    #[test]
    fn a_screen() {
        let expected = "\x1b[H\x1b[2Jhost:1  12:00:00  0.50 cores\n\n          \
                        goroutines 7                       memory.rss 2MB                        \
                        version 1.2           \n\n  CPU %  function\n   61.2  parse\n   10.0  main\n";
        assert_eq!(screen("host:1", "12:00:00", &view()), expected);
    }
}
