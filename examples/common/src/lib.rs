//! What the example services share: a logger, and how they end.

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};
use tokio::signal::unix::{SignalKind, signal};

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let part = record.target().split("::").next().unwrap_or_default();
        // A log that cannot be written is nothing to end for.
        let _ = writeln!(std::io::stderr(), "[{}] [{part}] {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// From now on, what is logged goes to standard error as `[LEVEL] [part] message`.
pub fn log_to_stderr() {
    static LOGGER: Stderr = Stderr;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Waits until the service is asked to end, by ^C or SIGTERM.
pub async fn shutdown() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
