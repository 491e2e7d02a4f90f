//! URLs, as bookmarks and other tools use them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oxprof_web::Loaded;

use crate::support::{Page, many, profile, stacks};

#[test]
fn configurations_are_saved_and_deleted() {
    let page = Page::of("configs", profile());
    let status = |path: &str| {
        let reply = page.get(path);
        (reply.status, reply.text().trim_end().to_owned())
    };
    assert_eq!(status("/ui/saveconfig?config=mine&f=parse&n=7"), (200, String::new()));
    let about = page.get("/ui/api/about").text();
    let saved = r#""settings":[{"name":"mine","parameters":[["f","parse"],["n","7"]]}]"#;
    assert!(about.contains(saved), "{about}");
    assert_eq!(status("/ui/saveconfig?config="), (400, "invalid config name".into()));
    assert_eq!(status("/ui/deleteconfig?config=x"), (400, "config x not found".into()));
    assert_eq!(status("/ui/deleteconfig?config=mine"), (200, String::new()));
}

#[test]
fn other_sites_get_nothing() {
    let page = Page::of("sites", profile());
    let foreign = page.ask("GET", "/ui/api/top", &[("Host", "evil.example")], b"");
    assert_eq!((foreign.status, foreign.text().trim_end()), (403, "permission denied"));
    let ask = |method, path, name, value| page.ask(method, path, &[(name, value)], b"").status;
    assert_eq!(ask("GET", "/ui/saveconfig?config=x", "Sec-Fetch-Site", "cross-site"), 403);
    assert_eq!(ask("POST", "/ui/api/upload", "Origin", "http://evil.example"), 403);
    assert_eq!(ask("PUT", "/ui/api/upload", "X", "y"), 405);
    assert_eq!(ask("GET", "/ui/api/upload", "X", "y"), 405);
    let policy = page.get("/ui/top");
    let policy = policy.header("Content-Security-Policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn what_is_refused_is_refused_before_its_body_has_come() {
    let page = Page::of("bodies", profile());
    let check = |start: &str, host: &str, more: &str, expected: &str| {
        let mut stream = TcpStream::connect(page.address).unwrap();
        let head =
            format!("{start} HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: 1000000\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut status = [0; 12];
        let answered = stream.read_exact(&mut status);
        answered.unwrap_or_else(|e| panic!("{start}: {e}"));
        assert_eq!(String::from_utf8_lossy(&status), format!("HTTP/1.1 {expected}"), "{start}");
    };
    let cross_site = "Origin: http://evil.example\r\n";
    check("POST /ui/api/upload", "evil.example", "", "403");
    check("POST /ui/api/upload", "localhost", cross_site, "403");
    check("POST /ui/nothing", "localhost", "", "404");
    check("POST /elsewhere", "localhost", "", "307");
    check("PUT /ui/api/upload", "localhost", "", "405");
    check("GET /ui/api/upload", "localhost", "", "405");
    check("POST /ui/saveconfig?config=a", "localhost", "", "200");
}

#[test]
fn the_view_can_be_saved_in_many_formats() {
    let page = Page::of("export", profile());
    let export = |format: &str, more: &str| {
        let reply = page.get(&format!("/ui/api/export?format={format}&{more}"));
        assert_eq!(reply.status, 200, "{format}: {}", reply.text());
        assert!(reply.header("Content-Disposition").starts_with("attachment"), "{format}");
        reply
    };
    assert_eq!(export("folded", "f=render").text(), "main;serve;render 200000000\n");
    let proto = export("proto", "f=render");
    assert_eq!(oxprof_profile::decode(&proto.body).unwrap().samples.len(), 1);
    let starts = |format, more, start: &[u8]| {
        let reply = export(format, more);
        assert!(reply.body.starts_with(start), "{format}: {}", reply.text());
    };
    starts("png", "", b"\x89PNG");
    starts("pdf", "", b"%PDF");
    starts("svg", "", b"<?xml");
    starts("dot", "", b"digraph");
    starts("text", "", b"File: service");
    starts("speedscope", "", b"{");
    starts("flame-html", "p=serve", b"<!DOCTYPE html>");
    // From the leaves, the leaf is next to the root.
    let svg = export("flame-svg", "dir=out&f=idle").text();
    let (leaf, caller) = (svg.find("<title>idle"), svg.find("<title>main"));
    assert!(leaf.is_some() && leaf < caller, "{svg}");
    assert_eq!(page.get("/ui/api/export?format=gv").status, 400);
}

#[test]
fn search_counts_what_is_too_light_to_be_drawn() {
    let page = Page::of(
        "search",
        stacks(&[
            (&["main", "heavy"], 1_000_000, "a"),
            (&["main", "rare", "needle"], 1, "a"),
            (&["main", "rare", "needle", "needle"], 2, "a"),
        ]),
    );
    let found = page.get("/ui/api/search?q=needle").text();
    for part in [r#""count":1"#, r#""weight":30000000"#, r#"["needle",30000000,30000000]"#] {
        assert!(found.contains(part), "{part} in {found}");
    }
    let flame = page.get("/ui/api/flame").body;
    assert!(!String::from_utf8_lossy(&flame).contains("needle"));
    // Looking there shows it.
    let finer = page.get("/ui/api/flame?from=10000000000000&to=10000030000000").body;
    assert!(String::from_utf8_lossy(&finer).contains("needle"));
}

/// What stands before the frames of a flame graph.
fn head(page: &Page, query: &str) -> serde_json::Value {
    let body = page.get(&format!("/ui/api/flame?{query}")).body;
    let length = u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    serde_json::from_slice(&body[4..4 + length]).unwrap()
}

#[test]
fn a_first_picture_is_made_of_some_samples_and_says_so() {
    let page = Page::of("draft", many());
    let whole = |query: &str| {
        let head = head(&page, query);
        (head["every"].as_u64().unwrap(), head["whole"].as_i64().unwrap() / 10_000_000)
    };
    let samples = 1 << 18;
    assert_eq!(whole(""), (1, samples / 8 * 9));
    assert_eq!(whole("p=%5Eb$"), (1, samples / 8 * 7));
    // A third of one in four, of as much in all.
    assert_eq!(whole("draft=t"), (4, samples / 8 * 9));
    assert_eq!(whole("draft=t&p=%5Eb$"), (4, samples / 8 * 3));
    // What a filter leaves is few enough, and so little is not estimated.
    assert_eq!(whole("draft=t&f=%5Ea$"), (1, samples / 8 * 2));
    assert_eq!(whole("draft=t&p=%5Enone$"), (1, 0));
    let small = Page::of("no-draft", profile());
    assert_eq!(head(&small, "draft=t"), head(&small, ""));
}

/// Each function that only just has half of its caller has less and less of everything.
#[test]
fn what_most_samples_do_has_more_than_half_of_them() {
    let stacks = stacks(&[
        (&["main", "serve"], 30, "api"),
        (&["main", "serve", "parse"], 10, "api"),
        (&["main", "serve", "parse", "next"], 30, "api"),
        (&["main", "other"], 30, "api"),
    ]);
    let overview = Page::of("path", stacks).get("/ui/api/overview").text();
    let path = r#""path":[["main",1000000000],["serve",700000000]]"#;
    assert!(overview.contains(path), "{overview}");
}

#[test]
fn two_profiles_are_compared() {
    let page = Page::of("compare", profile());
    let refused = page.ask("POST", "/ui/api/upload?name=bad", &[], b"\x00\x01nonsense");
    assert_eq!(refused.status, 400);
    let other = stacks(&[(&["main", "serve", "parse"], 50, "api"), (&["main", "gone"], 10, "api")]);
    let bytes = oxprof_profile::encode(&other);
    let id = page.ask("POST", "/ui/api/upload?name=old", &[], &bytes).text();
    let top = page.get(&format!("/ui/api/top?base={id}")).text();
    // Own before and after, with callees before and after.
    let parse = r#""name":"parse","flat":-100000000,"cum":150000000,"sides":[500000000,500000000,400000000,650000000]"#;
    assert!(top.contains(parse), "{top}");
    let gone =
        r#""name":"gone","flat":-100000000,"cum":-100000000,"sides":[100000000,100000000,0,0]"#;
    assert!(top.contains(gone), "{top}");
    let overview = page.get(&format!("/ui/api/overview?base={id}")).text();
    assert!(overview.contains(r#""before":600000000,"after":1000000000"#), "{overview}");
    // A profile of something else cannot be compared, which the page is told.
    let mut heap = other;
    let kind = heap.strings.intern("heap");
    heap.sample_types.iter_mut().for_each(|t| t.kind = kind);
    let bytes = oxprof_profile::encode(&heap);
    let id = page.ask("POST", "/ui/api/upload?name=heap", &[], &bytes).text();
    let reply = page.get(&format!("/ui/api/top?base={id}"));
    assert!(reply.status == 400 && reply.text().contains("cannot be compared"), "{}", reply.text());
    assert_eq!(page.get("/ui/api/top?base=99").status, 400);
}

#[test]
fn files_are_opened_only_for_profiles_of_the_user() {
    let upload = |page: &Page| {
        let bytes = oxprof_profile::encode(&profile());
        page.ask("POST", "/ui/api/upload?name=other", &[], &bytes).text()
    };
    let shown = |page: &Page, query: &str| {
        let source = page.get(&format!("/ui/api/source?f=parse&{query}"));
        assert_eq!(source.status, 200, "{}", source.text());
        source.text().contains("fn one()")
    };
    let page = Page::of("private", profile());
    let id = upload(&page);
    assert!(shown(&page, "") && shown(&page, &format!("profile={id}")));
    let page = Page::public("public", profile());
    let id = upload(&page);
    assert!(shown(&page, ""));
    for query in [format!("profile={id}"), format!("base={id}"), format!("profile={id}&base=0")] {
        assert!(!shown(&page, &query), "{query}");
    }
    let code = page.get(&format!("/ui/api/disasm?f=parse&profile={id}")).text();
    assert!(!code.contains("no such file"), "{code}");
}

#[test]
fn files_of_the_page_are_kept_by_browsers_and_profiles_are_not() {
    let page = Page::of("cache", profile());
    let kept = |path: &str| page.get(path).header("Cache-Control").to_owned();
    assert_eq!(kept("/ui/assets/app.js"), "no-cache");
    assert_eq!(kept("/ui/api/top"), "no-store");
    let tag = page.get("/ui/assets/app.js").header("ETag").to_owned();
    let again = page.ask("GET", "/ui/assets/app.js", &[("If-None-Match", &tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn numbers_beyond_reason_show_what_there_is() {
    let page = Page::of("numbers", profile());
    for query in [
        "from=9223372036854775807&to=-9223372036854775808",
        "from=-5&to=99999999999999999999&px=-1",
        "px=0&from=x&to=y",
        "dir=sideways&z=1.2.3&col=999",
    ] {
        for view in ["flame", "top", "search", "overview"] {
            let reply = page.get(&format!("/ui/api/{view}?{query}"));
            assert_eq!(reply.status, 200, "{view}?{query}: {}", reply.text());
        }
    }
    let long = page.get(&format!("/ui/api/top?f={}", "a".repeat(60_000)));
    assert_eq!(long.status, 200, "{}", long.text());
    assert_eq!(page.get("/ui/assets/..%2f..%2fCargo.toml").status, 404);
    assert_eq!(page.get("/ui/assets/../../Cargo.toml").status, 404);
}

#[test]
fn a_page_waits_for_its_profile_without_keeping_people_waiting() {
    let (page, app) = Page::without_profile("late");
    assert_eq!(page.get("/ui/flamegraph?si=cpu").status, 200);
    assert_eq!(page.get("/ui/top?f=(").status, 200, "it is not known yet what is wrong");
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| page.get("/ui/api/top"));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!asked.is_finished());
        app.show(Loaded { profile: profile(), remarks: Vec::new() });
        let top = asked.join().unwrap();
        assert!(top.status == 200 && top.text().contains("parse"), "{}", top.text());
    });
    assert_eq!(page.get("/ui/top?f=(").status, 400);
}
