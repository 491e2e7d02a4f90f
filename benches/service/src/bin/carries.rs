//! With everything that is there to be profiled: `off`, `idle`, under `attack`, or with a `trace` of the last seconds; of the
//! service of a `queue`, or that of `http` with so many pages for each request.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use oxprof_bench_service::{http, run};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

fn main() {
    let mut arguments = std::env::args().skip(1);
    let [mode, service, pages] = [(); 3].map(|()| arguments.next().unwrap_or_default());
    let pages = pages.parse().unwrap_or(1);
    if mode == "load" {
        return http::load(&service, pages as usize);
    }
    let config =
        oxprof::Config::new().enabled(mode != "off").address("127.0.0.1:0").token("s3cret");
    let server = config.serve().expect("it starts");
    let stop = Arc::new(AtomicBool::new(false));
    let attackers: Vec<_> = match &server {
        Some(server) if mode == "attack" => {
            let address = server.local_addr();
            (0..2)
                .map(|i| {
                    let stop = Arc::clone(&stop);
                    thread::spawn(move || attack(i, address, &stop))
                })
                .collect()
        }
        _ => Vec::new(),
    };
    let recorder = (mode == "trace")
        .then(|| oxprof::trace::FlightRecorder::builder().start().expect("it starts"));
    match &*service {
        "http" => http::run(|connection| drop(oxprof::spawn(connection)), pages),
        _ => run(),
    }
    drop(recorder);
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.join().expect("it ends");
    }
}

/// Opens connections without end: half of them begin a request and never finish it, half guess tokens.
fn attack(i: usize, address: std::net::SocketAddr, stop: &AtomicBool) {
    let guess = b"GET /debug/pprof/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer guess\r\n\r\n";
    let mut open = std::collections::VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            let _ = stream.write_all(if i % 2 == 0 { b"GET /debug" } else { guess });
            open.push_back(stream);
        }
        if open.len() > 200 {
            open.pop_front();
        }
        // Attackers have machines of their own: these two threads are to take little of this one.
        thread::sleep(std::time::Duration::from_millis(1));
    }
}
