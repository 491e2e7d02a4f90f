//! Go's own tool opens the profiles of threads over HTTP, and finds everybody. Skipped without `go`.

use std::process::Command;

use oxprof::http::Server;

use super::dump::with_waiting;
use super::turn;

/// What `go tool pprof -top -cum` prints of a route of this process, times in `unit`; `None` where there is no Go.
fn go_pprof(path: &str, unit: &str) -> Option<String> {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: go is not installed");
        return None;
    }
    let server = Server::builder().address("127.0.0.1:0").start().expect("the server starts");
    let url = format!("http://{}/debug/{path}", server.local_addr());
    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-cum", "-nodecount=500", &format!("-unit={unit}"), &url])
        .env("PPROF_TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("go tool pprof runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof {path}: {stderr}");
    Some(String::from_utf8(output.stdout).expect("the report is text"))
}

/// The value that the report shows for a function and what it calls.
fn cumulative(report: &str, function: &str) -> String {
    let line = report.lines().find(|line| line.contains(function));
    let columns = line.unwrap_or_else(|| panic!("{function} is missing from\n{report}"));
    columns.split_whitespace().nth(3).expect("flat, flat%, sum%, cum").to_owned()
}

/// Seven threads wait; the report of `path` is of this type, and shows this for the function that they wait in.
fn check(path: &str, kind: &str, function: &str, expected: &str) {
    let _turn = turn();
    let Some(report) = with_waiting(7, || go_pprof(path, "auto")) else { return };
    assert!(report.contains(&format!("Type: {kind}\n")), "{path}: {report}");
    assert_eq!(cumulative(&report, function), expected, "{path}: {report}");
    eprintln!("{path}: {}", report.lines().find(|line| line.contains("total")).unwrap_or_default());
}

#[test]
fn dumps() {
    for name in ["threads", "goroutine"] {
        let [binary, text] = [format!("pprof/{name}"), format!("pprof/{name}?debug=1")];
        check(&binary, name, "waits_for_the_end", "7");
        check(&text, name, "waits_for_the_end", "7");
    }
}

#[test]
fn creators() {
    for path in ["pprof/threadcreate", "pprof/threadcreate?debug=1"] {
        let _turn = turn();
        let Some(report) = with_waiting(7, || go_pprof(path, "auto")) else { return };
        assert!(report.contains("Type: threadcreate\n"), "{report}");
        // Other tests have created threads there, too.
        let count: u32 = cumulative(&report, "dump::with_blocked").parse().expect("a count");
        assert!(count >= 7, "{report}");
    }
}

#[test]
fn wall() {
    let _turn = turn();
    for path in ["pprof/wall?seconds=0.5&hz=200", "fgprof?seconds=1"] {
        let Some(report) = with_waiting(7, || go_pprof(path, "ms")) else { return };
        assert!(report.contains("Type: wall\n"), "{report}");
        let time = cumulative(&report, "waits_for_the_end");
        let millis: f64 =
            time.strip_suffix("ms").and_then(|s| s.parse().ok()).expect("milliseconds");
        let expected = if path.starts_with("fgprof") { 7000.0 } else { 3500.0 };
        // The capture lasts longer than was asked for on a busy machine, never less.
        assert!((expected * 0.95..expected * 1.5).contains(&millis), "{path}: {report}");
    }
}
