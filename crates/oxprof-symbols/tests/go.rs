//! Stripped Go programs compared with what Go's own tools say of the same program before it was stripped.
#![cfg(feature = "lines")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oxprof_symbols::{Object, Svma};

const PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

type point struct{ x, y int }

func (p point) sum() int { return p.x + p.y }

func twice[T int | float64](v T) T { return v + v }

func total(points []point) (n int) {
	for _, p := range points {
		n += twice(p.sum())
	}
	return n
}

func main() {
	var points []point
	for i, word := range strings.Fields(strings.Join(os.Args, " ")) {
		points = append(points, point{i, len(word)})
	}
	sort.Slice(points, func(i, j int) bool { return points[i].sum() < points[j].sum() })
	fmt.Println(total(points))
}
"#;

/// One program, whole and stripped, in a directory that is deleted in the end.
struct Twins {
    dir: PathBuf,
}

impl Drop for Twins {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Twins {
    /// `None`, with a word on stderr, where Go is missing.
    fn build(name: &str, environment: &[(&str, &str)], flags: &[&str]) -> Option<Self> {
        if Command::new("go").arg("version").output().is_err() {
            eprintln!("skipped: go is not installed");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("oxprof-go-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("main.go"), PROGRAM).unwrap();
        std::fs::write(dir.join("go.mod"), "module example.com/twins\n\ngo 1.21\n").unwrap();
        let twins = Self { dir };
        for (out, link) in [("whole", ""), ("stripped", "-s -w")] {
            let out = Command::new("go")
                .args(["build", "-ldflags", link, "-o", out])
                .args(flags)
                .arg(".")
                .envs(environment.iter().copied())
                .envs([("GOFLAGS", ""), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")])
                .current_dir(&twins.dir)
                .output()
                .unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
        Some(twins)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(name)).unwrap()
    }
}

/// `function` and `file:line` of each address, as `go tool addr2line` prints them.
fn addr2line(binary: &Path, addresses: &[u64]) -> Vec<(String, String)> {
    let mut child = Command::new("go")
        .args(["tool", "addr2line", binary.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = addresses.iter().fold(String::new(), |mut input, address| {
        let _ = writeln!(input, "{address:#x}");
        input
    });
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let out = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

/// Every so many bytes of the program's code.
fn addresses(object: &Object<'_>, step: u64) -> Vec<u64> {
    // The build's id is among the functions, but no code.
    let functions: Vec<_> = object.symbols().filter(|s| s.name != "go:buildid").collect();
    let of = |f: &oxprof_symbols::Symbol<'_>| (f.start.0..f.end.0).step_by(step as usize);
    functions.iter().flat_map(of).collect()
}

#[track_caller]
fn mostly_equal(pairs: impl Iterator<Item = (u64, String, String)>) {
    let (mut all, mut different) = (0, Vec::new());
    for (address, ours, theirs) in pairs {
        all += 1;
        if ours != theirs {
            different.push(format!("{address:#x}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    assert!(all > 5000, "{all}");
    eprintln!("{} of {all} differ", different.len());
    let shown = different[..different.len().min(8)].join("\n");
    assert!(different.len() * 1000 <= all, "{} of {all} differ:\n{shown}", different.len());
}

/// Functions, files and lines of a stripped program beside those of `go tool addr2line`, inlined chains
/// beside those of the debug information of the same program.
fn check(name: &str, environment: &[(&str, &str)], flags: &[&str]) {
    let Some(twins) = Twins::build(name, environment, flags) else { return };
    let (stripped, whole) = (twins.read("stripped"), twins.read("whole"));
    let (stripped, whole) = (Object::parse(&stripped).unwrap(), Object::parse(&whole).unwrap());
    let addresses = addresses(&stripped, 61);
    let theirs = addr2line(&twins.dir.join("whole"), &addresses);
    mostly_equal(addresses.iter().zip(&theirs).map(|(&address, (name, place))| {
        let frames = stripped.frames(Svma(address));
        let (inner, outer) = (frames.first().unwrap(), frames.last().unwrap());
        // What fills the room between functions comes from no line.
        let place = if place == ":-1" { "?:0" } else { place };
        let file = inner.file.as_deref().unwrap_or("?");
        (address, format!("{} {file}:{}", outer.system_name, inner.line), format!("{name} {place}"))
    }));
    let chain = |object: &Object<'_>, address| {
        let frames = object.frames(Svma(address));
        let line = |f: &oxprof_symbols::Frame<'_>| {
            format!("{} {}:{}", elided(&f.system_name), f.file.as_deref().unwrap_or("?"), f.line)
        };
        frames.iter().map(line).collect::<Vec<_>>().join(" < ")
    };
    let chains = addresses.iter().map(|&a| (a, chain(&stripped, a), chain(&whole, a)));
    mostly_equal(chains);
}

/// Go's tables leave out what stands between the brackets of generic functions.
fn elided(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}[...]{}", &name[..open], &name[close + 1..])
        }
        _ => name.to_owned(),
    }
}

#[test]
fn programs_of_linux() {
    check("linux", &[("CGO_ENABLED", "0")], &[]);
}

#[test]
fn position_independent_programs() {
    check("pie", &[("CGO_ENABLED", "0")], &["-buildmode=pie"]);
}

/// Building for other systems builds Go's library for them first.
fn is_long() -> bool {
    std::env::var_os("OXPROF_LONG").is_some()
}

#[test]
fn other_processors() {
    if !is_long() {
        eprintln!("skipped: OXPROF_LONG=1 builds for other systems, too");
        return;
    }
    check("arm64", &[("GOARCH", "arm64")], &[]);
}

#[cfg(feature = "macho")]
#[test]
fn programs_of_macos() {
    if !is_long() {
        return;
    }
    check("darwin", &[("GOOS", "darwin"), ("GOARCH", "arm64")], &[]);
}

#[cfg(feature = "pe")]
#[test]
fn programs_of_windows() {
    if !is_long() {
        return;
    }
    check("windows", &[("GOOS", "windows"), ("GOARCH", "amd64")], &[]);
}

/// Damage anywhere in the tables: fewer answers or wrong ones, no panic, no long wait.
#[test]
fn damaged_tables() {
    let Some(twins) = Twins::build("damaged", &[("CGO_ENABLED", "0")], &[]) else { return };
    let bytes = twins.read("stripped");
    let magic = [0xf1, 0xff, 0xff, 0xff, 0, 0];
    let table = bytes.windows(6).position(|w| w == magic).unwrap();
    let object = Object::parse(&bytes).unwrap();
    let mut asked: Vec<u64> = object.symbols().step_by(97).map(|s| s.start.0 + 5).collect();
    asked.extend([0, u64::MAX]);
    // As many functions as a number can say.
    let mut endless = bytes.clone();
    endless[table + 8..table + 16].fill(0xff);
    assert!(Object::parse(&endless).unwrap().symbols().count() < bytes.len());
    let mut random = 1_u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % limit
    };
    for round in 0..30 {
        let mut damaged = bytes.clone();
        // The header first, then all of the tables.
        let reach = if round < 20 { 80 } else { bytes.len() - table };
        for _ in 0..1 + round % 5 * 50 {
            damaged[table + below(reach)] = [0, 1, 0x7f, 0x80, 0xff][below(5)];
        }
        let object = Object::parse(&damaged).unwrap();
        for &address in &asked {
            let _ = (object.frames(Svma(address)), object.symbol(Svma(address)));
        }
        assert!(object.symbols().count() < bytes.len());
    }
}
