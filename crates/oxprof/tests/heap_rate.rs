//! No stack is lost of a program that asks for many samples. In a program of its own: others call something of ours first.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::hint::black_box;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[test]
fn who_sets_the_rate_loses_no_stack() {
    const BLOCKS: i64 = 5000;
    oxprof::heap::set_rate(1);
    // Threads notice a new rate after the next megabyte.
    drop(black_box(Vec::<u8>::with_capacity(4 << 20)));
    let blocks: Vec<Box<[u8; 48]>> = (0..BLOCKS).map(|_| black_box(Box::new([1; 48]))).collect();
    let profile = oxprof::lookup("heap").expect("the allocator is ours").profile();
    let name = |sample: &oxprof_profile::Sample<'_>, part: &str| {
        let mut lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
        lines.any(|line| profile.str(profile.functions[line.function.index()].name).contains(part))
    };
    let count = |part: &str| -> i64 {
        profile.samples.iter().filter(|s| name(s, part)).map(|s| s.values[0]).sum()
    };
    assert!(count("who_sets_the_rate_loses_no_stack") >= BLOCKS);
    assert_eq!(count("[lost]"), 0);
    drop(blocks);
}
