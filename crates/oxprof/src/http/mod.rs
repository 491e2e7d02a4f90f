//! The `/debug/pprof/` routes: as a [`Server`] of their own, or mounted into one that is there.
//!
//! ```text
//! Request ──token, route, method──▶ Profile │ Symbol │ Cmdline │ Index ──▶ Response
//! ```
//!
//! [`Endpoints`] answers requests and knows nothing of sockets. It is a [`tower_service::Service`], so
//! hyper, tonic and tower stacks take it as it is; for axum there is `Endpoints::router` (feature
//! `axum`). [`Server`] runs it on a thread of its own, which stays responsive whatever the program's
//! async runtime does.
//!
//! Paths, parameters, headers, status codes and messages are those of Go's `net/http/pprof`, so its
//! clients work unchanged. On purpose these differ:
//!
//! * `symbol` takes POST as well as GET: pprof clients send POST.
//! * Several clients may ask for a CPU profile at once; each gets its own. Go answers 500 to all but
//!   the first.
//! * `profile` has a parameter `hz`, and `seconds` may be a fraction.
//! * `seconds` gives the difference of any other profile, too, in which values that go up and down, such as memory in
//!   use, are those at the end; with `delta=all` they are subtracted like the others, as Go does.
//! * `block` and `mutex` with `seconds` sample for that time, also where the program has not turned them on; `rate`
//!   and `fraction` say how finely. `block` shows waits for the world outside with `all=1`, and waits that are not over
//!   with `pending=1`. See [`contention`](crate::contention).
//! * Parameters that are unknown or cannot be read are refused with 400. Go silently takes the default.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod contention;
mod index;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod named;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "none_named.rs"]
mod named;
mod query;
mod reply;
mod server;
mod symbol;
mod token;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod wall;

use std::convert::Infallible;
use std::future::Future;
use std::os::unix::ffi::OsStringExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};

use self::index::Entry;
use self::query::CpuQuery;
pub use self::reply::Body;
pub use self::server::{ServeError, Server, ServerBuilder, serve_from_env};
use self::token::Token;
use crate::cpu;

/// Where the routes live.
const PREFIX: &str = "/debug/pprof";

/// Longest body of a `symbol` request: some 50 000 addresses.
const MAX_BODY: usize = 1 << 20;

/// What the index lists besides the profiles that are always being taken.
const ENTRIES: [Entry<'static>; 3] = [
    Entry {
        name: "cmdline",
        about: "Command line that started this program, NUL-separated.",
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
        name: "symbol",
        about: "Names of the functions at given program counters: addresses separated by + in \
                the query of a GET or the body of a POST.",
        count: 0,
    },
];

/// The `/debug/pprof/` routes, ready to be mounted.
///
/// Paths may arrive whole (`/debug/pprof/profile`) or with the prefix already stripped (`/profile`).
/// Without a token every request is answered: mount it only where the outside cannot reach.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    token: Option<Token>,
}

impl Endpoints {
    /// Routes that answer every request.
    pub fn new() -> Self {
        named::prepare();
        Self::default()
    }

    /// Answers only requests with the header `Authorization: Bearer <secret>`, and 401 to others.
    #[must_use]
    pub fn with_token(self, secret: &str) -> Self {
        Self { token: Some(Token::new(secret)) }
    }

    /// Answers one request.
    ///
    /// Dropping the future, as servers do when the client goes away, ends the capture it waits for.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (head, body) = request.into_parts();
        if self.token.as_ref().is_some_and(|token| !token.admits(&head.headers)) {
            return reply::unauthorized();
        }
        let path = head.uri.path();
        let Some(name) = path.strip_prefix(PREFIX).unwrap_or(path).strip_prefix('/') else {
            return reply::redirect(&format!("{PREFIX}/"));
        };
        let query = head.uri.query().unwrap_or_default();
        let read = matches!(head.method, Method::GET | Method::HEAD);
        match name {
            "symbol" if head.method == Method::POST => symbol_in_body(body).await,
            "symbol" if !read => reply::method_not_allowed("GET, HEAD, POST"),
            _ if !read => reply::method_not_allowed("GET, HEAD"),
            "" => reply::html(index()),
            "cmdline" => reply::text(cmdline()),
            "profile" => profile(query).await,
            "symbol" => reply::text(symbol::answer(query, cpu::symbols)),
            _ => named(name, query).await,
        }
    }

    /// The routes as an axum router, to be merged into the application's.
    ///
    /// ```
    /// # fn app() -> axum::Router { axum::Router::new() }
    /// let app = app().merge(oxprof::http::Endpoints::new().with_token("secret").router());
    /// # let _: axum::Router = app;
    /// ```
    #[cfg(feature = "axum")]
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> axum::Router<S> {
        axum::Router::new()
            .route_service(PREFIX, self.clone())
            .route_service(&format!("{PREFIX}/"), self.clone())
            .route_service("/debug/fgprof", self.clone())
            .route_service(&format!("{PREFIX}/{{*name}}"), self)
    }
}

impl<B> tower_service::Service<Request<B>> for Endpoints
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoints = self.clone();
        Box::pin(async move { Ok(endpoints.handle(request).await) })
    }
}

fn index() -> String {
    let mut entries: Vec<_> = ENTRIES.into_iter().chain(named::entries()).collect();
    entries.sort_by(|a, b| a.name.cmp(b.name));
    index::page(&entries)
}

async fn named(name: &str, query: &str) -> Response<Body> {
    // In paths, unlike queries, a plus sign is itself.
    let decoded = query::percent_decode(&name.replace('+', "%2B"));
    if let Some(reply) = named::answer(decoded.as_deref().unwrap_or(name), query).await {
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

async fn profile(query: &str) -> Response<Body> {
    let query = match CpuQuery::parse(query) {
        Ok(query) => query,
        Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
    };
    let captured = match cpu::start(cpu::Options::default().hz(query.hz)) {
        Ok(capture) => capture.run_for(query.duration).await,
        Err(error) => Err(error),
    };
    match captured {
        Ok(profile) => {
            let gzip = oxprof_profile::encode_gzip(&profile, oxprof_profile::Compression::Fast);
            reply::profile("profile", gzip)
        }
        Err(error) => reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("Could not enable CPU profiling: {error}"),
        ),
    }
}

async fn symbol_in_body<B>(body: B) -> Response<Body>
where
    B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let request = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            reply::text(symbol::answer(&request, cpu::symbols))
        }
        Err(error) => reply::error(StatusCode::BAD_REQUEST, &format!("reading request: {error}")),
    }
}

/// The arguments of this process, separated by NUL.
fn cmdline() -> Vec<u8> {
    let args: Vec<_> = std::env::args_os().map(OsStringExt::into_vec).collect();
    args.join(&0)
}
