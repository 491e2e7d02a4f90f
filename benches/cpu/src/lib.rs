//! Work as services do it, in a fixed amount: text, parsing, hashing, allocation, threads and tasks.

use std::collections::HashMap;
use std::hint::black_box;

use rayon::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

/// The kinds of work, by name.
pub const KINDS: [(&str, fn(u64)); 6] = [
    ("json", json_round_trip),
    ("regex", matches),
    ("hash", hashes),
    ("malloc", allocations),
    ("rayon", parallel_sort),
    ("tokio", tasks),
];

/// Some of everything that runs in the calling thread.
pub fn round(n: u64) {
    json_round_trip(n);
    matches(n);
    hashes(n);
    allocations(n);
}

#[inline(never)]
fn json_round_trip(n: u64) {
    let rows: Vec<Value> = (0..40)
        .map(|i| json!({ "id": n + i, "name": format!("row {i}"), "tags": ["a", "b"], "score": i as f64 / 7.0 }))
        .collect();
    let text = serde_json::to_string(&rows).unwrap();
    let back: Value = serde_json::from_str(&text).unwrap();
    black_box(back.as_array().map(Vec::len));
}

#[inline(never)]
fn matches(n: u64) {
    thread_local! {
        static PATTERN: Regex = Regex::new(r"(\w+)@(\w+)\.(com|org) [0-9]{3,}").unwrap();
    }
    let text = format!("spam eggs user{n}@host.org 12345 and more words than needed ").repeat(30);
    PATTERN.with(|p| black_box(p.captures_iter(&text).count()));
}

#[inline(never)]
fn hashes(n: u64) {
    let map: HashMap<u64, String> = (0..500).map(|i| (n ^ i * 7919, i.to_string())).collect();
    black_box(map.values().map(String::len).sum::<usize>());
}

#[inline(never)]
fn allocations(n: u64) {
    let kept: Vec<Vec<u8>> = (0..200).map(|i| vec![0; (n as usize * 31 + i * 97) % 5000]).collect();
    black_box(kept);
}

fn parallel_sort(n: u64) {
    let mut numbers: Vec<u64> = (0..50_000).map(|i: u64| i.wrapping_mul(n | 1) ^ i << 7).collect();
    numbers.par_sort_unstable();
    black_box(numbers.par_iter().map(|x| x % 7).sum::<u64>());
}

fn tasks(n: u64) {
    use std::sync::OnceLock;
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let build =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = RUNTIME.get_or_init(|| build().unwrap());
    runtime.block_on(async {
        let handles: Vec<_> = (0..20)
            .map(|i| {
                tokio::spawn(async move {
                    json_round_trip(n + i);
                    tokio::task::yield_now().await;
                    hashes(i);
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
    });
}

/// CPU seconds of the process, or of the calling thread.
pub fn cpu_seconds(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
