//! The page of an execution trace.
//!
//! ```text
//! file ──Reader──▶ job: one pass, in a thread ──▶ overview, summary, waits, … (kept) ──▶ Reply
//!        └───────▶ window: the generations that an interval touches, read again ──────▶ Reply
//! ```
//!
//! The trace is never in memory as a whole. Each analysis is one pass over the file that begins when somebody first
//! asks for it ([`job`]); until it ends, the page is told how far it is. The timeline is drawn from a grid of bounded
//! size ([`oxprof_trace::grid`]), of which there is a first version after a moment; where one looks closer than that
//! grid is fine, the few generations that one looks at are read again ([`timeline`]).

mod encode;
mod job;
mod read;
mod timeline;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use http::StatusCode;

use self::timeline::Overviews;
use crate::app::Refusal;
use crate::reply::Reply;
use crate::request::Ask;

/// Views of a trace that have a page of their own.
pub(crate) const PAGES: [&str; 1] = ["timeline"];

/// Where the bytes of a trace come from. They are read as often as somebody asks something new.
pub trait TraceSource: Send + Sync + 'static {
    /// The bytes from an offset on.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read>>;

    /// How many bytes there are, as far as is known.
    fn size(&self) -> u64;
}

/// A trace to show.
pub struct TraceSetup {
    /// What to call it.
    pub name: String,
    /// Its bytes.
    pub source: Box<dyn TraceSource>,
}

impl fmt::Debug for TraceSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A trace, and what has been found out about it.
pub(crate) struct Trace {
    name: String,
    source: Arc<dyn TraceSource>,
    overviews: Overviews,
}

impl Trace {
    pub(crate) fn new(setup: TraceSetup) -> Self {
        let TraceSetup { name, source } = setup;
        Self { name, source: source.into(), overviews: Overviews::default() }
    }

    /// Answers what is asked below `api/trace/`.
    pub(crate) fn answer(&self, what: &str, ask: &Ask) -> Result<Reply, Refusal> {
        match what {
            "about" => Ok(Reply::json(&About { name: &self.name, bytes: self.source.size() })),
            "timeline" => timeline::answer(self, &ask.query),
            _ => Err(Refusal(StatusCode::NOT_FOUND, "404 page not found".to_owned())),
        }
    }
}

#[derive(serde::Serialize)]
struct About<'a> {
    name: &'a str,
    bytes: u64,
}

/// Work that is not finished: how much of it is done, from 0 to 1.
fn unfinished(progress: f64) -> Reply {
    let mut reply = Reply::json(&serde_json::json!({ "progress": progress }));
    reply.status = StatusCode::ACCEPTED;
    reply
}
