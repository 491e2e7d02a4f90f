//! Programs for other systems, made by Go's compiler where it is installed.
#![cfg(all(feature = "compressed", feature = "macho", feature = "pe"))]

use std::process::Command;

use oxprof_symbols::{Avma, FileOffset, MappedRange, Object, Store, Svma};

const PROGRAM: &str = "package main

//go:noinline
func landmark() int { return 42 }

func main() { println(landmark()) }
";

/// Builds for `system`, whose programs start at `base`, and looks for a function and its line.
fn check(system: &str, processor: &str, base: u64) {
    if std::env::var_os("OXPROF_LONG").is_none() {
        eprintln!("skipped: set OXPROF_LONG=1 to build programs for other systems");
        return;
    }
    let dir = std::env::temp_dir().join(format!("oxprof-go-{system}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("main.go"), PROGRAM).unwrap();
    let go = Command::new("go")
        .args(["build", "-o", "app", "main.go"])
        .current_dir(&dir)
        .envs([
            ("GOOS", system),
            ("GOARCH", processor),
            ("CGO_ENABLED", "0"),
            ("GO111MODULE", "off"),
        ])
        .output();
    let built = go.is_ok_and(|out| out.status.success());
    let data = std::fs::read(dir.join("app"));
    std::fs::remove_dir_all(&dir).unwrap();
    if !built {
        eprintln!("skipped: go cannot build for {system}");
        return;
    }
    let data = data.unwrap();
    let store = Store::default();
    let object = Object::parse_with(&data, &store).unwrap();
    let landmark = object.symbols().find(|s| s.name == "main.landmark").unwrap();
    let frames = object.frames(landmark.start);
    assert_eq!(frames.last().unwrap().system_name, "main.landmark");
    let frame = frames.last().unwrap();
    assert!(frame.file.as_deref().unwrap().ends_with("main.go"), "{frame:?}");
    assert_eq!(frame.line, 4);
    // Loaders put the program anywhere.
    let start = 0x7f00_0000_0000;
    let range =
        MappedRange { start: Avma(start), limit: Avma(start + (1 << 30)), offset: FileOffset(0) };
    let address = Avma(start + (landmark.start.0 - base));
    assert_eq!(object.svma(address, &range), Ok(Svma(landmark.start.0)));
}

#[test]
fn macos() {
    check("darwin", "arm64", 0x1_0000_0000);
}

#[test]
fn windows() {
    check("windows", "amd64", 0x1_4000_0000);
}
