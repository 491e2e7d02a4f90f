//! A line in the log for each capture: who took what, and how long it took.

use std::time::Instant;

use http::{Response, StatusCode};
use http_body::Body as _;

use super::peer::Peer;
use super::reply::Body;
use crate::{log, metrics};

/// Longest part of a name or a query that is logged.
const MOST: usize = 200;

/// A capture that is going on. Dropped before it is finished, its client has gone away.
pub(super) struct Capture {
    name: String,
    who: String,
    what: String,
    started: Instant,
    is_finished: bool,
}

impl Capture {
    pub(super) fn start(peer: Option<Peer>, name: &str, query: &str) -> Self {
        let who = peer.map_or_else(|| "somebody".to_owned(), |peer| peer.to_string());
        let with = if query.is_empty() { "" } else { " with " };
        let what = format!("{:?}{with}{}", beginning(name), beginning(query));
        Self { name: name.to_owned(), who, what, started: Instant::now(), is_finished: false }
    }

    /// Logs how it ended, once all of the reply is there.
    pub(super) fn finish(self, reply: &mut Response<Body>) {
        let (status, bytes) = (reply.status(), reply.body().size_hint().lower());
        if let Some(this) = reply.body_mut().audit(self) {
            this.end(status, bytes);
        }
    }

    /// Logs that it ended, with a reply of so many bytes.
    pub(super) fn end(mut self, status: StatusCode, bytes: u64) {
        self.is_finished = true;
        let elapsed = self.started.elapsed();
        let seconds = elapsed.as_secs_f64();
        let Self { who, what, .. } = &self;
        if status == StatusCode::OK {
            metrics::taken::note(&self.name, elapsed);
            log::info(format_args!(
                "{who} took the profile {what} in {seconds:.3} s, {bytes} bytes"
            ));
        } else {
            log::info(format_args!(
                "{who} did not get the profile {what} after {seconds:.3} s: {status}"
            ));
        }
    }

    /// Logs why it ended early.
    pub(super) fn fail(mut self, error: &std::io::Error) {
        self.is_finished = true;
        let seconds = self.started.elapsed().as_secs_f64();
        let Self { who, what, .. } = &self;
        log::info(format_args!("{who} took part of the profile {what} in {seconds:.3} s: {error}"));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if !self.is_finished {
            let seconds = self.started.elapsed().as_secs_f64();
            let Self { who, what, .. } = &self;
            log::info(format_args!(
                "{who} went away after {seconds:.3} s of the profile {what}, which was cancelled"
            ));
        }
    }
}

/// What is logged of a text that may be long.
fn beginning(text: &str) -> &str {
    let end = (0..=MOST).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let check = |text: &str, expected: usize| assert_eq!(beginning(text), &text[..expected]);
        check("", 0);
        check(&"a".repeat(MOST), MOST);
        check(&"a".repeat(MOST + 1), MOST);
        check(&format!("a{}", "é".repeat(MOST)), MOST - 1);
        check(&"€".repeat(MOST), MOST - MOST % 3);
    }
}
