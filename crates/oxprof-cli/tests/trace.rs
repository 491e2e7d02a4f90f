//! `oxprof trace` as a process, on a trace that is written here.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use oxprof_trace::ThreadId;
use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation, header};

/// A goroutine waits 60 µs for a channel and 30 µs for its processor; another works on a task meanwhile.
fn trace() -> Vec<u8> {
    let mut g = Generation::new(1);
    let main = u64::from(g.stack(&[FrameRef { func: "main.main", file: "main.go", line: 3 }]));
    let worker = u64::from(g.stack(&[FrameRef { func: "main.worker", file: "main.go", line: 9 }]));
    let [reason, task, region] =
        ["chan receive", "request", "parse"].map(|text| u64::from(g.string(text)));
    let (mut one, mut two) = (Events::new(), Events::new());
    for (id, stack, events) in [(1, main, &mut one), (2, worker, &mut two)] {
        events.push(1_000, E::ProcStatus, &[id - 1, 1]);
        events.push(1_000, E::GoStatusStack, &[id, id, 2, stack]);
    }
    one.push(1_001, E::ProcsChange, &[2, main]);
    one.push(5_000, E::UserTaskBegin, &[7, 0, task, main]);
    one.push(6_000, E::UserRegionBegin, &[7, region, main]);
    two.push(10_000, E::GoBlock, &[reason, worker]);
    one.push(56_000, E::UserRegionEnd, &[7, region, main]);
    one.push(70_000, E::GoUnblock, &[2, 1, main]);
    two.push(100_000, E::GoStart, &[2, 2]);
    one.push(105_000, E::UserTaskEnd, &[7, main]);
    g.events(ThreadId(1), &mut one);
    g.events(ThreadId(2), &mut two);
    let mut bytes = header().to_vec();
    let clock =
        Clock { frequency: 1_000_000_000, ticks: 1_000, mono: 0, wall_seconds: 0, wall_nanos: 0 };
    g.finish(clock, &mut bytes);
    bytes
}

fn oxprof(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oxprof"));
    command
        .arg("trace")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that complains about its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The output has lines with these words in this order.
#[track_caller]
fn check(args: &[&str], expected: &[&str]) {
    let output = oxprof(args, &trace());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    for words in expected {
        let words: Vec<_> = words.split(' ').collect();
        let has = |line: &str| {
            let line: Vec<_> = line.split_whitespace().collect();
            line.windows(words.len()).any(|window| window == words)
        };
        assert!(text.lines().any(has), "{words:?} is not in\n{text}");
    }
}

#[test]
fn views() {
    check(&["-"], &["2 goroutines, 1 tasks, 1 regions"]);
    check(&["-goroutines", "-"], &["30.0µs 0ns 60.0µs main.worker"]);
    check(&["-goroutine=main.worker", "-"], &["60.0µs chan receive 60.0µs"]);
    check(&["-latency", "-"], &["1 60.0µs 60.0µs 60.0µs 60.0µs 60.0µs chan receive main.worker"]);
    check(&["-tasks", "-"], &["1 1 100µs 100µs 100µs 100µs 100µs request"]);
    check(
        &["-task=request", "-"],
        &["task 7 request: 100µs, 1 goroutines", "region parse ends after 50.0µs"],
    );
    check(&["-regions", "-"], &["50.0µs parse main.main"]);
    check(&["-mmu", "-"], &["10.0µs 100.0% 100.0% 100.0%"]);
}

#[test]
fn views_as_json() {
    let output = oxprof(&["-goroutines", "-json", "-"], &trace());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let worker = json["groups"].as_array().unwrap().iter().find(|g| g["function"] == "main.worker");
    let times = &worker.unwrap()["times"];
    assert_eq!(
        (&times["scheduler_wait"], &times["blocked"]["chan receive"]),
        (&30_000.into(), &60_000.into())
    );
}

fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, trace()).unwrap();
    path
}

#[test]
fn why_and_base_read_files() {
    let file = file("why.trace");
    let file = file.to_str().unwrap();
    check(
        &["-why=2", file],
        &[
            "2 main.worker: waiting (chan receive), until goroutine 1 woke it",
            "30.0µs 2 main.worker: runnable",
        ],
    );
    check(&["-why=task:7", file], &["100µs 1 main.main: running"]);
    check(&["-base", file, file], &["+0.0 0ns 0ns 0ns 0ns main.worker"]);
}

#[test]
fn as_in_go() {
    check(&["-d=parsed", "-"], &["GoID=2 Running->Waiting Reason=\"chan receive\""]);
    check(&["-d=wire", "-"], &["GoStart dt=90000 g=2 g_seq=2"]);
    check(&["-d=footprint", "-"], &["Event Bytes % Count %", "GoStatusStack"]);
    let output = oxprof(&["-pprof=sched", "-"], &trace());
    let profile = oxprof_profile::decode(&output.stdout).unwrap();
    assert_eq!(
        profile.samples.iter().map(|s| s.values.to_vec()).collect::<Vec<_>>(),
        [[1, 30_000]]
    );
}

#[test]
fn an_export_is_json_with_lanes() {
    let output = oxprof(&["-export=chrome", "-"], &trace());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let events = json.as_array().unwrap();
    let worker = events.iter().find(|e| e["ph"] == "X" && e["tid"] == 1).unwrap();
    assert_eq!((&worker["name"], &worker["dur"]), (&"G2 main.worker".into(), &9.0.into()));
    assert!(events.iter().any(|e| e["ph"] == "M" && e["args"]["name"] == "processor 1"));
    assert!(events.iter().any(|e| e["ph"] == "s" && e["name"] == "unblock (chan receive)"));
}

#[test]
fn damage_is_told_and_does_not_stop_a_view() {
    let whole = trace();
    let output = oxprof(&["-goroutines", "-"], &whole[..whole.len() - 1]);
    assert!(output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("the trace is damaged") && message.contains("it was cut short"),
        "{message}"
    );

    let output = oxprof(&["-strict", "-goroutines", "-"], &whole[..whole.len() - 1]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn mistakes_are_answered_in_words() {
    let complaint = |args: &[&str], input: &[u8]| {
        let output = oxprof(args, input);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint(&["/no/such.trace"], b"").contains("open /no/such.trace: no such file"));
    assert!(complaint(&["-"], b"not a trace").contains("this is not a Go execution trace"));
    assert!(
        complaint(&["-goroutine=nobody", "-"], &trace()).contains("no goroutine starts in nobody")
    );
    assert!(complaint(&["-why=99", "-"], &trace()).contains("-why reads the trace twice"));
}
