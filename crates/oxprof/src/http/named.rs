//! The profiles that are always being taken: by name, whole or as the difference over some seconds.

use std::time::Duration;

use http::{Response, StatusCode};
use oxprof_profile::{Compression, encode_gzip};

use super::aside;
use super::index::Entry;
use super::limits::Limits;
use super::query::NamedQuery;
use super::reply::{self, Body};
use super::{trace, wall};
use crate::{Gauges, NamedProfile};

/// Does what takes milliseconds before requests come.
pub(super) fn prepare() {
    if crate::heap::is_installed() {
        crate::heap::prepare();
    }
    crate::threads::prepare();
}

/// What the index says about them.
pub(super) fn entries() -> impl Iterator<Item = Entry<'static>> {
    let entry = |profile: NamedProfile| Entry {
        name: profile.name(),
        about: profile.description(),
        count: profile.count(),
    };
    crate::profiles().into_iter().map(entry).chain([trace::ENTRY, wall::ENTRY])
}

/// Answers a request for the profile `name`; `None` if there is none.
pub(super) async fn answer(name: &str, query: &str, limits: &Limits) -> Option<Response<Body>> {
    let Some(profile) = crate::lookup(name) else {
        return match name {
            "trace" => Some(trace::answer(query, limits).await),
            _ => wall::answer(name, query, limits).await,
        };
    };
    Some(match NamedQuery::parse(query, limits) {
        Ok(NamedQuery { seconds: Some(duration), debug: 0, gauges }) => {
            difference(profile, duration, gauges).await
        }
        Ok(NamedQuery { seconds: Some(_), .. }) => {
            reply::error(StatusCode::BAD_REQUEST, "seconds and debug params are incompatible")
        }
        Ok(NamedQuery { debug: 0, .. }) => whole(profile).await,
        Ok(NamedQuery { debug, .. }) => text(profile, debug).await,
        Err(message) => reply::error(StatusCode::BAD_REQUEST, &message),
    })
}

async fn whole(profile: NamedProfile) -> Response<Body> {
    let name = profile.name();
    let work = move || encode_gzip(&profile.profile(), Compression::Fast);
    match aside::run_shared(name.to_owned(), work).await {
        Some(gzip) => reply::profile(name, gzip),
        None => failed(),
    }
}

async fn text(profile: NamedProfile, debug: i64) -> Response<Body> {
    let key = format!("{} as text {debug}", profile.name());
    let work = move || if debug == 1 { profile.text() } else { profile.text_of_each() };
    match aside::run_shared(key, move || work().into_bytes()).await {
        Some(text) => reply::text(text),
        None => failed(),
    }
}

async fn difference(profile: NamedProfile, duration: Duration, gauges: Gauges) -> Response<Body> {
    let name = profile.name();
    let first = move || profile.baseline();
    let then =
        move |baseline: crate::Baseline| encode_gzip(&baseline.profile(gauges), Compression::Fast);
    match aside::run_in_two(first, duration, then).await {
        Some(gzip) => reply::profile(&format!("{name}-delta"), gzip),
        None => failed(),
    }
}

pub(super) fn failed() -> Response<Body> {
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, "failed to collect profile")
}
