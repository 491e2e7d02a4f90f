//! Prometheus itself scrapes `/metrics`, where it is installed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{get, server};

/// Ends the process when the test ends, however it does.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it at `own`, to scrape `target` every second; `None` where it is not installed.
fn start(own: SocketAddr, target: SocketAddr, directory: &Path) -> Option<Prometheus> {
    let config = directory.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs: [{{job_name: oxprof, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
        .arg(format!("--web.listen-address={own}"))
        .args(["--enable-feature=exemplar-storage", "--log.level=warn"])
        .stdout(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(Prometheus(child)),
        Err(error) => {
            eprintln!("skipped: prometheus: {error}");
            None
        }
    }
}

fn api(address: SocketAddr, path: &str) -> Value {
    let reply = get(address, path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    serde_json::from_slice::<Value>(&reply.body).expect("it answers JSON")["data"].take()
}

/// The state of the only target once it has been scraped.
fn scraped(address: SocketAddr) -> Value {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(200));
        if TcpStream::connect(address).is_err() || get(address, "/-/ready").status != 200 {
            continue;
        }
        let target = api(address, "/api/v1/targets")["activeTargets"].get(0).cloned();
        if let Some(target) = target.filter(|target| target["health"] != "unknown") {
            return target;
        }
    }
    panic!("it scrapes nothing");
}

#[oxprof::measure]
fn is_measured() {
    std::hint::black_box(());
}

#[test]
fn scrapes() {
    is_measured();
    let server = server();
    // A port that is free now; who takes it meanwhile fails the test, which says so.
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    // What an earlier run stored, if there was one.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let Some(_prometheus) = start(own, server.local_addr(), &directory) else { return };
    let target = scraped(own);
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()), "{target}");
    let expected = [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "goroutines_total",
        "function_calls_total{function=~'.*is_measured'}",
        "function_duration_seconds_count{function=~'.*is_measured'}",
    ];
    for metric in expected {
        let query = metric.replace('{', "%7B").replace('}', "%7D");
        let result = api(own, &format!("/api/v1/query?query={query}"));
        let value = result["result"][0]["value"][1].as_str().and_then(|n| n.parse::<f64>().ok());
        assert!(value.is_some_and(|n| n > 0.0), "{metric}: {result}");
    }
}
