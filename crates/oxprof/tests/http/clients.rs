//! The requests of those who scrape `/debug/pprof/` in the field, and what they check of the answers.

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use oxprof_profile::Profile;

use crate::support::{Reply, get, get_with, server};

/// Profiles that scrapers ask for, as far as there are any here.
fn scraped() -> Vec<String> {
    let names = ["allocs", "block", "goroutine", "mutex", "heap", "threadcreate"];
    let known = names.into_iter().filter(|name| oxprof::lookup(name).is_some());
    known.map(str::to_owned).chain(["profile?seconds=1".to_owned()]).collect()
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut raw).expect("it is gzip");
    raw
}

/// Fields of a protocol buffer: number, and either a number or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut out = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = varint(&mut message);
        match key & 7 {
            0 => out.push((key >> 3, value, &[][..])),
            2 => {
                let (bytes, rest) = message.split_at(value as usize);
                message = rest;
                out.push((key >> 3, 0, bytes));
            }
            kind => panic!("a profile has no fields of kind {kind}"),
        }
    }
    out
}

/// What every agent needs of a profile (its stores refuse it otherwise).
fn check_profile(name: &str, body: &[u8]) -> Profile {
    let raw = gunzip(body);
    assert!(raw.len() <= 4 << 20, "{name} is {} bytes long", raw.len());
    let all = fields(&raw);
    let of = |number: u64| all.iter().filter(move |(n, _, _)| *n == number);
    // Mappings, locations and functions are numbered from 1 without gaps.
    for number in [3, 4, 5] {
        let id = |message| fields(message).iter().find(|(n, _, _)| *n == 1).map(|(_, id, _)| *id);
        let ids: Vec<_> = of(number).filter_map(|(_, _, message)| id(message)).collect();
        assert!(ids.iter().copied().eq(1..=ids.len() as u64), "{name}, field {number}: {ids:?}");
    }
    let first_string = of(6).next().map(|(_, _, text)| *text);
    assert_eq!(first_string, Some(&[][..]), "{name}");

    let profile = oxprof_profile::decode(body).expect("a valid profile");
    assert!(profile.time_nanos > 0, "{name}");
    assert!(profile.samples.len() <= 16_000, "{name} has {} samples", profile.samples.len());
    for kind in &profile.sample_types {
        assert!(!profile.str(kind.kind).contains('-'), "{name}: {}", profile.str(kind.kind));
    }
    for sample in profile.samples.iter() {
        assert_eq!(sample.values.len(), profile.sample_types.len(), "{name}");
        assert!(sample.stack.len() <= 1000 && sample.labels.len() <= 100, "{name}");
    }
    let addresses: HashSet<_> = profile.locations.iter().map(|l| l.address).collect();
    assert_eq!(addresses.len(), profile.locations.len(), "{name}: addresses tell locations apart");
    assert!(!addresses.contains(&0), "{name}");
    let unnamed = |l: &oxprof_profile::Location| l.lines.is_empty();
    let unnamed = profile.locations.iter().filter(|l| unnamed(l)).count();
    assert!(unnamed * 20 <= profile.locations.len(), "{name}: {unnamed} frames without names");
    profile
}

fn scrape(address: SocketAddr, target: &str, agent: &str) -> Reply {
    let headers = format!("User-Agent: {agent}\nAccept-Encoding: gzip\n");
    let reply = get_with(address, target, &headers);
    assert_eq!(reply.status, 200, "{target}");
    assert!(!reply.body.is_empty(), "{target}");
    reply
}

#[test]
fn alloy() {
    let server = server();
    for name in scraped().iter().map(String::as_str).chain(["../fgprof?seconds=1"]) {
        let target = match name.strip_prefix("../") {
            Some(beside) => format!("/debug/{beside}"),
            None => format!("/debug/pprof/{name}"),
        };
        let reply = scrape(server.local_addr(), &target, "Alloy/v1.11.0 (linux; docker)");
        let content_type = reply.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/octet-stream"), "{target}: {content_type}");
        check_profile(&target, &reply.body);
    }
}

/// It subtracts successive profiles by the addresses of their stacks.
#[test]
fn alloy_subtracts_by_address() {
    let server = server();
    let stacks = || {
        let reply = scrape(server.local_addr(), "/debug/pprof/allocs", "Alloy");
        let profile = check_profile("allocs", &reply.body);
        let address = |l: &oxprof_profile::LocationIdx| profile.locations[l.index()].address;
        profile
            .samples
            .iter()
            .map(|s| s.stack.iter().map(address).collect::<Vec<_>>())
            .collect::<HashSet<_>>()
    };
    let rate = oxprof::heap::rate();
    oxprof::heap::set_rate(4096);
    drop(std::hint::black_box(vec![1u8; 4 << 20]));
    let first = stacks();
    let second = stacks();
    oxprof::heap::set_rate(rate);
    assert!(!first.is_empty());
    assert!(first.is_subset(&second), "stacks that were there have other addresses now");
}

#[test]
fn parca() {
    let server = server();
    for name in scraped() {
        let target = format!("/debug/pprof/{name}");
        let reply = scrape(server.local_addr(), &target, "conprof/0.24");
        let profile = check_profile(&target, &reply.body);
        assert!(!profile.sample_types.is_empty(), "{target}");
        for sample in profile.samples.iter() {
            assert!(sample.labels.iter().all(|label| !profile.str(label.key).is_empty()));
        }
    }
}

/// It does not look at the status, but at the body.
#[test]
fn open_telemetry() {
    let server = server();
    let reply = get(server.local_addr(), "/debug/pprof/profile?seconds=1");
    check_profile("profile", &reply.body);
    let reply = get(server.local_addr(), "/debug/pprof/nothing");
    assert!(oxprof_profile::decode(&reply.body).is_err(), "an error is no profile");
}

#[test]
fn prometheus() {
    let server = server();
    let accept = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\n";
    let agent = "User-Agent: Prometheus/3.5.0\nX-Prometheus-Scrape-Timeout-Seconds: 10\n";
    let reply = get_with(server.local_addr(), "/metrics", &format!("{accept}{agent}"));
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
    assert!(reply.text().ends_with("# EOF\n"), "{}", reply.text());
    let reply = get(server.local_addr(), "/metrics?name[]=up");
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
    for name in ["goroutines_total", "heap_alloc_bytes", "process_cpu_seconds_total"] {
        assert!(reply.text().lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
}

#[test]
fn stats() {
    let server = server();
    let reply = get(server.local_addr(), "/debug/stats");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let stats: serde_json::Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    for field in ["goroutines", "threads", "uptime_seconds", "cpu_seconds"] {
        assert!(stats[field].as_f64().is_some_and(|n| n >= 0.0), "{field} in {stats}");
    }
    for field in ["alloc", "heap_alloc", "total_alloc", "mallocs", "rss", "sys"] {
        assert!(stats["memory"][field].is_u64(), "{field} in {stats}");
    }
    assert_eq!(stats["profiling"]["path"], "/debug/pprof");
}

/// What `go tool pprof` prints; `None` without Go.
fn go_pprof(arguments: &[&str]) -> Option<String> {
    let output = Command::new("go")
        .args(["tool", "pprof"])
        .args(arguments)
        .env("PPROF_TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: go is not installed");
        return None;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof {arguments:?}: {stderr}");
    Some(String::from_utf8(output.stdout).expect("the report is text"))
}

/// Waits for a lock, in a function of this name.
fn contend() {
    static LOCK: Mutex<()> = Mutex::new(());
    let held = LOCK.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(LOCK.lock().unwrap()));
        std::thread::sleep(Duration::from_millis(50));
        drop(held);
    });
}

#[test]
fn go_tool_pprof() {
    let server = server();
    let url = |path: &str| format!("http://{}/debug/pprof/{path}", server.local_addr());
    let check = |arguments: &[&str], expected: &str| {
        let Some(report) = go_pprof(arguments) else { return };
        assert!(report.contains(expected), "{arguments:?}: no {expected:?} in {report}");
    };
    let kept = std::hint::black_box(vec![1u8; 64 << 20]);
    check(&["-top", &url("heap")], "Type: inuse_space");
    check(&["-top", "-sample_index=alloc_objects", &url("allocs")], "Type: alloc_objects");
    check(&["-top", &url("allocs")], "Type: alloc_space");
    check(&["-traces", &url("goroutine")], "Type: goroutine");
    check(&["-top", &url("threadcreate")], "Type: threadcreate");
    check(&["-top", "-seconds=1", &url("heap")], "Type: inuse_space");
    check(&["-top", "-base", &url("heap"), &url("heap")], "Type: inuse_space");
    check(&["-raw", &url("wall?seconds=1")], "wall/nanoseconds");
    oxprof::contention::set_block_profile_rate(1);
    oxprof::contention::set_mutex_profile_fraction(1);
    contend();
    for arguments in [&["-top"][..], &["-top", "-sample_index=contentions"], &["-traces"]] {
        for name in ["block", "mutex", "block?debug=1", "mutex?debug=1"] {
            let url = url(name);
            check(&[arguments, &[&url]].concat(), "contend");
        }
    }
    check(&["-top", "-seconds=1", &url("mutex")], "Type: delay");
    // As text, whose addresses it asks names of, by POST.
    check(&["-top", &url("heap?debug=1")], "go_tool_pprof");
    check(&["-top", &url("goroutine?debug=1")], "Type: goroutine");
    drop(kept);
}
