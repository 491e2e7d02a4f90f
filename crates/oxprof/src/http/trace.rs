//! Execution traces over some seconds, sent while they are recorded.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use oxprof_trace::chrome::Chrome;
use oxprof_trace::timeline::LanesBy;
use oxprof_trace::{Options, Reader, Step};

use super::aside::{Aside, Failure};
use super::body::PIECE;
use super::index::Entry;
use super::limits::Limits;
use super::query::{TraceFormat, TraceQuery};
use super::reply::{self, Body};
use crate::trace::{self, Capture};

/// What the index says about them.
pub(super) const ENTRY: Entry<'static> = Entry {
    name: "trace",
    about: "Execution trace: what threads and tasks do, when, and what they wait for; for `oxprof trace` and \
            `go tool trace`. Parameters: seconds (default 1, fractions allowed) and format: perfetto for \
            ui.perfetto.dev. It is sent while it is recorded; who leaves 64 MiB of it unread gets no more.",
    count: 0,
};

/// Pieces of JSON that wait to be sent.
const WAITING: usize = 16;

/// Answers a request for a trace.
pub(super) async fn answer(query: &str, limits: &Limits, aside: &Aside) -> Response<Body> {
    let query = match TraceQuery::parse(query, limits) {
        Ok(query) => query,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    let capture = match aside.run(move || trace::start_for(query.duration)).await {
        Ok(Ok(capture)) => capture,
        Ok(Err(error)) => {
            let message = format!("Could not enable tracing: {error}");
            return reply::error(StatusCode::INTERNAL_SERVER_ERROR, &message);
        }
        Err(failure) => return reply::no_profile(failure),
    };
    match query.format {
        TraceFormat::Go => {
            let pieces = move |context: &mut Context<'_>| poll_next(&capture, context);
            reply::trace("trace", Body::pieces(pieces))
        }
        TraceFormat::Perfetto => match convert(capture, aside) {
            Ok(mut pieces) => {
                let pieces = move |context: &mut Context<'_>| pieces.poll_recv(context);
                reply::trace("trace.json", Body::pieces(pieces))
            }
            Err(failure) => reply::no_profile(failure),
        },
    }
}

/// The next piece of a trace, to be sent.
fn poll_next(capture: &Capture, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
    capture.poll_next(context).map(|piece| match piece {
        Some(piece) => Some(Ok(Bytes::from_owner(piece))),
        None => overdue(capture).map(Err),
    })
}

/// Why there is less than was asked for, if there is.
fn overdue(capture: &Capture) -> Option<io::Error> {
    let message = "it was not read in time, and ends early";
    capture.is_overdue().then(|| io::Error::new(io::ErrorKind::TimedOut, message))
}

/// Has a recording written as JSON by a thread, as fast as that is read.
fn convert(
    capture: Capture,
    aside: &Aside,
) -> Result<tokio::sync::mpsc::Receiver<io::Result<Bytes>>, Failure> {
    let (send, pieces) = tokio::sync::mpsc::channel(WAITING);
    aside.spawn(move || {
        // Fails when the client has gone away.
        let _ = write_json(&capture, |piece| send.blocking_send(piece));
    })?;
    Ok(pieces)
}

/// Hands the JSON of a recording to `send`, piece by piece, until that fails.
fn write_json<E>(
    capture: &Capture,
    send: impl Fn(io::Result<Bytes>) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = String::new();
    let mut chrome = Chrome::new(LanesBy::Goroutine, &mut text);
    let mut reader = Reader::new(Options::default());
    loop {
        match reader.step() {
            Ok(Step::Event(event)) => chrome.event(&event, reader.tables(), &mut text),
            Ok(Step::NeedInput) => {
                // What there is, before there is more.
                send(Ok(std::mem::take(&mut text).into()))?;
                match capture.next() {
                    Some(piece) => reader.feed(&piece),
                    None => reader.finish(),
                }
            }
            Ok(Step::End) => break,
            Err(violation) => return send(Err(io::Error::other(violation))),
        }
        if text.len() >= PIECE {
            send(Ok(std::mem::take(&mut text).into()))?;
        }
    }
    if let Some(error) = overdue(capture) {
        return send(Err(error));
    }
    chrome.finish(&mut text);
    send(Ok(text.into()))
}
