//! `cargo run --bin hyper`: the routes in a server of hyper, which knows no routes but its own `match`.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use oxprof::http::{Body, Endpoints, Peer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pprof = mount::endpoints()?;
    let listener = tokio::net::TcpListener::bind(mount::address()).await?;
    println!("http://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let pprof = pprof.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer::from(peer));
            answer(pprof.clone(), request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    pprof: Option<Endpoints>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(match (request.uri().path(), pprof) {
        ("/", _) => Response::new(Body::from("hyper\n")),
        (_, Some(pprof)) => pprof.handle(request).await,
        (_, None) => {
            let mut reply = Response::new(Body::default());
            *reply.status_mut() = hyper::StatusCode::NOT_FOUND;
            reply
        }
    })
}
