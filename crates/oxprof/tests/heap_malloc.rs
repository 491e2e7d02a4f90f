//! What C code allocates, by functions in front of libc's; and that Rust's allocations are not counted twice.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;

use oxprof_profile::Profile;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

const MIB: usize = 1 << 20;

/// Sums of the four values over samples with a function of this name in their stack.
fn sums(name: &str) -> [i64; 4] {
    let profile: Profile = oxprof::lookup("heap").unwrap().profile();
    let mut sums = [0; 4];
    for sample in profile.samples.iter() {
        let mut lines = sample.stack.iter().flat_map(|&l| profile.lines_of(l));
        let is_in = |function: &str| function.contains(name);
        if lines.any(|l| is_in(profile.str(profile.functions[l.function.index()].name))) {
            sums.iter_mut().zip(sample.values).for_each(|(sum, value)| *sum += value);
        }
    }
    sums
}

#[inline(never)]
fn in_c() -> Vec<*mut c_void> {
    let mut aligned = ptr::null_mut();
    // SAFETY: blocks that the caller frees, and a place for the address of one.
    unsafe {
        assert_eq!(libc::posix_memalign(&raw mut aligned, 4096, MIB), 0);
        assert!(aligned.addr().is_multiple_of(4096));
        let grown = libc::realloc(libc::malloc(16), MIB);
        vec![libc::malloc(MIB), libc::calloc(4, MIB / 4), grown, aligned]
    }
}

#[inline(never)]
fn in_rust() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut grown = Vec::with_capacity(16);
    grown.reserve_exact(MIB);
    black_box((Vec::with_capacity(MIB), vec![0; MIB], grown))
}

#[test]
fn each_block_is_counted_once() {
    oxprof::heap::prepare();
    oxprof::heap::set_rate(1);
    for _ in 0..4 {
        drop(black_box(vec![0u8; MIB]));
    }
    let (c, rust) = (in_c(), in_rust());
    oxprof::heap::set_rate(0);
    let mib = MIB as i64;
    // Blocks of C, the one that grew and what it grew from, and the list of them.
    let list = 4 * size_of::<*mut c_void>() as i64;
    assert_eq!(sums("heap_malloc::in_c"), [6, 4 * mib + 16 + list, 5, 4 * mib + list]);
    assert_eq!(sums("heap_malloc::in_rust"), [4, 3 * mib + 16, 3, 3 * mib]);
    // SAFETY: allocated there, and freed once.
    c.iter().for_each(|block| unsafe { libc::free(*block) });
    drop((c, rust));
    assert_eq!(sums("heap_malloc::in_c")[2..], [0, 0]);
    assert_eq!(sums("heap_malloc::in_rust")[2..], [0, 0]);
}
