//! Without any profiler: the service of a `queue`, or that of `http`.

use oxprof_bench_service::{http, run};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["load", address] => http::load(address),
        ["http"] => http::run(|connection| drop(tokio::spawn(connection))),
        _ => run(),
    }
}
