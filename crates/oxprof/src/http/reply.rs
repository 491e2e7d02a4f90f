//! The few kinds of response that the endpoints give, with the headers Go's clients look at.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, LOCATION,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// Body of a response: one chunk, so that it has a `Content-Length`.
pub type Body = Full<Bytes>;

/// Marks an error as coming from the endpoints; `go tool pprof` shows the text only when it is there.
const X_GO_PPROF: HeaderName = HeaderName::from_static("x-go-pprof");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A gzip-compressed profile to download under `name`.
pub(super) fn profile(name: &str, gzip: Vec<u8>) -> Response<Body> {
    let mut reply = reply(StatusCode::OK, BINARY, gzip);
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    reply
}

/// Plain text.
pub(super) fn text(body: impl Into<Bytes>) -> Response<Body> {
    reply(StatusCode::OK, TEXT, body)
}

/// A page that loads nothing and runs no script.
pub(super) fn html(body: String) -> Response<Body> {
    let mut reply = reply(StatusCode::OK, HTML, body);
    reply.headers_mut().insert(
        http::header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    );
    reply
}

/// An error of the endpoints: `message` becomes the body's only line.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let mut reply = reply(status, TEXT, format!("{message}\n"));
    reply.headers_mut().insert(X_GO_PPROF, HeaderValue::from_static("1"));
    reply
}

/// 405 for a method that the route does not take.
pub(super) fn method_not_allowed(allow: &'static str) -> Response<Body> {
    let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Method Not Allowed\n");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// 401 that says nothing but how to authenticate.
pub(super) fn unauthorized() -> Response<Body> {
    let mut reply = reply(StatusCode::UNAUTHORIZED, TEXT, "Unauthorized\n");
    let challenge = HeaderValue::from_static("Bearer realm=\"pprof\"");
    reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    reply
}

/// 307 to `location`.
pub(super) fn redirect(location: &str) -> Response<Body> {
    let mut reply = reply(StatusCode::TEMPORARY_REDIRECT, TEXT, "");
    if let Ok(value) = HeaderValue::try_from(location) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
