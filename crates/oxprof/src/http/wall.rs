//! Wall-clock profiles, under our name and under the one that fgprof has for its own.

use http::{Response, StatusCode};
use oxprof_profile::{Compression, Profile, encode_folded, encode_gzip};

use super::aside::Aside;
use super::index::Entry;
use super::limits::Limits;
use super::query::{Format, WallQuery};
use super::reply::{self, Body};
use crate::wall::{self, Capture, Error};

/// What the index says about them.
pub(super) const ENTRY: Entry<'static> = Entry {
    name: "wall",
    about: "Wall-clock profile: where time passes in all threads and async tasks, on the CPU and off it. Parameters: seconds \
            (default 30, fractions allowed), hz, the looks per second at each thread (default 99), and format, \
            pprof or folded. Also at /debug/fgprof.",
    count: 0,
};

/// Answers a request for a wall-clock profile; `None` if `name` is that of something else.
pub(super) async fn answer(
    name: &str,
    query: &str,
    limits: &Limits,
    aside: &Aside,
) -> Option<Response<Body>> {
    let file = match name {
        "wall" => "wall",
        "fgprof" => "fgprof",
        _ => return None,
    };
    Some(match WallQuery::parse(query, limits) {
        Ok(query) => capture(file, query, aside).await,
        Err(message) => reply::error(StatusCode::BAD_REQUEST, &message),
    })
}

async fn capture(file: &'static str, query: WallQuery, aside: &Aside) -> Response<Body> {
    let first = move || wall::start(wall::Options::default().hz(query.hz));
    let then = move |capture: Result<Capture, Error>| {
        capture.and_then(Capture::finish).map(|profile| encode(&profile, query.format))
    };
    match aside.run_in_two(first, query.duration, then).await {
        Ok(Ok(bytes)) if query.format == Format::Folded => reply::text(bytes),
        Ok(Ok(bytes)) => reply::profile(file, bytes),
        Ok(Err(error)) => {
            let message = format!("Could not enable wall-clock profiling: {error}");
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, &message)
        }
        Err(failure) => reply::no_profile(failure),
    }
}

fn encode(profile: &Profile, format: Format) -> Vec<u8> {
    match format {
        Format::Pprof => encode_gzip(profile, Compression::Fast),
        // Nanoseconds, the second value; as for pprof, the one that is shown unless another is asked for.
        Format::Folded => encode_folded(profile, 1).into_bytes(),
    }
}
