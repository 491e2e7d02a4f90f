//! Go's own tool reads the profiles over HTTP, and both forms say the same. Skipped without `go`.

use std::process::Command;

use oxprof::http::Server;

use crate::{contend, sample_all};

/// What `go tool pprof -top` prints of a profile of this process.
fn top(server: &Server, path: &str) -> String {
    let url = format!("http://{}/debug/pprof/{path}", server.local_addr());
    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-nodecount=1000", "-unit=ns", &url])
        .env("PPROF_TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("go tool pprof runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof {url}: {stderr}");
    String::from_utf8(output.stdout).expect("the report is text")
}

/// The cumulative value of a function.
fn cumulative(report: &str, function: &str) -> Option<String> {
    let line = report.lines().find(|line| line.contains(function))?;
    line.split_whitespace().nth(3).map(str::to_owned)
}

fn check(name: &str, function: &str) {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: go is not installed");
        return;
    }
    sample_all();
    contend();
    let server = Server::builder().address("127.0.0.1:0").start().expect("the server starts");
    // Other tests may wait meanwhile, but not in these functions.
    let binary = top(&server, name);
    let text = top(&server, &format!("{name}?debug=1"));
    for report in [&binary, &text] {
        assert!(report.contains("Type: delay"), "{report}");
    }
    let value = cumulative(&binary, function);
    assert!(value.as_ref().is_some_and(|value| value.ends_with("ns")), "{function}: {binary}");
    assert_eq!(value, cumulative(&text, function), "{binary}\n{text}");
}

#[test]
fn block() {
    check("block", "contention::waits_for");
}

#[test]
fn mutex() {
    check("mutex", "contention::unlocks");
}
