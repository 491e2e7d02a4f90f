//! `cargo run --bin tonic`: the routes beside gRPC services, on one port.

use tonic::service::Routes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let app = Routes::new(health).into_axum_router();
    let app = match mount::endpoints()? {
        Some(pprof) => app.merge(pprof.router()),
        None => app,
    };
    let listener = tokio::net::TcpListener::bind(mount::address()).await?;
    println!("http://{}/", listener.local_addr()?);
    // Speaks HTTP/2 with gRPC clients, and HTTP/1.1 with pprof's.
    Ok(axum::serve(listener, app).await?)
}
