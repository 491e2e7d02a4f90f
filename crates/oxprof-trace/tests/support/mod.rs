//! Traces to test with: of real Go programs, and of the reference writer.
#![allow(dead_code, unused_imports, reason = "each test binary uses part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What `tests/go/workload.go` can do, with a size that takes well under a second.
pub(crate) const WORKLOADS: [(&str, &str, &str); 6] = [
    ("web", "50", ""),
    ("gc", "8000", ""),
    ("pool", "2000", ""),
    ("tasks", "300", ""),
    ("mix", "100", ""),
    ("mix", "100", "flight"),
];

/// Runs a command; `None` when there is no such program.
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// `go tool trace` with arguments; `None`, with a word about it, when there is no Go.
pub(crate) fn go_tool_trace(args: &[&str], file: &Path) -> Option<Output> {
    let output = run(Command::new("go").args(["tool", "trace"]).args(args).arg(file));
    if output.is_none() {
        eprintln!("skipped: no `go` to compare with");
    }
    output
}

/// Traces of real Go programs; empty, with a word about it, when there is no Go.
pub(crate) fn go_traces() -> &'static [PathBuf] {
    static TRACES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    TRACES.get_or_init(|| capture().unwrap_or_default())
}

fn capture() -> Option<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("go-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/workload.go");
    let program = dir.join("workload");
    let Some(built) = run(Command::new("go").arg("build").arg("-o").arg(&program).arg(source))
    else {
        eprintln!("skipped: no `go` to trace programs with");
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let traces = WORKLOADS.iter().map(|(kind, size, mode)| {
        let file = dir.join(format!("{kind}{mode}.trace"));
        let mut command = Command::new(&program);
        command.arg(kind).arg(&file).arg(size).args((!mode.is_empty()).then_some(mode));
        assert!(command.status().unwrap().success(), "{kind}");
        file
    });
    Some(traces.collect())
}

/// A trace of the reference writer, broken in a way or `none`; `None`, with a word about it, without the
/// writer or Python.
pub(crate) fn reference_trace(version: u32, broken: &str) -> Option<(PathBuf, Vec<u8>)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared =
        std::env::var_os("OXPROF_SHARED").map_or(workspace.join("../shared"), PathBuf::from);
    let writer = shared.join("conformance/mktrace.py");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("reference-{version}-{broken}-{}.trace", std::process::id()));
    let output = writer.exists().then(|| {
        let mut command = Command::new("python3");
        run(command.arg(&writer).arg(&file).args([
            "--version",
            &version.to_string(),
            "--break",
            broken,
        ]))
    });
    let Some(output) = output.flatten() else {
        eprintln!("skipped: no Python or no {}", writer.display());
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(&file).unwrap();
    Some((file, bytes))
}
