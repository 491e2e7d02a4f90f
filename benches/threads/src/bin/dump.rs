//! How long it takes to see where all threads are: without names, and as a profile with names. Arguments are numbers of
//! threads.

use oxprof_bench_threads::{Waiting, cpu_of_work, least};

fn main() {
    let how = if cfg!(feature = "hooks") { "published" } else { "by signal" };
    let threads = oxprof::lookup("threads").expect("a built-in profile");
    drop(threads.profile());
    println!("{how}: microseconds of CPU time (and of time), least of many");
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    for count in if asked.is_empty() { vec![10, 100, 1000, 5000] } else { asked } {
        let waiting = Waiting::start(count);
        let times = if count > 1000 { 10 } else { 50 };
        let [cpu, time] = least(times, cpu_of_work, || drop(threads.baseline()));
        let [named_cpu, named_time] = least(times / 5, cpu_of_work, || {
            let profile = threads.profile();
            let seen: i64 = profile.samples.iter().map(|sample| sample.values[0]).sum();
            assert!(seen >= count as i64, "{seen} of {count}");
        });
        println!(
            "{count:5} threads  dump {cpu:9.0} ({time:9.0})  with names {named_cpu:9.0} ({named_time:9.0})"
        );
        waiting.stop();
    }
}
