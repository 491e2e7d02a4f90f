//! What each route gives.

use std::os::unix::ffi::OsStringExt;

use http::header::ACCEPT;
use http::request::Parts;
use http::{Response, StatusCode};
use oxprof_profile::{Compression, encode_gzip};

use super::aside::{Aside, Failure};
use super::audit::Capture;
use super::index::{self, Entry};
use super::page::Page;
use super::peer::Peer;
use super::query::{self, CpuQuery};
use super::reply::{self, Body};
use super::settings::Settings;
use super::{named, symbol};
use crate::cpu;
use crate::metrics::{self, Format};
use crate::stats::{Profiling, Stats};

/// Routes that are beside the prefix as well as below it: `/debug/stats` is `/debug/pprof/stats`.
pub(super) const BESIDE: [&str; 2] = ["fgprof", "stats"];

/// What the index lists besides the profiles that are always being taken.
const ENTRIES: [Entry<'static>; 5] = [
    Entry {
        name: "cmdline",
        about: "Command line that started this program, NUL-separated.",
        count: 0,
    },
    Entry {
        name: "metrics",
        about: "Metrics of this program and of its measured functions, for Prometheus.",
        count: 0,
    },
    Entry {
        name: "profile",
        about: "CPU profile: where this program spends processor time. Parameters: seconds \
                (default 30, fractions allowed) and hz, the samples per second of CPU time \
                (default 100).",
        count: 0,
    },
    Entry {
        name: "stats",
        about: "How many threads and tasks, how much memory, since when; as JSON.",
        count: 0,
    },
    Entry {
        name: "symbol",
        about: "Names of the functions at given program counters: addresses separated by + in \
                the query of a GET or the body of a POST.",
        count: 0,
    },
];

/// What a path is called below `prefix`; `None` for the prefix without the slash that it should have.
pub(super) fn name<'p>(prefix: &str, path: &'p str) -> Option<&'p str> {
    let below = path.strip_prefix(prefix);
    if below == Some("") {
        return None;
    }
    let beside = || {
        let name = path.strip_prefix(parent(prefix))?.strip_prefix('/')?;
        BESIDE.contains(&name).then_some(name)
    };
    let name = below.and_then(|rest| rest.strip_prefix('/')).or_else(beside);
    Some(name.unwrap_or_else(|| path.strip_prefix('/').unwrap_or(path)))
}

/// The path above `prefix`, without a slash at the end.
pub(super) fn parent(prefix: &str) -> &str {
    prefix.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Answers a GET.
pub(super) async fn answer(
    name: &str,
    query: &str,
    head: &Parts,
    settings: &Settings,
    aside: &Aside,
    (prefix, pages): (&str, &[Page]),
) -> Response<Body> {
    match name {
        "" => reply::html(index(pages)),
        "cmdline" => reply::text(cmdline()),
        "metrics" => metrics(head),
        "stats" => reply::json(stats(prefix, settings)),
        "symbol" => symbols(query.to_owned(), aside).await,
        _ => profile(name, query, settings, aside, Peer::of(&head.extensions)).await,
    }
}

/// A profile, CPU or other, with a line in the log.
pub(super) async fn profile(
    name: &str,
    query: &str,
    settings: &Settings,
    aside: &Aside,
    peer: Option<Peer>,
) -> Response<Body> {
    let capture = Capture::start(peer, name, query);
    let mut reply = match name {
        "profile" => cpu_profile(query, settings, aside).await,
        _ => other_profile(name, query, settings, aside).await,
    };
    capture.finish(&mut reply);
    reply
}

/// Names of the program counters that are asked for.
pub(super) async fn symbols(request: String, aside: &Aside) -> Response<Body> {
    match aside.run(move || symbol::answer(&request, cpu::symbols)).await {
        Ok(text) => reply::text(text),
        Err(failure) => reply::failed(failure, "failed to look symbols up"),
    }
}

fn metrics(head: &Parts) -> Response<Body> {
    let accept = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    reply::metrics(format.content_type(), metrics::text(format))
}

fn stats(prefix: &str, settings: &Settings) -> String {
    let profiling = Profiling {
        path: prefix,
        cpu_duration: settings.cpu_duration,
        memory_interval: settings.memory_interval,
    };
    Stats::now().to_json_with(&profiling)
}

fn index(pages: &[Page]) -> String {
    let pages = pages.iter().map(|page| Entry { name: page.name, about: page.about, count: 0 });
    let mut entries: Vec<_> = ENTRIES.into_iter().chain(named::entries()).chain(pages).collect();
    entries.sort_by(|a, b| a.name.cmp(b.name));
    index::page(&entries)
}

async fn cpu_profile(query: &str, settings: &Settings, aside: &Aside) -> Response<Body> {
    let query = match CpuQuery::parse(query, settings.cpu_duration, &settings.limits) {
        Ok(query) => query,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    match take_cpu_profile(query, aside).await {
        Ok(Ok(gzip)) => reply::profile("profile", gzip),
        Err(failure) => reply::no_profile(failure),
        Ok(Err(error)) => reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("Could not enable CPU profiling: {error}"),
        ),
    }
}

/// The profile, compressed.
async fn take_cpu_profile(
    query: CpuQuery,
    aside: &Aside,
) -> Result<Result<Vec<u8>, cpu::Error>, Failure> {
    // The first capture compiles tables, which takes milliseconds.
    let options = cpu::Options::default().hz(query.hz);
    let profile = match aside.run(move || cpu::start(options)).await? {
        Ok(capture) => capture.run_for(query.duration).await,
        Err(error) => Err(error),
    };
    match profile {
        Ok(profile) => aside.run(move || Ok(encode_gzip(&profile, Compression::Fast))).await,
        Err(error) => Ok(Err(error)),
    }
}

async fn other_profile(
    name: &str,
    query: &str,
    settings: &Settings,
    aside: &Aside,
) -> Response<Body> {
    // In paths, unlike queries, a plus sign is itself.
    let decoded = query::percent_decode(&name.replace('+', "%2B"));
    let decoded = decoded.as_deref().unwrap_or(name);
    if let Some(reply) = named::answer(decoded, query, &settings.limits, aside).await {
        return reply;
    }
    let reason = match name {
        "heap" | "allocs" => {
            "Unknown profile - heap profiles need oxprof::Heap as the program's global allocator"
        }
        _ => "Unknown profile",
    };
    reply::error(StatusCode::NOT_FOUND, reason)
}

/// The arguments of this process, separated by NUL.
fn cmdline() -> Vec<u8> {
    let args: Vec<_> = std::env::args_os().map(OsStringExt::into_vec).collect();
    args.join(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |prefix: &str, path: &str, expected: Option<&str>| {
            assert_eq!(name(prefix, path), expected, "{path} below {prefix}");
        };
        for prefix in ["/debug/pprof", "/a", "/x/y/z"] {
            check(prefix, prefix, None);
            check(prefix, &format!("{prefix}/"), Some(""));
            check(prefix, &format!("{prefix}/heap"), Some("heap"));
            check(prefix, &format!("{prefix}/a/b"), Some("a/b"));
            check(prefix, &format!("{}/stats", parent(prefix)), Some("stats"));
            check(prefix, "/heap", Some("heap"));
            check(prefix, "/", Some(""));
        }
        check("/debug/pprof", "/debug/pprofile", Some("debug/pprofile"));
        check("/debug/pprof", "/debug/fgprof", Some("fgprof"));
        check("/debug/pprof", "/debug/heap", Some("debug/heap"));
        check("", "/heap", Some("heap"));
        check("", "/", Some(""));
        check("/a", "*", Some("*"));
    }
}
