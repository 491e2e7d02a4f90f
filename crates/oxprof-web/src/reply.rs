//! What the page is answered with. Every reply carries the same rules for browsers.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HeaderName, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// Nothing from elsewhere, no script or style but our files, no frames around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: \
     data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For documents that are made to stand alone and bring their script along: shown here, they may run that but
/// reach nothing.
const STANDALONE: &str = "sandbox allow-scripts allow-downloads; default-src 'none'; script-src \
     'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Bodies shorter than this are not worth compressing.
const WORTH: usize = 8 << 10;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    policy: &'static str,
    compressible: bool,
}

impl Reply {
    fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { status, body: body.into(), headers, policy: POLICY, compressible: false }
    }

    pub(crate) fn text(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, "text/plain; charset=utf-8", body)
    }

    pub(crate) fn error(status: StatusCode, message: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{message}\n"))
    }

    pub(crate) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "404 page not found")
    }

    pub(crate) fn json(value: &impl Serialize) -> Self {
        // Values here are ours: maps have string keys and numbers are finite.
        let body = serde_json::to_vec(value).unwrap_or_default();
        let reply = Self::new(StatusCode::OK, "application/json", body);
        Self { compressible: true, ..reply }
    }

    pub(crate) fn binary(body: Vec<u8>) -> Self {
        Self { compressible: true, ..Self::new(StatusCode::OK, "application/octet-stream", body) }
    }

    pub(crate) fn of_kind(kind: &'static str, body: Vec<u8>) -> Self {
        Self { compressible: true, ..Self::new(StatusCode::OK, kind, body) }
    }

    /// A document with scripts of its own.
    pub(crate) fn standalone(kind: &'static str, body: Vec<u8>) -> Self {
        Self { policy: STANDALONE, ..Self::of_kind(kind, body) }
    }

    /// To be kept as a file of this name.
    pub(crate) fn attachment(mut self, name: &str) -> Self {
        let name: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
            self.headers.push((CONTENT_DISPOSITION, value));
        }
        self
    }

    pub(crate) fn redirect(status: StatusCode, location: &str) -> Self {
        let mut reply = Self::new(status, "text/plain; charset=utf-8", "");
        match HeaderValue::try_from(location) {
            Ok(value) => reply.headers.push((LOCATION, value)),
            Err(_) => return Self::error(StatusCode::BAD_REQUEST, "malformed query"),
        }
        reply
    }

    pub(crate) fn not_modified(tag: &'static str) -> Self {
        let mut reply = Self::new(StatusCode::NOT_MODIFIED, "text/plain", "");
        reply.headers.push((ETAG, HeaderValue::from_static(tag)));
        reply
    }

    pub(crate) fn asset(kind: &'static str, tag: &'static str, body: Vec<u8>, gzip: bool) -> Self {
        let mut reply = Self::new(StatusCode::OK, kind, body);
        reply.headers.push((ETAG, HeaderValue::from_static(tag)));
        reply.headers.push((VARY, HeaderValue::from_static("Accept-Encoding")));
        reply.headers.push((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        if gzip {
            reply.headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        reply
    }

    /// The response to a client that may take it compressed.
    pub(crate) fn into_response(mut self, takes_gzip: bool) -> Response<Full<Bytes>> {
        if self.compressible && takes_gzip && self.body.len() >= WORTH {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            if let Ok(packed) = encoder.write_all(&self.body).and_then(|()| encoder.finish()) {
                self.body = packed.into();
                self.headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            }
        }
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

/// Whether a character is harmless in a file name within quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_. ()".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_harmless() {
        let reply = Reply::text("").attachment("a\"b/../c\r\n.svg").into_response(false);
        assert_eq!(reply.headers()[CONTENT_DISPOSITION], "attachment; filename=\"a_b_.._c__.svg\"");
    }

    #[test]
    fn large_bodies_are_compressed_for_those_who_take_it() {
        let size = |takes| {
            let response = Reply::json(&vec![0; WORTH]).into_response(takes);
            http_body::Body::size_hint(response.body()).exact().unwrap()
        };
        assert!(size(true) * 10 < size(false));
    }
}
