//! `cargo run --bin axum`: the routes beside those of an axum application.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/", get(|| async { "axum\n" }));
    let app = match mount::endpoints()? {
        Some(pprof) => app.route_service("/metrics", pprof.clone()).merge(pprof.router()),
        None => app,
    };
    let listener = tokio::net::TcpListener::bind(mount::address()).await?;
    println!("http://{}/", listener.local_addr()?);
    // With the address of each client, wrong tokens are counted by it, and the log says it.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}
