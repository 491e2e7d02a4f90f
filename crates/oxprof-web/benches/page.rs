//! How soon the page of a large profile is there, beside that of `go tool pprof`.
//!
//! ```text
//! cargo build --release --bin oxprof
//! cargo bench -p oxprof-web --bench page [-- 10000 100000 1000000]
//! ```
//! For each number of samples: a profile with a tenth as many functions, stacks of around 30 frames that share their roots;
//! seconds until the first picture is painted, from the start of the server and from the start of the page, and until it is
//! one of all samples, from the start of the server; bytes that the page loads; the middle and the longest time between two images while the wheel zooms in, pans and zooms out, and how many of
//! these images were drawn anew; the most memory that the server had, and how often the decoded profile fits into it.
//!
//! The peer is measured where Go is installed. Its flame graph does not follow the wheel, so there are no images to time. Up
//! to 100,000 samples a browser shows its page; beyond, the page is only asked for, with patience and memory that are limited.

mod server;

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use oxprof_browser::Browser;
use oxprof_profile::{Builder, Compression, Label, LocationIdx, Profile, encode_gzip};
use server::{Server, program};

/// The peer's page of a larger profile is not given to a browser.
const MOST_IN_BROWSER: u64 = 100_000;
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much memory the peer may have, in kilobytes: machines that run this are small.
const PEER_MEMORY: u64 = 12 << 20;

fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000, 1_000_000] } else { sizes };
    println!(
        "| samples | page | from start | in the page | all samples | bytes | frame p50 | longest | redrawn | server | of the profile |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for samples in sizes {
        let (file, decoded) = write(samples);
        ours(samples, &file, decoded);
        peer(samples, &file, decoded);
        // It is in a directory for temporary files.
        let _ = fs::remove_file(file);
    }
}

fn ours(samples: u64, file: &Path, decoded: usize) {
    let Some(mut browser) = browser_at_rest() else { return };
    let (begun, start) = (Instant::now(), SystemTime::now());
    let Some(server) = Server::start(Command::new(program()), file) else { return };
    browser.navigate(&server.url("flamegraph"));
    let mark = "performance.getEntriesByName('oxprof-shown')[0]";
    wait(&mut browser, mark, begun);
    // By the browser's clock: to be asked often would keep it from its work.
    let start = start.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let shown = number(&browser.eval(&format!("performance.timeOrigin + {mark}.startTime")));
    let from_start = shown / 1000.0 - start.as_secs_f64();
    wait(
        &mut browser,
        "document.querySelector('.chart').getAttribute('aria-busy') === 'false'",
        begun,
    );
    let all = begun.elapsed().as_secs_f64();
    let in_page = number(&browser.eval(&format!("{mark}.startTime"))) / 1000.0;
    let bytes = loaded(&mut browser);
    let Moves { middle, longest, drawn, frames } = moves(&mut browser);
    println!(
        "| {samples} | oxprof | {from_start:.2} s | {in_page:.2} s | {all:.2} s | {bytes:.0} kB | {middle:.1} ms | {longest:.0} ms | {drawn} of {frames} | {} |",
        memory(&server, decoded),
    );
}

fn peer(samples: u64, file: &Path, decoded: usize) {
    let Ok(path) = Command::new("go").args(["tool", "-n", "pprof"]).output() else {
        eprintln!("skipped: there is no Go");
        return;
    };
    // The tool itself: `go tool` would be another process between it and us.
    let tool = String::from_utf8_lossy(&path.stdout).trim().to_owned();
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -v {PEER_MEMORY}; exec \"$0\" \"$@\""), &tool]);
    let begun = Instant::now();
    let Some(server) = Server::start(limited, file) else { return };
    let ready = begun.elapsed();
    if samples > MOST_IN_BROWSER {
        let came = fetch(&server);
        let seconds = begun.elapsed().as_secs_f64();
        let what = came.map_or_else(|e| format!("no page: {e}"), |n| format!("{} kB", n / 1000));
        let memory = memory(&server, decoded);
        println!(
            "| {samples} | go tool pprof | > {seconds:.0} s | – | – | {what} | – | – | – | {memory} |"
        );
        return;
    }
    let Some(mut browser) = browser_at_rest() else { return };
    let begun_page = Instant::now();
    browser.navigate(&server.url("flamegraph"));
    wait(&mut browser, "document.querySelectorAll('.boxbg').length > 1", begun_page);
    // The browser was started in between.
    let in_page = begun_page.elapsed().as_secs_f64();
    let from_start = ready.as_secs_f64() + in_page;
    let bytes = loaded(&mut browser);
    println!(
        "| {samples} | go tool pprof | {from_start:.2} s | {in_page:.2} s | {from_start:.2} s | {bytes:.0} kB | – | – | – | {} |",
        memory(&server, decoded),
    );
}

/// A browser that has been there for a while, as people's have: it is busy with itself when it starts.
fn browser_at_rest() -> Option<Browser> {
    let browser = Browser::launch();
    std::thread::sleep(Duration::from_secs(2));
    browser
}

/// Asks for the page; gives its size.
fn fetch(server: &Server) -> io::Result<usize> {
    // The peer says that it serves before it does.
    let connect = || TcpStream::connect(("localhost", server.port)).ok();
    let tries = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(50));
        connect()
    });
    let stream = tries.take(100).flatten().next();
    let mut stream = stream.ok_or(io::ErrorKind::ConnectionRefused)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ui/flamegraph HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) if size == 0 => return Err(io::Error::other("the server died")),
            Ok(0) => return Ok(size),
            Ok(n) => size += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::other("out of patience"));
            }
            Err(e) => return Err(e),
        }
    }
}

/// The most memory that a server had so far, and how many decoded profiles that is.
fn memory(server: &Server, decoded: usize) -> String {
    let Some(bytes) = server.most_memory() else { return "– | –".to_owned() };
    format!("{:.0} MB | {:.1}×", bytes / 1e6, bytes / decoded as f64)
}

fn wait(browser: &mut Browser, condition: &str, begun: Instant) {
    while browser.eval(&format!("Boolean({condition})")) != true {
        assert!(begun.elapsed() < PATIENCE, "{condition} is not true within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Kilobytes that the page has loaded.
fn loaded(browser: &mut Browser) -> f64 {
    let sum = "performance.getEntries().reduce((sum, e) => sum + (e.transferSize || 0), 0)";
    number(&browser.eval(sum)) / 1000.0
}

/// What one sees while the wheel turns.
struct Moves {
    /// Milliseconds between two images, in the middle and at most.
    middle: f64,
    longest: f64,
    /// Images that were drawn anew.
    drawn: u64,
    frames: u64,
}

/// Turns the wheel before every image: 90 times to zoom in, 180 to pan, 90 to zoom out.
fn moves(browser: &mut Browser) -> Moves {
    let times = browser.eval(
        "(async () => {
          const canvas = document.querySelector('canvas'), draw = CanvasRenderingContext2D.prototype.fillRect;
          let boxes = 0;
          CanvasRenderingContext2D.prototype.fillRect = function (...a) { boxes++; draw.apply(this, a); };
          const frames = [], seen = [];
          const image = () => new Promise(requestAnimationFrame);
          const turn = async (count, how) => {
            let last = await image();
            for (let i = 0; i < count; i++) {
              canvas.dispatchEvent(new WheelEvent('wheel', { ...how(i), bubbles: true, cancelable: true, clientX: 400, clientY: 300 }));
              boxes = 0;
              const now = await image();
              await null;
              frames.push([now - last, boxes]);
              last = now;
            }
            await new Promise(done => setTimeout(done, 500));
            seen.push(new URLSearchParams(location.search).get('z'));
          };
          await turn(90, () => ({ deltaY: -8, ctrlKey: true }));
          await turn(180, i => ({ deltaX: i < 90 ? 8 : -9 }));
          await turn(90, () => ({ deltaY: 9, ctrlKey: true }));
          return { frames, seen };
        })()",
    );
    let seen: Vec<&str> =
        times["seen"].as_array().into_iter().flatten().map(|z| z.as_str().unwrap_or("")).collect();
    assert!(
        seen.len() == 3
            && !seen[0].is_empty()
            && !seen[1].is_empty()
            && seen[0] != seen[1]
            && seen[2] != seen[1],
        "the wheel does not move the picture: {seen:?}"
    );
    let frames = times["frames"].as_array().expect("a list of images");
    let mut between: Vec<f64> = frames.iter().map(|frame| number(&frame[0])).collect();
    between.sort_by(f64::total_cmp);
    Moves {
        middle: between[between.len() / 2],
        longest: between[between.len() - 1],
        drawn: frames.iter().filter(|frame| number(&frame[1]) > 1.0).count() as u64,
        frames: frames.len() as u64,
    }
}

/// Writes a profile whose stacks are alike near the root and differ near the leaf. Gives also its size in memory.
fn write(samples: u64) -> (PathBuf, usize) {
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
    let profile = builder.finish();
    fs::write(&path, encode_gzip(&profile, Compression::Fast)).expect("it can be written");
    (path, size(&profile))
}

/// Bytes of a profile's columns and tables in memory.
fn size(profile: &Profile) -> usize {
    let Profile { samples, strings, locations, lines, functions, .. } = profile;
    let ends = 2 * size_of::<u32>();
    samples.len() * (samples.width() * size_of::<i64>() + ends)
        + samples.frame_count() * size_of::<LocationIdx>()
        + samples.label_count() * size_of::<Label>()
        + strings.text_len()
        + strings.len() * 3 * size_of::<u32>()
        + size_of_val(&locations[..])
        + size_of_val(&lines[..])
        + size_of_val(&functions[..])
}
