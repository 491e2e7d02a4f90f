//! A fixed amount of work under a profiler: prints the CPU seconds that it took and what was profiled.
//!
//! `overhead off|oxprof|peer HZ ROUNDS`. `scripts/cpu-overhead.sh` runs it side by side.

use std::error::Error;

use oxprof_bench_cpu::{cpu_seconds, round};

const THREADS: u64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [profiler, hz, rounds] = args.as_slice() else {
        return Err("usage: overhead off|oxprof|peer HZ ROUNDS".into());
    };
    let (hz, rounds) = (hz.parse()?, rounds.parse()?);
    round(0);
    let before = cpu_seconds(libc::CLOCK_PROCESS_CPUTIME_ID);
    let (workers, samples) = match profiler.as_str() {
        "off" => (work(rounds), 0),
        "oxprof" => under_oxprof(hz, rounds)?,
        "peer" => under_peer(hz, rounds)?,
        other => return Err(format!("no profiler is called {other}").into()),
    };
    let process = cpu_seconds(libc::CLOCK_PROCESS_CPUTIME_ID) - before;
    println!("{process:.4} {workers:.4} {samples}");
    Ok(())
}

/// Returns the CPU seconds of the workers.
fn work(rounds: u64) -> f64 {
    let worker = move || {
        (0..rounds).for_each(round);
        cpu_seconds(libc::CLOCK_THREAD_CPUTIME_ID)
    };
    let workers: Vec<_> = (0..THREADS).map(|_| std::thread::spawn(worker)).collect();
    workers.into_iter().map(|w| w.join().expect("a worker")).sum()
}

/// Both make a whole profile with names, as their users do.
fn under_oxprof(hz: u32, rounds: u64) -> Result<(f64, i64), Box<dyn Error>> {
    let capture = oxprof::cpu::start(oxprof::cpu::Options::default().hz(hz))?;
    let workers = work(rounds);
    let profile = capture.finish()?;
    Ok((workers, profile.samples.iter().map(|s| s.values[0]).sum()))
}

#[cfg(feature = "peer")]
fn under_peer(hz: u32, rounds: u64) -> Result<(f64, i64), Box<dyn Error>> {
    let guard = pprof::ProfilerGuardBuilder::default().frequency(hz.cast_signed()).build()?;
    let workers = work(rounds);
    let report = guard.report().build()?;
    Ok((workers, report.data.values().map(|&n| n as i64).sum()))
}

#[cfg(not(feature = "peer"))]
fn under_peer(_: u32, _: u64) -> Result<(f64, i64), Box<dyn Error>> {
    Err("built without the feature peer".into())
}
