//! Decoding takes memory of a stated multiple of the decompressed size, whatever the input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use oxprof_profile::{DecodeOptions, decode, decode_with};

/// What [`DecodeOptions::max_bytes`] promises.
const MULTIPLE: usize = 40;
/// Buffers that are there for any input.
const FIXED: usize = 1 << 20;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator with the arguments as they are; the counters have no
// bearing on memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        NOW.fetch_sub(layout.size(), Relaxed);
        PEAK.fetch_max(NOW.fetch_add(size, Relaxed) + size, Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes, whether it succeeds or not, and gives the most memory that took beyond the input.
fn peak(file: &[u8]) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let _ = decode(file);
    PEAK.load(Relaxed) - before
}

#[track_caller]
fn check(what: &str, file: &[u8]) {
    let (peak, allowed) = (peak(file), MULTIPLE * file.len() + FIXED);
    assert!(
        peak <= allowed,
        "{what}: {peak} bytes for {}, {:.1} times",
        file.len(),
        peak as f64 / file.len() as f64
    );
}

const SIZE: usize = 512 << 10;

/// A profile of `field` over and over, after what makes it valid.
fn repeated(field: &[u8]) -> Vec<u8> {
    let mut file = vec![10, 2, 8, 1, 50, 0, 50, 1, b'x'];
    while file.len() < SIZE {
        file.extend_from_slice(field);
    }
    file
}

/// One test, as tests of one binary run side by side and the counters are shared.
#[test]
fn memory_is_a_multiple_of_the_input() {
    let labels: Vec<u8> = [&[18, 127, 16, 1, 26, 0][..], &[26, 0].repeat(61), &[24]].concat();
    check("empty samples with a value", &repeated(&[18, 2, 16, 1]));
    check("values without samples", &repeated(&[18, 0]));
    check("labels", &repeated(&labels));
    check("locations", &repeated(&[34, 2, 8, 1]));
    check("lines", &repeated(&[34, 4, 8, 1, 34, 0]));
    check("functions", &repeated(&[42, 2, 8, 1]));
    check("mappings", &repeated(&[26, 2, 8, 1]));
    check("sample types", &repeated(&[10, 0]));
    check("comments", &repeated(&[106, 4, 1, 1, 1, 1]));
    check("empty strings", &repeated(&[50, 0]));
    check("invalid text", &repeated(&[50, 4, 0xff, 0xff, 0xff, 0xff]));
    let strings: Vec<u8> =
        (0..SIZE as u32 / 6).flat_map(|n| [&[50, 4][..], &n.to_be_bytes()].concat()).collect();
    check("distinct strings", &repeated(&strings));
    check("folded stacks", "a;b 1\n".repeat(SIZE / 6).as_bytes());
    let deep: String = (0..SIZE / 10).map(|n| format!("{:08x};", n)).collect();
    check("one deep folded stack", format!("{deep} 1\n").as_bytes());
    check(
        "heap",
        format!("heap profile: 1: 2 [1: 2] @ heap/1\n{}", "1: 8 [1: 8] @\n".repeat(SIZE / 14))
            .as_bytes(),
    );
    check("perf script", "x 1 1.5: c:\n\n".repeat(SIZE / 13).as_bytes());
    check(
        "cpuprofile",
        format!(r#"{{"nodes":[{{"id":1,"callFrame":{{}}}}{}]}}"#, r#",{"id":1}"#.repeat(SIZE / 9))
            .as_bytes(),
    );

    let limit = DecodeOptions { max_bytes: 1 << 20, ..DecodeOptions::default() };
    let bomb = gzip(&vec![0; 1 << 26]);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    decode_with(&bomb, &limit).unwrap_err();
    assert!(PEAK.load(Relaxed) - before < MULTIPLE << 20, "a bomb stops at the limit");
}

fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(data).unwrap();
    gzip.finish().unwrap()
}
