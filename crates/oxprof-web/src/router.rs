//! From paths to answers.
//!
//! Everything lives under one directory, `/ui/` on a server of our own. Pages are all the same file: what they
//! show is in their address, and what they need they ask for below `api/`.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::{Ask, Query};
use crate::{Giver, api, assets, trace};

/// Views that have a page of their own.
const PAGES: [&str; 8] =
    ["flamegraph", "graph", "top", "peek", "source", "disasm", "tags", "overview"];

/// Names that pages had before.
const OLD_PAGES: [&str; 2] = ["flamegraph2", "flamegraphold"];

/// Whether this was a path of the page before all of them were below one directory.
pub(crate) fn was_at_the_root(path: &str) -> bool {
    PAGES.contains(&path) || path == "download"
}

/// A request for `path`, without its body, if by its head it is one to answer.
pub(crate) fn admit(path: String, head: Parts, giver: Giver) -> Result<Ask, Reply> {
    let Parts { method, uri, headers, .. } = head;
    let raw_query = uri.query().unwrap_or_default().to_owned();
    let (query, body) = (Query::parse(&raw_query), Bytes::new());
    let ask = Ask { method, path, query, raw_query, headers, body, giver };
    match ask.method {
        Method::GET | Method::HEAD => Ok(ask),
        Method::POST if ask.is_cross_site() => {
            Err(Reply::error(StatusCode::FORBIDDEN, "another site sent this request"))
        }
        Method::POST => Ok(ask),
        _ => Err(not_allowed()),
    }
}

pub(crate) fn answer(app: &Inner, ask: &Ask) -> Reply {
    match ask.path.as_str() {
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
