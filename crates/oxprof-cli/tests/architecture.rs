//! The invariants of ARCHITECTURE.md that a machine can check.

use std::fs;
use std::path::{Path, PathBuf};

/// Crates by level; a crate uses only those on lower levels.
const LEVELS: [(&str, u32); 10] = [
    ("oxprof-macros", 0),
    ("oxprof-profile", 0),
    ("oxprof-unwind", 0),
    ("oxprof-symbols", 1),
    ("oxprof-trace", 1),
    ("oxprof-report", 2),
    ("oxprof", 2),
    ("oxprof-web", 3),
    ("oxprof-collect", 3),
    ("oxprof-cli", 4),
];

/// The only crates that may contain unsafe code.
const MAY_BE_UNSAFE: [&str; 2] = ["oxprof-unwind", "oxprof"];

/// The outside world, which crates of levels 0 and 1 never touch.
const WORLD: [&str; 6] =
    ["std::fs", "std::net", "std::env", "std::process", "Instant::now", "SystemTime::now"];

fn crates_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/ is the parent").to_owned()
}

/// Every crate: name, level, directory.
fn crates() -> Vec<(String, u32, PathBuf)> {
    let found: Vec<_> = fs::read_dir(crates_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|dir| dir.join("Cargo.toml").exists())
        .map(|dir| {
            let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
            let level = LEVELS.iter().find(|(n, _)| *n == name).map(|(_, level)| *level);
            let level = level.unwrap_or_else(|| panic!("{name} has no level in ARCHITECTURE.md"));
            (name, level, dir)
        })
        .collect();
    assert!(found.len() >= 6, "crates are missing: {found:?}");
    found
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Code of a source file without comments, and without what follows `#[cfg(test)]`: tests come last.
fn product_code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    product
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Names of the workspace's crates in the `[dependencies]` section of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.starts_with("oxprof"))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .collect()
}

#[test]
fn crates_use_only_lower_levels() {
    for (name, level, dir) in crates() {
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        for dependency in dependencies(&manifest) {
            let (_, below) = LEVELS.iter().find(|(n, _)| *n == dependency).unwrap();
            assert!(*below < level, "{name} (level {level}) uses {dependency} (level {below})");
        }
    }
}

#[test]
fn low_levels_do_not_touch_the_world() {
    for (name, _, dir) in crates().into_iter().filter(|(_, level, _)| *level <= 1) {
        let mut files = Vec::new();
        rust_files(&dir.join("src"), &mut files);
        for file in files {
            let code = product_code(&file);
            for world in WORLD {
                assert!(!code.contains(world), "{name}: {} uses {world}", file.display());
            }
        }
    }
}

/// In a library that is loaded, access to a thread-local variable is a call that may allocate.
#[test]
fn hooks_use_no_thread_local_variables() {
    let source = crates_dir().join("oxprof/src");
    let mut files = ["threads/current.rs", "trace/hooks.rs"].map(|file| source.join(file)).to_vec();
    for directory in ["code", "contention", "hooks", "stacks"] {
        rust_files(&source.join(directory), &mut files);
    }
    for path in files {
        assert!(!product_code(&path).contains("thread_local!"), "{}", path.display());
    }
}

#[test]
fn unsafe_code_stays_in_its_place() {
    for (name, _, dir) in crates() {
        if MAY_BE_UNSAFE.contains(&name.as_str()) {
            continue;
        }
        let roots = ["src/lib.rs", "src/main.rs"].map(|root| dir.join(root));
        for root in roots.iter().filter(|root| root.exists()) {
            let text = fs::read_to_string(root).unwrap();
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{name}: {} does not forbid unsafe code",
                root.display()
            );
        }
    }
}
