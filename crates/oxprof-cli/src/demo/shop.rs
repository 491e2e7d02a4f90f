//! The sample service: a small order-processing shop whose work is the kind that real services do.
//!
//! Orders arrive as JSON on an async runtime, are routed by regular expressions, signed, booked in a
//! ledger behind a lock, and archived compressed; a thread of its own keeps an index of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use regex::RegexSet;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Orders that a worker handles before it waits for more.
const BATCH: u64 = 24;

/// How long a worker waits between batches: the service is busy, not overloaded.
const PAUSE: Duration = Duration::from_millis(2);

/// The running service; dropping it stops its threads.
pub(super) struct Shop {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct State {
    routes: RegexSet,
    ledger: Mutex<Ledger>,
    handled: AtomicU64,
    closing: AtomicBool,
}

#[derive(Default)]
struct Ledger {
    totals: BTreeMap<String, u64>,
    recent: Vec<String>,
}

impl Shop {
    /// Opens the shop: two async workers, two plain threads, and the indexer.
    pub(super) fn open() -> std::io::Result<Self> {
        let state = Arc::new(State {
            routes: routes(),
            ledger: Mutex::default(),
            handled: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("shop-async")
            .enable_time()
            .build()?;
        for desk in 0..2 {
            runtime.spawn(serve_online(Arc::clone(&state), desk));
        }
        let mut shop = Self { state, workers: Vec::new(), runtime: Some(runtime) };
        for desk in 2..4 {
            shop.spawn(&format!("shop-desk-{desk}"), move |state| serve_desk(state, desk))?;
        }
        shop.spawn("shop-index", keep_index)?;
        Ok(shop)
    }

    /// Orders handled so far.
    pub(super) fn handled(&self) -> u64 {
        self.state.handled.load(Ordering::Relaxed)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&State) + Send + 'static,
    ) -> std::io::Result<()> {
        let state = Arc::clone(&self.state);
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.workers.push(thread.spawn(move || work(&state))?);
        Ok(())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        for worker in self.workers.drain(..) {
            // A worker that panicked has said so on stderr.
            let _ = worker.join();
        }
    }
}

impl State {
    fn is_open(&self) -> bool {
        !self.closing.load(Ordering::Relaxed)
    }
}

async fn serve_online(state: Arc<State>, desk: u64) {
    let mut number = desk;
    while state.is_open() {
        for _ in 0..BATCH {
            handle_order(&state, number);
            number += 4;
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn serve_desk(state: &State, desk: u64) {
    let mut number = desk;
    while state.is_open() {
        for _ in 0..BATCH {
            handle_order(state, number);
            number += 4;
        }
        std::thread::sleep(PAUSE);
    }
}

/// One order, from text to archive.
#[inline(never)]
fn handle_order(state: &State, number: u64) {
    let order = parse_order(&incoming(number));
    let route = route_order(&state.routes, &order);
    let signature = sign_order(&order);
    let receipt = archive_order(&order, &signature);
    book_order(&state.ledger, route, receipt);
    state.handled.fetch_add(1, Ordering::Relaxed);
}

/// The order as a client sends it.
#[inline(never)]
fn incoming(number: u64) -> String {
    let items: Vec<_> = (0..8 + number % 8)
        .map(|i| {
            format!(
                r#"{{"sku":"PART-{:06}","count":{},"note":"shelf {}"}}"#,
                number * 7 + i,
                i,
                i % 5
            )
        })
        .collect();
    format!(
        r#"{{"id":{number},"path":"/shop/{}/order/{number}","items":[{}]}}"#,
        number % 16,
        items.join(",")
    )
}

#[inline(never)]
fn parse_order(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn routes() -> RegexSet {
    let patterns = (0..16).map(|n| format!(r"^/shop/{n}/(order|return)/[0-9]+(\?.*)?$"));
    RegexSet::new(patterns).unwrap_or_default()
}

#[inline(never)]
fn route_order(routes: &RegexSet, order: &Value) -> usize {
    let path = order["path"].as_str().unwrap_or_default();
    routes.matches(path).iter().next().unwrap_or_default()
}

#[inline(never)]
fn sign_order(order: &Value) -> String {
    let digest = Sha256::digest(order.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[inline(never)]
fn archive_order(order: &Value, signature: &str) -> Vec<u8> {
    let text = format!("{order}\n{signature}\n");
    let mut archive = GzEncoder::new(Vec::new(), Compression::new(4));
    // Writing to a vector cannot fail.
    let _ = archive.write_all(text.as_bytes());
    archive.finish().unwrap_or_default()
}

/// Books the order while holding the lock that everyone needs.
#[inline(never)]
fn book_order(ledger: &Mutex<Ledger>, route: usize, receipt: Vec<u8>) {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    *ledger.totals.entry(format!("shop {route}")).or_default() += receipt.len() as u64;
    ledger.recent.push(format!("{route}: {} bytes", receipt.len()));
}

/// Sorts and drops what the desks have booked, as an index or a cache would.
fn keep_index(state: &State) {
    while state.is_open() {
        std::thread::sleep(Duration::from_millis(20));
        let recent =
            std::mem::take(&mut state.ledger.lock().unwrap_or_else(PoisonError::into_inner).recent);
        index_recent(recent);
    }
}

#[inline(never)]
fn index_recent(mut recent: Vec<String>) -> usize {
    recent.sort();
    recent.dedup();
    recent.len()
}
