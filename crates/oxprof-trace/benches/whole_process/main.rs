//! Whole processes side by side: `oxprof trace` and `go tool trace` on one trace.
//!
//! `cargo bench -p oxprof-trace --bench whole_process -- [MEGABYTES] [RUNS]`, after `cargo build --release`;
//! 1024 and 3 by default. Prints seconds of wall clock (the best run) and the most memory of each. The peer
//! is left out when there is no `go`, and when it is killed: it needs about 25 times the trace's size.

mod workload;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oxprof_trace::write::header;
use workload::Service;

const GENERATION: usize = 8 << 20;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (megabytes, runs) = (numbers.next().unwrap_or(1024), numbers.next().unwrap_or(3));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("service-{megabytes}.trace"));
    if !file.exists() {
        write(&file, megabytes << 20).expect("the trace is written");
    }
    println!("{} MiB, best of {runs}", file.metadata().map_or(0, |m| m.len() >> 20));
    let ours = target.join("release/oxprof");
    let go = Command::new("go").args(["tool", "-n", "trace"]).output();
    let go = go.ok().map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    for arg in ["-pprof=sched", "-pprof=sync", "-d=footprint", "-goroutines", "-latency"] {
        report("oxprof trace", measure(&ours, &["trace", arg], &file, runs), arg);
        if let Some(go) = go.as_deref().filter(|_| matches!(arg, "-pprof=sched" | "-d=footprint")) {
            report("go tool trace", measure(go, &[arg], &file, 1), arg);
        }
    }
}

fn write(file: &Path, size: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    out.write_all(&header())?;
    let (mut service, mut piece, mut written) = (Service::new(), Vec::new(), 0);
    while written < size {
        piece.clear();
        service.generation(GENERATION, &mut piece);
        out.write_all(&piece)?;
        written += piece.len();
    }
    out.flush()
}

fn report(who: &str, result: Option<(Duration, u64)>, arg: &str) {
    match result {
        Some((time, peak)) => {
            println!("{who:<14} {arg:<14} {:8.2} s {:8} MiB", time.as_secs_f64(), peak >> 20);
        }
        None => println!("{who:<14} {arg:<14} failed"),
    }
}

/// Best time and most memory of a few runs; `None` if it fails.
fn measure(program: &Path, args: &[&str], file: &Path, runs: usize) -> Option<(Duration, u64)> {
    (0..runs)
        .map(|_| run(program, args, file))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .reduce(|(time, peak), (t, p)| (time.min(t), peak.max(p)))
}

fn run(program: &Path, args: &[&str], file: &Path) -> Option<(Duration, u64)> {
    let start = Instant::now();
    let mut child =
        Command::new(program).args(args).arg(file).stdout(Stdio::null()).spawn().ok()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().ok()? {
            return ended.success().then(|| (start.elapsed(), peak));
        }
        peak = peak.max(peak_memory(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn peak_memory(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
