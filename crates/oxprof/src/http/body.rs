//! Bodies of responses.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

use super::audit::Capture;

/// Body of a response: one chunk, so that it has a `Content-Length`, or, of an execution trace, pieces as they are
/// recorded.
pub struct Body(Content);

enum Content {
    Whole(Full<Bytes>),
    #[cfg_attr(
        not(all(target_os = "linux", target_arch = "x86_64")),
        expect(dead_code, reason = "traces have them")
    )]
    Pieces(Pieces),
}

/// What gives the next piece; it is not asked again after the last, or an error.
type Next = dyn FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send;

struct Pieces {
    next: Box<Next>,
    /// What is left of the last piece.
    rest: Bytes,
    sent: u64,
    audit: Option<Capture>,
    /// What is to be dropped after the last piece.
    held: Vec<Box<dyn Any + Send>>,
}

/// Most bytes that are handed on at once: servers keep that much of a client who is slow.
pub(super) const PIECE: usize = 1 << 16;

impl Body {
    /// One that is made while it is sent, as fast as the client takes it.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(super) fn pieces(
        next: impl FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send + 'static,
    ) -> Self {
        let next = Box::new(next);
        let pieces = Pieces { next, rest: Bytes::new(), sent: 0, audit: None, held: Vec::new() };
        Self(Content::Pieces(pieces))
    }

    /// Keeps something until all is sent or the client goes away; no longer than this call if all is there already.
    pub(super) fn hold(&mut self, what: impl Send + 'static) {
        if let Content::Pieces(pieces) = &mut self.0 {
            pieces.held.push(Box::new(what));
        }
    }

    /// Has `audit` told how it ends; gives it back if all is there already.
    pub(super) fn audit(&mut self, audit: Capture) -> Option<Capture> {
        match &mut self.0 {
            Content::Whole(_) => Some(audit),
            Content::Pieces(pieces) => {
                pieces.audit = Some(audit);
                None
            }
        }
    }
}

impl Pieces {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while self.rest.is_empty() {
            match ready!((self.next)(context)) {
                Some(Ok(piece)) => self.rest = piece,
                last => return Poll::Ready(self.end(last)),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        self.sent += piece.len() as u64;
        Poll::Ready(Some(Ok(piece)))
    }

    fn end(&mut self, last: Option<io::Result<Bytes>>) -> Option<io::Result<Bytes>> {
        if let Some(audit) = self.audit.take() {
            match &last {
                Some(Err(error)) => audit.fail(error),
                _ => audit.end(StatusCode::OK, self.sent),
            }
        }
        self.held.clear();
        last
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Content::Whole(full) => {
                Pin::new(full).poll_frame(context).map_err(|never| match never {})
            }
            Content::Pieces(pieces) => {
                pieces.poll(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(full) => full.is_end_stream(),
            Content::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(full) => full.size_hint(),
            Content::Pieces(_) => SizeHint::new(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Full::default().into()
    }
}

impl From<Full<Bytes>> for Body {
    fn from(full: Full<Bytes>) -> Self {
        Self(Content::Whole(full))
    }
}

macro_rules! from {
    ($($whole:ty),*) => {
        $(
            impl From<$whole> for Body {
                fn from(whole: $whole) -> Self {
                    Full::from(whole).into()
                }
            }
        )*
    };
}

from!(Bytes, String, Vec<u8>, &'static str, &'static [u8], Cow<'static, str>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Whole(full) => f.debug_tuple("Body").field(full).finish(),
            Content::Pieces(_) => f.debug_struct("Body").finish_non_exhaustive(),
        }
    }
}
