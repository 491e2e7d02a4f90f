//! A page of a small profile, on a server of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oxprof_profile::{Builder, Label, LabelValue, LocationIdx, Mapping, Profile, Symbol};
use oxprof_report::options::Options;
use oxprof_report::{Binaries, Binary, SourceFiles, Zone};
use oxprof_web::{App, Giver, Loaded, Server, SettingsFile, Setup, TraceSetup, World};

/// A profile of two types with lines, labels and a name that wants to be markup.
pub(crate) fn profile() -> Profile {
    stacks(&[
        (&["main", "serve", "parse"], 40, "api"),
        (&["main", "serve", "parse", "alloc::vec::push"], 25, "api"),
        (&["main", "serve", "render"], 20, "web"),
        (&["main", "idle"], 10, "web"),
        (&["main", "<img src=x onerror=alert(1)>"], 5, "web"),
    ])
}

/// Stacks, outermost frame first, with their weight in ten milliseconds and their route.
pub(crate) fn stacks(stacks: &[(&[&str], i64, &str)]) -> Profile {
    let mut builder = Builder::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    let file = builder.profile.strings.intern("/bin/service");
    builder.mapping(Mapping { start: 0x1000, limit: 0x9000, file, ..Mapping::default() });
    let route = builder.profile.strings.intern("route");
    for (names, weight, label) in stacks {
        let value = LabelValue::Str(builder.profile.strings.intern(label));
        let stack: Vec<LocationIdx> = names.iter().rev().map(|n| place(&mut builder, n)).collect();
        builder.sample(&[*weight, weight * 10_000_000], &stack, &[Label { key: route, value }]);
    }
    builder.profile.duration_nanos = 2_000_000_000;
    builder.finish()
}

/// So many samples that some are counted before all are. Those of every fourth, which are counted first, tell a story of their
/// own: two thirds of `a` and one of `b`, while it is two to seven in all.
pub(crate) fn many() -> Profile {
    let mut builder = Builder::new(&[("cpu", "nanoseconds")]);
    let [a, b, main] = [b"a", b"b", b"main" as &[u8]].map(|name| builder.named(name));
    for i in 0..1 << 18 {
        let (leaf, weight) = if i % 8 == 0 { (a, 2) } else { (b, 1) };
        builder.sample(&[weight * 10_000_000], &[leaf, main], &[]);
    }
    builder.finish()
}

fn place(builder: &mut Builder, name: &str) -> LocationIdx {
    let line = 1 + name.len() as i64 % 5;
    let symbol = Symbol {
        name: name.as_bytes(),
        system_name: name.as_bytes(),
        file: b"src/work.rs",
        line,
        column: 0,
    };
    builder.symbol(None, 0, &symbol)
}

/// A machine with one source file and no binaries.
#[derive(Debug, Default)]
struct SmallWorld {
    stamp: Arc<AtomicU64>,
}

impl World for SmallWorld {
    fn with_sources(&self, _: &Profile, with: &mut dyn FnMut(&dyn SourceFiles)) {
        with(&|path: &str| match path.ends_with("src/work.rs") {
            true => {
                Ok(b"fn one() {}\nfn two() {}\nfn three() {}\n<b>four</b>\nfn five() {}\n".to_vec())
            }
            false => Err(io::Error::from(io::ErrorKind::NotFound)),
        });
    }

    fn with_binaries(&self, options: &Options, with: &mut dyn FnMut(&dyn Binaries)) {
        with(&NoBinaries { syntax: if options.intel_syntax { "intel" } else { "at&t" } });
    }

    fn zone(&self, _: i64) -> Zone {
        Zone::default()
    }

    fn working_dir(&self) -> String {
        "/".to_owned()
    }

    fn open(&self, bytes: &[u8], _: Giver) -> Result<Loaded, String> {
        let profile = oxprof_profile::decode(bytes).map_err(|e| e.to_string())?;
        Ok(Loaded { profile, remarks: Vec::new() })
    }

    fn stamp(&self) -> Option<u64> {
        Some(self.stamp.load(Ordering::Relaxed))
    }

    fn reload(&self) -> Result<Loaded, String> {
        let profile = stacks(&[(&["main", "reloaded"], 7, "api")]);
        Ok(Loaded { profile, remarks: Vec::new() })
    }
}

/// Would disassemble in this syntax.
struct NoBinaries {
    syntax: &'static str,
}

impl Binaries for NoBinaries {
    fn open(&self, file: &str, _: &str, _: &mut dyn FnMut(&dyn Binary)) -> Result<(), String> {
        Err(format!("open {file}: no such file or directory ({} syntax)", self.syntax))
    }
}

/// A running page. Its thread ends with the test program.
pub(crate) struct Page {
    pub(crate) address: SocketAddr,
    stamp: Arc<AtomicU64>,
    directory: PathBuf,
}

const LOCAL: &str = "localhost:";

impl Page {
    pub(crate) fn of(test: &str, profile: Profile) -> Self {
        Self::start(test, LOCAL, Some(profile), App::new).0
    }

    /// A page that other machines reach.
    pub(crate) fn public(test: &str, profile: Profile) -> Self {
        Self::start(test, "0.0.0.0:", Some(profile), App::new).0
    }

    /// A page whose profile the app is to be told.
    pub(crate) fn without_profile(test: &str) -> (Self, App) {
        Self::start(test, LOCAL, None, App::new)
    }

    /// A page of a trace.
    pub(crate) fn of_trace(test: &str, trace: TraceSetup) -> Self {
        Self::start(test, LOCAL, Some(Profile::default()), |setup| App::with_trace(setup, trace)).0
    }

    fn start(
        test: &str,
        address: &str,
        profile: Option<Profile>,
        app: impl FnOnce(Setup) -> App,
    ) -> (Self, App) {
        let directory =
            std::env::temp_dir().join(format!("oxprof-web-{test}-{}", std::process::id()));
        let world = SmallWorld::default();
        let stamp = Arc::clone(&world.stamp);
        let app = app(Setup {
            name: "service.pb.gz".to_owned(),
            options: Options::default(),
            settings: SettingsFile::at(directory.join("pprof/settings.json")),
            world: Arc::new(world),
        });
        if let Some(profile) = profile {
            app.show(Loaded { profile, remarks: Vec::new() });
        }
        let server = Server::listen(address).unwrap();
        let address = server.local_addr();
        let served = app.clone();
        std::thread::spawn(move || server.run(served));
        (Self { address, stamp, directory }, app)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}/ui/{path}", self.address.port())
    }

    /// As if the profile's file had changed.
    pub(crate) fn touch(&self) {
        self.stamp.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], b"")
    }

    /// A request as it is: `headers` replace those that are needed.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Response::parse(&bytes)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head ends");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// A header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
