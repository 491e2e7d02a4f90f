//! How soon the page of a large profile is there, beside that of `go tool pprof`.
//!
//! ```text
//! cargo build --release --bin oxprof
//! cargo bench -p oxprof-web --bench page [-- 10000 100000 1000000]
//! ```
//! For each number of samples: a profile with a tenth as many functions, stacks of around 30 frames that share their roots;
//! seconds until the first frame is painted, from the start of the server and from the start of the page; bytes that the page
//! loads; the middle and the longest time between two images while the wheel turns; the most memory that the server had. The
//! peer is asked where Go is installed, up to 100,000 samples: beyond, its page does not come.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oxprof_browser::Browser;
use oxprof_profile::{Builder, Compression, LocationIdx, encode_gzip};

/// The peer's page of a larger profile does not come.
const MOST_FOR_PEER: u64 = 100_000;

fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000, 1_000_000] } else { sizes };
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/oxprof");
    println!(
        "| samples | page | from start | in the page | bytes | frame p50 | longest | server |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for samples in sizes {
        let file = write(samples);
        measure(
            samples,
            "oxprof",
            Command::new(&ours),
            &file,
            "performance.getEntriesByName('oxprof-shown').length",
        );
        if samples <= MOST_FOR_PEER {
            let mut go = Command::new("go");
            go.args(["tool", "pprof"]);
            measure(
                samples,
                "go tool pprof",
                go,
                &file,
                "document.querySelectorAll('.boxbg').length > 1",
            );
        }
        // It is in a directory for temporary files.
        let _ = std::fs::remove_file(file);
    }
}

/// A server; it ends when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure(samples: u64, name: &str, mut command: Command, file: &Path, shown: &str) {
    let Some(mut browser) = Browser::launch() else { return };
    let begun = Instant::now();
    let port = free_port();
    command.arg(format!("-http=localhost:{port}")).arg("-no_browser").arg(file);
    let Ok(child) =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    else {
        eprintln!("skipped: {name} cannot be started");
        return;
    };
    let mut server = Server(child);
    let stderr = server.0.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    if !lines.any(|line| line.contains("Serving web UI")) {
        eprintln!("skipped: {name} does not serve {}", file.display());
        return;
    }
    browser.navigate(&format!("http://localhost:{port}/ui/flamegraph"));
    while browser.eval(&format!("Boolean({shown})")) != true {
        if begun.elapsed() > Duration::from_secs(300) {
            println!("| {samples} | {name} | not within 300 s | | | | | |");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let from_start = begun.elapsed().as_secs_f64();
    let in_page = browser.eval(
        "(() => { const mark = performance.getEntriesByName('oxprof-shown')[0];
          return (mark ? mark.startTime : performance.now()) / 1000; })()",
    );
    let bytes =
        browser.eval("performance.getEntries().reduce((sum, e) => sum + (e.transferSize || 0), 0)");
    let frames = browser.eval(
        "new Promise(done => {
          const target = document.querySelector('canvas') || document.querySelector('.boxbg'), times = [];
          let last = performance.now();
          const step = now => {
            times.push(now - last);
            last = now;
            target.dispatchEvent(new WheelEvent('wheel', { deltaY: times.length % 60 < 30 ? -20 : 20, ctrlKey: true, bubbles: true, cancelable: true, clientX: 400, clientY: 300 }));
            if (times.length < 180) requestAnimationFrame(step);
            else { times.sort((a, b) => a - b); done([times[90], times[179]]); }
          };
          requestAnimationFrame(step);
        })",
    );
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or(f64::NAN);
    println!(
        "| {samples} | {name} | {from_start:.2} s | {:.2} s | {:.0} kB | {:.1} ms | {:.0} ms | {} MB |",
        number(&in_page),
        number(&bytes) / 1000.0,
        number(&frames[0]),
        number(&frames[1]),
        peak_memory(server.0.id()),
    );
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}

/// The most memory that a process, or its only child, had so far.
fn peak_memory(id: u32) -> u64 {
    let of = |id: &str| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.unwrap_or_default();
    children.split_whitespace().map(of).chain([of(&id.to_string())]).max().unwrap_or(0)
}

/// Writes a profile whose stacks are alike near the root and differ near the leaf.
fn write(samples: u64) -> PathBuf {
    let functions = samples / 10;
    let mut builder = Builder::new(&[("cpu", "nanoseconds")]);
    let named = |i| format!("example.com/service/part{}.run{i}", i % 50);
    let places: Vec<LocationIdx> =
        (0..functions).map(|i| builder.named(named(i).as_bytes())).collect();
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let mut stack = Vec::new();
    for _ in 0..samples {
        stack.clear();
        let mut function = 0;
        for depth in 0..20 + random() % 20 {
            stack.push(places[function as usize]);
            let choice = random() % (2 + depth) * (random() % 2);
            function = (function * 7 + choice * 131 + 1) % functions;
        }
        stack.reverse();
        builder.sample(&[10_000_000], &stack, &[]);
    }
    let path =
        std::env::temp_dir().join(format!("oxprof-page-{samples}-{}.pb.gz", std::process::id()));
    std::fs::write(&path, encode_gzip(&builder.finish(), Compression::Fast))
        .expect("it can be written");
    path
}
