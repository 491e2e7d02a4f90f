//! The page in a program.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use oxprof::http::{Endpoints, Server};
use oxprof_browser::Browser;

fn get(address: SocketAddr, path: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

#[inline(never)]
fn spin_for_the_page(until: Instant) {
    while Instant::now() < until {
        std::hint::black_box(0);
    }
}

#[test]
fn a_program_shows_its_own_profiles() {
    let Some(mut browser) = Browser::launch() else { return };
    let endpoints = oxprof_web::live(Endpoints::new());
    let server = Server::builder().address("127.0.0.1:0").endpoints(endpoints).start().unwrap();
    std::thread::spawn(|| spin_for_the_page(Instant::now() + Duration::from_secs(120)));
    browser.navigate(&format!("http://{}/debug/pprof/ui", server.local_addr()));
    browser.wait_for("document.querySelector('dialog #capture')");
    browser.eval("document.querySelector('dialog input').value = '0.5'");
    browser.eval("document.querySelector('#capture').click()");
    browser.wait_for("new URLSearchParams(location.search).get('profile')");
    browser.wait_for("document.querySelector('.tools .dim')");
    let found = browser.eval(
        "(async () => (await (await fetch('api/search?q=spin_for_the_page&' + location.search.slice(1))).json()).count)()",
    );
    assert!(found.as_u64() > Some(0), "{found}");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_profile_is_one_page_for_those_who_may_see_it() {
    let endpoints = oxprof_web::live(Endpoints::new().with_token("secret"));
    let server = Server::builder()
        .address("127.0.0.1:0")
        .token("secret")
        .endpoints(endpoints)
        .start()
        .unwrap();
    std::thread::spawn(|| spin_for_the_page(Instant::now() + Duration::from_secs(5)));
    let address = server.local_addr();
    let flame = "/debug/pprof/flame?profile=profile&seconds=0.3";
    for path in [flame, "/debug/pprof/ui/flamegraph", "/debug/pprof/ui/api/about"] {
        let reply = get(address, path, "");
        assert!(reply.starts_with("HTTP/1.1 401"), "{path}: {reply}");
    }
    let secret = "Authorization: Bearer secret\r\n";
    let page = get(address, flame, secret);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("spin_for_the_page"), "{page}");
    assert!(page.contains("content-security-policy: sandbox"), "{page}");
    let unknown = get(address, "/debug/pprof/flame?profile=nothing", secret);
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    let about = get(address, "/debug/pprof/ui/api/about", secret);
    assert!(about.contains(r#""captures":["profile""#), "{about}");
    // It captures for its own page only.
    let capture = get(address, "/debug/pprof/ui/api/capture?profile=profile", secret);
    assert!(capture.starts_with("HTTP/1.1 403"), "{capture}");
}
