//! Against `go tool pprof` itself: profiles taken on the spot from a Go program, printed by both tools
//! under many options, compared byte for byte.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What every profile is printed with; `%` stands for the profile.
const RUNS: &[&str] = &[
    "-top %",
    "-top -cum %",
    "-top -lines %",
    "-top -files -unit=ms %",
    "-top -addresses -nodecount=7 %",
    "-top -noinlines -filefunctions %",
    "-top -nodefraction=0.1 -sample_index=0 %",
    "-top -mean %",
    "-top -divide_by=3 -drop_negative %",
    "-top -focus=main -ignore=runtime -hide=fmt %",
    "-top -show=main\\. %",
    "-top -show_from=main\\.main -trim=false %",
    "-top -tagfocus=route1 -tagroot=request %",
    "-top -tagleaf=worker,tenant -taghide=request %",
    "-top -prune_from=main\\..* -relative_percentages -focus=spin %",
    "-top -base=% %",
    "-top -diff_base=% % %",
    "-tree %",
    "-tree -lines -cum -nodecount=10 %",
    "-tree -mean -edgefraction=0.2 %",
    "-peek=main\\. %",
    "-traces %",
    "-traces -lines %",
    "-tags %",
    "-list=main\\. %",
    "-raw %",
    "-comments %",
    "-callgrind -output=/dev/stdout %",
    "-callgrind -call_tree -output=/dev/stdout %",
    "-dot %",
    "-dot -lines -nodecount=12 %",
    "-dot -compact_labels -unit=us -nodefraction=0.02 %",
    "-top -sample_index=nonsense %",
    "-peek=nothing_is_called_this %",
    "-top -focus=( %",
];

const PROFILES: [&str; 7] =
    ["cpu", "heap", "allocs", "block", "mutex", "goroutine", "threadcreate"];

/// Where the test works; removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("oxprof-differential-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The path of Go's pprof, if Go is installed.
fn go_pprof() -> Option<PathBuf> {
    let found = Command::new("go").args(["tool", "-n", "pprof"]).output().ok();
    let path = found
        .filter(|o| o.status.success())
        .map(|o| PathBuf::from(String::from_utf8_lossy(&o.stdout).trim().to_owned()));
    if path.is_none() {
        eprintln!("skipped: no go");
    }
    path
}

/// Builds and runs the Go program, which leaves its profiles in `dir`.
fn take_profiles(dir: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/profiles.go");
    let program = dir.join("profiles");
    let build = Command::new("go").args(["build", "-o"]).arg(&program).arg(source).status();
    assert!(build.unwrap().success(), "the Go program does not build");
    assert!(Command::new(&program).arg(dir).status().unwrap().success());
}

/// Exit code and output. Neither tool finds anything but the profile.
fn run(program: &Path, line: &str, profile: &str, dir: &Path) -> (Option<i32>, String) {
    let output = Command::new(program)
        .args(line.split(' ').map(|word| word.replace('%', profile)))
        .current_dir(dir)
        .env_clear()
        .envs([("TZ", "UTC"), ("HOME", "/nonexistent"), ("PATH", "/nonexistent")])
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the reference prints the same every time: some of its reports follow the order of hash maps.
fn is_stable(go: &Path, line: &str, profile: &str, dir: &Path) -> bool {
    let first = run(go, line, profile, dir);
    (0..8).all(|_| run(go, line, profile, dir) == first)
}

#[test]
fn real_profiles_print_alike() {
    let Some(go) = go_pprof() else { return };
    let scratch = Scratch::new();
    let dir = &scratch.0;
    take_profiles(dir);
    let mut different = Vec::new();
    for name in PROFILES {
        let profile = format!("{name}.pb.gz");
        for line in RUNS {
            let theirs = run(&go, line, &profile, dir);
            let ours = run(Path::new(env!("CARGO_BIN_EXE_pprof")), line, &profile, dir);
            if theirs != ours && is_stable(&go, line, &profile, dir) {
                let line = line.replace('%', name);
                different.push(format!("{line} ({:?}, {:?})", theirs.0, ours.0));
            }
        }
    }
    assert!(different.is_empty(), "{} reports differ:\n{}", different.len(), different.join("\n"));
}
