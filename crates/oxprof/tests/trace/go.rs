//! Go's own tool on our traces. Skipped without `go`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use oxprof_trace::Waiting;

use crate::scenarios::{convoy, sums, waits};
use crate::{alone, record, trace};

/// A trace in a file, until it is dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}.trace", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A file that is left behind is no reason to fail.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What Go's tool says of a file; `None` without it.
fn go_tool_trace(flag: &str, file: &File) -> Option<Output> {
    let output = Command::new("go").args(["tool", "trace", flag]).arg(&file.0).output();
    let output = output.inspect_err(|e| eprintln!("skipped: no `go` ({e})")).ok()?;
    assert!(output.status.success(), "{flag}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

/// What a program does of which pages of all kinds have something to show, over several generations.
fn work() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let task = trace::task("request");
    let _entered = task.enter();
    let _labels = oxprof::labels::scope([("tenant", "acme")]);
    for _ in 0..3 {
        let _region = trace::region("parse");
        trace::log("size", || "42 bytes");
        convoy(3, Duration::from_millis(20));
        runtime.as_ref().unwrap().block_on(async {
            let sleep = tokio::time::sleep(Duration::from_millis(300));
            oxprof::spawn(sleep).await.unwrap();
        });
    }
}

#[test]
fn go_accepts_every_event() {
    let _alone = alone();
    let file = File::new("parsed", &record(work));
    let Some(output) = go_tool_trace("-d=parsed", &file) else { return };
    let events = String::from_utf8_lossy(&output.stdout);
    for expected in ["Type=\"parse\"", "Label=\"{tenant: acme}\"", "Reason=\"sync\""] {
        assert!(events.contains(expected), "no {expected}");
    }
}

#[test]
fn go_makes_the_same_profiles() {
    let _alone = alone();
    let bytes = record(work);
    let file = File::new("pprof", &bytes);
    for waiting in Waiting::ALL {
        let Some(output) = go_tool_trace(&format!("-pprof={}", waiting.name()), &file) else {
            return;
        };
        let theirs = oxprof_profile::decode(&output.stdout).unwrap();
        for function in ["", "takes_the_lock"] {
            let ours = waits(&bytes, waiting, function);
            assert_eq!(sums(&theirs, function), ours, "{} of {function:?}", waiting.name());
        }
    }
    // How many of three threads wait for another is up to the machine: one that comes late finds the lock free.
    let (count, nanos) = waits(&bytes, Waiting::Sync, "takes_the_lock");
    assert!(count > 0 && nanos > 0, "{count} waits of {nanos} ns");
}

/// Go's tool, serving pages.
struct Pages {
    tool: Child,
    address: String,
}

impl Pages {
    fn serve(file: &File) -> Option<Self> {
        // The tool itself: killed, `go` would leave it running.
        let path = Command::new("go").args(["tool", "-n", "trace"]).output();
        let path = path.inspect_err(|e| eprintln!("skipped: no `go` ({e})")).ok()?.stdout;
        let mut command = Command::new(String::from_utf8(path).unwrap().trim());
        command.arg("-http=127.0.0.1:0").arg(&file.0);
        // It starts a browser, if it finds one.
        command.env("BROWSER", "/bin/true").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut tool = command.spawn().expect("go says where it is");
        let lines = BufReader::new(tool.stderr.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned()))
            .expect("it says where it listens");
        Some(Self { tool, address })
    }

    /// The status and the body of a page.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or(0), body.to_owned())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // It has ended already if these fail.
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}

/// The paths that a page links to.
fn links(page: &str) -> impl Iterator<Item = String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    links.map(|(link, _)| link.replace("&amp;", "&")).filter(|link| link.starts_with('/'))
}

#[test]
fn all_pages_of_go_s_tool_work() {
    let _alone = alone();
    let file = File::new("pages", &record(work));
    let Some(pages) = Pages::serve(&file) else { return };
    // What scripts of pages ask for.
    let by_scripts = [
        "/jsontrace?view=proc",
        "/jsontrace?view=thread",
        "/mmu?mode=plot&flags=stw",
        "/mmu?mode=details&window=1000000",
    ];
    let mut found: BTreeSet<String> = by_scripts.map(str::to_owned).into();
    found.insert("/".to_owned());
    let mut seen = BTreeSet::new();
    while let Some(path) = found.pop_first() {
        // One of a kind of page is enough: names and numbers are in the query.
        let kind = path.split('=').next().unwrap_or_default().to_owned();
        let count = seen.iter().filter(|other: &&String| other.starts_with(&kind)).count();
        if seen.contains(&path) || count >= 4 {
            continue;
        }
        let (status, body) = pages.get(&path);
        let needs_dot = body.contains("dot") && Command::new("dot").arg("-V").output().is_err();
        assert!(status == 200 || needs_dot, "{path}: {status} {}", &body[..body.len().min(500)]);
        found.extend(links(&body));
        seen.insert(path);
    }
    let kinds: BTreeSet<&str> = seen.iter().filter_map(|path| path.split('?').next()).collect();
    for kind in [
        "/goroutines",
        "/goroutine",
        "/usertasks",
        "/userregions",
        "/io",
        "/block",
        "/syscall",
        "/sched",
        "/mmu",
    ] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
}
