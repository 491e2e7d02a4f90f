//! The files of the page, which lie in the program compressed.

use std::io::Read;

use flate2::read::GzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

use crate::reply::Reply;

/// A file of the page.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    /// Changes with the content: an `ETag`.
    tag: &'static str,
    gzip: &'static [u8],
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page itself, whatever view it is opened with.
pub(crate) fn page(headers: &HeaderMap) -> Reply {
    file("index.html", headers).unwrap_or_else(Reply::not_found)
}

/// The page of a trace, whatever view it is opened with.
pub(crate) fn trace_page(headers: &HeaderMap) -> Reply {
    file("trace.html", headers).unwrap_or_else(Reply::not_found)
}

/// The file of this name, if there is one.
pub(crate) fn file(name: &str, headers: &HeaderMap) -> Option<Reply> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let has = |header, what: &str| {
        headers.get(header).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(what))
    };
    if has(IF_NONE_MATCH, asset.tag) {
        return Some(Reply::not_modified(asset.tag));
    }
    let kind = kind(name);
    if has(ACCEPT_ENCODING, "gzip") {
        return Some(Reply::asset(kind, asset.tag, asset.gzip.to_vec(), true));
    }
    let mut plain = Vec::new();
    GzDecoder::new(asset.gzip).read_to_end(&mut plain).ok()?;
    Some(Reply::asset(kind, asset.tag, plain, false))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of all scripts and styles, which people wait for: of profiles, and what a trace needs besides.
    const MOST: usize = 160_000;
    const MOST_OF_TRACES: usize = 100_000;

    fn text(name: &str) -> String {
        let reply = file(name, &HeaderMap::new()).unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    }

    #[test]
    fn the_page_stays_small_and_asks_nobody_else() {
        let all: Vec<String> = ASSETS.iter().map(|asset| text(asset.name)).collect();
        let size = |of_traces: bool| -> usize {
            let counts = |asset: &Asset| asset.name.starts_with("trace") == of_traces;
            ASSETS.iter().zip(&all).filter(|(asset, _)| counts(asset)).map(|(_, t)| t.len()).sum()
        };
        assert!(size(false) < MOST, "{}", size(false));
        assert!(size(true) < MOST_OF_TRACES, "{}", size(true));
        for (asset, text) in ASSETS.iter().zip(&all) {
            for outside in
                ["https://", "@import", "eval(", ".innerHTML", "outerHTML", "document.write"]
            {
                assert!(!text.contains(outside), "{} has {outside}", asset.name);
            }
            let links = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!links.contains("http://"), "{}", asset.name);
        }
    }

    #[test]
    fn the_page_mentions_only_files_that_there_are() {
        let pages = text("index.html") + &text("trace.html");
        let mentioned = pages.split('"').filter_map(|part| part.strip_prefix("assets/"));
        let missing: Vec<&str> =
            mentioned.filter(|name| !ASSETS.iter().any(|a| a.name == *name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_file_that_is_there_already_is_not_sent_again() {
        let asset = &ASSETS[0];
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, asset.tag.parse().unwrap())]);
        assert_eq!(file(asset.name, &headers).unwrap().status, http::StatusCode::NOT_MODIFIED);
    }
}
