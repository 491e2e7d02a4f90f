//! A capture as its caller holds it.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use oxprof_profile::Profile;

use super::super::Error;
use super::super::reply::Reply;
use super::control::{self, Request};

/// Dropping it cancels.
#[derive(Debug)]
pub(in super::super) struct Capture {
    id: u64,
    epoch: u64,
}

impl Capture {
    pub(in super::super) fn start(hz: u32) -> Result<Self, Error> {
        control::start(hz).map(|(id, epoch)| Self { id, epoch })
    }

    pub(in super::super) fn finish(self) -> Reply<Profile> {
        let this = ManuallyDrop::new(self);
        control::ask(this.epoch, |profile| Request::Finish { id: this.id, profile })
    }

    pub(in super::super) fn finish_after(&self, duration: Duration) -> Reply<Profile> {
        let now = Instant::now();
        // A duration beyond what clocks can say is as good as a century.
        let at = now.checked_add(duration).unwrap_or(now + Duration::from_secs(3_155_760_000));
        control::ask(self.epoch, |profile| Request::FinishAt { id: self.id, at, profile })
    }

    pub(in super::super) fn is_forked(&self) -> bool {
        control::lock().epoch != self.epoch
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        control::send(self.epoch, Request::Cancel { id: self.id });
    }
}
