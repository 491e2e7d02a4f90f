//! Clients that mean no good. The long forms, with `OXPROF_LONG=1`, have ten to a hundred times as many of them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oxprof::http::{Body, Endpoints, Limits, Server};
use oxprof::stats::Process;

use crate::support::{exchange, get, get_with, receive, send, server};

fn is_long() -> bool {
    std::env::var_os("OXPROF_LONG").is_some()
}

fn many(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// A server that loses patience soon.
fn impatient() -> Server {
    let mut limits = Limits::default();
    (limits.receive, limits.send) = (Duration::from_millis(300), Duration::from_millis(500));
    let page = |_| async { http::Response::new(Body::from(vec![b'x'; 64 << 20])) };
    let endpoints = Endpoints::new().with_limits(limits).with_page("large", "Much.", page);
    Server::builder().address("127.0.0.1:0").endpoints(endpoints).start().unwrap()
}

/// Waits until the server closes the connection; returns what it said before.
fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let started = Instant::now();
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    said
}

#[test]
fn slow_heads_are_cut_off() {
    let server = impatient();
    let address = server.local_addr();
    for sent in ["", "GET ", "GET /debug/pprof/ HTTP/1.1\nHost: x\nX-A: ", "PRI * HTTP/2.0\n\nSM"] {
        until_closed(send(address, sent));
    }
    // One byte at a time is no excuse.
    let mut drip = send(address, "GET / HTTP/1.1\nX: ");
    let started = Instant::now();
    while drip.write_all(b"a").is_ok() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn slow_bodies_are_cut_off() {
    let server = impatient();
    let address = server.local_addr();
    let head =
        format!("POST /debug/pprof/symbol HTTP/1.1\nHost: {address}\nContent-Length: 100\n\n0x1");
    let said = until_closed(send(address, &head));
    assert!(said.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn work_for_those_who_left_keeps_its_place() {
    static WORK: Mutex<Vec<http::Extensions>> = Mutex::new(Vec::new());
    let mut limits = Limits::default();
    limits.requests = 2;
    let page = |request: http::Request<bytes::Bytes>| async {
        WORK.lock().unwrap().push(request.into_parts().0.extensions);
        std::future::pending::<http::Response<Body>>().await
    };
    let endpoints = Endpoints::new().with_limits(limits).with_page("slow", "Slow.", page);
    let server = Server::builder().address("127.0.0.1:0").endpoints(endpoints).start().unwrap();
    let address = server.local_addr();
    let begun = || WORK.lock().unwrap_or_else(PoisonError::into_inner).len();
    for already in 0..2 {
        let head = format!("GET /debug/pprof/slow HTTP/1.1\nHost: {address}\n\n");
        let client = send(address, &head);
        while begun() == already {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(client);
    }
    // Long enough for the server to see that they have left.
    std::thread::sleep(Duration::from_millis(100));
    let status = || get(address, "/debug/pprof/cmdline").status;
    assert_eq!(status(), 503);
    WORK.lock().unwrap().clear();
    let started = Instant::now();
    while status() != 200 {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn idle_connections_are_closed() {
    let server = impatient();
    let address = server.local_addr();
    let request = format!("GET /debug/pprof/cmdline HTTP/1.1\nHost: {address}\n\n");
    let said = until_closed(send(address, &request));
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn who_does_not_read_is_cut_off() {
    let server = impatient();
    let address = server.local_addr();
    let request =
        format!("GET /debug/pprof/large HTTP/1.1\nHost: {address}\nConnection: close\n\n");
    let mut stream = send(address, &request);
    // Once some has arrived, the answer is on its way; nothing is read until patience has ended.
    stream.read_exact(&mut [0; 12]).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20, "all {} bytes arrived", rest.len());
    assert_eq!(get(address, "/debug/pprof/cmdline").status, 200);
}

/// Those who count what the process holds take turns.
static COUNTING: Mutex<()> = Mutex::new(());

#[test]
fn connections_without_end() {
    let _turn = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let server = server();
    let address = server.local_addr();
    let before = Process::now();
    let mut open = std::collections::VecDeque::new();
    let mut slowest = Duration::ZERO;
    let (count, at_a_time) = (many(500, 10_000), many(300, 4_000));
    for i in 0..count {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        // Some say nothing, some begin to, some say nonsense.
        let _ = stream.write_all([b"".as_slice(), b"GET /debug", b"\0\0\r\n\r\n"][i % 3]);
        open.push_back(stream);
        if open.len() > at_a_time {
            open.pop_front();
        }
        if i % (count / 10) == 0 {
            let started = Instant::now();
            assert_eq!(get(address, "/debug/pprof/cmdline").status, 200);
            slowest = slowest.max(started.elapsed());
        }
    }
    eprintln!("slowest answer during {count} connections: {slowest:?}");
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
    drop(open);
    check_flat(&before, address);
}

/// Whether nothing remains of what clients did.
fn check_flat(before: &Process, address: SocketAddr) {
    let is_flat = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let now = Process::now();
        // Other tests run in this process meanwhile.
        let grown = now.resident.zip(before.resident).map(|(a, b)| a.saturating_sub(b));
        now.open_files <= before.open_files.map(|n| n + 60)
            && now.threads <= before.threads.map(|n| n + 60)
            && grown < Some(200 << 20)
    });
    assert!(is_flat, "before: {before:?}, after: {:?}", Process::now());
    assert_eq!(get(address, "/debug/pprof/cmdline").status, 200);
}

#[test]
fn clients_that_vanish() {
    let _turn = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let server = server();
    let address = server.local_addr();
    let before = Process::now();
    for i in 0..many(60, 2_000) {
        let path = ["profile?seconds=3600", "heap?seconds=3600", "wall?seconds=3600", "goroutine"];
        let request =
            format!("GET /debug/pprof/{} HTTP/1.1\nHost: {address}\n\n", path[i % path.len()]);
        drop(send(address, &request));
        if i % 20 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let answered = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        get(address, "/debug/pprof/cmdline").status == 200
    });
    assert!(answered);
    check_flat(&before, address);
}

#[test]
fn huge_heads() {
    let server = Server::builder().address("127.0.0.1:0").token("s3cret").start().unwrap();
    let address = server.local_addr();
    let token = |length| format!("Authorization: Bearer {}\n", "x".repeat(length));
    assert_eq!(get_with(address, "/", &token(10_000)).status, 401);
    assert_eq!(get_with(address, "/", &token(60_000)).status, 401);
    let refused = exchange(address, &format!("GET / HTTP/1.1\n{}\n", token(1 << 20)));
    assert_eq!(refused.status, 431);
    let many = "X: y\n".repeat(10_000);
    assert_eq!(exchange(address, &format!("GET / HTTP/1.1\n{many}\n")).status, 431);
    let long = exchange(address, &format!("GET /{} HTTP/1.1\n\n", "a".repeat(1 << 17)));
    assert!([414, 431].contains(&long.status), "{}", long.status);
}

#[test]
fn tricks_with_paths() {
    let server = server();
    let address = server.local_addr();
    for path in [
        "/debug/pprof/../../../../etc/passwd",
        "/debug/pprof/%2e%2e/%2e%2e/etc/passwd",
        "/debug/pprof/..%2f..%2fetc%2fpasswd",
        "/debug/pprof//heap",
        "//debug/pprof/heap",
        "/debug/pprof/heap%00",
        "/debug/pprof/heap;x",
        "/debug/pprof/%ff%fe",
        "/debug/pprof/%",
        "/debug/pprof/heap%0d%0aSet-Cookie:x",
        "/debug/pprof/./heap",
        "/DEBUG/PPROF/heap",
    ] {
        let reply = get(address, path);
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
        assert!(reply.header("set-cookie").is_none());
    }
    let far = format!(
        "GET http://evil.example/debug/pprof/ HTTP/1.1\nHost: {address}\nConnection: close\n\n"
    );
    assert_eq!(exchange(address, &far).status, 403);
}

#[test]
fn requests_in_requests() {
    let server = server();
    let address = server.local_addr();
    // Two lengths, or a length and chunks: what one server takes for a body another takes for a request.
    for lengths in
        ["Content-Length: 3\nContent-Length: 4", "Content-Length: 3\nTransfer-Encoding: chunked"]
    {
        let request = format!(
            "POST /debug/pprof/symbol HTTP/1.1\nHost: {address}\n{lengths}\nConnection: close\n\n0\n\n"
        );
        let reply = receive(&mut send(address, &request));
        assert!([200, 400].contains(&reply.status), "{lengths}: {reply:?}");
        let answers = String::from_utf8_lossy(&reply.body).matches("HTTP/1.1").count();
        assert_eq!(answers, 0, "{lengths}: {reply:?}");
    }
}
