//! Profiles two busy functions and writes the profile to a file: `cargo run --example cpu_to_file -- out.pb.gz`.

use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() -> Result<(), oxprof::cpu::Error> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "cpu.pb.gz".to_owned());
    let profile = oxprof::cpu::start_to_file(&path)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        sort_numbers();
        join_words();
    }
    profile.finish()?;
    eprintln!("Wrote {path}; look at it with: go tool pprof -top {path}");
    Ok(())
}

#[inline(never)]
fn sort_numbers() {
    let mut numbers: Vec<u64> =
        (0..10_000).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    numbers.sort_unstable();
    black_box(numbers);
}

#[inline(never)]
fn join_words() {
    let words: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    black_box(words.join(" "));
}
