//! Execution traces over some seconds.

use http::{Response, StatusCode};

use super::aside;
use super::index::Entry;
use super::limits::Limits;
use super::named::failed;
use super::query::TraceQuery;
use super::reply::{self, Body};
use crate::trace::{self, Capture, Error};

/// What the index says about them.
pub(super) const ENTRY: Entry<'static> = Entry {
    name: "trace",
    about: "Execution trace: what threads and tasks do, when, and what they wait for; for `oxprof trace` and \
            `go tool trace`. Parameter: seconds (default 1, fractions allowed). One of more than 64 MiB ends early.",
    count: 0,
};

/// Answers a request for a trace.
pub(super) async fn answer(query: &str, limits: &Limits) -> Response<Body> {
    let query = match TraceQuery::parse(query, limits) {
        Ok(query) => query,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    match aside::run_in_two(trace::start, query.duration, finish).await {
        Some(Ok(bytes)) => reply::profile("trace", bytes),
        Some(Err(error)) => {
            let message = format!("Could not enable tracing: {error}");
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, &message)
        }
        None => failed(),
    }
}

fn finish(capture: Result<Capture, Error>) -> Result<Vec<u8>, Error> {
    Ok(capture?.rest().collect::<Vec<_>>().concat())
}
