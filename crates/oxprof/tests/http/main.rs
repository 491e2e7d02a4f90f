//! The `/debug/pprof/` routes as clients see them: paths, methods, parameters, headers, messages.

mod access;
mod attacks;
mod clients;
mod conformance;
mod mounted;
mod prometheus;
mod support;
mod transports;

use std::time::{Duration, Instant};

use support::{Reply, exchange, get, send, server};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

const TEXT: &str = "text/plain; charset=utf-8";

fn check_headers(reply: &Reply, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        assert_eq!(reply.header(name), *value, "{name} in {reply:?}");
    }
}

fn check_error(target: &str, status: u16, message: &str) {
    let server = server();
    let reply = get(server.local_addr(), target);
    assert_eq!((reply.status, reply.text()), (status, format!("{message}\n").as_str()), "{target}");
    check_headers(
        &reply,
        &[
            ("content-type", Some(TEXT)),
            ("x-go-pprof", Some("1")),
            ("x-content-type-options", Some("nosniff")),
            ("content-disposition", None),
        ],
    );
}

#[test]
fn index_lists_the_profiles() {
    let reply = get(server().local_addr(), "/debug/pprof/");
    assert_eq!(reply.status, 200);
    check_headers(
        &reply,
        &[
            ("content-type", Some("text/html; charset=utf-8")),
            ("x-content-type-options", Some("nosniff")),
            ("x-go-pprof", None),
        ],
    );
    for name in ["cmdline", "profile", "symbol"] {
        assert!(reply.text().contains(&format!("<a href=\"{name}?debug=1\">")), "{name}");
    }
}

#[test]
fn a_path_without_the_last_slash_is_redirected() {
    let reply = get(server().local_addr(), "/debug/pprof");
    assert_eq!((reply.status, reply.header("location")), (307, Some("/debug/pprof/")));
}

#[test]
fn cmdline_is_separated_by_nul() {
    let reply = get(server().local_addr(), "/debug/pprof/cmdline");
    let expected: Vec<_> = std::env::args().collect();
    assert_eq!((reply.status, reply.text()), (200, expected.join("\0").as_str()));
    check_headers(&reply, &[("content-type", Some(TEXT)), ("content-disposition", None)]);
}

#[test]
fn unknown_profiles() {
    for path in ["nothing", "Profile", "profile/", "heap/x", "../profile", "%70rofile"] {
        check_error(&format!("/debug/pprof/{path}"), 404, "Unknown profile");
    }
    check_error("/elsewhere", 404, "Unknown profile");
}

#[test]
fn bad_parameters() {
    let seconds = "invalid value for \"seconds\" - must be a positive number, at most 86400";
    for value in ["0", "-1", "abc", "1e999", "99999999999999999999"] {
        check_error(&format!("/debug/pprof/profile?seconds={value}"), 400, seconds);
    }
    let hz = "invalid value for \"hz\" - must be an integer from 1 to 1000";
    for value in ["0", "1001", "fast"] {
        check_error(&format!("/debug/pprof/profile?hz={value}"), 400, hz);
    }
    let unknown = "unknown parameter \"second\" - profile takes \"seconds\" and \"hz\"";
    check_error("/debug/pprof/profile?second=5", 400, unknown);
}

fn check_method(method: &str, path: &str, status: u16, allow: Option<&str>) {
    let server = server();
    let address = server.local_addr();
    let reply = exchange(
        address,
        &format!(
            "{method} {path} HTTP/1.1\nHost: {address}\nContent-Length: 0\nConnection: close\n\n"
        ),
    );
    assert_eq!((reply.status, reply.header("allow")), (status, allow), "{method} {path}");
    if method == "HEAD" {
        assert!(reply.body.is_empty(), "{method} {path}");
    }
}

#[test]
fn methods() {
    let read = Some("GET, HEAD");
    check_method("HEAD", "/debug/pprof/", 200, None);
    check_method("HEAD", "/debug/pprof/profile?seconds=0.01", 200, None);
    check_method("POST", "/debug/pprof/", 405, read);
    check_method("POST", "/debug/pprof/profile", 405, read);
    check_method("DELETE", "/debug/pprof/cmdline", 405, read);
    check_method("POST", "/debug/pprof/symbol", 200, None);
    check_method("PUT", "/debug/pprof/symbol", 405, Some("GET, HEAD, POST"));
}

#[inline(never)]
fn a_function_to_look_up() -> u32 {
    std::hint::black_box(7)
}

#[test]
fn symbol_names_functions_of_this_program() {
    let server = server();
    let address = server.local_addr();
    let pc = a_function_to_look_up as fn() -> u32 as usize;
    let expected = format!("num_symbols: 1\n{pc:#x} http::a_function_to_look_up\n");
    let reply = get(address, &format!("/debug/pprof/symbol?{pc:#x}+0x1"));
    assert_eq!((reply.status, reply.text()), (200, expected.as_str()));
    check_headers(&reply, &[("content-type", Some(TEXT))]);

    let body = format!("{pc:#x}+0x1");
    let post = format!(
        "POST /debug/pprof/symbol HTTP/1.1\nHost: {address}\nContent-Length: {}\nConnection: close\n\n{body}",
        body.len()
    );
    assert_eq!(exchange(address, &post).text(), expected);
    assert_eq!(get(address, "/debug/pprof/symbol").text(), "num_symbols: 1\n");
}

#[test]
fn a_huge_symbol_request_is_refused() {
    let server = server();
    let address = server.local_addr();
    let body = "0x1+".repeat(1 << 19);
    let post = format!(
        "POST /debug/pprof/symbol HTTP/1.1\nHost: {address}\nContent-Length: {}\nConnection: close\n\n{body}",
        body.len()
    );
    let reply = exchange(address, &post);
    assert_eq!((reply.status, reply.header("x-go-pprof")), (400, Some("1")));
}

#[test]
fn a_profile_has_the_headers_that_scrapers_check() {
    let reply = get(server().local_addr(), "/debug/pprof/profile?seconds=0.05&hz=200");
    assert_eq!(reply.status, 200);
    check_headers(
        &reply,
        &[
            ("content-type", Some("application/octet-stream")),
            ("content-disposition", Some("attachment; filename=\"profile\"")),
            ("x-content-type-options", Some("nosniff")),
            ("content-encoding", None),
            ("x-go-pprof", None),
        ],
    );
    let profile = oxprof_profile::decode(&reply.body).expect("a valid profile");
    let types: Vec<_> = profile
        .sample_types
        .iter()
        .map(|t| format!("{}/{}", profile.str(t.kind), profile.str(t.unit)))
        .collect();
    assert_eq!(types, ["samples/count", "cpu/nanoseconds"]);
    assert_eq!(profile.period, 1_000_000_000 / 200);
    assert!(profile.duration_nanos >= 50_000_000, "{}", profile.duration_nanos);
}

#[test]
fn several_clients_each_get_their_profile() {
    let server = server();
    let address = server.local_addr();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for hz in [100, 100, 250, 1000] {
            scope.spawn(move || {
                let reply = get(address, &format!("/debug/pprof/profile?seconds=0.4&hz={hz}"));
                assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
                let profile = oxprof_profile::decode(&reply.body).expect("a valid profile");
                assert_eq!(profile.period, 1_000_000_000 / hz);
            });
        }
    });
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_client_that_goes_away_frees_what_it_held() {
    let server = server();
    let address = server.local_addr();
    let request = format!("GET /debug/pprof/profile?seconds=3600 HTTP/1.1\nHost: {address}\n\n");
    // More than are answered at a time: the last request is answered only if the earlier ones were given up.
    for _ in 0..100 {
        drop(send(address, &request));
    }
    let answered = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        get(address, "/debug/pprof/profile?seconds=0.01").status == 200
    });
    assert!(answered);
}

#[test]
fn closing_the_server_ends_the_captures() {
    let server = server();
    let address = server.local_addr();
    let waiting = send(
        address,
        &format!("GET /debug/pprof/profile?seconds=3600 HTTP/1.1\nHost: {address}\n\n"),
    );
    std::thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() < Duration::from_secs(10));
    drop(waiting);
}

#[test]
fn garbage_does_not_stop_the_server() {
    let server = server();
    let address = server.local_addr();
    for garbage in ["\0\u{1}\u{2}\n\n", "GET\n\n", "GET / HTTP/9.9\n\n", &"a".repeat(1 << 20)] {
        drop(send(address, garbage));
    }
    assert_eq!(get(address, "/debug/pprof/").status, 200);
}
