//! What a measured call costs, beside the same call without, and beside two looks at the clock: least nanoseconds of
//! many rounds, in which all take turns.

use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

const CALLS: u64 = 200_000;

#[inline(never)]
fn plain(n: u64) -> u64 {
    black_box(n) + 1
}

#[inline(never)]
fn timed(n: u64) -> u64 {
    let started = Instant::now();
    let result = plain(n);
    black_box(started.elapsed());
    result
}

#[oxprof::measure]
#[inline(never)]
fn measured(n: u64) -> u64 {
    black_box(n) + 1
}

fn labelled(n: u64) -> u64 {
    measured(n)
}

fn main() {
    let functions: [(&str, fn(u64) -> u64); 4] = [
        ("plain", plain),
        ("two looks at the clock", timed),
        ("measured", measured),
        ("measured, with labels in force", labelled),
    ];
    let mut least = [f64::INFINITY; 4];
    for _ in 0..30 {
        for ((name, function), least) in functions.iter().zip(&mut least) {
            let _scope =
                name.contains("labels").then(|| oxprof::labels::scope([("tenant", "acme")]));
            let started = Instant::now();
            for i in 0..CALLS {
                black_box(function(black_box(i)));
            }
            *least = least.min(started.elapsed().as_nanos() as f64 / CALLS as f64);
        }
    }
    for ((name, _), nanos) in functions.iter().zip(least) {
        println!("{name:<32} {nanos:6.1} ns  {:5.2}x of two looks at the clock", nanos / least[1]);
    }
}
