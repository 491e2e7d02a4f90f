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

mod analyses;
mod encode;
mod job;
mod read;
mod timeline;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;

use self::analyses::Analyses;
use self::timeline::Overviews;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Ask;

/// Views of a trace that have a page of their own.
pub(crate) const PAGES: [&str; 7] =
    ["timeline", "goroutines", "latency", "tasks", "regions", "mmu", "compare"];

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
    /// The bytes of a trace to compare it with.
    pub base: Option<Box<dyn TraceSource>>,
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
    base: Option<Arc<dyn TraceSource>>,
    overviews: Overviews,
    analyses: Analyses,
}

impl Trace {
    pub(crate) fn new(setup: TraceSetup) -> Self {
        let TraceSetup { name, source, base } = setup;
        Self {
            name,
            source: source.into(),
            base: base.map(Arc::from),
            overviews: Overviews::default(),
            analyses: Analyses::default(),
        }
    }

    /// Answers what is asked below `api/trace/`.
    pub(crate) fn answer(&self, app: &Inner, what: &str, ask: &Ask) -> Result<Reply, Refusal> {
        let query = &ask.query;
        match what {
            "about" => Ok(Reply::json(&self.about())),
            "diff" => analyses::diff(self),
            "goroutine" => analyses::goroutine(self, query),
            "goroutines" => analyses::goroutines(self),
            "latency" => analyses::latency(self),
            "mmu" => analyses::mmu(self),
            "pprof" => analyses::download(self, query),
            "profile" => analyses::show_profile(app, self, ask),
            "region" => analyses::region(self, query),
            "regions" => analyses::regions(self),
            "task" => analyses::task(self, query),
            "tasks" => analyses::tasks(self),
            "timeline" => timeline::answer(self, query),
            "why" => analyses::why(self, query),
            _ => Err(Refusal(StatusCode::NOT_FOUND, "404 page not found".to_owned())),
        }
    }

    fn about(&self) -> About<'_> {
        About { name: &self.name, bytes: self.source.size(), has_base: self.base.is_some() }
    }
}

/// What the page says about the trace.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    bytes: u64,
    has_base: bool,
}

/// Work that is not finished: how much of it is done, from 0 to 1.
fn unfinished(progress: f64) -> Reply {
    let mut reply = Reply::json(&serde_json::json!({ "progress": progress }));
    reply.status = StatusCode::ACCEPTED;
    reply
}
