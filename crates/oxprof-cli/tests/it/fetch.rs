//! Profiles from servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::support::{OXPROF, PPROF, Place, Ran};

const PROFILE: &str = "main;parse 30\nmain;print 10\n";

/// A server that answers every request alike and tells what it was asked.
pub(crate) struct Server {
    pub address: String,
    pub requests: Receiver<String>,
}

/// Reads a request, with as much of a body as it announces.
fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    request.extend(body);
    String::from_utf8_lossy(&request).into_owned()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

impl Server {
    /// Serves `answer` until the test ends.
    fn start(answer: String) -> Self {
        Self::answering(move |_| answer.clone())
    }

    /// Serves what `answer` makes of requests.
    pub(crate) fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        Self::answering_bytes(move |request| answer(request).into_bytes())
    }

    /// The same for answers that are not text.
    pub(crate) fn answering_bytes(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let _ = stream.write_all(&answer(&request));
                if tell.send(request).is_err() {
                    break;
                }
            }
        });
        Self { address, requests }
    }

    pub(crate) fn next_request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(10)).unwrap()
    }
}

/// Fetches `source`, in which `HOST` stands for the server.
fn fetch(place: &Place, server: &Server, program: &str, arguments: &str) -> Ran {
    place.run(program, arguments.replace("HOST", &server.address).split(' '))
}

#[test]
fn urls_are_completed_and_the_result_is_saved() {
    let server = Server::start(ok(PROFILE));
    let place = Place::new();
    let ran = fetch(&place, &server, PPROF, "-top HOST");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(server.next_request().starts_with("GET /debug/pprof/profile HTTP/1.1\r\n"));
    let saved = place.path().join("saved/pprof.samples.001.pb.gz");
    let expected = format!(
        "Fetching profile over HTTP from http://{}/debug/pprof/profile\nSaved profile in {}\n",
        server.address,
        saved.display()
    );
    assert_eq!(ran.err, expected);
    let again = place.run(PPROF, ["-top".as_ref(), saved.as_os_str()]);
    assert_eq!(again.out, ran.out);
    fetch(&place, &server, PPROF, "-top HOST");
    assert!(place.path().join("saved/pprof.samples.002.pb.gz").exists());
}

#[test]
fn nothing_is_saved_on_request() {
    let server = Server::start(ok(PROFILE));
    let place = Place::new();
    let ran = fetch(&place, &server, OXPROF, "-top -no_save HOST");
    assert!(!ran.err.contains("Saved") && !place.path().join("saved").exists(), "{}", ran.err);
}

#[test]
fn a_place_that_cannot_hold_the_result_is_passed_over() {
    let server = Server::start(ok(PROFILE));
    let place = Place::new();
    place.write("saved", "a file, not a directory");
    let ran = fetch(&place, &server, PPROF, "-top HOST/x");
    let blocked = place.path().join("saved");
    assert!(
        ran.err.contains(&format!("Could not use temp dir {}: ", blocked.display())),
        "{}",
        ran.err
    );
    assert!(place.path().join("pprof/pprof.samples.001.pb.gz").exists());
}

#[test]
fn seconds_are_asked_for_and_announced() {
    let server = Server::start(ok(PROFILE));
    let place = Place::new();
    let ran = fetch(&place, &server, PPROF, "-top -seconds=2 http://HOST/p?seconds=9&b=2&a=1");
    assert!(server.next_request().starts_with("GET /p?a=1&b=2&seconds=2 HTTP/1.1\r\n"));
    assert!(ran.err.contains("Please wait... (2s)\n"), "{}", ran.err);
}

#[test]
fn headers_and_tokens_are_sent() {
    let server = Server::start(ok(PROFILE));
    let place = Place::new();
    let url = format!("http://{}/p", server.address);
    let mut command = place.command(OXPROF);
    let command = command.env("OXPROF_TOKEN", "t0").args(["-top", "-header", "X-Team: a b", &url]);
    assert!(command.output().unwrap().status.success());
    let request = server.next_request().to_lowercase();
    assert!(request.contains("\r\nx-team: a b\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: bearer t0\r\n"), "{request}");
}

#[track_caller]
fn check_failure(answer: &str, expected: &str) {
    let server = Server::start(answer.to_owned());
    let place = Place::new();
    let ran = fetch(&place, &server, PPROF, "-top HOST/x");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains(&format!("{}/x: {expected}", server.address)), "{}", ran.err);
    assert!(ran.err.ends_with("pprof: failed to fetch any source profiles\n"), "{}", ran.err);
}

#[test]
fn what_servers_say_is_passed_on() {
    check_failure(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnope\n",
        "server response: 404 Not Found\n",
    );
    check_failure(
        "HTTP/1.1 500 Internal Server Error\r\nX-Go-Pprof: 1\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 5\r\nConnection: close\r\n\r\nbusy\n",
        "server response: 500 Internal Server Error - busy\n",
    );
    check_failure(&ok("<html>"), "parsing profile: unrecognized profile format");
    check_failure(&ok(""), "parsing profile: empty input file\n");
}

#[test]
fn servers_that_cannot_be_reached_are_named() {
    let place = Place::new();
    let refused = place.run(PPROF, ["-top", "http://127.0.0.1:1/x"]);
    let expected = "http://127.0.0.1:1/x: Get \"http://127.0.0.1:1/x\": connection refused\n";
    assert!(refused.err.contains(expected), "{}", refused.err);
    let scheme = place.run(PPROF, ["-top", "ftp://h/x"]);
    let expected = "Get \"ftp://h/x\": unsupported protocol scheme \"ftp\"";
    assert!(scheme.err.contains(expected), "{}", scheme.err);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let place = Place::new();
    let ran = place.run(PPROF, ["-top", "-timeout=1", &url]);
    assert!(ran.err.contains("the server took too long to answer"), "{}", ran.err);
}

#[test]
fn redirections_are_followed() {
    let server = Server::start(ok(PROFILE));
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/there\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        server.address
    );
    let first = Server::start(answer);
    let ran = fetch(&Place::new(), &first, PPROF, "-top HOST/here");
    assert!(server.next_request().starts_with("GET /there "));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn several_servers_are_asked_side_by_side() {
    let servers = [Server::start(ok(PROFILE)), Server::start(ok(PROFILE))];
    let urls = servers.each_ref().map(|s| format!("http://{}/p", s.address));
    let place = Place::new();
    let ran = place.run(PPROF, ["-top", "-no_save", &urls[0], &urls[1]]);
    assert!(ran.out.contains("        60 75.00%"), "{}", ran.out);
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_spoken_to() {
    use std::os::unix::net::UnixListener;
    let place = Place::new();
    // The path of a socket may be no longer than about a hundred bytes.
    let socket = std::env::temp_dir().join(format!("oxprof-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&socket).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        stream.write_all(ok(PROFILE).as_bytes()).unwrap();
        request
    });
    let url = format!("unix:{}:/debug/pprof/heap?gc=1", socket.display());
    let ran = place.run(OXPROF, ["-top", "-no_save", &url]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /debug/pprof/heap?gc=1 HTTP/1.1\r\n"), "{request}");
    std::fs::remove_file(&socket).unwrap();
    let gone = place.run(OXPROF, ["-top", &url]);
    assert!(gone.err.contains("no such file or directory"), "{}", gone.err);
}

const NAMELESS: &str = "heap profile: 1: 100 [1: 100] @ heap/1\n1: 100 [1: 100] @ 0x1011 0x1021\n";

#[test]
fn servers_are_asked_for_names() {
    let server = Server::answering(|request| {
        if request.starts_with("POST /debug/pprof/symbol HTTP/1.1\r\n") {
            assert!(request.ends_with("\r\n\r\n0x1010+0x1020"), "{request}");
            return ok("num_symbols: 2\n0x1010 leaf\n0x1020\t_ZN4root3newEv\n");
        }
        ok(NAMELESS)
    });
    let ran =
        fetch(&Place::new(), &server, PPROF, "-top -symbolize=remote HOST/debug/pprof/heap?gc=1");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("100%  leaf\n") && ran.out.contains("100%  root::new\n"),
        "{}",
        ran.out
    );
}

#[test]
fn a_server_that_knows_no_names_is_named() {
    let server = Server::answering(|request| {
        if request.starts_with("POST ") {
            return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .into();
        }
        ok(NAMELESS)
    });
    let ran = fetch(&Place::new(), &server, PPROF, "-top http://HOST/debug/pprof/heap");
    assert_eq!(ran.code, Some(2));
    let expected = format!(
        "pprof: http post http://{}/debug/pprof/symbol: server response: 404 Not Found\n",
        server.address
    );
    assert!(ran.err.ends_with(&expected), "{}", ran.err);
    // Who wants none is not troubled.
    let ran =
        fetch(&Place::new(), &server, PPROF, "-top -symbolize=none http://HOST/debug/pprof/heap");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}
