//! `cargo run --bin actix`: the routes in an actix-web application, whose requests are of other types.

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use http_body_util::{BodyDataStream, Full};
use hyper::Request;
use oxprof::http::{Endpoints, Peer};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pprof = mount::endpoints()?;
    let server = HttpServer::new(move || {
        let app = App::new().route("/", web::get().to(async || "actix\n"));
        app.configure(|app| {
            if let Some(pprof) = &pprof {
                app.app_data(Data::new(pprof.clone()));
                // Beside `pprof/`, `stats` is below `/debug`.
                app.route("/debug/{name:.*}", web::route().to(profile));
                app.route("/metrics", web::get().to(profile));
            }
        })
    });
    let server = server.bind(mount::address())?;
    println!("http://{}/", server.addrs()[0]);
    Ok(server.run().await?)
}

/// Passes a request on to the endpoints, and their answer back.
async fn profile(request: HttpRequest, body: Bytes, pprof: Data<Endpoints>) -> HttpResponse {
    let passed_on =
        Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    let passed_on = request.headers().iter().fold(passed_on, |passed_on, (name, value)| {
        passed_on.header(name.as_str(), value.as_bytes())
    });
    let Ok(mut passed_on) = passed_on.body(Full::new(body)) else {
        return HttpResponse::BadRequest().finish();
    };
    if let Some(peer) = request.peer_addr() {
        passed_on.extensions_mut().insert(Peer::from(peer));
    }
    let (head, body) = pprof.handle(passed_on).await.into_parts();
    let status = actix_web::http::StatusCode::from_u16(head.status.as_u16());
    let mut reply = HttpResponse::build(status.unwrap_or_default());
    for (name, value) in &head.headers {
        reply.append_header((name.as_str(), value.as_bytes()));
    }
    // Traces are sent while they are recorded.
    reply.streaming(BodyDataStream::new(body))
}
