//! A GraphQL router: one graph over the services `products` and `reviews`, which for the sake of the example live in this
//! process. `PPROF_ADDR` in its environment has it serve its profiles.

mod graph;
mod query;
mod services;

use std::error::Error;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::services::Services;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log_to_stderr();
    let _pprof = oxprof::serve_from_env()?;

    let address = std::env::var("ROUTER_ADDR");
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3002")).await?;
    log::info!("GraphQL on http://{}/graphql", listener.local_addr()?);
    let app = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/graphql", post(answer))
        .with_state(Arc::new(Services::open()));
    axum::serve(listener, app).with_graceful_shutdown(common::shutdown()).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Request {
    query: String,
    #[serde(default)]
    variables: Map<String, Value>,
}

/// Answers a query. Its name is a label on its samples.
async fn answer(
    State(services): State<Arc<Services>>,
    Json(request): Json<Request>,
) -> Json<Value> {
    let result = query::parse(&request.query, &request.variables).and_then(|query| {
        let operation = query.name.as_deref().unwrap_or("anonymous");
        oxprof::labels::with([("operation", operation)], || graph::execute(&query, &services))
    });
    Json(match result {
        Ok(data) => json!({ "data": data }),
        Err(message) => json!({ "errors": [{ "message": message }] }),
    })
}
