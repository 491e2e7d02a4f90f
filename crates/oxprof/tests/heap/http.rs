//! The routes of profiles that are always being taken.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;

use oxprof::custom::CustomProfile;
use oxprof::http::Server;

use crate::{Rate, sums};

struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(header))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn get(path: &str) -> Reply {
    let server = Server::builder().address("127.0.0.1:0").start().unwrap();
    let address = server.local_addr();
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET /debug/pprof/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    Reply { head: String::from_utf8(raw[..end].to_vec()).unwrap(), body: raw[end + 4..].to_vec() }
}

#[test]
fn whole_profiles_have_the_headers_that_scrapers_check() {
    let reply = get("allocs?gc=1&debug=0");
    assert!(reply.has("HTTP/1.1 200 OK"), "{}", reply.head);
    assert!(reply.has("content-type: application/octet-stream"), "{}", reply.head);
    assert!(reply.has("content-disposition: attachment; filename=\"allocs\""), "{}", reply.head);
    let profile = oxprof_profile::decode(&reply.body).unwrap();
    assert_eq!(profile.str(profile.default_sample_type), "alloc_space");
}

#[test]
fn text() {
    for debug in [1, 2, -1] {
        let reply = get(&format!("heap?debug={debug}"));
        assert!(reply.has("content-type: text/plain; charset=utf-8"), "{}", reply.head);
        assert!(!reply.head.contains("content-disposition"), "{}", reply.head);
        assert!(reply.text().starts_with("heap profile: "), "{}", reply.text());
    }
}

#[inline(never)]
fn while_a_request_waits() {
    drop(black_box(vec![1u8; 5 << 20]));
}

#[test]
fn differences_over_some_time() {
    let _rate = Rate::set(1 << 16);
    while_a_request_waits();
    let reply = std::thread::scope(|scope| {
        let request = scope.spawn(|| get("heap?seconds=1.5"));
        std::thread::sleep(std::time::Duration::from_millis(750));
        while_a_request_waits();
        request.join().unwrap()
    });
    let name = "content-disposition: attachment; filename=\"heap-delta\"";
    assert!(reply.has(name), "{}", reply.head);
    let profile = oxprof_profile::decode(&reply.body).unwrap();
    assert_eq!(sums(&profile, "http::while_a_request_waits"), [1, 5 << 20, 0, 0]);
    assert!(profile.duration_nanos >= 1_500_000_000);
}

#[test]
fn errors() {
    let check = |path: &str, status: &str, message: &str| {
        let reply = get(path);
        assert!(reply.has(&format!("HTTP/1.1 {status}")), "{path}: {}", reply.head);
        assert!(reply.has("x-go-pprof: 1"), "{path}: {}", reply.head);
        assert_eq!(reply.text(), format!("{message}\n"), "{path}");
    };
    let seconds = "invalid value for \"seconds\" - must be a positive number, at most 86400";
    check("heap?seconds=0", "400 Bad Request", seconds);
    check("heap?seconds=abc&debug=1", "400 Bad Request", seconds);
    let both = "seconds and debug params are incompatible";
    check("heap?seconds=1&debug=1", "400 Bad Request", both);
    let debug = "invalid value for \"debug\" - must be an integer";
    check("heap?debug=x", "400 Bad Request", debug);
    check("nothing?seconds=0", "404 Not Found", "Unknown profile");
}

#[test]
fn custom_profiles_are_listed_and_served() {
    let profile = CustomProfile::new("heap.test/listed <1>").unwrap();
    let _entries = [profile.add(), profile.add()];
    let index = get("");
    let row = "<td>2</td><td><a href=\"heap.test/listed%20%3C1%3E?debug=1\">\
               heap.test/listed &lt;1&gt;</a></td>";
    assert!(index.text().contains(row), "{}", index.text());
    assert!(index.text().contains("<a href=\"heap?debug=1\">heap</a>"), "{}", index.text());
    let text = get("heap.test/listed%20%3C1%3E?debug=1");
    assert!(text.text().starts_with("heap.test/listed <1> profile: total 2\n"), "{}", text.text());
}
