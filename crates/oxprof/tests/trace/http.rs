//! `/debug/pprof/trace`: a trace that is sent while it is recorded, as long as somebody takes it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oxprof::http::{Endpoints, Server};
use oxprof::trace;
use oxprof_trace::{Options, Summary, for_each};
use serde_json::Value;
use tower_service::Service;

use crate::{alone, summary};

fn server() -> Server {
    Server::builder().address("127.0.0.1:0").start().unwrap()
}

/// A request that is being answered: the body comes as it is, without chunks.
fn ask(server: &Server, method: &str, query: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("{method} /debug/pprof/trace?{query} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// The head, in lower case, and the body.
fn get(server: &Server, method: &str, query: &str) -> (String, Vec<u8>) {
    let mut reply = Vec::new();
    ask(server, method, query).read_to_end(&mut reply).unwrap();
    let body = reply.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8_lossy(&reply[..body]).to_lowercase(), reply[body..].to_vec())
}

/// Whether nothing is recorded any more soon.
fn ends() -> bool {
    let start = Instant::now();
    while trace::is_enabled() && start.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(20));
    }
    !trace::is_enabled()
}

/// How long a trace is. Events of one time are a nanosecond apart in it.
fn micros(summary: &Summary) -> i64 {
    (summary.end - summary.start) / 1000
}

/// As `curl …/debug/pprof/trace?seconds=0.2 -o trace.out` does.
#[test]
fn a_trace_to_download() {
    let _alone = alone();
    let server = server();
    let (head, body) = get(&server, "GET", "seconds=0.2");
    assert!(head.contains("content-disposition: attachment; filename=\"trace\""), "{head}");
    let summary = summary(&body);
    assert_eq!(micros(&summary), 200_000);
    assert_eq!(&get(&server, "GET", "seconds=x").0[9..12], "400");
    let (head, body) = get(&server, "HEAD", "seconds=3600");
    assert_eq!((&head[9..12], &*body), ("200", &[][..]));
    assert!(ends());
}

#[test]
fn it_comes_while_it_is_recorded_and_ends_with_its_client() {
    let _alone = alone();
    let server = server();
    let mut stream = ask(&server, "GET", "seconds=3600");
    let (mut reply, mut piece) = (Vec::new(), [0; 1 << 16]);
    let events = loop {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "it ends");
        reply.extend_from_slice(&piece[..read]);
        // Whatever there is by now is a trace up to the end of its last generation.
        let Some(body) = reply.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let mut events = 0;
        let body = &reply[body + 4..];
        if body.len() > 16 {
            for_each(body, Options::default(), |_, _| events += 1).unwrap();
        }
        if events > 0 {
            break events;
        }
    };
    assert!(events > 2 && trace::is_enabled());
    drop(stream);
    assert!(ends());
}

/// However much there is to record, and however late that is written.
#[test]
fn it_is_as_long_as_was_asked_for() {
    let _alone = alone();
    // More than the recorder can take, which then is behind for long.
    let is_flood = std::env::var_os("OXPROF_LONG").is_some();
    let server = server();
    let (stop, turn) = (AtomicBool::new(false), Mutex::new(0_u64));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let _region = trace::region("work");
            *turn.lock().unwrap() += 1;
            if !is_flood {
                thread::sleep(Duration::from_micros(50));
            }
        }
    };
    let bodies = thread::scope(|scope| {
        (0..6).for_each(|_| drop(scope.spawn(work)));
        let ask = || get(&server, "GET", "seconds=0.5").1;
        let (one, other) = (scope.spawn(ask), ask());
        stop.store(true, Ordering::Relaxed);
        [one.join().unwrap(), other]
    });
    for body in bodies {
        let summary = summary(&body);
        assert_eq!(micros(&summary), 500_000);
        assert!(summary.regions.len() > 100, "{} regions", summary.regions.len());
    }
    assert!(ends());
}

#[test]
fn over_http_2() {
    let _alone = alone();
    let server = server();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.local_addr()).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let uri = format!("http://{}/debug/pprof/trace?seconds=0.2", server.local_addr());
        let request = http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
    });
    assert!(summary(&body).events > 2);
}

#[test]
fn as_a_service_in_whatever_runtime() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let request =
        |query: &str| http::Request::get(format!("/trace?{query}")).body(String::new()).unwrap();
    runtime.block_on(async {
        let mut service = Endpoints::new();
        let reply = service.call(request("seconds=0.2")).await.unwrap();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(summary(&body).events > 2);
        let mut body = service.call(request("seconds=3600")).await.unwrap().into_body();
        let header = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(&header[..], b"go 1.26 trace\0\0\0");
        assert!(body.frame().await.unwrap().unwrap().into_data().unwrap().len() > 16);
        assert!(trace::is_enabled());
        drop(body);
        assert!(ends());
        let bytes = service.capture("trace", "seconds=0.1").await.unwrap();
        assert!(summary(&bytes).events > 2);
    });
}

/// One that is being sent counts as a request that is being answered.
#[test]
fn as_many_as_there_may_be() {
    let _alone = alone();
    let mut limits = oxprof::http::Limits::default();
    limits.requests = 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut service = Endpoints::new().with_limits(limits);
        let mut status = async |path: &str| {
            let reply = service.call(http::Request::get(path).body(String::new()).unwrap()).await;
            let reply = reply.unwrap();
            (reply.status().as_u16(), reply.into_body())
        };
        let (first, body) = status("/trace?seconds=3600").await;
        assert_eq!((first, status("/cmdline").await.0), (200, 503));
        drop(body);
        assert_eq!(status("/cmdline").await.0, 200);
        assert!(ends());
    });
}

#[test]
fn for_perfetto() {
    let _alone = alone();
    let server = server();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let work = thread::Builder::new().name("sleeper".to_owned()).spawn(move || {
        begun.send(()).unwrap();
        while !trace::is_enabled() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(50));
    });
    // By then it has its name.
    has_begun.recv().unwrap();
    let (head, body) = get(&server, "GET", "seconds=1.5&format=perfetto");
    work.unwrap().join().unwrap();
    assert!(head.contains("filename=\"trace.json\""), "{head}");
    let events: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let lane = events.iter().find(|e| {
        let name = e["args"]["name"].as_str().unwrap_or_default();
        e["name"] == "thread_name" && name.ends_with(" sleeper")
    });
    let lane = &lane.expect("a lane of the thread")["tid"];
    let is_sleep = |e: &&Value| e["tid"] == *lane && e["name"] == "waiting (sleep)";
    let longest = events.iter().filter(is_sleep).filter_map(|e| e["dur"].as_f64());
    assert!(longest.fold(0.0, f64::max) >= 50_000.0);
    // Viewers take what is cut after an event.
    let text = String::from_utf8(body).unwrap();
    for (at, _) in text.match_indices(",\n").step_by(20) {
        let cut = format!("{}]", &text[..at]);
        serde_json::from_str::<Vec<Value>>(&cut).unwrap();
    }
}
