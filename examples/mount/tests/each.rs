//! Each example serves its own routes and ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Example(Child, String);

impl Example {
    fn start(binary: &str) -> Self {
        let mut child = Command::new(binary)
            .arg("127.0.0.1:0")
            .env("ADMIN_KEY", "s3cret")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self(child, address)
    }

    fn ask(&self, request: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).expect("it listens");
        let request = format!(
            "{request} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n{body}",
            self.1,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        String::from_utf8_lossy(&reply).into_owned()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn check(binary: &str) {
    let example = Example::start(binary);
    let token = "Authorization: Bearer s3cret\r\n";
    let status = |request: &str, headers: &str| {
        let reply = example.ask(request, headers, "");
        reply.get(9..12).unwrap_or_default().to_owned()
    };
    assert_eq!(status("GET /debug/pprof/", ""), "401", "{binary}");
    for path in [
        "/debug/pprof/",
        "/debug/pprof/cmdline",
        "/debug/pprof/profile?seconds=0.05",
        "/debug/stats",
    ] {
        assert_eq!(status(&format!("GET {path}"), token), "200", "{binary} {path}");
    }
    assert_eq!(status("GET /debug/pprof", token), "307", "{binary}");
    assert_eq!(status("GET /debug/pprof/nothing", token), "404", "{binary}");
    let symbols = example.ask("POST /debug/pprof/symbol", token, "0x1");
    assert!(symbols.contains("num_symbols: 1"), "{binary}: {symbols}");
}

#[test]
fn axum() {
    check(env!("CARGO_BIN_EXE_axum"));
}

#[test]
fn hyper() {
    check(env!("CARGO_BIN_EXE_hyper"));
}

#[test]
fn actix() {
    check(env!("CARGO_BIN_EXE_actix"));
}

#[test]
fn tonic() {
    check(env!("CARGO_BIN_EXE_tonic"));
}
