//! Stacks from before anything of ours was called. In a program of its own: others call something of ours.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::hint::black_box;

use oxprof_profile::Profile;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

/// So large that it is sampled for certain.
const LARGE: usize = 64 << 20;

#[inline(never)]
fn allocated_early() -> Vec<u8> {
    black_box(Vec::with_capacity(LARGE))
}

/// Names of the functions of the sample with this many bytes in use.
fn names(profile: &Profile, bytes: i64) -> Vec<&str> {
    let sample = profile.samples.iter().find(|s| s.values[3] == bytes).expect("it is sampled");
    let lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|line| profile.str(profile.functions[line.function.index()].name)).collect()
}

#[test]
fn early_stacks_are_walked_later() {
    let main_thread = std::thread::current().id();
    let block = allocated_early();
    let other = std::thread::spawn(move || {
        assert_ne!(std::thread::current().id(), main_thread);
        let block = allocated_early();
        (block.capacity(), block)
    });
    let (_, other) = other.join().unwrap();
    let profile = oxprof::lookup("heap").expect("the allocator is ours").profile();
    let names = names(&profile, LARGE as i64);
    assert!(names.iter().any(|n| n.ends_with("allocated_early")), "{names:?}");
    assert!(names.iter().any(|n| n.contains("early_stacks_are_walked_later")), "{names:?}");
    let early = |s: &oxprof_profile::Sample<'_>| s.values[3] == LARGE as i64;
    assert_eq!(profile.samples.iter().filter(early).count(), 2);
    drop((block, other));
}
