//! The routes inside servers of other kinds.

use axum::Router;
use axum::routing::get;
use oxprof::http::Endpoints;
use tower_service::Service;

use crate::support;

/// Serves `app` on a free port for as long as the returned runtime lives.
fn serve(app: Router) -> (tokio::runtime::Runtime, std::net::SocketAddr) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener =
        runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, app).await });
    (runtime, address)
}

fn check(app: Router) {
    let (_runtime, address) = serve(app);
    assert_eq!(support::get(address, "/").text(), "the application");
    assert!(support::get(address, "/debug/pprof/").text().contains("profile?debug=1"));
    assert_eq!(support::get(address, "/debug/pprof").status, 307);
    assert_eq!(support::get(address, "/debug/pprof/profile?seconds=0.02").status, 200);
    assert_eq!(support::get(address, "/debug/pprof/nothing").text(), "Unknown profile\n");
}

#[test]
fn merged_into_an_axum_router() {
    let app = Router::new().route("/", get(|| async { "the application" }));
    check(app.merge(Endpoints::new().router()));
}

#[test]
fn as_a_tower_service_with_the_prefix_stripped() {
    let request = |path: &str| http::Request::get(path).body(String::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut service = Endpoints::new();
        for (path, status) in
            [("/", 200), ("/cmdline", 200), ("/profile?seconds=0.02", 200), ("/x", 404)]
        {
            let reply = service.call(request(path)).await.unwrap();
            assert_eq!(reply.status(), status, "{path}");
        }
    });
}
