//! Takes profiles of chosen kinds again and again, from one or many servers, into files named by time.
//!
//! usage: oxprof continuous [flags] TARGET...
//!
//! A target is host:port or the URL of a page of profiles. Files are DIR/TARGET/KIND_YYYYMMDD_HHMMSS.pb.gz, in
//! UTC, and appear whole or not at all. From each target one profile is taken at a time, so that they do not
//! disturb each other; profiles that a server does not have are left out with a note; a server that is away is
//! asked again the next time. ^C ends the collection; a summary comes at the end in any case.
//!
//! ```text
//! # Ten seconds of CPU profile and the heap, every minute, for a day
//! oxprof continuous -kinds=cpu,heap -every=1m -seconds=10 -for=1d localhost:6060
//! # One of three replicas at a time, chosen at random, kept for a week, at most a gigabyte
//! oxprof continuous -pick=one -keep_age=7d -keep_size=1GB a:6060 b:6060 c:6060
//! # What came of it, all together
//! oxprof -top profiles/localhost_6060/cpu_*.pb.gz
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxprof_collect::Kind;
use oxprof_collect::retention::{self, Capture, Policy};

use super::args::{Args, Command};
use super::target::{NotTaken, Target};
use super::{Outcome, stamp};
use crate::failure::{Failure, Result, file_error};
use crate::interrupt::Interrupts;
use crate::plan;

pub(crate) const ABOUT: &str = "take profiles again and again, into files named by time";

const COMMAND: Command = Command {
    name: "continuous",
    source: include_str!("continuous.rs"),
    flags: &[
        ("kinds", "LIST", "kinds of profile, separated by commas (cpu,heap)"),
        ("every", "TIME", "time between rounds (60s)"),
        ("seconds", "N", "time over which CPU profiles and traces are collected (10)"),
        ("for", "TIME", "end after this time"),
        ("count", "N", "end after so many rounds"),
        (
            "jitter",
            "PART",
            "shift each round at random by up to this part of -every, at most 50% (0%)",
        ),
        ("pick", "WHICH", "all targets each round, or one chosen at random (all)"),
        ("output", "DIR", "where files go (profiles)"),
        ("keep_age", "TIME", "delete older files"),
        ("keep_count", "N", "keep so many files of a kind from a target"),
        ("keep_size", "SIZE", "delete the oldest files beyond this size altogether, such as 500MB"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

fn perform(args: &Args) -> Result<Outcome> {
    let job = Job::parse(args)?;
    let targets: Result<Vec<_>> =
        args.positionals.iter().map(|text| Target::parse(text, args)).collect();
    let live = Live {
        targets: targets?,
        directory: PathBuf::from(args.get("output").unwrap_or("profiles")),
        time: job.time,
        interrupts: Interrupts::catch(),
    };
    if live.targets.is_empty() {
        return Err(Failure::Usage("no target was given".into()));
    }
    let names: Vec<_> = live.targets.iter().map(Target::file_stem).collect();
    let summary = collect(&job, &names, &live);
    print!("{summary}");
    if summary.taken() == 0 {
        return Err(Failure::new("no profile could be taken"));
    }
    Ok(Outcome::Fine)
}

/// What is to be collected, and when.
#[derive(Debug)]
struct Job {
    kinds: Vec<Kind>,
    every: Duration,
    /// Time over which a profile is collected.
    time: Duration,
    length: Option<Duration>,
    rounds: Option<u64>,
    jitter: f64,
    pick_one: bool,
    keep: Policy,
}

impl Job {
    fn parse(args: &Args) -> Result<Self> {
        let kinds = args.kinds("kinds")?;
        let every = args.duration("every")?.unwrap_or(Duration::from_secs(60));
        let jitter = args.fraction("jitter")?.unwrap_or(0.0);
        if every < Duration::from_secs(1) || jitter > 0.5 {
            let message = "-every must be a second at least, and -jitter half of that at most";
            return Err(Failure::Usage(message.into()));
        }
        let size = |text: &str| plan::max_bytes(text).ok();
        Ok(Self {
            kinds: kinds.unwrap_or_else(|| ["cpu", "heap"].map(super::kind).to_vec()),
            every,
            time: Duration::from_secs(args.positive("seconds")?.unwrap_or(10)),
            length: args.duration("for")?,
            rounds: args.positive("count")?,
            jitter,
            pick_one: args
                .value("pick", "all or one", |w| matches!(w, "all" | "one").then_some(w == "one"))?
                .unwrap_or(false),
            keep: Policy {
                age: args.duration("keep_age")?,
                count: args.positive("keep_count")?,
                bytes: args.value("keep_size", "a size such as 500MB", size)?,
            },
        })
    }
}

/// All that collecting needs of the world.
trait World: Sync {
    /// The time since 1970.
    fn now(&self) -> Duration;
    /// Waits until then; false if collecting is to end instead.
    fn wait_until(&self, time: Duration) -> bool;
    /// A number from 0 to 1, the latter excluded.
    fn random(&self) -> f64;
    fn take(&self, target: usize, kind: &Kind) -> std::result::Result<Vec<u8>, NotTaken>;
    fn store(&self, file: &str, bytes: &[u8]) -> std::result::Result<(), String>;
    /// Files below the directory of a target, with their sizes.
    fn stored(&self, target: &str) -> Vec<(String, u64)>;
    fn delete(&self, file: &str);
    fn note(&self, message: &str);
}

/// Collects until the job is done or the world ends it.
fn collect(job: &Job, targets: &[String], world: &dyn World) -> Summary {
    let start = world.now();
    let end = job.length.map(|length| start + length);
    let summary = Mutex::new(Summary::default());
    let (mut slot, mut rounds) = (0u32, 0u64);
    while job.rounds.is_none_or(|wanted| rounds < wanted) {
        let due = start + job.every * slot + job.every.mul_f64(job.jitter * world.random());
        if end.is_some_and(|end| due >= end) || !world.wait_until(due) {
            break;
        }
        round(job, targets, world, &summary);
        delete_expired(job, targets, world);
        rounds += 1;
        // Rounds that became due meanwhile are left out, rather than made up for in a hurry.
        let passed = (world.now() - start).as_secs_f64() / job.every.as_secs_f64();
        let next = slot + 1;
        slot = next.max(passed.ceil() as u32);
        let mut summary = summary.lock().expect("no collector panics");
        summary.rounds = rounds;
        summary.left_out += u64::from(slot - next);
    }
    summary.into_inner().expect("no collector panics")
}

fn round(job: &Job, targets: &[String], world: &dyn World, summary: &Mutex<Summary>) {
    let one = |target: usize| {
        for kind in &job.kinds {
            let time = world.now();
            let result = world.take(target, kind).and_then(|bytes| {
                let file = format!(
                    "{}/{}_{}.{}",
                    targets[target],
                    kind.file_stem(),
                    stamp(time),
                    kind.extension()
                );
                world.store(&file, &bytes).map_err(NotTaken::Failed)?;
                Ok(bytes.len() as u64)
            });
            let mut summary = summary.lock().expect("no collector panics");
            if let Some(note) = summary.count(&targets[target], kind, result) {
                world.note(&note);
            }
        }
    };
    if job.pick_one {
        return one(((world.random() * targets.len() as f64) as usize).min(targets.len() - 1));
    }
    std::thread::scope(|scope| {
        for target in 1..targets.len() {
            scope.spawn(move || one(target));
        }
        one(0);
    });
}

fn delete_expired(job: &Job, targets: &[String], world: &dyn World) {
    if job.keep == Policy::default() {
        return;
    }
    let mut files = Vec::new();
    for target in targets {
        for (file, bytes) in world.stored(target) {
            if let Some((series, time)) = dated(&file) {
                files.push((file.clone(), Capture { series: series.to_owned(), time, bytes }));
            }
        }
    }
    let captures: Vec<_> = files.iter().map(|(_, capture)| capture.clone()).collect();
    for i in retention::expired(&captures, job.keep, world.now()) {
        world.delete(&files[i].0);
    }
}

/// Target and kind of a file of ours, and when it was taken; others are none of our business.
fn dated(file: &str) -> Option<(&str, Duration)> {
    let stem = file.strip_suffix(".pb.gz").or_else(|| file.strip_suffix(".out"))?;
    let (rest, time) = stem.rsplit_once('_')?;
    let (series, date) = rest.rsplit_once('_')?;
    Some((series, super::unstamp(&format!("{date}_{time}"))?))
}

/// What came of it.
#[derive(Debug, Default)]
struct Summary {
    rounds: u64,
    left_out: u64,
    series: BTreeMap<(String, String), Count>,
}

/// Captures of one kind from one target.
#[derive(Debug, Default)]
struct Count {
    taken: u64,
    bytes: u64,
    missing: u64,
    failed: u64,
    last_failure: String,
}

impl Summary {
    fn taken(&self) -> u64 {
        self.series.values().map(|count| count.taken).sum()
    }

    /// Counts a capture; what there is to say about it, if it is new.
    fn count(
        &mut self,
        target: &str,
        kind: &Kind,
        result: std::result::Result<u64, NotTaken>,
    ) -> Option<String> {
        let count = self.series.entry((target.to_owned(), kind.to_string())).or_default();
        match result {
            Ok(bytes) => {
                count.taken += 1;
                count.bytes += bytes;
                let recovered = !std::mem::take(&mut count.last_failure).is_empty();
                recovered.then(|| format!("{target}: {kind} can be had again"))
            }
            Err(NotTaken::Missing) => {
                count.missing += 1;
                (count.missing == 1).then(|| format!("{target}: {kind}: {}", NotTaken::Missing))
            }
            Err(NotTaken::Failed(why)) => {
                count.failed += 1;
                let note = (count.last_failure != why).then(|| format!("{target}: {kind}: {why}"));
                count.last_failure = why;
                note
            }
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} rounds, {} left out because others took too long",
            self.rounds, self.left_out
        )?;
        writeln!(f, "{:>7} {:>7} {:>7} {:>10}  what", "taken", "missing", "failed", "size")?;
        for ((target, kind), count) in &self.series {
            let Count { taken, bytes, missing, failed, last_failure } = count;
            let size =
                oxprof_profile::units::label((*bytes).try_into().unwrap_or(i64::MAX), "bytes");
            let why =
                if last_failure.is_empty() { String::new() } else { format!(" ({last_failure})") };
            writeln!(f, "{taken:>7} {missing:>7} {failed:>7} {size:>10}  {target} {kind}{why}")?;
        }
        Ok(())
    }
}

/// The world as it is.
struct Live {
    targets: Vec<Target>,
    directory: PathBuf,
    time: Duration,
    interrupts: Interrupts,
}

impl Live {
    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }
}

impl World for Live {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn wait_until(&self, time: Duration) -> bool {
        self.interrupts.sleep(time.saturating_sub(self.now()))
    }

    fn random(&self) -> f64 {
        super::random()
    }

    fn take(&self, target: usize, kind: &Kind) -> std::result::Result<Vec<u8>, NotTaken> {
        self.targets[target].take(kind, self.time)
    }

    fn store(&self, file: &str, bytes: &[u8]) -> std::result::Result<(), String> {
        super::write_whole(&self.path(file), bytes)
    }

    fn stored(&self, target: &str) -> Vec<(String, u64)> {
        let Ok(entries) = std::fs::read_dir(self.path(target)) else { return Vec::new() };
        let file = |entry: std::fs::DirEntry| {
            Some((
                format!("{target}/{}", entry.file_name().to_str()?),
                entry.metadata().ok()?.len(),
            ))
        };
        entries.flatten().filter_map(file).collect()
    }

    fn delete(&self, file: &str) {
        let path: &Path = &self.path(file);
        if let Err(e) = std::fs::remove_file(path) {
            self.note(&file_error("remove", path.display(), &e));
        }
    }

    fn note(&self, message: &str) {
        eprintln!("{message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A world in which nothing takes time but waiting and CPU profiles.
    struct Simulated {
        now: Mutex<Duration>,
        files: Mutex<BTreeMap<String, u64>>,
        notes: Mutex<Vec<String>>,
        randoms: Mutex<Vec<f64>>,
        /// When the server is away.
        down: std::ops::Range<u64>,
    }

    /// 2026-11-21 12:00:00.
    const START: u64 = 1_795_262_400;

    impl Simulated {
        fn new(down: std::ops::Range<u64>, randoms: &[f64]) -> Self {
            Self {
                now: Mutex::new(Duration::from_secs(START)),
                files: Mutex::default(),
                notes: Mutex::default(),
                randoms: Mutex::new(randoms.to_vec()),
                down,
            }
        }

        fn files(&self) -> Vec<String> {
            self.files.lock().unwrap().keys().cloned().collect()
        }
    }

    impl World for Simulated {
        fn now(&self) -> Duration {
            *self.now.lock().unwrap()
        }

        fn wait_until(&self, time: Duration) -> bool {
            let mut now = self.now.lock().unwrap();
            *now = time.max(*now);
            now.as_secs() < START + 1000
        }

        fn random(&self) -> f64 {
            self.randoms.lock().unwrap().pop().unwrap_or(0.0)
        }

        fn take(&self, _: usize, kind: &Kind) -> std::result::Result<Vec<u8>, NotTaken> {
            if self.down.contains(&(self.now().as_secs() - START)) {
                return Err(NotTaken::Failed("connection refused".into()));
            }
            match kind.name() {
                "cpu" => *self.now.lock().unwrap() += Duration::from_secs(25),
                "heap" => {}
                _ => return Err(NotTaken::Missing),
            }
            Ok(vec![0; 10])
        }

        fn store(&self, file: &str, bytes: &[u8]) -> std::result::Result<(), String> {
            self.files.lock().unwrap().insert(file.into(), bytes.len() as u64);
            Ok(())
        }

        fn stored(&self, target: &str) -> Vec<(String, u64)> {
            let files = self.files.lock().unwrap();
            files.iter().filter(|f| f.0.starts_with(target)).map(|(f, n)| (f.clone(), *n)).collect()
        }

        fn delete(&self, file: &str) {
            self.files.lock().unwrap().remove(file);
        }

        fn note(&self, message: &str) {
            self.notes.lock().unwrap().push(message.into());
        }
    }

    fn job(line: &str) -> Job {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Job::parse(&COMMAND.parse(&words).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn files_are_named_by_time_and_old_ones_go() {
        let world = Simulated::new(0..0, &[]);
        let job = job("-kinds=heap,mutex -every=10s -count=4 -keep_count=2");
        let summary = collect(&job, &["a".into()], &world);
        let expected = ["a/heap_20261121_120020.pb.gz", "a/heap_20261121_120030.pb.gz"];
        assert_eq!(world.files(), expected);
        assert_eq!(*world.notes.lock().unwrap(), ["a: mutex: the server has no such profile"]);
        assert_eq!((summary.rounds, summary.left_out, summary.taken()), (4, 0, 4));
    }

    #[test]
    fn a_server_that_was_away_is_asked_again() {
        let world = Simulated::new(15..45, &[]);
        let summary = collect(&job("-kinds=heap -every=10s -for=60s"), &["a".into()], &world);
        assert_eq!(summary.taken(), 3);
        let notes = world.notes.lock().unwrap();
        assert_eq!(*notes, ["a: heap: connection refused", "a: heap can be had again"]);
    }

    #[test]
    fn rounds_that_take_too_long_are_not_made_up_for() {
        let world = Simulated::new(0..0, &[]);
        let summary = collect(&job("-kinds=cpu -every=10s -for=70s"), &["a".into()], &world);
        // At 0, 30 and 60 seconds; each takes 25.
        assert_eq!((summary.rounds, summary.left_out), (3, 6));
        assert_eq!(world.files()[1], "a/cpu_20261121_120030.pb.gz");
    }

    #[test]
    fn one_replica_at_a_time_is_chosen_at_random_and_rounds_shift() {
        // Popped from the end: jitter of the first round, its choice, jitter of the second, its choice.
        let world = Simulated::new(0..0, &[0.1, 0.5, 0.9, 0.0]);
        let job = job("-kinds=heap -every=10s -count=2 -jitter=40% -pick=one");
        collect(&job, &["a".into(), "b".into(), "c".into()], &world);
        let expected = ["a/heap_20261121_120012.pb.gz", "c/heap_20261121_120000.pb.gz"];
        assert_eq!(world.files(), expected);
    }

    #[test]
    fn files_of_others_are_left_alone() {
        assert_eq!(dated("a/heap_20261121_120000.pb.gz").map(|d| d.0), Some("a/heap"));
        assert_eq!(dated("a/heap_20261121_120000.txt"), None);
        assert_eq!(dated("a/heap_yesterday.pb.gz"), None);
        assert_eq!(dated("a/heap_20261399_120000.pb.gz"), None);
    }
}
