//! The HTTP API: what the server does, and answers as JSON.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::message::{self, A, Answer, Question};
use crate::resolver::Resolver;

/// All routes but those of profiles.
pub(crate) fn router(resolver: Arc<Resolver>) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/resolve", get(resolve))
        .route("/cache", get(cache))
        .route("/cache/clear", post(clear))
        .with_state(resolver)
}

#[derive(Deserialize)]
struct Asked {
    name: String,
}

/// `/resolve?name=example.org`: the addresses of a name.
async fn resolve(
    State(resolver): State<Arc<Resolver>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, (StatusCode, &'static str)> {
    let name = asked.name.trim_end_matches('.').to_ascii_lowercase();
    let question = Question { name, kind: A };
    let malformed = |_| (StatusCode::BAD_REQUEST, "this is no name\n");
    let answer = resolver.resolve(&message::ask(0, &question)).await.map_err(malformed)?;
    let read = Answer::read(&answer).map_err(malformed)?;
    Ok(Json(json!({ "name": question.name, "code": read.code, "addresses": read.addresses })))
}

/// `/cache`: how full it is, and what it was good for.
async fn cache(State(resolver): State<Arc<Resolver>>) -> Json<Value> {
    let counts = &resolver.counts;
    Json(json!({
        "entries": resolver.cache().len(),
        "queries": counts.queries.load(Ordering::Relaxed),
        "hits": counts.hits.load(Ordering::Relaxed),
        "forwarded": counts.forwarded.load(Ordering::Relaxed),
        "failures": counts.failures.load(Ordering::Relaxed),
    }))
}

async fn clear(State(resolver): State<Arc<Resolver>>) -> &'static str {
    resolver.cache().clear();
    "cleared\n"
}
