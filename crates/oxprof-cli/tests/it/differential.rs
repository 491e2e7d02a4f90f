//! Our reports against those of `go tool pprof`, byte for byte, on profiles that a Go program has
//! just taken of itself, and on those that our profiler
//! has just taken of this test.
//!
//! A third of the pairs of formats and options is tried, each on one of the profiles; with
//! `OXPROF_TEST_FULL=1` all of them on every profile.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::{PPROF, Place, Ran};

const PROGRAM: &str = include_str!("differential/main.go");

/// Formats; a later run prints what those with `|` have written.
const FORMATS: &[&str] = &[
    "-top",
    "-text -cum",
    "-tree",
    "-traces",
    "-raw",
    "-dot",
    "-tags",
    "-comments",
    "-callgrind",
    "-callgrind -call_tree",
    "-peek=main",
    "-list=main.",
    "-proto |",
    "-topproto |",
];

const OPTIONS: &[&str] = &[
    "",
    "-lines",
    "-files",
    "-addresses",
    "-filefunctions -showcolumns",
    "-noinlines",
    "-nodecount=4",
    "-nodefraction=0.2 -edgefraction=0.2",
    "-trim=false",
    "-focus=work",
    "-ignore=runtime",
    "-focus=main -relative_percentages",
    "-hide=runtime",
    "-show=main",
    "-show_from=main.main",
    "-prune_from=work",
    "-sample_index=0",
    "-sample_index=nonsense",
    "-focus=(",
    "-mean",
    "-unit=us -divide_by=3",
    "-unit=kb -compact_labels",
    "-tagfocus=role=a",
    "-tagignore=role",
    "-tagshow=role",
    "-tagroot=role -tagleaf=bytes",
    "-tagfocus=bytes=1kb:",
    "-add_comment=hello",
    "-all_frames",
    "-drop_negative -base={base}",
    "-diff_base={base}",
    "-normalize -diff_base={base}",
    "{base}",
];

/// The reference, and profiles that a program of its language took.
struct Reference {
    pprof: PathBuf,
    profiles: Vec<PathBuf>,
}

impl Reference {
    /// `None` without Go.
    fn new(place: &Place) -> Option<Self> {
        let shown = Command::new("go").args(["tool", "-n", "pprof"]).output().ok()?;
        let pprof = PathBuf::from(String::from_utf8(shown.stdout).ok()?.trim());
        // The tool is built when it is first used.
        Command::new("go").args(["tool", "pprof", "-h"]).output().ok()?;
        let source = place.write("main.go", PROGRAM);
        let program = place.path().join("program");
        let built = Command::new("go").arg("build").arg("-o").arg(&program).arg(&source).status();
        assert!(built.unwrap().success(), "the Go program does not build");
        let ran = Command::new(&program).arg(place.path()).status();
        assert!(ran.unwrap().success(), "the Go program failed");
        let names = ["cpu", "heap", "block", "mutex", "goroutine", "allocs", "threadcreate"];
        let mut profiles = names.map(|name| place.path().join(format!("{name}.pb.gz"))).to_vec();
        let own = place.path().join("rust.pb.gz");
        profile_this_test(&Self::base_of(&own));
        profile_this_test(&own);
        profiles.push(own);
        Some(Self { pprof, profiles })
    }

    /// A later profile of the same kind, to compare with.
    fn base_of(profile: &Path) -> PathBuf {
        profile.with_extension("").with_extension("base.pb.gz")
    }
}

/// Profiles some work of ours.
fn profile_this_test(path: &Path) {
    let capture = oxprof::cpu::start_to_file(path).expect("the profiler starts");
    let deadline = Instant::now() + Duration::from_millis(500);
    let stacks: String = (0..2000).map(|i| format!("main;work{};leaf{i} {i}\n", i % 7)).collect();
    while Instant::now() < deadline {
        let profile = oxprof_profile::decode(stacks.as_bytes()).unwrap();
        std::hint::black_box(oxprof_profile::encode(&profile));
    }
    capture.finish().expect("the profile is written");
}

/// Runs a tool; where the format says so, what it writes is printed by a second run.
fn run(place: &Place, tool: &str, case: &Case<'_>, number: usize) -> Ran {
    let Some(format) = case.format.strip_suffix(" |") else {
        return place.run(tool, case.arguments(case.format));
    };
    let name = format!("{}-{number}.pb.gz", Path::new(tool).file_stem().unwrap().to_string_lossy());
    let written = place.path().join(name);
    let mut arguments = case.arguments(format);
    arguments.insert(0, format!("-output={}", written.display()));
    let first = place.run(tool, arguments);
    if first.code != Some(0) {
        return first;
    }
    place.run(tool, ["-raw".as_ref(), "-symbolize=none".as_ref(), written.as_os_str()])
}

struct Case<'a> {
    format: &'a str,
    option: &'a str,
    profile: &'a Path,
}

impl Case<'_> {
    fn arguments(&self, format: &str) -> Vec<String> {
        let base = Reference::base_of(self.profile).display().to_string();
        let words = format.split(' ').chain(self.option.split(' ')).filter(|w| !w.is_empty());
        let mut arguments: Vec<_> = words.map(|w| w.replace("{base}", &base)).collect();
        arguments.push(self.profile.display().to_string());
        if self.profile.ends_with("rust.pb.gz") {
            // The reference cuts names that look like C++ to it; ours come with lines from the binary.
            arguments.push("-symbolize=none".into());
        }
        // A base that is no flag's is a source, and sources follow flags.
        arguments.sort_by_key(|argument| !argument.starts_with('-'));
        arguments
    }
}

fn cases(profiles: &[PathBuf]) -> Vec<Case<'_>> {
    let full = std::env::var_os("OXPROF_TEST_FULL").is_some();
    let mut cases = Vec::new();
    for (i, format) in FORMATS.iter().enumerate() {
        for (j, option) in OPTIONS.iter().enumerate() {
            let chosen = |k: &usize| full || (i + j) % 3 == 0 && *k == (i + j) / 3 % profiles.len();
            let wanted = (0..profiles.len()).filter(chosen);
            cases.extend(wanted.map(|k| Case { format, option, profile: &profiles[k] }));
        }
    }
    cases
}

/// Whether the reference gives another answer when asked again: it walks some of its maps in the
/// random order of its language. Then there is no right answer to compare with.
fn is_random(place: &Place, reference: &str, case: &Case<'_>, first: &Ran) -> bool {
    const ENOUGH: usize = 12;
    let again = |i| run(place, reference, case, RERUN + i).out != first.out;
    let random = (0..ENOUGH).any(again);
    if random {
        eprintln!("random in the reference: {}", case.arguments(case.format).join(" "));
    }
    random
}

/// Numbers of runs from here on are second runs.
const RERUN: usize = 1_000_000;

/// What differs in a case, if anything does.
fn difference(place: &Place, reference: &str, case: &Case<'_>, number: usize) -> Option<String> {
    let theirs = run(place, reference, case, number);
    // Older releases lack some of the flags.
    if theirs.err.contains("flag provided but not defined") {
        return None;
    }
    let ours = run(place, PPROF, case, number);
    if (ours.code, &ours.out) == (theirs.code, &theirs.out)
        || is_random(place, reference, case, &theirs)
    {
        return None;
    }
    let mut lines = ours.out.lines().zip(theirs.out.lines()).filter(|(a, b)| a != b);
    let (a, b) = lines.next().unwrap_or(("(more or fewer lines)", ""));
    let arguments = case.arguments(case.format).join(" ");
    Some(format!(
        "{arguments}\n  codes {:?} {:?}\n  ours   {a}\n  theirs {b}\n  said   {}",
        ours.code, theirs.code, ours.err
    ))
}

#[test]
fn reports_are_those_of_the_reference() {
    let place = Place::new();
    let Some(reference) = Reference::new(&place) else {
        eprintln!("skipped: no Go to compare with");
        return;
    };
    let pprof = reference.pprof.to_str().unwrap();
    let cases = cases(&reference.profiles);
    let next = AtomicUsize::new(0);
    let differences = Mutex::new(Vec::new());
    let work = || {
        while let i = next.fetch_add(1, Ordering::Relaxed)
            && let Some(case) = cases.get(i)
        {
            differences.lock().unwrap().extend(difference(&place, pprof, case, i));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let differences = differences.into_inner().unwrap();
    let count = differences.len();
    assert!(count == 0, "{count} of {} differ:\n{}", cases.len(), differences.join("\n"));
}
