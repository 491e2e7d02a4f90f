//! The raw report against what google/pprof printed, for inputs that were recorded.

use std::path::{Path, PathBuf};

use oxprof_profile::{Profile, decode, encode};
use oxprof_report::{Zone, raw};

fn conformance() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared =
        std::env::var_os("OXPROF_SHARED").map_or(workspace.join("../shared"), PathBuf::from);
    let dir = shared.join("conformance");
    if !dir.is_dir() {
        eprintln!("skipped: no conformance data at {} (set OXPROF_SHARED)", dir.display());
        return None;
    }
    Some(dir)
}

fn print(profile: &Profile) -> String {
    let mut text = Vec::new();
    raw(profile, &Zone::default(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A run of the reference with nothing but `-raw`, and what it printed.
fn recorded_runs(dir: &Path) -> Vec<(PathBuf, String)> {
    let table = std::fs::read_to_string(dir.join("matrix.tsv")).unwrap();
    let mut runs = Vec::new();
    for row in table.lines() {
        let columns: Vec<_> = row.split('\t').collect();
        let Some(input) = columns[1].strip_prefix("-raw -symbolize=none {G}/inputs/") else {
            continue;
        };
        let output = columns[7];
        if !input.contains(' ') && !output.is_empty() {
            let text = std::fs::read_to_string(dir.join(output)).unwrap();
            runs.push((dir.join("inputs").join(input), text));
        }
    }
    assert!(!runs.is_empty());
    runs
}

#[test]
fn recorded_runs_print_alike() {
    let Some(dir) = conformance() else { return };
    for (input, expected) in recorded_runs(&dir) {
        let profile = decode(&std::fs::read(&input).unwrap()).unwrap();
        // The reference's command line drops frames before it prints.
        if profile.drop_frames.is_empty() {
            assert_eq!(print(&profile), expected, "{}", input.display());
        }
    }
}

#[test]
fn legacy_profiles_print_as_recorded() {
    let Some(dir) = conformance() else { return };
    let data = dir.join("ref/profile/testdata");
    let mut count = 0;
    for entry in std::fs::read_dir(&data).unwrap() {
        let expected = entry.unwrap().path();
        if expected.extension().is_none_or(|e| e != "string") {
            continue;
        }
        let input = expected.with_extension("");
        let profile = decode(&std::fs::read(&input).unwrap())
            .unwrap_or_else(|e| panic!("{}: {e}", input.display()));
        let expected = std::fs::read_to_string(&expected).unwrap();
        assert!(print(&profile) == expected, "{}:\n{}", input.display(), print(&profile));
        let again = decode(&encode(&profile)).unwrap();
        assert!(
            print(&again) == expected,
            "{} after a round trip:\n{}",
            input.display(),
            print(&again)
        );
        count += 1;
    }
    assert_eq!(count, 14);
}
