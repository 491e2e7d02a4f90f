//! Who may ask, and for how much.

use std::time::Duration;

use oxprof::Config;
use oxprof::http::{Body, Endpoints, Limits, Server};

use crate::check_headers;
use crate::support::{exchange, get, get_with, send, server};

const RIGHT: &str = "Authorization: Bearer s3cret\n";

fn start(endpoints: Endpoints) -> Server {
    Server::builder().address("127.0.0.1:0").endpoints(endpoints).start().unwrap()
}

#[test]
fn a_token_is_asked_for() {
    let server = Server::builder().address("127.0.0.1:0").token("s3cret").start().unwrap();
    let address = server.local_addr();
    for header in ["", "Authorization: Bearer s3cre\n", "Authorization: Basic czNjcmV0\n"] {
        let reply = get_with(address, "/debug/pprof/", header);
        assert_eq!((reply.status, reply.text()), (401, "Unauthorized\n"), "{header}");
        check_headers(
            &reply,
            &[
                ("www-authenticate", Some("Bearer realm=\"pprof\"")),
                ("access-control-allow-origin", None),
            ],
        );
    }
    for path in ["/anything", "/debug/stats", "/metrics", "/debug/pprof/symbol?0x1"] {
        assert_eq!(get(address, path).status, 401, "{path}");
    }
    assert_eq!(get_with(address, "/debug/pprof/", RIGHT).status, 200);
}

#[test]
fn wrong_tokens_are_answered_more_and_more_rarely() {
    let server = start(Endpoints::new().with_token("s3cret"));
    let wrong = "Authorization: Bearer wrong\n";
    let statuses: Vec<_> = (0..15)
        .map(|_| get_with(server.local_addr(), "/debug/pprof/", wrong))
        .map(|reply| (reply.status, reply.header("retry-after").map(str::to_owned)))
        .collect();
    assert_eq!(statuses[..10], vec![(401, None); 10]);
    assert!(statuses.contains(&(429, Some("1".to_owned()))), "{statuses:?}");
}

#[test]
fn a_foreign_host_name_is_refused_without_a_token() {
    let server = server();
    let reply = exchange(
        server.local_addr(),
        "GET /debug/pprof/ HTTP/1.1\nHost: evil.example\nConnection: close\n\n",
    );
    assert_eq!(reply.status, 403, "{}", reply.text());
}

#[test]
fn no_origin_is_permitted_to_read() {
    let server = server();
    let address = server.local_addr();
    let origin = "Origin: http://evil.example\n";
    let reply = get_with(address, "/debug/pprof/", origin);
    assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{reply:?}");
    let preflight = format!(
        "OPTIONS /debug/pprof/ HTTP/1.1\nHost: {address}\n{origin}Access-Control-Request-Method: GET\nConnection: close\n\n"
    );
    assert_eq!(exchange(address, &preflight).status, 405);
}

#[test]
fn only_so_many_requests_at_a_time() {
    let mut limits = Limits::default();
    limits.requests = 2;
    let server = start(Endpoints::new().with_limits(limits));
    let address = server.local_addr();
    let request = format!("GET /debug/pprof/profile?seconds=60 HTTP/1.1\nHost: {address}\n\n");
    let waiting = [send(address, &request), send(address, &request)];
    let until = |expected: u16| {
        let statuses = (0..200).map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            get(address, "/debug/pprof/cmdline").status
        });
        assert!(statuses.into_iter().any(|status| status == expected), "never {expected}");
    };
    until(503);
    let refused = get(address, "/debug/pprof/profile?seconds=1");
    check_headers(&refused, &[("retry-after", Some("1")), ("x-go-pprof", Some("1"))]);
    drop(waiting);
    until(200);
}

#[test]
fn limits_of_what_a_request_may_ask_for() {
    let mut limits = Limits::default();
    (limits.duration, limits.hz, limits.body) = (Duration::from_secs(60), 200, 8);
    let server = start(Endpoints::new().with_limits(limits));
    let address = server.local_addr();
    let check = |target: &str, message: &str| {
        let reply = get(address, target);
        assert_eq!((reply.status, reply.text()), (400, message), "{target}");
    };
    let seconds = "invalid value for \"seconds\" - must be a positive number, at most 60\n";
    check("/debug/pprof/profile?seconds=61", seconds);
    let hz = "invalid value for \"hz\" - must be an integer from 1 to 200\n";
    check("/debug/pprof/profile?hz=201&seconds=1", hz);
    let post = format!(
        "POST /debug/pprof/symbol HTTP/1.1\nHost: {address}\nContent-Length: 9\nConnection: close\n\n0x1+0x2+1"
    );
    assert_eq!(exchange(address, &post).status, 400);
}

#[test]
fn elsewhere() {
    for (prefix, beside) in [("/custom_debug_path", "/stats"), ("/a/b/", "/a/stats")] {
        let server = start(Endpoints::new().with_prefix(prefix));
        let (address, prefix) = (server.local_addr(), prefix.trim_end_matches('/'));
        assert_eq!(server.url(), format!("http://{address}{prefix}/"));
        let check =
            |target: &str, status| assert_eq!(get(address, target).status, status, "{target}");
        check(&format!("{prefix}/"), 200);
        check(&format!("{prefix}/cmdline"), 200);
        check(&format!("{prefix}/profile?seconds=0.01"), 200);
        check(beside, 200);
        check("/debug/pprof/cmdline", 404);
        assert_eq!(get(address, prefix).header("location"), Some(format!("{prefix}/").as_str()));
    }
}

#[test]
fn pages_of_others() {
    let endpoints = Endpoints::new().with_token("s3cret");
    let source = endpoints.clone();
    let page = move |request: http::Request<bytes::Bytes>| {
        let source = source.clone();
        async move {
            let taken = source.capture("profile", "seconds=0.01").await;
            let refused = source.capture("nothing", "").await.err().map(|reply| reply.status());
            let size = taken.map_or(0, |profile| profile.len());
            let text =
                format!("{} {:?} {} {refused:?}", request.uri().path(), request.body(), size > 0);
            http::Response::new(Body::from(text))
        }
    };
    let server = start(endpoints.with_page("ui", "Pictures.", page));
    let address = server.local_addr();
    assert_eq!(get(address, "/debug/pprof/ui").status, 401);
    let index = get_with(address, "/debug/pprof/", RIGHT);
    assert!(index.text().contains("ui: </div> Pictures."), "{}", index.text());
    let reply = get_with(address, "/debug/pprof/ui/x?y", RIGHT);
    assert_eq!(reply.text(), "/debug/pprof/ui/x b\"\" true Some(404)");
    assert_eq!(get_with(address, "/debug/pprof/uix", RIGHT).status, 404);
    let post = format!(
        "POST /debug/pprof/ui HTTP/1.1\nHost: {address}\n{RIGHT}Content-Length: 2\nConnection: close\n\nhi"
    );
    assert!(exchange(address, &post).text().contains("b\"hi\""));
}

#[test]
fn a_configuration_may_change_while_the_server_runs() {
    let config = || Config::new().enabled(true).address("localhost:0");
    let server = config().serve().unwrap().expect("it is enabled");
    let address = server.local_addr();
    let status = |headers| get_with(address, "/debug/pprof/", headers).status;
    assert_eq!(status(""), 200);

    let reloaded = server.reload(&config().token("s3cret")).unwrap();
    assert!(reloaded.needs_restart.is_empty(), "{reloaded:?}");
    assert_eq!((status(""), status(RIGHT)), (401, 200));

    let elsewhere = config().enabled(false).path("/p").address(":1");
    let reloaded = server.reload(&elsewhere).unwrap();
    assert_eq!(reloaded.needs_restart, ["address", "path"]);
    let reply = get(address, "/debug/pprof/");
    assert_eq!((reply.status, reply.header("x-go-pprof")), (404, Some("1")));
    assert!(reply.text().starts_with("profiling is disabled"), "{}", reply.text());

    server.reload(&config()).unwrap();
    assert_eq!(status(""), 200);
}

#[test]
fn the_token_of_a_public_server_stays() {
    let config = Config::new().enabled(true).address("0.0.0.0:0").token("s3cret");
    let server = config.serve().unwrap().expect("it is enabled");
    let without = Config::new().enabled(true).address("0.0.0.0:0");
    assert!(server.reload(&without).unwrap_err().to_string().contains("token"));
    let error = without.serve().unwrap_err().to_string();
    assert!(error.contains("ADMIN_KEY"), "{error}");
}

#[test]
fn disabled_means_nothing_is_served() {
    assert!(Config::new().serve().unwrap().is_none());
    assert!(Config::new().enabled(false).address(":1").serve().unwrap().is_none());
    assert!(Config::new().address(":1").serve().unwrap().is_none());
    assert!(Config::new().endpoints().is_none());
}
