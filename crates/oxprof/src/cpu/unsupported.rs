//! Platforms without a CPU profiler.

use std::convert::Infallible;
use std::time::Duration;

use oxprof_profile::Profile;

use super::Error;
use super::reply::Reply;

/// Never exists.
#[derive(Debug)]
pub(super) struct Capture(Infallible);

impl Capture {
    pub(super) fn start(_: u32) -> Result<Self, Error> {
        Err(Error::Unsupported)
    }

    pub(super) fn finish(self) -> Reply<Profile> {
        match self.0 {}
    }

    pub(super) fn finish_after(&self, _: Duration) -> Reply<Profile> {
        match self.0 {}
    }

    pub(super) fn is_forked(&self) -> bool {
        match self.0 {}
    }
}

pub(super) fn register_current_thread() {}

#[cfg(feature = "http")]
pub(crate) fn symbols(addresses: &[u64]) -> Vec<Option<String>> {
    vec![None; addresses.len()]
}
