//! Binaries, sources and answers of builds that are not on this machine.

use std::process::Command;

use oxprof_profile::{
    Location, LocationIdx, Mapping, MappingIdx, Profile, Samples, ValueType, encode,
};
use oxprof_symbols::Object;

use super::fetch::Server;
use super::support::{OXPROF, Place, Ran};

const PROGRAM: &str =
    "int work(int n) {\n    return n * 3;\n}\n\nint main(void) { return work(2); }\n";

/// A place with a profile `gone.pb` of function `work` in `/gone/app`, which is not there.
struct Gone {
    place: Place,
    build_id: String,
    program: Vec<u8>,
}

impl Gone {
    /// `None`, with a word on stderr, where there is no C compiler.
    fn new() -> Option<Self> {
        let place = Place::new();
        place.write("app.c", PROGRAM);
        let flags = ["-g", "-O0", "-Wl,--build-id=sha1", "-ffile-prefix-map=.=/gone", "-o", "app"];
        let cc = Command::new("cc").args(flags).arg("app.c").current_dir(place.path()).output();
        if !cc.is_ok_and(|out| out.status.success()) {
            eprintln!("skipped: cc is not installed");
            return None;
        }
        let program = std::fs::read(place.path().join("app")).unwrap();
        std::fs::remove_file(place.path().join("app")).unwrap();
        std::fs::remove_file(place.path().join("app.c")).unwrap();
        let object = Object::parse(&program).unwrap();
        let build_id = object.build_id().unwrap().to_string();
        place.write("gone.pb", encode(&profile(&object, &build_id)));
        Some(Self { place, build_id, program })
    }

    /// Serves the program and its source.
    fn serve(&self) -> Server {
        let (id, program) = (self.build_id.clone(), self.program.clone());
        Server::answering_bytes(move |request| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            let body = match path.strip_prefix(&format!("/buildid/{id}/")) {
                Some("executable") => &program[..],
                Some(source) if source.starts_with("source/") => PROGRAM.as_bytes(),
                _ => return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            answer.extend(body);
            answer
        })
    }

    fn run(&self, arguments: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.place.command(OXPROF);
        command.args(arguments.split(' ')).envs(variables.iter().copied());
        Ran::from(command.output().unwrap())
    }
}

fn profile(object: &Object<'_>, build_id: &str) -> Profile {
    let mut profile = Profile { samples: Samples::new(1), ..Profile::default() };
    let (kind, unit) = (profile.strings.intern("samples"), profile.strings.intern("count"));
    profile.sample_types.push(ValueType { kind, unit });
    let code = object.segments().iter().find(|s| s.is_executable).unwrap();
    let work = object.symbols().find(|s| s.name == "work").unwrap();
    let start = 0x5555_5555_0000 + (code.start.0 & 0xfff);
    profile.mappings.push(Mapping {
        id: 1,
        start,
        limit: start + (code.end.0 - code.start.0),
        offset: code.offset.0,
        file: profile.strings.intern("/gone/app"),
        build_id: profile.strings.intern(build_id),
        ..Mapping::default()
    });
    profile.locations.push(Location {
        id: 1,
        mapping: Some(MappingIdx(0)),
        address: start + (work.start.0 - code.start.0) + 8,
        ..Location::default()
    });
    profile.samples.push(&[7], &[LocationIdx(0)], &[]);
    profile
}

#[test]
fn binaries_and_sources_come_from_servers_once() {
    let Some(gone) = Gone::new() else { return };
    let server = gone.serve();
    let url = format!("http://{}/", server.address);
    let cache = gone.place.path().join("cache");
    let variables =
        [("DEBUGINFOD_URLS", url.as_str()), ("DEBUGINFOD_CACHE_PATH", cache.to_str().unwrap())];
    let ran = gone.run("-list work gone.pb", &variables);
    assert!(ran.out.contains("return n * 3;") && ran.out.contains("ROUTINE"), "{ran:?}");
    assert!(ran.err.contains(&format!("Fetched {url}buildid/{}/executable", gone.build_id)));
    assert!(server.next_request().starts_with("GET /buildid/"));
    assert!(server.next_request().contains("/source/"));
    // What was fetched is kept where elfutils would.
    let kept = cache.join(&gone.build_id).join("executable");
    assert_eq!(std::fs::read(kept).unwrap(), gone.program);
    let again = gone.run("-list work gone.pb", &variables);
    assert!(again.out.contains("return n * 3;") && again.err.is_empty(), "{again:?}");
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn servers_are_asked_only_where_they_are_named() {
    let Some(gone) = Gone::new() else { return };
    let ran = gone.run("-top gone.pb", &[]);
    assert!(ran.err.contains("open /gone/app: no such file"), "{ran:?}");
    assert!(!ran.out.contains("work"));
}

#[test]
fn what_no_server_has_is_not_asked_for_again() {
    let Some(gone) = Gone::new() else { return };
    let server =
        Server::answering(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into());
    let url = format!("http://{}", server.address);
    let variables = [("DEBUGINFOD_URLS", url.as_str())];
    let ran = gone.run("-top gone.pb", &variables);
    assert!(ran.err.contains("open /gone/app: no such file"), "{ran:?}");
    assert!(server.next_request().contains("/executable "));
    assert!(server.next_request().contains("/debuginfo "));
    gone.run("-top gone.pb", &variables);
    assert!(server.requests.try_recv().is_err());
    let miss = gone.place.path().join(".cache/debuginfod_client").join(&gone.build_id);
    assert_eq!(std::fs::read(miss.join("executable")).unwrap(), b"");
}

#[test]
fn what_servers_get_wrong_is_said_and_not_believed() {
    let Some(gone) = Gone::new() else { return };
    let check = |answer: &'static str, more: &[(&str, &str)], expected: &str| {
        let server = Server::answering(move |_| answer.to_owned());
        let url = format!("http://{}", server.address);
        let cache = gone.place.path().join(expected.replace(' ', "-"));
        let mut variables = vec![
            ("DEBUGINFOD_URLS", url.as_str()),
            ("DEBUGINFOD_CACHE_PATH", cache.to_str().unwrap()),
        ];
        variables.extend(more);
        let ran = gone.run("-top gone.pb", &variables);
        assert!(ran.code == Some(0) && ran.err.contains(expected), "{expected}: {ran:?}");
        assert!(!ran.out.contains("work"));
    };
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    check(page, &[], "not what was asked for");
    check(page, &[("DEBUGINFOD_MAXSIZE", "4")], "larger than 4 bytes");
    let broken = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    check(broken, &[], "not asking this server again");
}

#[test]
fn answers_are_kept_by_build() {
    let Some(gone) = Gone::new() else { return };
    let program = gone.place.write("app", &gone.program);
    let cache = gone.place.path().join("answers");
    let variables = [("OXPROF_SYMBOL_CACHE", cache.to_str().unwrap())];
    let path = gone.place.path().to_str().unwrap().to_owned();
    let with_path = [variables[0], ("PPROF_BINARY_PATH", path.as_str())];
    let raw = |variables: &[(&str, &str)]| gone.run("-raw gone.pb", variables);
    let first = raw(&with_path);
    assert!(first.out.contains("work") && first.out.contains("app.c:2"), "{first:?}");
    // The binary is gone, its answers are not.
    std::fs::remove_file(program).unwrap();
    let second = raw(&variables);
    assert_eq!((second.out.as_str(), second.err.as_str()), (first.out.as_str(), ""));
    let kept = cache.join(format!("{}.oxsym", gone.build_id));
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    let damaged = raw(&variables);
    assert!(damaged.err.contains("it is damaged"), "{damaged:?}");
    assert!(!damaged.out.contains("app.c"));
    let refused = gone.run("-raw gone.pb", &[variables[0], ("OXPROF_SYMBOL_CACHE_SIZE", "much")]);
    assert!(refused.err.contains("OXPROF_SYMBOL_CACHE_SIZE \"much\" is no size"), "{refused:?}");
}
