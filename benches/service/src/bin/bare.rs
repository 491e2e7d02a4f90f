//! Without any profiler: the service of a `queue`, or that of `http`, with so many pages for each request.

use oxprof_bench_service::{http, run};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["load", address, pages] => http::load(address, pages.parse().expect("a number")),
        ["http", pages] => {
            let pages = pages.parse().expect("a number");
            http::run(|connection| drop(tokio::spawn(connection)), pages);
        }
        _ => run(),
    }
}
