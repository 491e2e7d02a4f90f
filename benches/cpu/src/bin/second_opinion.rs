//! Work under our profiler; prints each function's share of user CPU time, in percent, for
//! `scripts/perf-second-opinion.sh` to compare with perf's.

use std::collections::BTreeMap;
use std::error::Error;

use oxprof::cpu;
use oxprof_bench_cpu::round;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u64 = std::env::args().nth(1).unwrap_or_default().parse()?;
    let capture = cpu::start(cpu::Options::default().hz(1000))?;
    let worker = move || (0..rounds).for_each(round);
    let workers: Vec<_> = (0..2).map(|_| std::thread::spawn(worker)).collect();
    workers.into_iter().for_each(|w| w.join().expect("a worker"));
    let profile = capture.finish()?;
    let mut shares: BTreeMap<&str, i64> = BTreeMap::new();
    for sample in profile.samples.iter() {
        let leaf = sample.stack.first().and_then(|&l| profile.lines_of(l).last());
        let name = leaf.map_or("?", |l| profile.str(profile.functions[l.function.index()].name));
        *shares.entry(name).or_default() += sample.values[1];
    }
    let total: i64 = shares.values().sum();
    for (name, nanos) in shares {
        println!("{:.2} {name}", 100.0 * nanos as f64 / total as f64);
    }
    Ok(())
}
