//! Platforms where no profile is always being taken.

use http::Response;

use super::aside::Aside;
use super::index::Entry;
use super::limits::Limits;
use super::reply::Body;

pub(super) fn prepare() {}

pub(super) fn entries() -> impl Iterator<Item = Entry<'static>> {
    std::iter::empty()
}

pub(super) async fn answer(_: &str, _: &str, _: &Limits, _: &Aside) -> Option<Response<Body>> {
    None
}
