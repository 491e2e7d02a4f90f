//! Execution traces over some seconds, sent while they are recorded.

use std::io;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use oxprof_trace::chrome::Chrome;
use oxprof_trace::timeline::LanesBy;
use oxprof_trace::{Options, Reader, Step};
use tokio::sync::oneshot;

use super::aside;
use super::body::PIECE;
use super::index::Entry;
use super::limits::Limits;
use super::named::failed;
use super::query::{TraceFormat, TraceQuery};
use super::reply::{self, Body};
use crate::trace::{self, Capture, Error};

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
pub(super) async fn answer(query: &str, limits: &Limits) -> Response<Body> {
    let query = match TraceQuery::parse(query, limits) {
        Ok(query) => query,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    let recording = match start(query.duration).await {
        Some(Ok(recording)) => recording,
        Some(Err(error)) => {
            let message = format!("Could not enable tracing: {error}");
            return reply::error(StatusCode::INTERNAL_SERVER_ERROR, &message);
        }
        None => return failed(),
    };
    match query.format {
        TraceFormat::Go => {
            let pieces = move |context: &mut Context<'_>| recording.poll_next(context);
            reply::trace("trace", Body::pieces(pieces))
        }
        TraceFormat::Perfetto => match convert(recording) {
            Some(mut pieces) => {
                let pieces = move |context: &mut Context<'_>| pieces.poll_recv(context);
                reply::trace("trace.json", Body::pieces(pieces))
            }
            None => failed(),
        },
    }
}

/// A recording that ends after some time, or soon after this is dropped.
struct Recording {
    capture: Arc<Capture>,
    _until_dropped: mpsc::Sender<()>,
}

/// Begins to record. `None` if there is no thread.
async fn start(duration: Duration) -> Option<Result<Recording, Error>> {
    let (tell, told) = oneshot::channel();
    let (until_dropped, dropped) = mpsc::channel();
    aside::spawn(move || {
        let capture = trace::start().map(Arc::new);
        let mine = capture.as_ref().ok().cloned();
        // Nobody is there to be told if the request was dropped meanwhile.
        if tell.send(capture).is_ok()
            && dropped.recv_timeout(duration) == Err(mpsc::RecvTimeoutError::Timeout)
            && let Some(capture) = mine
        {
            capture.stop();
        }
    })?;
    let capture = told.await.ok()?;
    Some(capture.map(|capture| Recording { capture, _until_dropped: until_dropped }))
}

impl Recording {
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.capture.poll_next(context).map(|piece| match piece {
            Some(piece) => Some(Ok(Bytes::from_owner(piece))),
            None => self.overdue().map(Err),
        })
    }

    /// Why there is less than was asked for, if there is.
    fn overdue(&self) -> Option<io::Error> {
        let message = "it was not read in time, and ends early";
        self.capture.is_overdue().then(|| io::Error::new(io::ErrorKind::TimedOut, message))
    }
}

/// Has a recording written as JSON by a thread, as fast as that is read. `None` if there is no thread.
fn convert(recording: Recording) -> Option<tokio::sync::mpsc::Receiver<io::Result<Bytes>>> {
    let (send, pieces) = tokio::sync::mpsc::channel(WAITING);
    aside::spawn(move || {
        // Fails when the client has gone away.
        let _ = write_json(&recording, |piece| send.blocking_send(piece));
    })?;
    Some(pieces)
}

/// Hands the JSON of a recording to `send`, piece by piece, until that fails.
fn write_json<E>(
    recording: &Recording,
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
                match recording.capture.next() {
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
    if let Some(error) = recording.overdue() {
        return send(Err(error));
    }
    chrome.finish(&mut text);
    send(Ok(text.into()))
}
