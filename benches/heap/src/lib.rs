//! What the benches share: a load that allocates like a service, and CPU time.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

/// Requests of a run.
pub const REQUESTS: u64 = 40_000;

/// Serves requests: parses a text into a map of strings, keeps some in a cache, renders an answer. Some 60 allocations
/// each, of 8 bytes to a few kilobytes.
pub fn serve() -> usize {
    let mut cache: HashMap<u64, BTreeMap<String, Vec<String>>> = HashMap::new();
    let mut sent = 0;
    for number in 0..REQUESTS {
        let request = request(number);
        let parsed = parse(&request);
        sent += render(&parsed).len();
        cache.insert(number % 500, parsed);
    }
    sent + cache.len()
}

fn request(number: u64) -> String {
    (0..12).map(|i| format!("key{}={},{};", i * 7 + number % 5, number, number * i)).collect()
}

fn parse(request: &str) -> BTreeMap<String, Vec<String>> {
    let pairs = request.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, values)| (key.to_owned(), values.split(',').map(str::to_owned).collect()))
        .collect()
}

fn render(parsed: &BTreeMap<String, Vec<String>>) -> String {
    let mut lines: Vec<String> =
        parsed.iter().map(|(key, values)| format!("{key}: {}", values.join(" "))).collect();
    lines.sort_by_key(|line| black_box(line.len()));
    lines.join("\n")
}

/// Nanoseconds of CPU time of the calling thread.
pub fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for a timespec, and a clock that always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// What the load's programs do: say how much CPU time it took.
pub fn main() {
    let before = cpu_time();
    black_box(serve());
    println!("{}", cpu_time() - before);
}
