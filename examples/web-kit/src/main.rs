//! A small shop: orders are priced, signed and booked, the catalogue is searched, visitors get sessions. What of it may
//! be profiled is said by the section `PROFILING` of its `config.yaml`.
//!
//! usage: web-kit [CONFIG]
//!
//! | variable | meaning |
//! |---|---|
//! | `WEB_KIT_ADDR` | where to listen (127.0.0.1:10000) |
//! | `WEB_KIT_LEAK` | if set, sessions are never forgotten: something for `oxprof leak` to find |

mod shop;

use std::error::Error;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::shop::{Order, Shop};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log_to_stderr();
    let path = std::env::args().nth(1).unwrap_or_else(|| "config.yaml".to_owned());
    let profiling = oxprof::Config::from_env()?.or(oxprof::Config::from_file(path)?);
    let address = std::env::var("WEB_KIT_ADDR");
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:10000")).await?;
    log::info!("listening on http://{}", listener.local_addr()?);

    let forgets = std::env::var_os("WEB_KIT_LEAK").is_none();
    let app = router(Arc::new(Shop::open(forgets)));
    let app = match profiling.endpoints() {
        Some(endpoints) => {
            app.route_service("/metrics", endpoints.clone()).merge(endpoints.router())
        }
        None => app,
    };
    axum::serve(listener, app).with_graceful_shutdown(common::shutdown()).await?;
    Ok(())
}

fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/", get(|| async { "A shop. Try /api/search?q=lamp\n" }))
        .route("/api/orders", get(order).post(order_of))
        .route("/api/search", get(search))
        .route("/api/sessions", post(visit).get(visit))
        .with_state(shop)
}

type Reply = Result<Json<Value>, (StatusCode, String)>;

/// A usual order, for load tests.
async fn order(shop: State<Arc<Shop>>) -> Reply {
    order_of(shop, Json(Order::usual())).await
}

async fn order_of(State(shop): State<Arc<Shop>>, Json(order): Json<Order>) -> Reply {
    let _labels = oxprof::labels::scope([("customer", order.customer.as_str())]);
    let total = shop.price(&order).map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let receipt = shop.sign(&order, total);
    let number = shop.book(&order.customer, total);
    Ok(Json(json!({ "number": number, "total": total, "receipt": receipt })))
}

#[derive(Deserialize)]
struct Wanted {
    q: String,
}

async fn search(State(shop): State<Arc<Shop>>, Query(wanted): Query<Wanted>) -> Json<Value> {
    Json(json!({ "found": shop.search(&wanted.q) }))
}

async fn visit(State(shop): State<Arc<Shop>>) -> Json<Value> {
    Json(json!({ "session": shop.visit() }))
}
