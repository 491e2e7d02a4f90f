//! Requests of tower services as tasks.

use std::borrow::Cow;
use std::fmt;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::{ProfileFuture, Profiled};
use crate::labels::{LabelFuture, Labeled, Labels};

/// Makes each request of a service a task, with a name and labels: of tower, and so of axum, tonic and hyper.
///
/// ```
/// use oxprof::labels::Labels;
/// use oxprof::tasks::RequestLayer;
///
/// # fn app() -> axum::Router { axum::Router::new() }
/// let requests = RequestLayer::new("request", |request: &axum::extract::Request| {
///     Labels::new([("method", request.method().as_str())])
/// });
/// let app = app().layer(requests);
/// # let _: axum::Router = app;
/// ```
///
/// In tonic the same layer goes to `Server::builder().layer(…)`, with `&http::Request<tonic::body::Body>`.
#[derive(Clone)]
pub struct RequestLayer<D> {
    name: Cow<'static, str>,
    describe: D,
}

impl<D> RequestLayer<D> {
    /// Requests under this name, with the labels that `describe` finds in them, in force all the while that they are
    /// worked on.
    pub fn new(name: impl Into<Cow<'static, str>>, describe: D) -> Self {
        Self { name: name.into(), describe }
    }
}

impl<S, D: Clone> Layer<S> for RequestLayer<D> {
    type Service = RequestService<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestService { inner, layer: self.clone() }
    }
}

/// A service whose requests are tasks. Made by [`RequestLayer`].
#[derive(Clone)]
pub struct RequestService<S, D> {
    inner: S,
    layer: RequestLayer<D>,
}

impl<R, S: Service<R>, D: Fn(&R) -> Labels> Service<R> for RequestService<S, D> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Labeled<Profiled<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let RequestLayer { name, describe } = &self.layer;
        let labels = describe(&request);
        let future = labels.run(|| self.inner.call(request).profiled_as(name.clone()));
        future.labeled(labels)
    }
}

impl<D> fmt::Debug for RequestLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLayer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, D> fmt::Debug for RequestService<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestService")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}
