//! Pages of others beside our routes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use super::reply::Body;

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A route of somebody else, and what the index says about it.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    handler: Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
}

impl Page {
    pub(super) fn new<F, B: Into<Body>>(
        name: &'static str,
        about: &'static str,
        handler: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<B>> + Send + 'static,
    {
        let answer = move |request| -> Answer {
            let reply = handler(request);
            Box::pin(async move { reply.await.map(Into::into) })
        };
        Self { name, about, handler: Arc::new(answer) }
    }

    /// Whether `name`, a path below the prefix, is this page's or below it.
    pub(super) fn is_at(&self, name: &str) -> bool {
        name.strip_prefix(self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        (self.handler)(request).await
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("name", &self.name).finish_non_exhaustive()
    }
}
