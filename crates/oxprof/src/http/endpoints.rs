//! The routes, without a server around them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::aside::Aside;
use super::failures::Failures;
use super::limits::{Limits, Running};
use super::page::Page;
use super::peer::Peer;
use super::reply::{self, Body};
use super::settings::Settings;
use super::{named, routes};
use crate::log;

/// Where the routes live, unless told otherwise.
pub(super) const PREFIX: &str = "/debug/pprof";

/// The `/debug/pprof/` routes, ready to be mounted.
///
/// Paths may arrive whole (`/debug/pprof/profile`) or with the prefix already stripped (`/profile`). Beside the prefix,
/// `/debug/stats` and `/metrics` are answered, if the server they are mounted in sends them here.
///
/// Without a token every request is answered: mount it only where the outside cannot reach.
///
/// Clones are the same endpoints: they share what they count, and what is [reloaded](Self::reload).
#[derive(Clone, Debug)]
pub struct Endpoints {
    prefix: Arc<str>,
    pages: Arc<Vec<Page>>,
    settings: Arc<RwLock<Arc<Settings>>>,
    failures: Failures,
    running: Running,
    /// What pages capture for the requests that they answer.
    captures: Running,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::new()
    }
}

impl Endpoints {
    /// Routes that answer every request.
    pub fn new() -> Self {
        named::prepare();
        Self {
            prefix: PREFIX.into(),
            pages: Arc::default(),
            settings: Arc::default(),
            failures: Failures::default(),
            running: Running::default(),
            captures: Running::default(),
        }
    }

    /// Answers only requests with the header `Authorization: Bearer <secret>`, and 401 to others. Who fails more than
    /// ten times at once gets 429 until he has waited, a second for each further attempt.
    #[must_use]
    pub fn with_token(self, secret: &str) -> Self {
        self.with(|settings| settings.set_token(Some(secret)))
    }

    /// Lives below `prefix` in place of `/debug/pprof`; `stats` is beside it.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        let path = prefix.trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Self { prefix: prefix.into(), ..self }
    }

    /// Refuses requests beyond these limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|settings| settings.limits = limits)
    }

    /// Has `handler` answer the paths `name` and `name/…` below the prefix, protected and limited as our own.
    ///
    /// The index lists the page with what it is `about`. Requests arrive with their whole path, and of any method. For
    /// profiles to show, the handler may keep a clone of the endpoints and ask it to [`capture`](Self::capture).
    ///
    /// When the client goes away, the handler's future is dropped. If it has begun work that goes on then, in a thread for
    /// instance, that work should take the request's extensions along: they keep its place among
    /// [`Limits::requests`].
    ///
    /// ```
    /// use oxprof::http::{Body, Endpoints};
    ///
    /// let endpoints = Endpoints::new();
    /// let source = endpoints.clone();
    /// let endpoints = endpoints.with_page("sizes", "How large profiles are.", move |_request| {
    ///     let source = source.clone();
    ///     async move {
    ///         let profile = source.capture("profile", "seconds=1").await;
    ///         let size = profile.map_or(0, |profile| profile.len());
    ///         http::Response::new(Body::from(size.to_string()))
    ///     }
    /// });
    /// # drop(endpoints);
    /// ```
    #[must_use]
    pub fn with_page<F, B: Into<Body>>(
        self,
        name: &'static str,
        about: &'static str,
        handler: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<B>> + Send + 'static,
    {
        let mut pages = Arc::unwrap_or_clone(self.pages);
        pages.push(Page::new(name, about, handler));
        Self { pages: Arc::new(pages), ..self }
    }

    /// Answers one request.
    ///
    /// Dropping the future, as servers do when the client goes away, ends the capture it waits for. So does
    /// dropping the body of a trace, which is sent while it is recorded.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (mut head, body) = request.into_parts();
        let settings = self.settings();
        let is_head = head.method == Method::HEAD;
        let reply = match self.admit(&settings, &head) {
            Ok(aside) => {
                head.extensions.insert(aside.clone());
                let mut reply = self.answer(&settings, &aside, head, body).await;
                reply.body_mut().hold(aside);
                reply
            }
            Err(reply) => *reply,
        };
        if is_head { reply::without_body(reply) } else { reply }
    }

    /// Whether a request may be answered, by its token and the one before it that failed: for routes of others that show
    /// what these do.
    ///
    /// # Errors
    /// The answer to give in place of what was asked for.
    pub fn authorize(&self, head: &Parts) -> Result<(), Box<Response<Body>>> {
        self.check(&self.settings(), head)
    }

    /// The bytes that a GET of `name` below the prefix gives, without asking for a token. There may be as many of these at
    /// a time as requests, and besides them.
    ///
    /// # Errors
    /// The answer in place of it when it is not 200.
    pub async fn capture(&self, name: &str, query: &str) -> Result<Bytes, Box<Response<Body>>> {
        let settings = self.settings();
        let aside = enter(&self.captures, &settings)?;
        let reply = routes::profile(name, query, &settings, &aside, None).await;
        match reply.status() {
            StatusCode::OK => match reply.into_body().collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) => Err(Box::new(reply::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &error.to_string(),
                ))),
            },
            _ => Err(Box::new(reply)),
        }
    }

    /// The path below which the routes are, without a slash at the end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The routes as an axum router, to be merged into the application's.
    ///
    /// ```
    /// # fn app() -> axum::Router { axum::Router::new() }
    /// let app = app().merge(oxprof::http::Endpoints::new().with_token("secret").router());
    /// # let _: axum::Router = app;
    /// ```
    ///
    /// `/metrics` is not among them, as applications may have their own:
    /// `app.route_service("/metrics", endpoints.clone())` adds it.
    #[cfg(feature = "axum")]
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> axum::Router<S> {
        let prefix = Arc::clone(&self.prefix);
        let router = axum::Router::new()
            .route_service(&format!("{prefix}/"), self.clone())
            .route_service(&format!("{prefix}/{{*name}}"), self.clone());
        if prefix.is_empty() {
            return router;
        }
        let beside = routes::BESIDE.map(|name| format!("{}/{name}", routes::parent(&prefix)));
        let router = router.route_service(&prefix, self.clone());
        beside.iter().fold(router, |router, path| router.route_service(path, self.clone()))
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what requests from now on are answered by, of all clones.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut settings));
    }

    /// The same with other settings, which no clone shares.
    pub(crate) fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings());
        change(&mut settings);
        Self { settings: Arc::new(RwLock::new(Arc::new(settings))), ..self }
    }

    pub(super) fn has_token(&self) -> bool {
        self.settings().token.is_some()
    }

    fn admit(&self, settings: &Settings, head: &Parts) -> Result<Aside, Box<Response<Body>>> {
        self.check(settings, head)?;
        enter(&self.running, settings)
    }

    fn check(&self, settings: &Settings, head: &Parts) -> Result<(), Box<Response<Body>>> {
        if !settings.is_enabled {
            let message = "profiling is disabled in the configuration of this program";
            return Err(Box::new(reply::error(StatusCode::NOT_FOUND, message)));
        }
        let Some(token) = &settings.token else { return Ok(()) };
        let peer = Peer::of(&head.extensions);
        let source = peer.map(Peer::source);
        if let Some(wait) = source.and_then(|s| self.failures.wait(s, Instant::now())) {
            return Err(Box::new(reply::too_many_failures(wait)));
        }
        if token.admits(&head.headers) {
            return Ok(());
        }
        if let (Some(peer), Some(source)) = (peer, source) {
            self.failures.note(source, Instant::now());
            log::warn(format_args!("refused a request from {peer}: no token, or a wrong one"));
        }
        Err(Box::new(reply::unauthorized()))
    }

    async fn answer<B>(
        &self,
        settings: &Settings,
        aside: &Aside,
        head: Parts,
        body: B,
    ) -> Response<Body>
    where
        B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let path = head.uri.path().to_owned();
        let Some(name) = routes::name(&self.prefix, &path) else {
            return reply::redirect(&format!("{}/", self.prefix));
        };
        let query = head.uri.query().unwrap_or_default();
        let page = self.pages.iter().find(|page| page.is_at(name));
        let takes_body = page.is_some() || name == "symbol" && head.method == Method::POST;
        match (takes_body, page) {
            (false, _) if !matches!(head.method, Method::GET | Method::HEAD) => {
                reply::method_not_allowed(if name == "symbol" {
                    "GET, HEAD, POST"
                } else {
                    "GET, HEAD"
                })
            }
            (false, _) => {
                let site = (&*self.prefix, &**self.pages);
                routes::answer(name, query, &head, settings, aside, site).await
            }
            (true, page) => match read(body, settings.limits.body).await {
                Ok(body) => match page {
                    Some(page) => page.answer(Request::from_parts(head, body)).await,
                    None => {
                        routes::symbols(String::from_utf8_lossy(&body).into_owned(), aside).await
                    }
                },
                Err(reply) => *reply,
            },
        }
    }
}

/// Room for one more, or the answer that there is none.
fn enter(running: &Running, settings: &Settings) -> Result<Aside, Box<Response<Body>>> {
    let slot = running.enter(settings.limits.requests);
    slot.map(Aside::new).ok_or_else(|| Box::new(reply::busy()))
}

/// The whole body, if it is not too long.
async fn read<B>(body: B, most: usize) -> Result<Bytes, Box<Response<Body>>>
where
    B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        Box::new(reply::error(StatusCode::BAD_REQUEST, &format!("reading request: {error}")))
    })?;
    Ok(body.to_bytes())
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
