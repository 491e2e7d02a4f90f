//! What clients of Go's `net/http/pprof` can rely on, line by line. The table is held against our server, and against
//! Go's where Go is installed: rows say where ours differs on purpose, and there Go must differ, so that the list of
//! differences stays true.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oxprof::custom::CustomProfile;

use crate::support::{Reply, exchange, server};

/// What a body has to be.
#[derive(Clone, Copy, Debug)]
enum Body {
    Any,
    Empty,
    Is(&'static str),
    Starts(&'static str),
    Has(&'static str),
    /// A compressed profile with these sample types.
    Profile(&'static [&'static str]),
}

use Body::{Any, Empty, Has, Is, Profile, Starts};

/// What kind of reply the headers show.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// To be saved under a name.
    File(&'static str),
    Text,
    Html,
    /// Text, and marked as an error that clients show.
    Error,
    /// An error of the server around the routes.
    Plain,
}

use Kind::{Error, File, Html, Plain, Text};

/// How Go compares.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Go {
    Same,
    /// On purpose, for this reason.
    Differs(&'static str),
    /// It would take Go half a minute to show that it differs.
    TakesLong(&'static str),
}

use Go::{Differs, Same, TakesLong};

struct Row(&'static str, &'static str, u16, Kind, Body, Go);

const HEAP: Body = Profile(&[
    "alloc_objects/count",
    "alloc_space/bytes",
    "inuse_objects/count",
    "inuse_space/bytes",
]);
const LOCKS: Body = Profile(&["contentions/count", "delay/nanoseconds"]);
const CUSTOM: &str = "conformance.test/open";
const STRICT: &str = "parameters that cannot be honoured are refused, not guessed";
const FRACTIONS: &str = "seconds may be a fraction";
const MORE_TEXT: &str = "the message says the limit, too";

const TABLE: &[Row] = &[
    // Routes and methods.
    Row("GET", "/debug/pprof/", 200, Html, Has("profile?debug=1"), Same),
    Row("GET", "/debug/pprof/", 200, Html, Has("Profile Descriptions:"), Same),
    Row("GET", "/debug/pprof/", 200, Html, Has("<title>/debug/pprof/</title>"), Same),
    Row("GET", "/debug/pprof/", 200, Html, Has("goroutine?debug=2"), Same),
    Row("GET", "/debug/pprof/", 200, Html, Has("<div class=profile-name>heap: </div>"), Same),
    Row("HEAD", "/debug/pprof/", 200, Html, Empty, Same),
    Row("HEAD", "/debug/pprof/heap", 200, File("heap"), Empty, Same),
    Row("HEAD", "/debug/pprof/nothing", 404, Error, Empty, Same),
    Row("POST", "/debug/pprof/", 405, Plain, Is("Method Not Allowed\n"), Same),
    Row("POST", "/debug/pprof/heap", 405, Plain, Is("Method Not Allowed\n"), Same),
    Row("PUT", "/debug/pprof/profile", 405, Plain, Is("Method Not Allowed\n"), Same),
    Row("OPTIONS", "/debug/pprof/", 405, Plain, Is("Method Not Allowed\n"), Same),
    Row("DELETE", "/debug/pprof/cmdline", 405, Plain, Is("Method Not Allowed\n"), Same),
    Row("GET", "/debug/pprof/nothing", 404, Error, Is("Unknown profile\n"), Same),
    Row("GET", "/debug/pprof/Heap", 404, Error, Is("Unknown profile\n"), Same),
    Row("GET", "/debug/pprof/heap/", 404, Error, Is("Unknown profile\n"), Same),
    Row("GET", "/debug/pprof/profile/", 404, Error, Is("Unknown profile\n"), Same),
    Row("GET", "/debug/pprof/nothing?seconds=x", 404, Error, Is("Unknown profile\n"), Same),
    Row("GET", "/debug/pprof/%68eap", 200, File("heap"), HEAP, Same),
    Row("GET", "/elsewhere", 404, Error, Any, Differs("nothing else is served here")),
    Row("GET", "/debug//pprof/heap", 404, Error, Any, Differs("paths are not rewritten")),
    Row("GET", "/debug/pprof/../pprof/heap", 404, Error, Any, Differs("paths are not rewritten")),
    // Command line and symbols.
    Row("GET", "/debug/pprof/cmdline", 200, Text, Any, Same),
    Row("GET", "/debug/pprof/cmdline?debug=1&seconds=x", 200, Text, Any, Same),
    Row("GET", "/debug/pprof/symbol", 200, Text, Is("num_symbols: 1\n"), Same),
    Row("GET", "/debug/pprof/symbol?0x1+7+nonsense", 200, Text, Is("num_symbols: 1\n"), Same),
    Row("HEAD", "/debug/pprof/symbol", 200, Text, Empty, Same),
    Row(
        "POST",
        "/debug/pprof/symbol",
        200,
        Text,
        Is("num_symbols: 1\n"),
        Differs("pprof sends POST"),
    ),
    // Profiles for tools.
    Row("GET", "/debug/pprof/heap", 200, File("heap"), HEAP, Same),
    Row("GET", "/debug/pprof/heap?gc=1", 200, File("heap"), HEAP, Same),
    Row("GET", "/debug/pprof/heap?debug=0", 200, File("heap"), HEAP, Same),
    Row("GET", "/debug/pprof/heap?debug=&seconds=", 200, File("heap"), HEAP, Same),
    Row("GET", "/debug/pprof/allocs", 200, File("allocs"), HEAP, Same),
    Row(
        "GET",
        "/debug/pprof/goroutine",
        200,
        File("goroutine"),
        Profile(&["goroutine/count"]),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/threadcreate",
        200,
        File("threadcreate"),
        Profile(&["threadcreate/count", "live/count"]),
        Differs("it says how many of the threads are alive, too"),
    ),
    Row(
        "GET",
        "/debug/pprof/conformance.test/open",
        200,
        File(CUSTOM),
        Profile(&["conformance.test/open/count"]),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/profile?seconds=1",
        200,
        File("profile"),
        Profile(&["samples/count", "cpu/nanoseconds"]),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/profile?seconds=1&debug=1&gc=1",
        200,
        File("profile"),
        Profile(&["samples/count", "cpu/nanoseconds"]),
        Same,
    ),
    Row("GET", "/debug/pprof/block", 200, File("block"), LOCKS, Same),
    Row("GET", "/debug/pprof/mutex", 200, File("mutex"), LOCKS, Same),
    Row("GET", "/debug/pprof/mutex?seconds=1", 200, File("mutex-delta"), LOCKS, Same),
    // Profiles for people.
    Row("GET", "/debug/pprof/heap?debug=1", 200, Text, Starts("heap profile: "), Same),
    Row("GET", "/debug/pprof/heap?debug=1&gc=1", 200, Text, Has("# MaxRSS = "), Same),
    Row("GET", "/debug/pprof/heap?debug=2", 200, Text, Starts("heap profile: "), Same),
    Row("GET", "/debug/pprof/heap?debug=-1", 200, Text, Starts("heap profile: "), Same),
    Row("GET", "/debug/pprof/allocs?debug=1", 200, Text, Starts("heap profile: "), Same),
    Row(
        "GET",
        "/debug/pprof/goroutine?debug=1",
        200,
        Text,
        Starts("goroutine profile: total "),
        Same,
    ),
    Row("GET", "/debug/pprof/goroutine?debug=2", 200, Text, Starts("goroutine "), Same),
    Row(
        "GET",
        "/debug/pprof/threadcreate?debug=1",
        200,
        Text,
        Starts("threadcreate profile: total "),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/conformance.test/open?debug=1",
        200,
        Text,
        Starts("conformance.test/open profile: total 2\n"),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/block?debug=1",
        200,
        Text,
        Starts("--- contention:\ncycles/second="),
        Same,
    ),
    Row("GET", "/debug/pprof/mutex?debug=1", 200, Text, Starts("--- mutex:\ncycles/second="), Same),
    Row("GET", "/debug/pprof/mutex?debug=1", 200, Text, Has("\nsampling period="), Same),
    // Differences over some time.
    Row("GET", "/debug/pprof/heap?seconds=1", 200, File("heap-delta"), HEAP, Same),
    Row("GET", "/debug/pprof/heap?seconds=1&gc=1", 200, File("heap-delta"), HEAP, Same),
    Row(
        "GET",
        "/debug/pprof/goroutine?seconds=1",
        200,
        File("goroutine-delta"),
        Profile(&["goroutine/count"]),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=1&debug=1",
        400,
        Error,
        Is("seconds and debug params are incompatible\n"),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=abc",
        400,
        Error,
        Starts("invalid value for \"seconds\" - must be a positive "),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=0",
        400,
        Error,
        Starts("invalid value for \"seconds\" - must be a positive "),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=-1",
        400,
        Error,
        Starts("invalid value for \"seconds\" - must be a positive "),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=abc&debug=1",
        400,
        Error,
        Starts("invalid value for \"seconds\""),
        Same,
    ),
    Row(
        "GET",
        "/debug/pprof/heap?seconds=0",
        400,
        Error,
        Has("number, at most 86400"),
        Differs(MORE_TEXT),
    ),
    Row("GET", "/debug/pprof/heap?seconds=0.5", 200, File("heap-delta"), HEAP, Differs(FRACTIONS)),
    Row(
        "GET",
        "/debug/pprof/conformance.test/open?seconds=1",
        200,
        File("conformance.test/open-delta"),
        Any,
        Differs("custom profiles have differences, too"),
    ),
    // What cannot be read.
    Row("GET", "/debug/pprof/heap?debug=x", 400, Error, Any, Differs(STRICT)),
    Row(
        "GET",
        "/debug/pprof/heap?second=1",
        400,
        Error,
        Starts("unknown parameter"),
        Differs(STRICT),
    ),
    Row(
        "GET",
        "/debug/pprof/profile?seconds=1&x=1",
        400,
        Error,
        Starts("unknown parameter"),
        Differs(STRICT),
    ),
    Row("GET", "/debug/pprof/profile?seconds=0", 400, Error, Any, TakesLong(STRICT)),
    Row("GET", "/debug/pprof/profile?seconds=abc", 400, Error, Any, TakesLong(STRICT)),
    Row("GET", "/debug/pprof/profile?seconds=0.1", 200, File("profile"), Any, TakesLong(FRACTIONS)),
    Row("GET", "/debug/pprof/profile?seconds=1&hz=250", 200, File("profile"), Has(""), Same),
    Row(
        "GET",
        "/debug/pprof/goroutine?debug=-1",
        200,
        Text,
        Starts("goroutine "),
        Differs("what says that it is text is text"),
    ),
];

fn ask(address: SocketAddr, method: &str, target: &str) -> Reply {
    exchange(
        address,
        &format!(
            "{method} {target} HTTP/1.1\nHost: {address}\nContent-Length: 0\nConnection: close\n\n"
        ),
    )
}

/// What of a reply is not as the row says.
fn fault(row: &Row, reply: &Reply) -> Option<String> {
    let Row(method, target, status, kind, body, _) = row;
    let wrong = |what: &str, got: &dyn std::fmt::Debug| {
        Some(format!(
            "{method} {target}: {what}, got {got:?} in {:?} {:?}",
            reply.status, reply.headers
        ))
    };
    if reply.status != *status {
        return wrong(&format!("status {status}"), &String::from_utf8_lossy(&reply.body));
    }
    for (name, expected) in headers(*kind) {
        if reply.header(name) != expected.as_deref() {
            return wrong(&format!("{name}: {expected:?}"), &reply.header(name));
        }
    }
    if reply.header("content-encoding").is_some() {
        return wrong("no encoding", &reply.header("content-encoding"));
    }
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let is_right = match body {
        Any => true,
        Empty => reply.body.is_empty(),
        Is(expected) => text == *expected,
        Starts(expected) => text.starts_with(expected),
        Has(expected) => text.contains(expected),
        Profile(types) => sample_types(&reply.body) == **types,
    };
    let shown = match body {
        Profile(_) => format!("{:?}", sample_types(&reply.body)),
        _ => text.chars().take(200).collect(),
    };
    if is_right { None } else { wrong(&format!("{body:?}"), &shown) }
}

fn headers(kind: Kind) -> Vec<(&'static str, Option<String>)> {
    let text = Some("text/plain; charset=utf-8".to_owned());
    let (content_type, disposition, marked) = match kind {
        File(name) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            (Some("application/octet-stream".to_owned()), Some(disposition), None)
        }
        Text | Plain => (text, None, None),
        Html => (Some("text/html; charset=utf-8".to_owned()), None, None),
        Error => (text, None, Some("1".to_owned())),
    };
    let allow = matches!(kind, Plain).then(|| "GET, HEAD".to_owned());
    vec![
        ("content-type", content_type),
        ("content-disposition", disposition),
        ("x-go-pprof", marked),
        ("x-content-type-options", Some("nosniff".to_owned())),
        ("allow", allow),
    ]
}

fn sample_types(body: &[u8]) -> Vec<String> {
    let Ok(profile) = oxprof_profile::decode(body) else { return Vec::new() };
    let types = profile.sample_types.iter();
    types.map(|t| format!("{}/{}", profile.str(t.kind), profile.str(t.unit))).collect()
}

#[test]
fn ours() {
    let profile = CustomProfile::new(CUSTOM).unwrap();
    let _open = [profile.add(), profile.add()];
    let server = server();
    let reply_to = |row: &Row| ask(server.local_addr(), row.0, row.1);
    let faults: Vec<_> = TABLE.iter().filter_map(|row| fault(row, &reply_to(row))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Go's server, until dropped.
struct GoServer(Child, SocketAddr);

impl GoServer {
    fn start() -> Option<Self> {
        if Command::new("go").arg("version").output().is_err() {
            eprintln!("skipped: go is not installed");
            return None;
        }
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-conformance");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/go/main.go");
        let built = Command::new("go").args(["build", "-o"]).arg(&binary).arg(source).output();
        let built = built.expect("go runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut child =
            Command::new(binary).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says its address");
        Some(Self(child, line.trim().parse().expect("an address")))
    }
}

impl Drop for GoServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn of_go() {
    let Some(go) = GoServer::start() else { return };
    let compare = |row: &Row| {
        let fault = fault(row, &ask(go.1, row.0, row.1));
        match (row.5, fault) {
            (Same, fault) => fault,
            (Differs(reason), None) => {
                Some(format!("{} {}: Go does the same, though: {reason}", row.0, row.1))
            }
            (Differs(_), Some(_)) | (TakesLong(_), _) => None,
        }
    };
    let rows = TABLE.iter().filter(|row| !matches!(row.5, TakesLong(_)));
    let faults: Vec<_> = rows.filter_map(compare).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
