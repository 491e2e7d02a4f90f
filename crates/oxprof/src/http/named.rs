//! The profiles that are always being taken: by name, whole or as the difference over some seconds.

use std::time::Duration;

use http::{Response, StatusCode};
use oxprof_profile::{Compression, encode_gzip};

use super::aside::Aside;
use super::contention::ContentionQuery;
use super::index::Entry;
use super::limits::Limits;
use super::query::NamedQuery;
use super::reply::{self, Body};
use super::{trace, wall};
use crate::contention::Started;
use crate::{Baseline, Gauges, NamedProfile};

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
pub(super) async fn answer(
    name: &str,
    query: &str,
    limits: &Limits,
    aside: &Aside,
) -> Option<Response<Body>> {
    let Some(profile) = crate::lookup(name) else {
        return match name {
            "trace" => Some(trace::answer(query, limits, aside).await),
            _ => wall::answer(name, query, limits, aside).await,
        };
    };
    let query = match NamedQuery::parse(name, query, limits) {
        Ok(query) => query,
        Err(message) => return Some(reply::error(StatusCode::BAD_REQUEST, &message)),
    };
    let profile = query.contention.profile(profile);
    Some(match query {
        NamedQuery { seconds: Some(duration), debug: 0, gauges, contention } => {
            difference(profile, duration, gauges, contention, aside).await
        }
        NamedQuery { seconds: Some(_), .. } => {
            reply::error(StatusCode::BAD_REQUEST, "seconds and debug params are incompatible")
        }
        NamedQuery { debug: 0, contention, .. } => whole(profile, contention, aside).await,
        NamedQuery { debug, contention, .. } => text(profile, debug, contention, aside).await,
    })
}

async fn whole(
    profile: NamedProfile,
    contention: ContentionQuery,
    aside: &Aside,
) -> Response<Body> {
    let name = profile.name();
    let work = move || encode_gzip(&profile.profile(), Compression::Fast);
    match aside.run_shared(format!("{name} {contention:?}"), work).await {
        Ok(gzip) => reply::profile(name, gzip),
        Err(failure) => reply::no_profile(failure),
    }
}

async fn text(
    profile: NamedProfile,
    debug: i64,
    contention: ContentionQuery,
    aside: &Aside,
) -> Response<Body> {
    let key = format!("{} {contention:?} as text {debug}", profile.name());
    let work = move || if debug == 1 { profile.text() } else { profile.text_of_each() };
    match aside.run_shared(key, move || work().into_bytes()).await {
        Ok(text) => reply::text(text),
        Err(failure) => reply::no_profile(failure),
    }
}

async fn difference(
    profile: NamedProfile,
    duration: Duration,
    gauges: Gauges,
    contention: ContentionQuery,
    aside: &Aside,
) -> Response<Body> {
    let name = profile.name();
    let first = move || (contention.start(), profile.baseline());
    let then = move |(sampling, baseline): (Option<Started>, Baseline)| {
        let profile = baseline.profile(gauges);
        drop(sampling);
        encode_gzip(&profile, Compression::Fast)
    };
    match aside.run_in_two(first, duration, then).await {
        Ok(gzip) => reply::profile(&format!("{name}-delta"), gzip),
        Err(failure) => reply::no_profile(failure),
    }
}
