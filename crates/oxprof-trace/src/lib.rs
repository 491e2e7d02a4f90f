//! Execution traces: what each thread and task of a program did, when, and why.
//!
//! The format is Go's (versions 22, 23, 25 and 26), so that `go tool trace` opens what is written here and
//! traces of Go programs are read here.
//!
//! ```text
//! bytes ──Reader──▶ Event ──▶ profiles, summaries, timelines
//! ```
//!
//! [`Reader`] takes bytes piece by piece and gives one checked [`Event`] at a time, in order; it keeps one
//! generation (about a second) of the trace in memory. Analyses are fed those events and never see the
//! trace as a whole, so a trace of any length can be analysed.
//!
//! The other way, [`record`] turns what a program's hooks saw into a trace, by way of [`write`](mod@write):
//!
//! ```text
//! Record ──Recorder──▶ generations ──▶ bytes
//! ```
//!
//! Nothing here does I/O or reads a clock: bytes come in, values and errors go out.
#![forbid(unsafe_code)]

mod blocking;
pub mod chain;
pub mod chrome;
mod error;
mod event;
mod generation;
pub mod grid;
mod histogram;
mod ids;
mod latency;
pub mod mutator;
mod names;
mod order;
mod raw;
mod reader;
pub mod record;
mod stats;
mod summary;
mod tables;
mod text;
pub mod timeline;
#[cfg(feature = "views")]
pub mod views;
pub mod window;
pub mod wire;
pub mod write;

pub use blocking::{WaitFilter, WaitProfiler, Waiting};
pub use error::{Pending, Rule, Violation};
pub use event::{
    Event, GoState, GoTransition, Kind, Log, Metric, ProcState, ProcTransition, Range, Region,
    Swept, SyncKind, Task,
};
pub use histogram::Histogram;
pub use ids::{GoId, ProcId, Slot, Stack, Str, TaskId, ThreadId};
pub use latency::{Latencies, LatencyRow};
pub use names::{NamedFrame, Names, StackIdx};
pub use raw::{Footprint, FootprintRow, Raw, RawReader, RawStep};
pub use reader::{Options, Problems, Reader, Step};
pub use stats::ExecStats;
pub use summary::{
    Goroutine, Group, LogMark, Mark, RegionSummary, Summarizer, Summary, TaskSummary,
    is_system_goroutine,
};
pub use tables::{ClockSnapshot, Frame, Tables};

/// Reads a trace that is all in memory, and calls `each` with every event and the tables it refers to.
///
/// # Errors
/// As [`Reader::step`].
pub fn for_each(
    bytes: &[u8],
    options: Options,
    mut each: impl FnMut(&Event, &Tables),
) -> Result<Problems, Violation> {
    let mut pieces = bytes.chunks(1 << 20);
    let mut reader = Reader::new(options);
    loop {
        match reader.step()? {
            Step::Event(event) => each(&event, reader.tables()),
            Step::NeedInput => match pieces.next() {
                Some(piece) => reader.feed(piece),
                None => reader.finish(),
            },
            Step::End => return Ok(reader.problems().clone()),
        }
    }
}
