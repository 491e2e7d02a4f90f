//! The few kinds of response that the endpoints give, with the headers Go's clients look at.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body as _;

use super::aside::Failure;
pub use super::body::Body;

/// Marks an error as coming from the endpoints; `go tool pprof` shows the text only when it is there.
const X_GO_PPROF: HeaderName = HeaderName::from_static("x-go-pprof");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A gzip-compressed profile to download under `name`.
pub(super) fn profile(name: &str, gzip: impl Into<Bytes>) -> Response<Body> {
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

/// JSON.
pub(super) fn json(body: String) -> Response<Body> {
    reply(StatusCode::OK, HeaderValue::from_static("application/json"), body)
}

/// Metrics.
pub(super) fn metrics(content_type: &'static str, body: String) -> Response<Body> {
    reply(StatusCode::OK, HeaderValue::from_static(content_type), body)
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

/// 429 for a client whose tokens were wrong too often.
pub(super) fn too_many_failures(wait: Duration) -> Response<Body> {
    later(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens", wait)
}

/// 503 while too many requests are being answered.
pub(super) fn busy() -> Response<Body> {
    let message = "too many requests at a time - try again later";
    later(StatusCode::SERVICE_UNAVAILABLE, message, Duration::from_secs(1))
}

fn later(status: StatusCode, message: &str, wait: Duration) -> Response<Body> {
    let mut reply = error(status, message);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

/// What was asked for came to nothing: `message` says what.
pub(super) fn failed(why: Failure, message: &str) -> Response<Body> {
    match why {
        Failure::NoThread => {
            let message =
                format!("{message}: this program cannot start a thread - try again later");
            later(StatusCode::SERVICE_UNAVAILABLE, &message, Duration::from_secs(1))
        }
        Failure::Panic => error(StatusCode::INTERNAL_SERVER_ERROR, message),
    }
}

/// A profile came to nothing.
pub(super) fn no_profile(why: Failure) -> Response<Body> {
    failed(why, "failed to collect profile")
}

/// A trace to download under `name`, while it is recorded.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) fn trace(name: &str, body: Body) -> Response<Body> {
    let mut reply = profile(name, Bytes::new());
    *reply.body_mut() = body;
    reply
}

/// The same as answer to a HEAD: the body's length, if it is known, and no body.
pub(super) fn without_body(mut reply: Response<Body>) -> Response<Body> {
    if let Some(length) = reply.body().size_hint().exact() {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *reply.body_mut() = Body::default();
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
    let mut reply = Response::new(Body::from(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
