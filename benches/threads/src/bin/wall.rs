//! What a wall-clock profile costs a program whose threads mostly wait: CPU time with one being taken over CPU time
//! without, the two in turns.

use std::hint::black_box;

use oxprof::wall;
use oxprof_bench_threads::{Waiting, cpu};

/// Some hundred milliseconds of work by two threads.
fn work() {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                black_box((0..60_000_000u64).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i)))
            });
        }
    });
}

fn seconds(work: impl FnOnce()) -> f64 {
    let before = cpu();
    work();
    (cpu() - before).as_secs_f64()
}

fn main() {
    for count in [10, 200, 1000] {
        let waiting = Waiting::start(count);
        let mut ratios: Vec<f64> = (0..15)
            .map(|_| {
                let without = seconds(work);
                let capture = wall::start(wall::Options::default()).expect("a capture");
                let with = seconds(work);
                // Making the profile is not part of it.
                drop(capture);
                with / without
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "{count:5} threads that wait, 2 that compute: {:+.2} % (quarters {:+.2} to {:+.2} %)",
            100.0 * (ratios[7] - 1.0),
            100.0 * (ratios[3] - 1.0),
            100.0 * (ratios[11] - 1.0)
        );
        waiting.stop();
    }
}
