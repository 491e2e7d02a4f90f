//! One C++ program built in all the ways that compilers and distributions have of storing debug
//! information, each compared with llvm-symbolizer. (addr2line of binutils calls an inlined function
//! without a linkage name by the name of the function that it is inlined into.)
#![cfg(feature = "compressed")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use oxprof_symbols::{Avma, Bytes, DebugFile, MappedRange, Object, Parts, Store, Svma};

const PROGRAM: &str = r#"
#include <algorithm>
#include <cstdio>
#include <vector>

namespace {
struct Point {
    int x, y;
    bool operator<(const Point &other) const { return x < other.x || (x == other.x && y < other.y); }
};

template <typename T> inline T twice(T value) {
    return value + value;
}
} // namespace

class Walker {
  public:
    explicit Walker(unsigned seed) : state(seed) {}
    int step() {
        state = state * 1103515245u + 12345u;
        return static_cast<int>(twice(state >> 16) % 1000);
    }

  private:
    unsigned state;
};

__attribute__((noinline)) static long sum(const std::vector<Point> &points) {
    long total = 0;
    for (const Point &p : points)
        total += twice(p.x) - p.y;
    return total;
}

int main(int argc, char **argv) {
    Walker walker(argc);
    std::vector<Point> points;
    for (int i = 0; i < 1000; i++) {
        points.push_back(Point{walker.step(), walker.step()});
    }
    std::sort(points.begin(), points.end());
    std::printf("%ld\n", sum(points));
    return 0;
}
"#;

/// A directory of its own, deleted in the end.
struct Workshop(PathBuf);

impl Workshop {
    /// `None`, with a word on stderr, where a tool is missing.
    fn with_tools(name: &str, tools: &[&str]) -> Option<Self> {
        for tool in tools {
            if Command::new(tool).arg("--version").output().is_err() {
                eprintln!("skipped: {tool} is not installed");
                return None;
            }
        }
        let dir = std::env::temp_dir().join(format!("oxprof-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("app.cc"), PROGRAM).unwrap();
        Some(Self(dir))
    }

    fn run(&self, line: &str) {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let out = command.args(words).current_dir(&self.0).output().unwrap();
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn build(name: &str, flags: &str) -> Option<Self> {
        let shop = Self::with_tools(name, &["g++", "llvm-symbolizer"])?;
        shop.run(&format!("g++ -O2 {flags} app.cc -o app"));
        Some(shop)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A file, to be read piece by piece.
fn read(path: PathBuf) -> Option<Bytes> {
    Some(Arc::new(Parts::new(std::fs::read(path).ok()?)))
}

/// What the debug information of a binary in `dir` refers to.
fn open(dir: &Path, file: DebugFile<'_>) -> Option<Bytes> {
    match file {
        DebugFile::Shared { path, .. } => read(dir.join(path)),
        DebugFile::Package => read(dir.join("app.dwp")),
        DebugFile::Split { directory, path } => read(Path::new(directory).join(path)),
        _ => None,
    }
}

/// `function place` per frame.
type Chain = Vec<String>;

fn ours(object: &Object<'_>, address: u64) -> Chain {
    let frames = object.frames(Svma(address));
    let line = |f: &oxprof_symbols::Frame<'_>| match f.line {
        0 => format!("{} ??:?", f.system_name),
        line => format!("{} {}:{line}", f.system_name, f.file.as_deref().unwrap_or("??")),
    };
    frames.iter().map(line).collect()
}

fn theirs(path: &Path, addresses: &[u64]) -> Vec<Chain> {
    let mut command = Command::new("llvm-symbolizer");
    command.args(["--functions=linkage", "--no-demangle", "--output-style=GNU", "-a", "-e"]);
    command.arg(path).args(addresses.iter().map(|a| format!("{a:#x}")));
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let mut chains: Vec<Chain> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            chains.push(Chain::new());
            continue;
        }
        let place = lines.next().unwrap().split(" (discriminator").next().unwrap();
        let place = if place.ends_with(":0") { "??:?" } else { place };
        chains.last_mut().unwrap().push(format!("{line} {place}"));
    }
    chains
}

/// Compares every fourth byte of the program's own functions; `lines_of` is the file that the tool
/// is asked about.
fn check(shop: &Workshop, lines_of: &str, debug: Option<&str>) {
    let data = read(shop.path("app")).unwrap();
    let debug = debug.map(|file| read(shop.path(file)).unwrap());
    let store = Store::new(|file| open(&shop.0, file));
    let mut object = Object::parse_with(data.data(), &store).unwrap();
    if let Some(debug) = &debug {
        object = object.with_debug_file(Object::parse_with(debug.data(), &store).unwrap());
    }
    let code = object
        .symbols()
        .filter(|s| s.name.contains("Point") || s.name.contains("Walker") || s.name == "main");
    let addresses: Vec<u64> =
        code.flat_map(|s| (s.start.0..s.end.0).step_by(4)).take(2000).collect();
    assert!(addresses.len() > 100, "{}", addresses.len());
    let theirs = theirs(&shop.path(lines_of), &addresses);
    assert!(theirs.iter().any(|chain| chain.len() > 2), "nothing is inlined");
    let answers = addresses.iter().zip(&theirs).map(|(&a, theirs)| (a, ours(&object, a), theirs));
    let different: Vec<String> = answers
        .filter(|(_, ours, theirs)| ours != *theirs)
        .map(|(a, ours, theirs)| format!("{a:#x}\n  {ours:?}\n  {theirs:?}"))
        .collect();
    let head = different.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    let (count, all) = (different.len(), addresses.len());
    assert!(count * 1000 <= all, "{count} of {all} differ:\n{head}");
}

/// Building a program takes a second; one way of building it is enough for every day.
fn is_long_run() -> bool {
    let long = std::env::var_os("OXPROF_LONG").is_some();
    if !long {
        eprintln!("skipped: set OXPROF_LONG=1 to build a program in all ways");
    }
    long
}

fn check_flags(name: &str, flags: &str) {
    if let Some(shop) = Workshop::build(name, flags) {
        check(&shop, "app", None);
    }
}

#[test]
fn dwarf_5() {
    check_flags("dwarf5", "-gdwarf-5");
}

#[test]
fn dwarf_4() {
    if is_long_run() {
        check_flags("dwarf4", "-gdwarf-4");
    }
}

#[test]
fn executables_at_fixed_addresses_and_static_ones() {
    if is_long_run() {
        check_flags("nopie", "-g -no-pie");
        check_flags("static", "-g -static-pie");
    }
}

#[test]
fn compressed_sections() {
    if is_long_run() {
        check_flags("zlib", "-g -gz=zlib");
    }
}

#[test]
fn split_units_in_files() {
    if is_long_run() {
        check_flags("dwo5", "-gdwarf-5 -gsplit-dwarf");
        check_flags("dwo4", "-gdwarf-4 -gsplit-dwarf");
    }
}

#[test]
fn split_units_in_a_package() {
    if !is_long_run() {
        return;
    }
    let Some(shop) = Workshop::with_tools("dwp", &["g++", "llvm-symbolizer", "llvm-dwp"]) else {
        return;
    };
    shop.run("g++ -O2 -gdwarf-4 app.cc -o whole");
    shop.run("g++ -O2 -gdwarf-4 -gsplit-dwarf app.cc -o app");
    shop.run("llvm-dwp -e app -o app.dwp");
    let units = std::fs::read_dir(&shop.0).unwrap().map(|e| e.unwrap().path());
    for unit in units.filter(|p| p.extension().is_some_and(|e| e == "dwo")) {
        std::fs::remove_file(unit).unwrap();
    }
    check(&shop, "whole", None);
}

#[test]
fn debug_information_in_a_file_of_its_own() {
    if !is_long_run() {
        return;
    }
    let tools = ["g++", "llvm-symbolizer", "objcopy"];
    let Some(shop) = Workshop::with_tools("debuglink", &tools) else { return };
    shop.run("g++ -O2 -g app.cc -o whole");
    shop.run("objcopy --only-keep-debug whole app.debug");
    shop.run("objcopy --strip-all --add-gnu-debuglink=app.debug whole app");
    let data = std::fs::read(shop.path("app")).unwrap();
    let object = Object::parse(&data).unwrap();
    assert_eq!(object.debug_link().unwrap().0, "app.debug");
    assert!(!object.has_lines());
    // Where the code is can be told from what was split off alone.
    let (whole, alone) = (std::fs::read(shop.path("whole")).unwrap(), read(shop.path("app.debug")));
    let (whole, alone) = (Object::parse(&whole).unwrap(), alone.unwrap());
    let alone = Object::parse(alone.data()).unwrap();
    let code = whole.segments().iter().find(|s| s.is_executable).unwrap();
    let start = Avma(0x5555_5555_0000);
    let mapping = MappedRange { start, limit: Avma(start.0 + 0x10_0000), offset: code.offset };
    let address = Avma(start.0 + 0x123);
    assert_eq!(alone.svma(address, &mapping), whole.svma(address, &mapping));
    check(&shop, "whole", Some("app.debug"));
}

#[test]
fn a_file_shared_between_objects() {
    if !is_long_run() {
        return;
    }
    let Some(shop) = Workshop::with_tools("dwz", &["g++", "llvm-symbolizer", "dwz"]) else {
        return;
    };
    shop.run("g++ -O2 -gdwarf-4 app.cc -o whole");
    shop.run("cp whole app");
    shop.run("cp whole other");
    shop.run("dwz -m shared app other");
    check(&shop, "whole", None);
}
