//! Tells leaks from caches and noise: takes snapshots of what a service holds, under load if asked to, and
//! judges whether that grows.
//!
//! usage: oxprof leak [flags] TARGET
//!        oxprof leak [flags] FILE FILE...
//!
//! A target is host:port or the URL of a page of profiles; files are snapshots that were taken before. Growth is
//! a rise that chance does not explain (Mann-Kendall test, over all and by stack, the latter corrected for their
//! number), that is large enough to matter, and whose low points rise, too. Its speed is the Theil-Sen slope.
//! At least six snapshots are needed. The exit code is 1 if something grows, so that CI can use it.
//!
//! ```text
//! # Eight snapshots in a minute, while 50 requests a second are made
//! oxprof leak -snapshots=8 -every=8s -load=http://localhost:8080/search -rate=50 localhost:6060
//! # What did the snapshots of last night say?
//! oxprof leak profiles/localhost_6060/heap_*.pb.gz
//! ```

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oxprof_collect::growth::{self, Criteria, Growth, MIN_SNAPSHOTS, Series, Snapshot, Verdict};
use oxprof_collect::{Kind, weights};
use oxprof_profile::{Profile, decode, units};

use super::Outcome;
use super::args::{Args, Command};
use super::load::{self, Load};
use super::sources::{self, Input};
use super::target::{NotTaken, Target};
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupts;

pub(crate) const ABOUT: &str =
    "judge whether memory, threads or tasks of a service grow without end";

const COMMAND: Command = Command {
    name: "leak",
    source: include_str!("leak.rs"),
    flags: &[
        ("kinds", "LIST", "what to look at (heap,goroutine,threads,tasks)"),
        ("snapshots", "N", "how many (8)"),
        ("every", "TIME", "time between them (10s)"),
        ("warmup", "TIME", "time before the first, under load if there is any (0s)"),
        ("load", "URL", "make requests to this URL meanwhile"),
        load::RATE,
        load::CONCURRENCY,
        load::METHOD,
        load::BODY,
        ("confidence", "PART", "certainty asked for (99%)"),
        ("min_growth", "PART", "growth that matters, of what was there at first (10%)"),
        (
            "min_size",
            "N",
            "growth that matters in bytes, threads or tasks (1MB or 8 heap samples; 10)",
        ),
        ("stacks", "N", "how many stacks to show of each kind (5)"),
        ("json", "", "write the whole judgement as JSON"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

/// Snapshots of one kind, with what counts as growth of it.
struct Taken {
    kind: Kind,
    unit: String,
    criteria: Criteria,
    snapshots: Vec<Snapshot>,
}

fn perform(args: &Args) -> Result<Outcome> {
    let taken = match &*args.positionals {
        [] => return Err(Failure::Usage("no target was given".into())),
        [target] if Target::is_named_by(target) => watch(&Target::parse(target, args)?, args)?,
        files => from_files(files, args)?,
    };
    let judged: Vec<_> = taken
        .iter()
        .map(|t| growth::judge(t.kind.name(), &t.unit, &t.snapshots, t.criteria))
        .collect();
    let mut out = io::stdout().lock();
    if args.has("json") {
        serde_json::to_writer_pretty(&mut out, &judged).map_err(Failure::new)?;
        writeln!(out)?;
    } else {
        let stacks = args.positive("stacks")?.unwrap_or(5);
        judged.iter().try_for_each(|growth| write(growth, stacks, &mut out))?;
    }
    if judged.iter().all(|growth| growth.verdict == Verdict::Unknown) {
        let needed = format!("too few snapshots to judge; {MIN_SNAPSHOTS} are needed");
        return Err(Failure::new(needed));
    }
    let grows = judged.iter().any(|growth| growth.verdict == Verdict::Growing);
    Ok(if grows { Outcome::Found } else { Outcome::Fine })
}

/// Takes snapshots of a running service.
fn watch(target: &Target, args: &Args) -> Result<Vec<Taken>> {
    let count: u32 = args.positive("snapshots")?.unwrap_or(8);
    let every = args.duration("every")?.unwrap_or(Duration::from_secs(10));
    let warmup = args.duration("warmup")?.unwrap_or_default();
    let default = || ["heap", "goroutine", "threads", "tasks"].map(super::kind).to_vec();
    let mut kinds = args.kinds("kinds")?.unwrap_or_else(default);
    // Longer than needed: the load ends when the last snapshot is taken.
    let load = args
        .get("load")
        .map(|url| Load::parse(args, url, warmup + every * count * 2))
        .transpose()?;
    let interrupts = Interrupts::catch();
    let halt = AtomicBool::new(false);
    let mut taken = Vec::new();
    std::thread::scope(|scope| {
        let loaded = load.as_ref().map(|load| scope.spawn(|| load.run(&halt)));
        let result = (|| {
            let start = Instant::now();
            for number in 0..count {
                let due = warmup + every * number;
                if !interrupts.sleep(due.saturating_sub(start.elapsed())) {
                    return Err(Failure::new("interrupted"));
                }
                snapshot(target, &mut kinds, start.elapsed(), args, &mut taken)?;
            }
            Ok(())
        })();
        halt.store(true, Ordering::Relaxed);
        if let Some(answers) = loaded.map(|l| l.join().expect("no sender panics")) {
            let answers = answers?;
            eprintln!(
                "{:.0} answers a second meanwhile, {:.1} % failed",
                answers.rate,
                answers.failed() * 100.0
            );
        }
        result
    })?;
    Ok(taken)
}

/// Takes one snapshot of each kind; kinds that the server does not have are dropped.
fn snapshot(
    target: &Target,
    kinds: &mut Vec<Kind>,
    at: Duration,
    args: &Args,
    taken: &mut Vec<Taken>,
) -> Result<()> {
    let mut missing = Vec::new();
    for kind in kinds.iter() {
        // What waits to be collected is no leak.
        let gc: &[_] = if kind.name() == "heap" { &[("gc", "1".to_owned())] } else { &[] };
        match target.get(kind.route(), gc, Duration::ZERO) {
            Ok(bytes) => {
                let profile =
                    decode(&bytes).map_err(|e| Failure::new(format_args!("{kind}: {e}")))?;
                add(taken, kind, &profile, at.as_secs_f64(), args)?;
            }
            Err(NotTaken::Missing) => {
                eprintln!("{kind}: {}; left out", NotTaken::Missing);
                missing.push(kind.clone());
            }
            Err(NotTaken::Failed(why)) => eprintln!("{kind}: {why}"),
        }
    }
    kinds.retain(|kind| !missing.contains(kind));
    if kinds.is_empty() {
        return Err(Failure::new(format_args!("{target} has none of these kinds of profile")));
    }
    Ok(())
}

fn from_files(files: &[String], args: &Args) -> Result<Vec<Taken>> {
    let mut inputs = sources::load(files)?;
    inputs.sort_by_key(|input| input.profile.time_nanos);
    let wanted = args.kinds("kinds")?;
    let mut taken = Vec::new();
    for Input { kind, profile, label } in inputs {
        let Ok(kind) = kind.parse::<Kind>() else { continue };
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&kind)) {
            continue;
        }
        if profile.time_nanos == 0 {
            let message = format!("{label} does not say when it was taken, so it is no snapshot");
            return Err(Failure::new(message));
        }
        add(&mut taken, &kind, &profile, profile.time_nanos as f64 / 1e9, args)?;
    }
    Ok(taken)
}

fn add(taken: &mut Vec<Taken>, kind: &Kind, profile: &Profile, at: f64, args: &Args) -> Result<()> {
    let in_use = weights::column(profile, &["inuse_space"]);
    let Some(column) = in_use.or_else(|| weights::main_column(profile)) else { return Ok(()) };
    let snapshot = Snapshot::of(profile, column, at);
    if let Some(known) = taken.iter_mut().find(|t| t.kind == *kind) {
        known.snapshots.push(snapshot);
        return Ok(());
    }
    let usual = if in_use.is_some() { Criteria::of_memory(profile) } else { Criteria::OF_COUNTS };
    let criteria = Criteria {
        confidence: args.fraction("confidence")?.unwrap_or(usual.confidence),
        relative: args.fraction("min_growth")?.unwrap_or(usual.relative),
        absolute: args
            .value("min_size", "a size such as 4MB, or a number", size)?
            .unwrap_or(usual.absolute),
    };
    let unit = profile.str(profile.sample_types[column].unit).to_owned();
    taken.push(Taken { kind: kind.clone(), unit, criteria, snapshots: vec![snapshot] });
    Ok(())
}

fn size(text: &str) -> Option<i64> {
    crate::plan::max_bytes(text).ok().and_then(|bytes| i64::try_from(bytes).ok())
}

/// How many frames of a stack are shown.
const FRAMES: usize = 6;

/// Writes a judgement.
fn write(growth: &Growth, stacks: usize, out: &mut dyn Write) -> io::Result<()> {
    let Growth { kind, unit, snapshots, seconds, verdict, reason, total, .. } = growth;
    let verdict = match verdict {
        Verdict::Growing => "GROWING",
        Verdict::Steady => "steady",
        Verdict::Unknown => "unknown",
    };
    let label = |value: f64| units::label(value as i64, unit);
    let (first, last) = (total.values.first().unwrap_or(&0), total.values.last().unwrap_or(&0));
    writeln!(out, "{kind}: {verdict}; {reason}")?;
    write!(out, "  {snapshots} snapshots in {seconds:.0} s: ")?;
    write!(out, "{} → {}", label(*first as f64), label(*last as f64))?;
    if let Some(trend) = total.trend {
        let hour = |slope: f64| label(slope * 3600.0);
        let (low, high) = (hour(trend.slope_low), hour(trend.slope_high));
        write!(out, ", {}/h (95 %: {low} to {high}), p = {:.4}", hour(trend.slope), trend.p)?;
    }
    writeln!(out)?;
    for Series { stack, growth, trend, verdict, .. } in growth.stacks.iter().take(stacks) {
        let mark = if *verdict == Verdict::Growing { '!' } else { ' ' };
        let p = trend.map_or(1.0, |t| t.p);
        writeln!(out, " {mark} +{:<10} p = {p:.4}  {}", label(*growth), frames(stack))?;
    }
    Ok(())
}

fn frames(stack: &[String]) -> String {
    let shown: Vec<_> = stack.iter().take(FRAMES).map(String::as_str).collect();
    let more = if stack.len() > FRAMES { " ← …" } else { "" };
    if shown.is_empty() { "(no stack)".to_owned() } else { shown.join(" ← ") + more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_in_words() {
        let snapshot = |i: i64| {
            let mut stacks = std::collections::HashMap::default();
            stacks.insert(vec!["keep".to_owned(), "main".to_owned()], i * 1_048_576);
            Snapshot { seconds: i as f64 * 10.0, total: i * 1_048_576, stacks }
        };
        let snapshots: Vec<_> = (1..=6).map(snapshot).collect();
        let criteria = Criteria { confidence: 0.99, relative: 0.1, absolute: 1 << 20 };
        let mut out = Vec::new();
        write(&growth::judge("heap", "bytes", &snapshots, criteria), 5, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "heap: GROWING; the total rises steadily\n  \
             6 snapshots in 50 s: 1MB → 6MB, 360MB/h (95 %: 360MB to 360MB), p = 0.0014\n \
             ! +5MB        p = 0.0014  keep ← main\n"
        );
    }
}
