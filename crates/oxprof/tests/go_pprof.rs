//! Go's own tool takes our CPU profile over HTTP and says where the time went. Skipped without `go`.

use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use oxprof::http::Server;

trait Burn {
    fn burn(&self) -> u64;
}

struct Loops;

impl Burn for Loops {
    #[inline(never)]
    fn burn(&self) -> u64 {
        (0..50_000u64).fold(7, |sum, i| black_box(sum ^ i))
    }
}

#[inline(never)]
fn busy(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        black_box(Loops.burn());
    }
}

/// What `go tool pprof <format> URL` prints of this busy process.
fn go_pprof(format: &str) -> Option<String> {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: go is not installed");
        return None;
    }
    let server = Server::builder().address("127.0.0.1:0").start().expect("the server starts");
    let url = format!("http://{}/debug/pprof/profile?seconds=1", server.local_addr());
    let stop = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| busy(&stop));
        let output = Command::new("go")
            .args(["tool", "pprof", format, &url])
            .env("PPROF_TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .output();
        stop.store(true, Ordering::Relaxed);
        output.expect("go tool pprof runs")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof {format}: {stderr}");
    Some(String::from_utf8(output.stdout).expect("the report is text"))
}

fn check(format: &str, expected: &[&str]) {
    let Some(report) = go_pprof(format) else { return };
    for part in expected {
        assert!(report.contains(part), "{format}: {part:?} is missing from\n{report}");
    }
}

/// The name of the function that takes the time, whole: pprof cuts Rust paths that it takes for C++.
const BURN: &str = "<go_pprof::Loops as go_pprof::Burn>::burn";

#[test]
fn top() {
    check("-top", &["Type: cpu", "Duration: 1", BURN, "go_pprof::busy"]);
}

#[test]
fn tree() {
    check("-tree", &[BURN, "go_pprof::busy", "calls%"]);
}

#[test]
fn traces() {
    check("-traces", &[BURN, "go_pprof::busy", "-----------+-----"]);
}

#[test]
fn raw() {
    check(
        "-raw",
        &["PeriodType: cpu nanoseconds", "Period: 10000000", BURN, "samples/count", "[FN]"],
    );
}
