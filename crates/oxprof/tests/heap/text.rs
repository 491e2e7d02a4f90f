//! Text forms, and what Go's tool makes of all forms.

use std::hint::black_box;
use std::process::Command;

use oxprof::custom::{CustomProfile, NameError};

use crate::Rate;

#[inline(never)]
fn shown_in_text() -> Vec<u8> {
    black_box(Vec::with_capacity(3 << 20))
}

#[test]
fn heap_records_and_process_totals() {
    let _rate = Rate::set(1 << 16);
    let block = shown_in_text();
    let text = oxprof::lookup("heap").unwrap().text();
    let (header, rest) = text.split_once('\n').unwrap();
    assert!(header.starts_with("heap profile: ") && header.ends_with(" @ heap/131072"), "{header}");
    // Larger than the rate by so much that it is sampled always, and counts once.
    assert!(text.contains("\n1: 3145728 [1: 3145728] @ 0x"), "{text}");
    let line = rest.lines().find(|l| l.contains("text::shown_in_text+0x")).unwrap();
    assert!(line.starts_with("#\t0x") && line.split('\t').count() == 4, "{line}");
    let (_, totals) = rest.split_once("\n# runtime.MemStats\n").unwrap();
    for line in totals.lines() {
        let (name, value) = line.strip_prefix("# ").and_then(|l| l.split_once(" = ")).unwrap();
        assert!(!name.is_empty() && value.parse::<u64>().is_ok(), "{line}");
    }
    for name in ["HeapAlloc", "HeapInuse", "RSS", "MaxRSS"] {
        assert!(totals.contains(&format!("# {name} = ")), "{totals}");
    }
    drop(block);
}

/// What `go tool pprof` prints; `None` where there is no Go.
fn go_pprof(args: &[&str], file: &std::path::Path) -> Option<String> {
    let Ok(output) = Command::new("go").args(["tool", "pprof"]).args(args).arg(file).output()
    else {
        eprintln!("skipped: go is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn written(profile: &str, debug: u32) -> std::path::PathBuf {
    let name = format!("{}-{debug}", profile.replace('/', "-"));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = std::fs::File::create(&path).unwrap();
    oxprof::lookup(profile).unwrap().write_to(file, debug).unwrap();
    path
}

#[test]
fn go_opens_heap_profiles() {
    let _rate = Rate::set(1 << 16);
    let block = shown_in_text();
    let check = |profile, debug, args: &[&str], expected: &[&str]| {
        let Some(report) = go_pprof(args, &written(profile, debug)) else { return };
        for part in expected {
            assert!(report.contains(part), "{profile} {debug}: no {part:?} in\n{report}");
        }
    };
    let name = "heap::text::shown_in_text";
    check("heap", 0, &["-top", "-unit=mb", "-nodecount=500"], &["Type: inuse_space", name, "3MB"]);
    check("allocs", 0, &["-top", "-nodecount=500"], &["Type: alloc_space", name]);
    check("heap", 0, &["-top", "-sample_index=inuse_objects", "-focus=shown_in_text"], &[name]);
    check(
        "heap",
        1,
        &["-top", "-addresses", "-unit=mb", "-symbolize=none"],
        &["Type: inuse_space", "3MB"],
    );
    drop(block);
}

#[inline(never)]
fn opened_here(profile: &CustomProfile) -> oxprof::custom::Entry {
    profile.add()
}

#[test]
fn custom_profiles_count_entries() {
    let profile = CustomProfile::new("heap.test/handles").unwrap();
    let mut entries: Vec<_> = (0..3).map(|_| opened_here(&profile)).collect();
    entries.push(profile.add());
    drop(entries.remove(0));
    let named = oxprof::lookup("heap.test/handles").unwrap();
    assert_eq!((named.count(), named.profile().samples.len()), (3, 2));
    let text = named.text();
    assert!(text.starts_with("heap.test/handles profile: total 3\n2 @ 0x"), "{text}");
    let frame = text.lines().nth(2).unwrap();
    assert!(frame.contains("text::opened_here+0x"), "{text}");
    if let Some(report) = go_pprof(&["-top"], &written("heap.test/handles", 0)) {
        assert!(
            report.contains("Type: heap.test/handles") && report.contains("opened_here"),
            "{report}"
        );
    }
    drop(entries);
    assert_eq!(named.count(), 0);
    assert_eq!(named.text(), "heap.test/handles profile: total 0\n");
}

#[test]
fn names_of_custom_profiles() {
    let check = |name: &str, expected: Result<(), NameError>| {
        assert_eq!(CustomProfile::new(name).map(drop), expected, "{name:?}");
    };
    let taken = |name: &str| Err(NameError::Taken { name: name.to_owned() });
    check("", Err(NameError::Empty));
    check("heap", taken("heap"));
    check("profile", taken("profile"));
    check("two\nlines", Err(NameError::Control { name: "two\nlines".to_owned() }));
    check("heap.test/twice", Ok(()));
    check("heap.test/twice", taken("heap.test/twice"));
    assert_eq!(
        taken("heap").unwrap_err().to_string(),
        "the profile name \"heap\" is already in use"
    );
}

#[test]
fn profiles_are_sorted_by_name() {
    let names: Vec<_> = oxprof::profiles().iter().map(|p| p.name()).collect();
    assert!(names.is_sorted() && names.contains(&"heap") && names.contains(&"allocs"), "{names:?}");
    assert!(oxprof::lookup("nothing").is_none());
}
