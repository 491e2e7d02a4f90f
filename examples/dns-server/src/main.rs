//! A caching DNS forwarder over UDP and TCP, with an HTTP API that also serves its profiles if its `config.json` says so.
//!
//! usage: dns-server [CONFIG]

mod api;
mod cache;
mod config;
mod message;
mod resolver;
mod server;

use std::error::Error;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};

use crate::config::Config;
use crate::resolver::Resolver;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log_to_stderr();
    let path = std::env::args().nth(1).unwrap_or_else(|| "config.json".to_owned());
    let config = Config::read(&path)?;
    // `enable_pprof` in the file, unless the environment says otherwise.
    let profiling = oxprof::Config::from_env()?.or(oxprof::Config::from_file(&path)?);

    let resolver = Arc::new(Resolver::new(&config));
    let udp = Arc::new(UdpSocket::bind(config.dns).await?);
    let tcp = TcpListener::bind(config.dns).await?;
    let http = TcpListener::bind(config.http).await?;
    log::info!("DNS on {}, HTTP on {}", config.dns, config.http);
    oxprof::spawn(server::serve_udp(udp, Arc::clone(&resolver)));
    oxprof::spawn(server::serve_tcp(tcp, Arc::clone(&resolver)));

    let app = api::router(resolver);
    let app = match profiling.endpoints() {
        Some(endpoints) => app.merge(endpoints.router()),
        None => app,
    };
    axum::serve(http, app).with_graceful_shutdown(common::shutdown()).await?;
    Ok(())
}
