//! A program whose samples all have different labels. A process of its own: it leaves no room for others.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use oxprof::custom::CustomProfile;
use oxprof::labels;
use oxprof_profile::{LabelValue, Profile};

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Number of entries in samples with this label.
fn with_label(profile: &Profile, key: &str, value: &str) -> i64 {
    let has = |label: &oxprof_profile::Label| {
        let is_value = matches!(label.value, LabelValue::Str(text) if profile.str(text) == value);
        profile.str(label.key) == key && is_value
    };
    let samples = profile.samples.iter().filter(|s| s.labels.iter().any(has));
    samples.map(|s| s.values[0]).sum()
}

/// Labels for which there is no room are lost and say so. Nothing else is lost.
#[test]
fn sets_without_end_take_bounded_memory_and_lose_no_entry() {
    const SETS: i64 = 200_000;
    let profile = CustomProfile::new("evil").unwrap();
    let before = resident();
    for i in 0..SETS {
        labels::with([("request", &format!("request-{i}"))], || std::mem::forget(profile.add()));
    }
    let grown = resident() - before;
    assert!(grown < 40 << 20, "{grown} bytes");
    let profile = oxprof::lookup("evil").unwrap().profile();
    assert_eq!(profile.samples.iter().map(|s| s.values[0]).sum::<i64>(), SETS);
    assert_eq!(with_label(&profile, "request", "request-7"), 1);
    let lost = with_label(&profile, "labels", "[lost]");
    let known = profile.samples.len() as i64 - 1;
    assert!(known > 5000 && lost + known == SETS, "{lost} lost, {known} known");
    // Entries without labels still find room.
    let entry = CustomProfile::new("after evil").unwrap().add();
    let after = oxprof::lookup("after evil").unwrap().profile();
    assert_eq!((after.samples.len(), with_label(&after, "labels", "[lost]")), (1, 0));
    drop(entry);
}
