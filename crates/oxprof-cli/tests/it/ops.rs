//! The commands that look after services, on a Rust service and on a Go one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use oxprof::http::Server;

use super::support::{OXPROF, Place, Ran};

/// Arguments are split at spaces; `HOST` stands for the service.
fn run(place: &Place, host: &str, arguments: &str) -> Ran {
    place.run(OXPROF, arguments.replace("HOST", host).split(' '))
}

#[track_caller]
fn check(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.out, ran.err);
    for part in says {
        assert!(ran.out.contains(part), "no {part:?} in {}\n{}", ran.out, ran.err);
    }
}

/// Keeps a processor busy until dropped.
struct Busy(&'static AtomicBool);

#[inline(never)]
fn spin_busily(until: &AtomicBool) {
    while !until.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

impl Busy {
    fn start() -> Self {
        let done: &'static AtomicBool = Box::leak(Box::default());
        thread::spawn(|| spin_busily(done));
        Self(done)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_rust_service_is_collected_packed_and_watched() {
    let server = Server::builder().address("127.0.0.1:0").token("s3cret").start().unwrap();
    let (host, place, _busy) = (server.local_addr().to_string(), Place::new(), Busy::start());
    let ran = run(&place, &host, "continuous -count=1 -seconds=1 HOST");
    check(&ran, 2, &["401"]);

    let command = |line: &str| {
        let mut command = place.command(OXPROF);
        command.env("OXPROF_TOKEN", "s3cret").args(line.replace("HOST", &host).split(' '));
        Ran::from(command.output().unwrap())
    };
    let ran = command("continuous -kinds=cpu,nosuch -every=1s -count=2 -seconds=1 -output=p HOST");
    check(&ran, 0, &["2 rounds", "cpu", "nosuch"]);
    assert!(ran.err.contains("nosuch: the server has no such profile"), "{}", ran.err);
    let directory = place.path().join("p").join(host.replace(':', "_"));
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(files.iter().all(|f| f.to_string_lossy().ends_with(".pb.gz")), "{files:?}");
    assert!((1..=2).contains(&files.len()), "{files:?}");

    place.write("app.json", r#"{"port": 80, "admin_key": "hidden"}"#);
    let ran = command("archive -seconds=1 -config=app.json -note=slow -output=a.tar.gz HOST");
    check(&ran, 0, &["a.tar.gz"]);
    let ran = command("archive -list a.tar.gz");
    check(&ran, 0, &["manifest.json", ":cpu", "config/app.json", "slow"]);
    check(&command("-top a.tar.gz:cpu"), 0, &["spin_busily"]);
    check(&command("-raw a.tar.gz"), 2, &[]);
    let unpacked = std::fs::read(place.path().join("a.tar.gz")).unwrap();
    let entries = oxprof_collect::archive::unpack(&*unpacked, 1 << 20).unwrap();
    let config = entries.iter().find(|e| e.path == "config/app.json").unwrap();
    let text = String::from_utf8_lossy(&config.bytes);
    assert!(text.contains("80") && !text.contains("hidden"), "{text}");

    check(&command("monitor -every=1s -count=1 HOST"), 0, &["cores=", "spin_busily"]);
    check(&command("analyze -seconds=1 -fail_on=never HOST"), 0, &["reviewed: "]);
    check(&command("analyze -fail_on=info -format=json p"), 1, &["\"severity\": \"info\""]);
}

/// A Go service, if there is Go.
struct GoService {
    child: Child,
    address: String,
}

impl GoService {
    fn start(place: &Place) -> Option<Self> {
        place.write("main.go", include_str!("ops/main.go"));
        place.write("go.mod", "module example.test/leaky\n\ngo 1.21\n");
        let built = Command::new("go")
            .args(["build", "-o", "leaky", "."])
            .current_dir(place.path())
            .status();
        if !built.is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no go");
            return None;
        }
        let mut child =
            Command::new(place.path().join("leaky")).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for GoService {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_go_service_is_loaded_judged_and_packed() {
    let place = Place::new();
    let Some(service) = GoService::start(&place) else { return };
    let run = |line: &str| run(&place, &service.address, line);

    let ran = run("load-test -rate=100 -duration=3s -output=lt http://HOST/work");
    check(
        &ran,
        0,
        &[
            "of 100 asked for",
            "× 200",
            "from when it was due",
            "main.work",
            "heap:",
            "no threads, tasks",
        ],
    );
    assert!(place.read("lt/report.json").contains("\"service_time\""));
    let ran = run("load-test -duration=1s -no_profiles -max_failed=1% http://HOST/nosuch");
    check(&ran, 1, &["× 404", "100.00 % of the requests failed"]);

    let leaky = "leak -every=500ms -load=http://HOST/leak -rate=40 HOST";
    check(&run(leaky), 1, &["heap: GROWING", "main.leak", "goroutine: GROWING"]);
    let sound = "leak -kinds=heap -every=300ms -snapshots=6 -load=http://HOST/work -rate=20 HOST";
    check(&run(sound), 0, &["heap: steady"]);
    check(&run("leak -snapshots=2 -every=100ms HOST"), 2, &["too few"]);

    check(&run("archive -seconds=1 -output=go.tar.gz HOST"), 0, &[]);
    check(
        &run("archive -list go.tar.gz"),
        0,
        &[":goroutine", ":mutex", ":trace", "text/goroutine.txt", "stats.json"],
    );
    check(&run("-top go.tar.gz:heap"), 0, &["main.leak"]);
    check(&run("trace -goroutines go.tar.gz"), 0, &["main."]);
    check(&run("trace -goroutines go.tar.gz:trace"), 0, &["main."]);
    check(&run("trace -goroutines go.tar.gz:nosuch"), 2, &[]);
    check(&run("monitor -every=1s -count=1 HOST"), 0, &["goroutine="]);
}
