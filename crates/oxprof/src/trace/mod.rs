//! Execution traces: what each thread and task was doing when, what it waited for, and who woke it.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let capture = oxprof::trace::start()?;
//! // … what is to be looked at …
//! capture.finish(std::fs::File::create("trace.out")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! `oxprof trace trace.out` shows what is in it, and so does `go tool trace`: the format is Go's. A [`FlightRecorder`] keeps
//! the last seconds in memory until somebody wants them. [`task`], [`region`] and [`log()`] tell what the program
//! is about; with the feature `tracing`, so do spans and events.
//!
//! ```text
//! hooks, pollers, task/region/log ─hooks─▶ blocks of each thread ─session─▶ slices ─encoder─▶ generations ─▶ Capture
//!                                          (buffer)              a thread   └▶ history, encoder when asked ─▶ FlightRecorder
//! ```
//!
//! Threads note what they do in memory of their own, of which there is a fixed most; what has no room is counted, and
//! the trace says so. While nobody records, nothing is noted.

mod buffer;
mod capture;
mod encoder;
mod flight;
mod fork;
mod history;
pub(crate) mod hooks;
#[cfg(feature = "tracing")]
mod layer;
mod names;
mod session;
mod slice;
mod user;

use std::{fmt, io};

pub use self::capture::{Capture, start, start_for};
pub use self::flight::{FlightRecorder, FlightRecorderBuilder};
#[cfg(feature = "tracing")]
pub use self::layer::TracingLayer;
pub use self::user::{Entered, Region, Task, log, region, task};

/// Why nothing is recorded.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The thread that writes traces cannot be started.
    Thread(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(error) => {
                write!(f, "the thread that writes traces cannot be started: {error}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
        }
    }
}

/// Whether a trace is being recorded. That may change at any time.
pub fn is_enabled() -> bool {
    hooks::is_on()
}
