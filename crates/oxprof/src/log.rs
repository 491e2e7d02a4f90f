//! Lines for people, through whatever the program logs with: `tracing` where a subscriber listens, else `log`,
//! according to the features. Without either there are none.

use std::fmt::Arguments;

/// What to filter by.
#[cfg(any(feature = "log", feature = "tracing"))]
const TARGET: &str = "oxprof";

pub(crate) fn info(line: Arguments<'_>) {
    #[cfg(feature = "tracing")]
    if tracing::dispatcher::has_been_set() {
        tracing::info!(target: TARGET, "{line}");
        return;
    }
    #[cfg(feature = "log")]
    log::info!(target: TARGET, "{line}");
    let _ = line;
}

pub(crate) fn warn(line: Arguments<'_>) {
    #[cfg(feature = "tracing")]
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: TARGET, "{line}");
        return;
    }
    #[cfg(feature = "log")]
    log::warn!(target: TARGET, "{line}");
    let _ = line;
}
