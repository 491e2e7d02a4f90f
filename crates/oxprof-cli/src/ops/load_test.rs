//! Puts HTTP load on a service and profiles it before, during and after.
//!
//! usage: oxprof load-test [flags] URL
//!
//! With -rate, requests are due at fixed times whatever the service does, and latencies count from then: a stall
//! counts for every request that was due during it. Without, each sender sends its next request when the last one
//! was answered, which finds the highest rate but flatters latencies. Profiles and reports go to a directory; the
//! exit code is 1 if a limit of the flags was exceeded.
//!
//! ```text
//! # 200 requests a second for half a minute; profiles are on the same port
//! oxprof load-test -rate=200 -duration=30s http://localhost:8080/search
//! # Profiles elsewhere, and limits for CI
//! oxprof load-test -rate=50 -pprof=localhost:6060 -max_p99=100ms -max_failed=1% http://localhost:8080/
//! ```

use std::ffi::OsString;
use std::fmt::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxprof_collect::latency::Summary;
use oxprof_collect::{Kind, weights};
use oxprof_profile::{decode, units};
use serde::Serialize;

use super::Outcome;
use super::args::{Args, Command};
use super::load::{self, Answers, Load};
use super::target::{NotTaken, Target, whole};
use crate::failure::{Failure, Result};
use crate::fetch::url::Url;

pub(crate) const ABOUT: &str = "put load on a service and profile it before, during and after";

const COMMAND: Command = Command {
    name: "load-test",
    source: include_str!("load_test.rs"),
    flags: &[
        load::RATE,
        load::CONCURRENCY,
        ("duration", "TIME", "how long (30s)"),
        load::METHOD,
        load::BODY,
        ("pprof", "TARGET", "where profiles are (/debug/pprof/ on the same server)"),
        ("no_profiles", "", "only load, no profiles"),
        ("kinds", "LIST", "profiles before and after (heap,goroutine,threads,tasks)"),
        ("during", "LIST", "profiles during (cpu,mutex,block)"),
        ("output", "DIR", "where profiles and reports go (load-test-TIME)"),
        ("max_p99", "TIME", "fail if the 99th percentile of latency is above"),
        ("max_failed", "PART", "fail if more requests than this do (nothing)"),
        ("json", "", "print the report as JSON"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

fn perform(args: &Args) -> Result<Outcome> {
    let url = args.only("URL")?;
    let duration = args.duration("duration")?.unwrap_or(Duration::from_secs(30));
    let limits = Limits { p99: args.duration("max_p99")?, failed: args.fraction("max_failed")? };
    let load = Load::parse(args, url, duration)?;
    let target = if args.has("no_profiles") { None } else { Some(profiles_of(url, args)?) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let default = || format!("load-test-{}", super::stamp(now));
    let directory = PathBuf::from(args.get("output").map_or_else(default, str::to_owned));
    let mut report = Report::new(url, &load);
    let around = args.kinds("kinds")?;
    let around = around
        .unwrap_or_else(|| ["heap", "goroutine", "threads", "tasks"].map(super::kind).to_vec());
    let during = args.kinds("during")?;
    let during = during.unwrap_or_else(|| ["cpu", "mutex", "block"].map(super::kind).to_vec());
    let mut shelf = Shelf { target: target.as_ref(), directory, report: &mut report };
    shelf.take("before", &around, None)?;
    let halt = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let answers = scope.spawn(|| load.run(&halt));
        let result = shelf.take("during", &during, Some(duration));
        if result.is_err() {
            halt.store(true, Ordering::Relaxed);
        }
        result.and(answers.join().expect("no sender panics"))
    })?;
    shelf.take("after", &around, None)?;
    let directory = shelf.directory;
    report.answers = answers;
    report.exceeded = limits.exceeded(&report.answers);
    let json = serde_json::to_string_pretty(&report).map_err(Failure::new)? + "\n";
    if target.is_some() {
        super::write_whole(&directory.join("report.json"), json.as_bytes())
            .map_err(Failure::Message)?;
        super::write_whole(&directory.join("report.txt"), report.to_string().as_bytes())
            .map_err(Failure::Message)?;
    }
    print!("{}", if args.has("json") { json } else { report.to_string() });
    if target.is_some() {
        eprintln!("Profiles and reports are in {}.", directory.display());
    }
    Ok(if report.exceeded.is_empty() { Outcome::Fine } else { Outcome::Found })
}

/// Where the profiles of the service at `url` are.
fn profiles_of(url: &str, args: &Args) -> Result<Target> {
    if let Some(target) = args.get("pprof") {
        return Target::parse(target, args);
    }
    let mut url = Url::parse(url).ok_or_else(|| Failure::Usage(format!("{url} is no URL")))?;
    url.path = "/debug/pprof/".into();
    url.query.clear();
    Target::parse(&url.to_string(), args)
}

/// What must not be exceeded.
struct Limits {
    p99: Option<Duration>,
    failed: Option<f64>,
}

impl Limits {
    fn exceeded(&self, answers: &Answers) -> Vec<String> {
        let mut exceeded = Vec::new();
        let p99 = answers.latency.p99_ms;
        if let Some(limit) = self.p99.map(|l| l.as_secs_f64() * 1e3).filter(|limit| p99 > *limit) {
            exceeded.push(format!(
                "the 99th percentile of latency is {p99:.1} ms, above {limit:.1} ms"
            ));
        }
        let failed = answers.failed();
        if let Some(limit) = self.failed.filter(|limit| failed > *limit) {
            let (failed, limit) = (failed * 100.0, limit * 100.0);
            exceeded.push(format!("{failed:.2} % of the requests failed, above {limit:.2} %"));
        }
        exceeded
    }
}

/// Where profiles are put as they are taken.
struct Shelf<'a> {
    target: Option<&'a Target>,
    directory: PathBuf,
    report: &'a mut Report,
}

impl Shelf<'_> {
    /// Takes profiles side by side: as things are, or what comes about in a `time`.
    fn take(&mut self, when: &'static str, kinds: &[Kind], time: Option<Duration>) -> Result<()> {
        let Some(target) = self.target else { return Ok(()) };
        let query: Vec<_> = time.map(|t| ("seconds", whole(t))).into_iter().collect();
        let one = |kind: &Kind| target.get(kind.route(), &query, time.unwrap_or_default());
        let results: Vec<_> = std::thread::scope(|scope| {
            let tasks: Vec<_> =
                kinds.iter().map(|kind| (kind, scope.spawn(move || one(kind)))).collect();
            tasks
                .into_iter()
                .map(|(kind, t)| (kind, t.join().expect("no request panics")))
                .collect()
        });
        for (kind, result) in results {
            match result {
                Ok(bytes) => self.put(when, kind, &bytes)?,
                Err(NotTaken::Missing) => self.report.missing(kind.name()),
                Err(NotTaken::Failed(why)) => {
                    return Err(Failure::new(format_args!("{kind} {when} the load: {why}")));
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, when: &'static str, kind: &Kind, bytes: &[u8]) -> Result<()> {
        let file = format!("{when}/{}.{}", kind.file_stem(), kind.extension());
        super::write_whole(&self.directory.join(&file), bytes).map_err(Failure::Message)?;
        let Ok(profile) = decode(bytes) else { return Ok(()) };
        let Some(column) = weights::main_column(&profile) else { return Ok(()) };
        let weights = weights::weigh(&profile, column);
        if kind.name() == "cpu" {
            self.report.top = top(&weights, 5);
        }
        let unit = profile.str(profile.sample_types[column].unit).to_owned();
        self.report.profiles.push(Taken {
            when,
            kind: kind.to_string(),
            file,
            total: weights.total,
            unit,
        });
        Ok(())
    }
}

/// The heaviest functions by themselves, in percent.
fn top(weights: &weights::Weights, count: usize) -> Vec<(String, f64)> {
    let mut functions: Vec<_> = weights.functions.iter().filter(|(_, w)| w.flat > 0).collect();
    functions.sort_by(|a, b| b.1.flat.cmp(&a.1.flat).then_with(|| a.0.cmp(b.0)));
    let share = |flat: i64| flat as f64 * 100.0 / weights.total as f64;
    functions.into_iter().take(count).map(|(name, w)| (name.clone(), share(w.flat))).collect()
}

/// What came of it all.
#[derive(Debug, Serialize)]
struct Report {
    url: String,
    rate_asked: Option<f64>,
    concurrency: usize,
    answers: Answers,
    profiles: Vec<Taken>,
    missing: Vec<String>,
    /// Functions by their own CPU time during the load, in percent.
    top: Vec<(String, f64)>,
    exceeded: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Taken {
    when: &'static str,
    kind: String,
    file: String,
    total: i64,
    unit: String,
}

impl Report {
    fn new(url: &str, load: &Load) -> Self {
        Self {
            url: oxprof_collect::redact::shapes(url),
            rate_asked: load.schedule.rate,
            concurrency: load.concurrency,
            answers: Answers::default(),
            profiles: Vec::new(),
            missing: Vec::new(),
            top: Vec::new(),
            exceeded: Vec::new(),
        }
    }

    fn missing(&mut self, kind: &str) {
        if !self.missing.iter().any(|known| known == kind) {
            self.missing.push(kind.to_owned());
        }
    }

    /// Totals before and after the load, of kinds that were taken at both times.
    fn changes(&self) -> impl Iterator<Item = (&Taken, &Taken)> {
        let of = |when: &'static str| self.profiles.iter().filter(move |p| p.when == when);
        of("before").filter_map(move |b| of("after").find(|a| a.kind == b.kind).map(|a| (b, a)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers { latency, service_time, statuses, errors, unsent, rate, bytes, seconds } =
            &self.answers;
        writeln!(f, "{} for {seconds:.1} s, at most {} at a time", self.url, self.concurrency)?;
        let asked = self.rate_asked.map_or(String::new(), |r| format!(" of {r:.0} asked for"));
        let size = units::label(i64::try_from(*bytes).unwrap_or(i64::MAX), "bytes");
        writeln!(f, "{rate:.1} answers a second{asked}, {size} in all")?;
        let kinds: Vec<_> = statuses.iter().map(|(status, n)| format!("{n} × {status}")).collect();
        writeln!(
            f,
            "{}; {:.2} % failed, {unsent} not sent in time",
            kinds.join(", "),
            self.answers.failed() * 100.0
        )?;
        for (why, count) in errors {
            writeln!(f, "  {count} × {why}")?;
        }
        let heads = ["min", "mean", "50 %", "90 %", "99 %", "99.9 %", "max"];
        let head = heads.iter().fold(String::new(), |mut line, head| {
            let _ = write!(line, "{head:>10}");
            line
        });
        writeln!(f, "\n{:<22}{head}   ms", "")?;
        latency_row(
            f,
            if self.rate_asked.is_some() { "from when it was due" } else { "" },
            latency,
        )?;
        latency_row(f, "from when it was sent", service_time)?;
        if !self.top.is_empty() {
            writeln!(f, "\nCPU during the load:")?;
        }
        for (name, share) in &self.top {
            writeln!(f, "{share:>8.1} %  {name}")?;
        }
        for (i, (before, after)) in self.changes().enumerate() {
            let title = if i == 0 { "\nBefore and after:\n" } else { "" };
            let (b, a) =
                (units::label(before.total, &before.unit), units::label(after.total, &after.unit));
            writeln!(f, "{title}  {}: {b} → {a}", before.kind)?;
        }
        if !self.missing.is_empty() {
            writeln!(f, "\nThe server has no {} profile.", self.missing.join(", "))?;
        }
        self.exceeded.iter().try_for_each(|limit| writeln!(f, "\nFAILED: {limit}"))
    }
}

fn latency_row(f: &mut fmt::Formatter<'_>, name: &str, of: &Summary) -> fmt::Result {
    if name.is_empty() {
        return Ok(());
    }
    let Summary { min_ms, mean_ms, p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = of;
    write!(f, "{name:<22}")?;
    for value in [min_ms, mean_ms, p50_ms, p90_ms, p99_ms, p999_ms, max_ms] {
        write!(f, "{value:>10.2}")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let answers = Answers {
            latency: Summary { p99_ms: 120.0, ..Summary::default() },
            statuses: [(200, 98), (500, 2)].into(),
            ..Answers::default()
        };
        let check = |p99: Option<u64>, failed: Option<f64>, expected: &[&str]| {
            let limits = Limits { p99: p99.map(Duration::from_millis), failed };
            assert_eq!(limits.exceeded(&answers), expected);
        };
        check(None, None, &[]);
        check(Some(120), Some(0.02), &[]);
        check(Some(100), None, &["the 99th percentile of latency is 120.0 ms, above 100.0 ms"]);
        check(None, Some(0.01), &["2.00 % of the requests failed, above 1.00 %"]);
    }
}
