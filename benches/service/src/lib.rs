//! Two services. Here, worker threads take requests of a microsecond from a queue, parse them, look something up in a
//! shared cache, and answer: that is the worst case, as next to everything they do is wait for each other. The
//! other speaks [HTTP](http).

pub mod http;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WORKERS: usize = 2;
const REQUESTS: usize = 60_000;

struct Request {
    line: String,
    sent: Instant,
    reply: Sender<(Vec<u8>, Instant)>,
}

/// Serves and prints: CPU nanoseconds of a request in the service's own threads, and the 50th and 99th percentile of
/// what requests took in all, in nanoseconds.
pub fn run() {
    let cache = Arc::new(Mutex::new(HashMap::new()));
    let (send, receive) = sync_channel::<Request>(64);
    let receive = Arc::new(Mutex::new(receive));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (receive, cache) = (Arc::clone(&receive), Arc::clone(&cache));
            std::thread::spawn(move || work(&receive, &cache))
        })
        .collect();
    let (reply, replies) = channel();
    let mut took = Vec::with_capacity(REQUESTS);
    for i in 0..REQUESTS {
        let line = format!("GET /items/{}?colour=blue&size={} HTTP/1.1", i % 997, i % 13);
        send.send(Request { line, sent: Instant::now(), reply: reply.clone() })
            .expect("workers run");
        took.extend(replies.try_iter().map(|(_, sent)| sent.elapsed()));
        if i % 32 == 0 {
            // Requests come in small crowds.
            while took.len() <= i {
                let (_, sent) = replies.recv().expect("workers answer");
                took.push(sent.elapsed());
            }
        }
    }
    drop((send, reply));
    took.extend(replies.iter().map(|(_, sent)| sent.elapsed()));
    let cpu: Duration = workers.into_iter().map(|worker| worker.join().expect("it ends")).sum();
    took.sort_unstable();
    let percentile = |p: usize| took[took.len() * p / 100].as_nanos();
    println!("{} {} {}", cpu.as_nanos() / REQUESTS as u128, percentile(50), percentile(99));
}

/// Answers until there are no more requests; returns the CPU time that took.
fn work(queue: &Mutex<Receiver<Request>>, cache: &Mutex<HashMap<String, u64>>) -> Duration {
    loop {
        let Ok(request) = queue.lock().expect("nobody panics").recv() else { return cpu_time() };
        let answer = answer(&request.line, cache);
        // The client may have gone.
        let _ = request.reply.send((answer, request.sent));
    }
}

fn answer(line: &str, cache: &Mutex<HashMap<String, u64>>) -> Vec<u8> {
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameters: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let hits = {
        let mut cache = cache.lock().expect("nobody panics");
        let hits = cache.entry(path.to_owned()).or_default();
        *hits += 1;
        *hits
    };
    let body: String =
        parameters.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}{hits}", body.len()).into_bytes()
}

/// CPU time of the calling thread.
fn cpu_time() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for a time.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
