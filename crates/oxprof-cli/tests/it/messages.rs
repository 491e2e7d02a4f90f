//! What the command says when something is amiss, and what it exits with.

use std::io::Write;
use std::process::Stdio;

use super::support::{OXPROF, PPROF, Place, Ran};

/// Arguments are split at spaces; `cpu` stands for a profile.
fn ran(arguments: &str) -> Ran {
    let place = Place::with_profile();
    place.write("empty", "");
    place.write("junk", "hello");
    place.write("cut.gz", [0x1f, 0x8b, 8, 0, 0]);
    place.write("goroutine", "goroutine profile: total 1\n1 @ 0x1000\n");
    let words = arguments.split(' ').filter(|w| !w.is_empty());
    place.run(PPROF, words.map(|word| if word == "cpu" { "cpu.folded" } else { word }))
}

/// Fails, with this for the last line.
#[track_caller]
fn check(arguments: &str, expected: &str) {
    let ran = ran(arguments);
    assert_eq!(ran.code, Some(2), "{arguments}: {}", ran.err);
    assert_eq!(ran.err.lines().last(), Some(expected), "{arguments}");
    assert_eq!(ran.out, "", "{arguments}");
}

/// Fails, and says this somewhere.
#[track_caller]
fn check_says(arguments: &str, expected: &str) {
    let ran = ran(arguments);
    assert_eq!(ran.code, Some(2), "{arguments}: {}", ran.err);
    assert!(ran.err.lines().any(|line| line == expected), "{arguments}: {}", ran.err);
}

/// Succeeds, but says this.
#[track_caller]
fn check_warns(arguments: &str, expected: &str) {
    let ran = ran(arguments);
    assert_eq!(ran.code, Some(0), "{arguments}: {}", ran.err);
    assert!(ran.err.lines().any(|line| line == expected), "{arguments}: {}", ran.err);
}

#[test]
fn arguments_that_make_no_sense() {
    check("", "pprof: no profile source specified");
    check("-foo cpu", "pprof: flag provided but not defined: -foo");
    check("-top -raw cpu", "pprof: must set at most one output format");
    check("-cum -flat cpu", "pprof: conflicting options set: [cum flat]");
    check(
        "-http=:0 -top cpu",
        "pprof: -http is not compatible with an output format on the command line",
    );
    check("-no_browser cpu", "pprof: -no_browser only makes sense with -http");
    check("-base=a -diff_base=b cpu", "pprof: -base and -diff_base flags cannot both be specified");
    check("-top -normalize cpu", "pprof: must have base profile to normalize by");
    check("-completions=tcsh", "pprof: no completions for \"tcsh\": give bash, zsh or fish");
}

#[test]
fn options_that_do_not_fit_the_profile() {
    check("-top -sample_index=foo cpu", "pprof: sample_index \"foo\" must be one of: [samples]");
    check("-top -sample_index=9 cpu", "pprof: sample_index 9 is outside the range [0..0]");
    check("-top -divide_by=0 cpu", "pprof: zero divisor specified");
    check("-list=zzz cpu", "pprof: no matches found for regexp: zzz");
    check("-peek=zzz cpu", "pprof: no matches found for regexp: zzz");
}

#[test]
fn expressions_that_are_none() {
    const WHY: &str = "error parsing regexp: missing closing ): `(`";
    for option in [
        "focus",
        "ignore",
        "hide",
        "show",
        "show_from",
        "prune_from",
        "tagfocus",
        "tagignore",
        "tagshow",
        "taghide",
    ] {
        check(&format!("-top -{option}=( cpu"), &format!("pprof: parsing {option} regexp: {WHY}"));
    }
    check("-list=( cpu", &format!("pprof: parsing argument regexp (: {WHY}"));
}

#[test]
fn sources_that_are_none() {
    const NONE: &str = "pprof: failed to fetch any source profiles";
    check("-top nofile", NONE);
    check_says("-top nofile", "nofile: stat nofile: no such file or directory");
    check_says("-top a/b:c", "a/b:c: stat a/b:c: no such file or directory");
    check_says("-top empty", "empty: parsing profile: empty input file");
    check_says(
        "-top junk",
        "junk: parsing profile: unrecognized profile format: the file looks like text",
    );
    check("-top -base=nofile cpu", "pprof: failed to fetch any base profiles");
    check_warns("-top cpu nofile", "Fetched 1 source profiles out of 2");
    check_warns("-top cpu -cum", "-cum: stat -cum: no such file or directory");
    let cut = ran("-top cut.gz").err;
    assert!(cut.contains("cut.gz: decompressing"), "{cut}");
}

#[test]
fn sources_that_have_nothing_in_common() {
    const WHY: &str = "profiles have empty common sample type list";
    check("-top cpu goroutine", &format!("pprof: problem fetching source profiles: {WHY}"));
    check("-top -base=goroutine cpu", &format!("pprof: {WHY}"));
}

#[test]
fn filters_that_match_nothing() {
    for (option, name) in [
        ("focus", "Focus"),
        ("ignore", "Ignore"),
        ("hide", "Hide"),
        ("show", "Show"),
        ("show_from", "ShowFrom"),
        ("tagfocus", "TagFocus"),
        ("tagignore", "TagIgnore"),
        ("tagshow", "TagShow"),
        ("taghide", "TagHide"),
        ("tagroot", "TagRoot"),
        ("tagleaf", "TagLeaf"),
    ] {
        let expected = format!("{name} expression matched no samples");
        check_warns(&format!("-top -{option}=zzz cpu"), &expected);
    }
    check_warns("-top -tagfocus=400kb: cpu", "tagfocus:Interpreted '400kb:' as range, not regexp");
}

#[test]
fn selections_that_are_given_twice() {
    check_says("-top -delay -inuse_space cpu", "pprof: flag provided but not defined: -delay");
    check_says(
        "-top -total_delay -inuse_space cpu",
        "Multiple value selections, ignoring -inuse_space",
    );
    check_warns("-top -symbolize=foo cpu", "ignoring unrecognized symbolization option: foo");
}

#[test]
fn certificates_without_keys() {
    check("-tls_key=k cpu", "pprof: -tls_key is specified, so -tls_cert must also be specified");
    check("-tls_cert=c cpu", "pprof: -tls_cert is specified, so -tls_key must also be specified");
    let missing = ran("-top -tls_ca=nofile https://localhost:1/x");
    let expected = "https://localhost:1/x: -tls_ca: open nofile: no such file or directory";
    assert!(missing.err.contains(expected), "{}", missing.err);
}

#[test]
fn programs_that_are_not_there() {
    check(
        "-svg -graphviz cpu",
        "pprof: failed to execute dot. Is Graphviz installed? Error: dot: no such file or directory",
    );
    let err = ran("-kcachegrind cpu").err;
    assert!(err.contains("pprof: could not start a viewer: kcachegrind: "), "{err}");
}

#[test]
fn output_that_cannot_be_written() {
    check("-top -output=/no/such/file cpu", "pprof: open /no/such/file: no such file or directory");
    #[cfg(target_os = "linux")]
    check("-top -output=/dev/full cpu", "pprof: write /dev/full: no space left on device");
}

#[test]
fn help_is_no_failure_and_goes_to_the_error_output() {
    for flag in ["-h", "-help", "--help"] {
        let ran = ran(flag);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
        assert!(ran.err.contains("-nodecount"));
    }
}

#[test]
fn what_is_asked_for_goes_to_the_output() {
    let version = ran("-version");
    assert_eq!(version.out, format!("pprof {}\n", env!("CARGO_PKG_VERSION")));
    assert!(ran("-man").out.starts_with(".TH PPROF 1"));
    assert!(ran("-completions=bash").out.contains("complete "));
}

#[test]
fn an_output_file_is_announced_and_written() {
    let place = Place::with_profile();
    let ran = place.run(PPROF, ["-top", "-output=t.txt", "cpu.folded"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    assert_eq!(ran.err, "Generating report in t.txt\n");
    assert!(place.read("t.txt").contains("30 75.00% 75.00%         30 75.00%  parse\n"));
}

#[test]
fn a_report_that_fails_leaves_the_last_one_alone() {
    let place = Place::with_profile();
    place.write("t.txt", "the last one");
    let ran = place.run(PPROF, ["-peek=zzz", "-output=t.txt", "cpu.folded"]);
    assert_eq!((ran.code, place.read("t.txt").as_str()), (Some(2), "the last one"));
    // One that is empty is a report, too.
    let ran = place.run(PPROF, ["-comments", "-output=t.txt", "cpu.folded"]);
    assert_eq!((ran.code, place.read("t.txt").as_str()), (Some(0), ""));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let stacks = (0..2000).map(|i| format!("main;{}{i} 1\n", "f".repeat(1000)));
    place.write("big.folded", stacks.collect::<String>());
    let mut child = place
        .command(OXPROF)
        .args(["-traces", "big.folded"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn our_own_name_takes_more() {
    let place = Place::with_profile();
    // Flags after sources, and bases that add up.
    let ran =
        place.run(OXPROF, ["cpu.folded", "-top", "-base", "cpu.folded", "-base", "cpu.folded"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("-30"), "{}", ran.out);
    // Standard input, even as a pipe.
    let mut child = place
        .command(OXPROF)
        .args(["-top", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"main;read 5\n").unwrap();
    assert!(Ran::from(child.wait_with_output().unwrap()).out.contains("read"));
}

#[test]
fn tables_are_written_for_machines_too() {
    let place = Place::with_profile();
    let json = place.run(OXPROF, ["-top", "-json", "cpu.folded"]);
    assert!(json.out.starts_with('{') && json.out.contains("\"parse\""), "{}", json.out);
    let csv = place.run(OXPROF, ["-top", "-csv", "cpu.folded"]);
    assert!(csv.out.lines().count() > 2 && csv.out.contains("\nparse,"), "{}", csv.out);
}

#[test]
fn a_profile_that_is_too_large_is_refused() {
    check_says(
        "-top -max_size=4 cpu",
        "cpu.folded: parsing profile: the profile exceeds 4 bytes when decompressed; raise the limit \
         with -max_size",
    );
}
