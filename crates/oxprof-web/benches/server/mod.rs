//! A page that is served by a process of its own, of which a bench is a visitor.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program, as `cargo build --release` leaves it.
pub(crate) fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/oxprof")
}

/// A server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Serves a file, by a command that is told so; `None`, with a word on stderr, where it does not.
    pub(crate) fn start(mut command: Command, file: &Path) -> Option<Self> {
        let port = free_port();
        command.arg(format!("-http=localhost:{port}")).arg("-no_browser").arg(file);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let Ok(mut child) = piped.spawn() else {
            eprintln!("skipped: {command:?} cannot be started");
            return None;
        };
        let stderr = child.stderr.take().expect("it is piped");
        let server = Self { child, port };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        if !lines.any(|line| line.contains("Serving web UI")) {
            eprintln!("skipped: {command:?} does not serve");
            return None;
        }
        Some(server)
    }

    /// Where a view of the page is.
    pub(crate) fn url(&self, view: &str) -> String {
        format!("http://localhost:{}/ui/{view}", self.port)
    }

    /// The most memory that it had so far, in bytes.
    pub(crate) fn most_memory(&self) -> Option<f64> {
        most_memory(self.child.id())
    }
}

/// The most memory that a process had so far, in bytes.
pub(crate) fn most_memory(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}
