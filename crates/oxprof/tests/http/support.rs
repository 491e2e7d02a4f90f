//! A server under test, and a client that shows exactly what came over the wire.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use oxprof::http::Server;

/// A response, with header names in lower case.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// A server on a free port.
pub(crate) fn server() -> Server {
    Server::builder().address("127.0.0.1:0").start().expect("the server starts")
}

/// Sends `request`, whose lines end in `\n` and get no further headers, and reads to the end.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Reply {
    receive(&mut send(address, request))
}

/// Sends `request` over any stream and reads to the end.
pub(crate) fn exchange_over(stream: &mut (impl Read + Write), request: &str) -> Reply {
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).expect("the server reads");
    receive(stream)
}

/// What comes until the other side closes.
pub(crate) fn receive(stream: &mut impl Read) -> Reply {
    let mut raw = Vec::new();
    if let Err(error) = stream.read_to_end(&mut raw) {
        // A server that refuses a request before it has read all of it resets the connection.
        assert!(!raw.is_empty(), "the server does not answer: {error}");
    }
    parse(&raw)
}

/// A GET with some headers, each of which ends in `\n`.
pub(crate) fn get_with(address: SocketAddr, target: &str, headers: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\nHost: {address}\n{headers}Connection: close\n\n");
    exchange(address, &request)
}

/// Sends `request` and leaves the connection open.
pub(crate) fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).expect("the server reads");
    stream
}

/// A GET of `target` with nothing special about it.
pub(crate) fn get(address: SocketAddr, target: &str) -> Reply {
    get_with(address, target, "")
}

fn parse(raw: &[u8]) -> Reply {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("the head ends");
    let head = std::str::from_utf8(&raw[..end]).expect("the head is text");
    let (status, headers) = head.split_once("\r\n").expect("the head has headers");
    let headers = headers
        .split("\r\n")
        .map(|line| line.split_once(": ").expect("name: value"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let status = status.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status code");
    let mut reply = Reply { status, headers, body: raw[end + 4..].to_vec() };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunked(&reply.body);
    }
    reply
}

/// What is in the chunks that a body comes in.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        body.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}
