//! From paths to answers.
//!
//! Everything lives under one directory, `/ui/` on a server of our own. Pages are all the same file: what they
//! show is in their address, and what they need they ask for below `api/`.

use http::{Method, StatusCode};

use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Ask;
use crate::{api, assets, trace};

/// Views that have a page of their own.
const PAGES: [&str; 8] =
    ["flamegraph", "graph", "top", "peek", "source", "disasm", "tags", "overview"];

/// Names that pages had before.
const OLD_PAGES: [&str; 2] = ["flamegraph2", "flamegraphold"];

/// Whether this was a path of the page before all of them were below one directory.
pub(crate) fn was_at_the_root(path: &str) -> bool {
    PAGES.contains(&path) || path == "download"
}

pub(crate) fn answer(app: &Inner, ask: &Ask) -> Reply {
    let reads = matches!(ask.method, Method::GET | Method::HEAD);
    match ask.path.as_str() {
        _ if !reads && ask.method != Method::POST => not_allowed(),
        _ if !reads && ask.is_cross_site() => {
            Reply::error(StatusCode::FORBIDDEN, "another site sent this request")
        }
        "" if app.trace.is_some() => moved("timeline", ask),
        page if app.trace.is_some() && trace::PAGES.contains(&page) => {
            assets::trace_page(&ask.headers)
        }
        "" => moved("flamegraph", ask),
        page if PAGES.contains(&page) => page_of(app, ask),
        page if OLD_PAGES.contains(&page) => moved("flamegraph", ask),
        path => match path.strip_prefix("assets/") {
            Some(name) => assets::file(name, &ask.headers).unwrap_or_else(Reply::not_found),
            None => api::answer(app, ask).unwrap_or_else(Reply::from),
        },
    }
}

/// A page whose address makes no sense says so at once, as the command line would.
fn page_of(app: &Inner, ask: &Ask) -> Reply {
    match api::check(app, ask) {
        Ok(()) => assets::page(&ask.headers),
        Err(refusal) => refusal.into(),
    }
}

fn moved(page: &str, ask: &Ask) -> Reply {
    let query = &ask.raw_query;
    let question = if query.is_empty() { "" } else { "?" };
    Reply::redirect(StatusCode::MOVED_PERMANENTLY, &format!("{page}{question}{query}"))
}

fn not_allowed() -> Reply {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()).into()
}
