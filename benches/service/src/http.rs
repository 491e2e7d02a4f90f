//! A service as many are: hyper on two threads of tokio, with a task for each connection, which it keeps. Requests come from
//! a process of their own, over as many connections as keep it busy. Of each, it looks a page of things up in a shared
//! cache, sorts them, and answers with JSON. Of a larger one it makes several pages, in another task, to which it sends
//! the request over a channel.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

const WORKERS: usize = 2;
const CONNECTIONS: usize = 8;
/// Pages of a connection before it counts, and those that count.
const WARM_UP: usize = 3_000;
const PAGES: usize = 10_000;

/// What answers a connection.
pub type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The cache.
type Things = Arc<Mutex<HashMap<u32, String>>>;

/// A request that another task answers.
type Sent = (u32, tokio::sync::oneshot::Sender<String>);

/// Those that nobody answers yet.
type Queue = Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Sent>>>;

/// Serves a child of this process, with as many pages for each request, and prints: CPU nanoseconds of a request in all
/// threads of this process, and the 50th and 99th percentile of what requests took the child, in nanoseconds.
pub fn run(spawn: fn(Connection), pages: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_io()
        .build()
        .expect("there are threads");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    runtime.spawn(serve(listener, spawn, pages));
    let program = std::env::current_exe().expect("Linux says");
    let mut client = Command::new(program)
        .args(["load", &address, &pages.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is this program");
    let mut lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("the client goes on").expect("it says something");
    line();
    let warm = crate::read(libc::CLOCK_PROCESS_CPUTIME_ID);
    let percentiles = line();
    let cpu = crate::read(libc::CLOCK_PROCESS_CPUTIME_ID) - warm;
    client.wait().expect("it ends");
    let requests = CONNECTIONS * PAGES / pages as usize;
    println!("{} {percentiles}", cpu.as_nanos() / requests as u128);
}

async fn serve(listener: tokio::net::TcpListener, spawn: fn(Connection), pages: u32) {
    let things = (0..1000).map(|i| (i, format!("thing of number {}", i * 7919 % 1000)));
    let cache: Things = Arc::new(Mutex::new(things.collect()));
    let (send, receive) = tokio::sync::mpsc::channel::<Sent>(2 * CONNECTIONS);
    let receive: Queue = Arc::new(tokio::sync::Mutex::new(receive));
    for _ in 0..WORKERS {
        spawn(Box::pin(work(Arc::clone(&receive), Arc::clone(&cache), pages)));
    }
    while let Ok((stream, _)) = listener.accept().await {
        let (cache, send) = (Arc::clone(&cache), send.clone());
        spawn(Box::pin(async move {
            let service = service_fn(async |request: Request<Incoming>| {
                let path = request.uri().path();
                let page = path.rsplit('/').next().and_then(|page| page.parse().ok()).unwrap_or(0);
                let body = if pages == 1 { answer(page, &cache) } else { ask(page, &send).await };
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
            });
            let http = hyper::server::conn::http1::Builder::new();
            // The client may have gone.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        }));
    }
}

/// Has another task answer.
async fn ask(page: u32, workers: &tokio::sync::mpsc::Sender<Sent>) -> String {
    let (reply, answer) = tokio::sync::oneshot::channel();
    workers.send((page, reply)).await.expect("they work");
    answer.await.expect("they answer")
}

/// Answers requests that are sent.
async fn work(requests: Queue, cache: Things, pages: u32) {
    while let Some((page, reply)) = { requests.lock().await.recv().await } {
        let mut body = String::new();
        (0..pages).for_each(|i| body = answer(page + i, &cache));
        // The client may have gone.
        let _ = reply.send(body);
    }
}

fn answer(page: u32, cache: &Mutex<HashMap<u32, String>>) -> String {
    let first = page % 90 * 10;
    let mut things: Vec<(u32, String)> = {
        let cache = cache.lock().expect("nobody panics");
        (first..first + 100).filter_map(|i| Some((i, cache.get(&i)?.clone()))).collect()
    };
    things.sort_by(|(_, a), (_, b)| a.cmp(b));
    let mut body = String::from("[");
    for (number, name) in things {
        let _ = write!(body, "{{\"number\":{number},\"name\":\"{name}\"}},");
    }
    body.push(']');
    body
}

/// Asks the service at an address for so many pages with each request, as the child.
pub fn load(address: &str, pages: usize) {
    let address = address.parse().expect("an address");
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| connect(address)).collect();
    all(&mut connections, WARM_UP / pages);
    println!("warm");
    let mut took = all(&mut connections, PAGES / pages);
    took.sort_unstable();
    let percentile = |p: usize| took[took.len() * p / 100].as_nanos();
    println!("{} {}", percentile(50), percentile(99));
}

/// How long each of some requests took, as many over each connection.
fn all(connections: &mut [TcpStream], requests: usize) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let get = |stream: &mut _| (0..requests).map(|i| get(stream, i)).collect();
        let get = |stream| scope.spawn(move || get(stream));
        let threads: Vec<_> = connections.iter_mut().map(get).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("it is answered"));
        times.collect::<Vec<Vec<_>>>().concat()
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn get(stream: &mut TcpStream, i: usize) -> Duration {
    let request = format!("GET /items/{} HTTP/1.1\r\nHost: service\r\n\r\n", i % 997);
    let start = Instant::now();
    stream.write_all(request.as_bytes()).expect("it listens");
    let (mut reply, mut length) = ([0; 1 << 14], 0);
    // The end of the JSON.
    while length == 0 || reply[length - 1] != b']' {
        let read = stream.read(&mut reply[length..]).expect("it answers");
        assert!(read > 0, "it ends early");
        length += read;
    }
    start.elapsed()
}
