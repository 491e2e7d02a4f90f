//! The profiles that are always being taken: by name, whole or as the difference over some seconds.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http::{Response, StatusCode};
use oxprof_profile::{Compression, encode_gzip};
use tokio::sync::oneshot;

use super::contention::ContentionQuery;
use super::index::Entry;
use super::query::NamedQuery;
use super::reply::{self, Body};
use super::wall;
use crate::contention::Started;
use crate::{Baseline, Gauges, NamedProfile};

/// Does what takes milliseconds before requests come.
pub(super) fn prepare() {
    if crate::heap::is_installed() {
        crate::heap::prepare();
    }
    crate::threads::prepare();
}

/// Keeps the waits of the calling thread, which is ours, out of profiles.
pub(super) fn keep_out_of_profiles() {
    crate::contention::exempt_current_thread();
}

/// What the index says about them.
pub(super) fn entries() -> impl Iterator<Item = Entry<'static>> {
    let entry = |profile: NamedProfile| Entry {
        name: profile.name(),
        about: profile.description(),
        count: profile.count(),
    };
    crate::profiles().into_iter().map(entry).chain([wall::ENTRY])
}

/// Answers a request for the profile `name`; `None` if there is none.
pub(super) async fn answer(name: &str, query: &str) -> Option<Response<Body>> {
    let Some(profile) = crate::lookup(name) else { return wall::answer(name, query).await };
    let query = match NamedQuery::parse(name, query) {
        Ok(query) => query,
        Err(message) => return Some(reply::error(StatusCode::BAD_REQUEST, &message)),
    };
    let profile = query.contention.profile(profile);
    Some(match query {
        NamedQuery { seconds: Some(duration), debug: 0, gauges, contention } => {
            difference(profile, duration, gauges, contention).await
        }
        NamedQuery { seconds: Some(_), .. } => {
            reply::error(StatusCode::BAD_REQUEST, "seconds and debug params are incompatible")
        }
        NamedQuery { debug: 0, .. } => whole(profile).await,
        NamedQuery { debug, .. } => text(profile, debug).await,
    })
}

async fn whole(profile: NamedProfile) -> Response<Body> {
    let work = move || encode_gzip(&profile.profile(), Compression::Fast);
    match aside(Duration::ZERO, || (), move |()| work()).await {
        Some(gzip) => reply::profile(profile.name(), gzip),
        None => failed(),
    }
}

async fn text(profile: NamedProfile, debug: i64) -> Response<Body> {
    let work = move || if debug == 1 { profile.text() } else { profile.text_of_each() };
    match aside(Duration::ZERO, || (), move |()| work()).await {
        Some(text) => reply::text(text),
        None => failed(),
    }
}

async fn difference(
    profile: NamedProfile,
    duration: Duration,
    gauges: Gauges,
    contention: ContentionQuery,
) -> Response<Body> {
    let first = move || (contention.start(), profile.baseline());
    let then = move |(sampling, baseline): (Option<Started>, Baseline)| {
        let profile = baseline.profile(gauges);
        drop(sampling);
        encode_gzip(&profile, Compression::Fast)
    };
    match aside(duration, first, then).await {
        Some(gzip) => reply::profile(&format!("{}-delta", profile.name()), gzip),
        None => failed(),
    }
}

pub(super) fn failed() -> Response<Body> {
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, "failed to collect profile")
}

/// Does `first`, and `then` after some time, in a thread of its own: naming functions takes a while, and the runtime
/// that awaits this may be any, with a clock or without. Dropping the future ends the wait. `None` if there is
/// no thread.
pub(super) async fn aside<S: Send + 'static, T: Send + 'static>(
    wait: Duration,
    first: impl FnOnce() -> S + Send + 'static,
    then: impl FnOnce(S) -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let (_until_dropped, dropped) = mpsc::channel::<()>();
    let work = move || {
        keep_out_of_profiles();
        let state = first();
        if wait.is_zero() || dropped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Nobody is there to be told if the request was dropped meanwhile.
            let _ = done.send(then(state));
        }
    };
    thread::Builder::new().name("oxprof-names".to_owned()).spawn(work).ok()?;
    result.await.ok()
}
