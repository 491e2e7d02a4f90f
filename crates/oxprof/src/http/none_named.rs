//! Platforms where no profile is always being taken.

use http::Response;

use super::index::Entry;
use super::reply::Body;

pub(super) fn prepare() {}

pub(super) fn keep_out_of_profiles() {}

pub(super) fn entries() -> impl Iterator<Item = Entry<'static>> {
    std::iter::empty()
}

pub(super) async fn answer(_: &str, _: &str) -> Option<Response<Body>> {
    None
}
