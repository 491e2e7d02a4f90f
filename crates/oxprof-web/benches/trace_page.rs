//! How soon the page of a large trace is there, and how it follows the hand.
//!
//! ```text
//! cargo build --release --bin oxprof
//! cargo bench -p oxprof-web --bench trace_page [-- 128 1024 FILE]
//! ```
//! For each trace, a file or so many megabytes of a service that is made up, and each of two kinds of lanes: seconds until
//! there is a picture, and until it is one of all of the trace; milliseconds from the last turn of the wheel until what is
//! seen has been drawn of every event, in the middle and at most, for zooms to a thousandth of a second and back at places
//! all over the trace, and for steps of half a screen at that depth; milliseconds between two images while the wheel pans
//! there; the most memory of the server and of the tab.

mod server;
#[path = "../../oxprof-trace/benches/whole_process/workload.rs"]
mod workload;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use oxprof_browser::Browser;
use oxprof_trace::write::header;
use server::{Server, most_memory, program};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes of a generation: what a busy service writes in a second.
const GENERATION: usize = 24 << 20;
/// Places in the trace that are looked at from close.
const PLACES: u32 = 8;
/// What is looked at there, in nanoseconds.
const CLOSE: f64 = 1e6;

fn main() {
    let traces: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let traces = if traces.is_empty() { vec!["128".into(), "1024".into()] } else { traces };
    println!(
        "| trace | lanes | first picture | all of it | zoom in | zoom out | step aside | images | server | tab |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for trace in traces {
        let file = file(&trace);
        measure(&file.unwrap_or_else(|e| panic!("{trace}: {e}")));
    }
}

/// The trace that an argument names, or one of so many megabytes.
fn file(trace: &str) -> io::Result<PathBuf> {
    let Ok(megabytes) = trace.parse::<usize>() else { return Ok(trace.into()) };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{megabytes}.trace"));
    if file.exists() {
        return Ok(file);
    }
    let mut out = BufWriter::new(File::create(&file)?);
    out.write_all(&header())?;
    let (mut service, mut piece, mut written) = (workload::Service::new(), Vec::new(), 0);
    while written < megabytes << 20 {
        piece.clear();
        service.generation(GENERATION, &mut piece);
        out.write_all(&piece)?;
        written += piece.len();
    }
    out.flush().map(|()| file)
}

fn measure(file: &Path) {
    let megabytes = fs::metadata(file).map_or(0, |m| m.len() >> 20);
    let Some(mut browser) = Browser::launch() else { return };
    let begun = Instant::now();
    let mut command = Command::new(program());
    command.arg("trace");
    let Some(server) = Server::start(command, file) else { return };
    for (lanes, mut begun) in [("proc", begun), ("goroutine", begun)] {
        if lanes == "goroutine" {
            begun = Instant::now();
        }
        browser.navigate(&format!("{}?by={lanes}", server.url("timeline")));
        let first =
            wait(&mut browser, "performance.getEntriesByName('oxprof-shown').length", begun);
        let all = wait(&mut browser, "document.querySelector('.meter').hidden", begun);
        let [zooms, outs, steps, images] = looks(&mut browser);
        let [server, tab] = [server.most_memory(), tab().and_then(most_memory)].map(in_megabytes);
        println!(
            "| {megabytes} MiB | {lanes} | {first:.2} s | {all:.1} s | {zooms} | {outs} | {steps} | {images} | {server} | {tab} |"
        );
    }
}

/// Some times, in milliseconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    /// Adds a number, or a list of them.
    fn add(&mut self, times: &serde_json::Value) {
        match times {
            serde_json::Value::Array(list) => list.iter().for_each(|time| self.add(time)),
            time => self.0.push(time.as_f64().expect("a number of milliseconds")),
        }
        self.0.sort_by(f64::total_cmp);
    }
}

impl fmt::Display for Times {
    /// The middle, and the longest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len() - 1;
        write!(f, "{:.0}, {:.0} ms", self.0[last / 2], self.0[last])
    }
}

/// What turns the wheel at a share of the width, image by image, until something is so. Gives milliseconds until the
/// picture is right after that, or between images.
const HANDS: &str = "
  window.chart = document.querySelector('.chart');
  window.span = () => {
    const params = new URLSearchParams(location.search);
    return params.has('to') ? params.get('to') - params.get('from') : Infinity;
  };
  window.image = () => new Promise(requestAnimationFrame);
  window.turn = async (share, how) => {
    const canvas = chart.querySelector('canvas'), labels = 190, x = labels + (canvas.clientWidth - labels) * share;
    canvas.dispatchEvent(new WheelEvent('wheel', { ...how, bubbles: true, cancelable: true, clientX: x, clientY: 300 }));
    return image();
  };
  window.settle = async () => {
    const begun = performance.now();
    while (chart.getAttribute('aria-busy') === 'true') await new Promise(done => setTimeout(done, 2));
    return performance.now() - begun;
  };
  window.until = async (share, how, done) => {
    do await turn(share, how); while (!done());
    return settle();
  };
  window.images = async (count, how) => {
    const times = [];
    for (let last = await image(), i = 0; i < count; i++) {
      const now = await turn(0.5, how);
      times.push(now - last);
      last = now;
    }
    return times;
  };";

/// Zooms in, zooms out, steps aside, and images while the wheel pans.
fn looks(browser: &mut Browser) -> [Times; 4] {
    let mut looks = [const { Times(Vec::new()) }; 4];
    browser.eval(HANDS);
    for place in 0..PLACES {
        let share = (f64::from(place) + 0.37) / f64::from(PLACES);
        let mut add = |look: usize, script: &str| looks[look].add(&browser.eval(script));
        add(0, &format!("until({share}, {{ deltaY: -200 }}, () => span() < {CLOSE})"));
        for _ in 0..4 {
            add(2, &format!("until({share}, {{ deltaX: chart.clientWidth / 2 }}, () => true)"));
        }
        add(3, "images(60, { deltaX: 24 })");
        add(1, &format!("until({share}, {{ deltaY: 200 }}, () => span() === Infinity)"));
    }
    looks
}

/// Waits until an expression is true; how long that was since `begun`.
fn wait(browser: &mut Browser, condition: &str, begun: Instant) -> f64 {
    while browser.eval(&format!("Boolean({condition})")) != true {
        assert!(begun.elapsed() < PATIENCE, "{condition} is not true within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed().as_secs_f64()
}

/// Bytes of memory, if they are known.
fn in_megabytes(bytes: Option<f64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| format!("{:.0} MB", bytes / 1e6))
}

/// The process of the tab: the renderer below this process that has had the most memory.
fn tab() -> Option<u32> {
    let all = fs::read_dir("/proc").ok()?.flatten();
    let processes = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.filter(|&process| is_below(process) && is_renderer(process)).max_by_key(|process| {
        fs::read_to_string(format!("/proc/{process}/statm"))
            .ok()
            .and_then(|s| s.split(' ').nth(1)?.parse::<u64>().ok())
    })
}

fn is_renderer(process: u32) -> bool {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains("--type=renderer")
}

fn is_below(mut process: u32) -> bool {
    while process > 1 {
        if process == std::process::id() {
            return true;
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        process = parent.unwrap_or(0);
    }
    false
}
