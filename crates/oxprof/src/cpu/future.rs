//! The future of [`Capture::run_for`].

use std::pin::Pin;
use std::task::{Context, Poll};

use oxprof_profile::Profile;

use super::reply::Reply;
use super::{Capture, Error};

/// Resolves when the profiler's thread has made the profile; cancels the capture when dropped.
pub(super) struct RunFor {
    capture: Capture,
    reply: Reply<Profile>,
}

impl RunFor {
    pub(super) fn new(capture: Capture, reply: Reply<Profile>) -> Self {
        Self { capture, reply }
    }
}

impl Future for RunFor {
    type Output = Result<Profile, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.capture.session.is_forked() {
            return Poll::Ready(Err(Error::Forked));
        }
        self.reply.poll(context.waker())
    }
}
