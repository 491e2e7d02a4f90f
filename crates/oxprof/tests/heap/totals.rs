//! What the profile says against what was allocated.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;

use crate::{Rate, bytes_label, heap, names, sums};

/// Sizes of the blocks of a round: many small, a few large.
fn sizes() -> impl Iterator<Item = usize> {
    (0..20_000).map(|i| if i % 100 == 0 { 20_000 } else { 16 + i % 500 })
}

#[inline(never)]
fn scripted_round() -> Vec<Vec<u8>> {
    sizes().map(|size| black_box(Vec::with_capacity(size))).collect()
}

/// Relative error of the estimate of bytes that chance explains, one standard deviation: each block has the variance
/// size² (1-p)/p.
fn deviation(rate: f64) -> f64 {
    let variance: f64 = sizes()
        .map(|size| {
            let p = -(-(size as f64) / rate).exp_m1();
            (size as f64).powi(2) * (1.0 - p) / p
        })
        .sum();
    variance.sqrt() / sizes().sum::<usize>() as f64
}

#[test]
fn totals_are_true_and_without_bias() {
    const ROUNDS: usize = 20;
    let rate = 16_384;
    let _rate = Rate::set(rate);
    let (bytes, objects) = (sizes().sum::<usize>() as f64, sizes().count() as f64);
    let (mut errors, mut object_errors) = (Vec::new(), Vec::new());
    let mut before = sums(&heap(), "totals::scripted_round");
    for _ in 0..ROUNDS {
        let blocks = scripted_round();
        let after = sums(&heap(), "totals::scripted_round");
        let change = [0, 1, 2, 3].map(|i| after[i] - before[i]);
        // The vector of blocks is allocated there, too, and counts as it is: it is much larger than the rate.
        let own = (blocks.capacity() * size_of::<Vec<u8>>()) as f64;
        errors.push((change[1] as f64 - own - bytes) / bytes);
        object_errors.push((change[0] as f64 - objects) / objects);
        assert_eq!(after[3], change[1], "in use is what the round allocated");
        // Each sample rounds its number of objects.
        assert!((after[2] - change[0]).abs() < 100, "{after:?} {change:?}");
        before = after;
    }
    let freed = sums(&heap(), "totals::scripted_round");
    assert_eq!(freed, [before[0], before[1], 0, 0], "all is freed");
    let deviation = deviation(rate as f64);
    let mean = errors.iter().sum::<f64>() / ROUNDS as f64;
    let standard_error = deviation / (ROUNDS as f64).sqrt();
    println!(
        "rate {rate}: mean error {:.2} %, standard error {:.2} %, objects {:.2} %",
        100.0 * mean,
        100.0 * standard_error,
        100.0 * object_errors.iter().sum::<f64>() / ROUNDS as f64
    );
    assert!(mean.abs() <= 3.0 * standard_error, "{mean} {standard_error} {errors:?}");
    assert!(errors.iter().all(|e| e.abs() <= 5.0 * deviation), "{deviation} {errors:?}");
}

#[inline(never)]
fn every_way_to_allocate() {
    let layout = Layout::from_size_align(1000, 64).unwrap();
    // SAFETY: the layout is not empty; each block is freed once with the layout it has by then.
    unsafe {
        let plain = alloc(layout);
        let zeroed = alloc_zeroed(layout);
        assert!((0..1000).all(|i| zeroed.add(i).read() == 0));
        assert!(plain.addr().is_multiple_of(64));
        let grown = realloc(plain, layout, 5000);
        let shrunk = realloc(grown, Layout::from_size_align(5000, 64).unwrap(), 100);
        dealloc(zeroed, layout);
        dealloc(shrunk, Layout::from_size_align(100, 64).unwrap());
    }
}

#[test]
fn every_call_counts_when_all_are_sampled() {
    let _rate = Rate::set(1);
    let before = sums(&heap(), "totals::every_way_to_allocate");
    for _ in 0..10 {
        every_way_to_allocate();
    }
    let after = sums(&heap(), "totals::every_way_to_allocate");
    let change = [0, 1, 2, 3].map(|i| after[i] - before[i]);
    assert_eq!(change, [40, 10 * (1000 + 1000 + 5000 + 100), 0, 0]);
}

#[inline(never)]
fn a_failing_realloc() -> *mut u8 {
    let layout = Layout::from_size_align(3000, 8).unwrap();
    // SAFETY: not empty; the new size is valid for the alignment, and more than there is.
    unsafe {
        let block = alloc(layout);
        assert!(realloc(block, layout, isize::MAX as usize - 7).is_null());
        block
    }
}

#[test]
fn a_block_that_could_not_grow_is_still_there() {
    let _rate = Rate::set(1);
    let block = a_failing_realloc();
    assert_eq!(sums(&heap(), "totals::a_failing_realloc"), [1, 3000, 1, 3000]);
    // SAFETY: allocated with this layout.
    unsafe { dealloc(block, Layout::from_size_align(3000, 8).unwrap()) };
    assert_eq!(sums(&heap(), "totals::a_failing_realloc"), [1, 3000, 0, 0]);
}

#[inline(never)]
fn blocks_that_travel() -> Vec<Box<[u8]>> {
    (0..500).map(|_| black_box(vec![1; 700].into_boxed_slice())).collect()
}

#[test]
fn threads_free_what_others_allocated() {
    let _rate = Rate::set(2000);
    let (to_next, from_all) = std::sync::mpsc::channel();
    let from_all = std::sync::Mutex::new(from_all);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let to_next = to_next.clone();
            scope.spawn(move || {
                for _ in 0..20 {
                    to_next.send(blocks_that_travel()).unwrap();
                }
            });
        }
        drop(to_next);
        for _ in 0..2 {
            scope.spawn(|| while from_all.lock().unwrap().recv().is_ok() {});
        }
    });
    let sums = sums(&heap(), "totals::blocks_that_travel");
    assert_eq!(sums[2..], [0, 0]);
    let (expected, deviation) = (4.0 * 20.0 * 500.0 * 700.0, 0.02);
    let vectors = f64::from(4 * 20 * 500 * 16);
    let error = (sums[1] as f64 - vectors - expected) / expected;
    assert!(error.abs() < 5.0 * deviation, "{error}");
}

#[inline(never)]
fn labelled_blocks() -> [Vec<u8>; 2] {
    [black_box(Vec::with_capacity(1000)), black_box(Vec::with_capacity(24))]
}

#[test]
fn samples_have_the_size_of_their_objects() {
    let _rate = Rate::set(1);
    let _blocks = labelled_blocks();
    let profile = heap();
    let mut labels: Vec<_> = (0..profile.samples.len())
        .filter(|&i| {
            names(&profile, profile.samples.stack(i)).any(|n| n.ends_with("labelled_blocks"))
        })
        .map(|i| (bytes_label(&profile, i), profile.samples.values(i)[3]))
        .collect();
    labels.sort();
    assert_eq!(labels, [(Some(24), 24), (Some(1024), 1000)]);
}

#[test]
fn stacks_begin_with_the_function_that_allocates_and_end_at_the_root() {
    let _rate = Rate::set(1);
    let block = labelled_blocks();
    let profile = heap();
    let mut found = 0;
    for sample in profile.samples.iter() {
        let names: Vec<_> = names(&profile, sample.stack).collect();
        let Some(at) = names.iter().position(|n| n.ends_with("totals::labelled_blocks")) else {
            continue;
        };
        found += 1;
        for name in &names[..at] {
            let is_plumbing = name.contains("oxprof::") || name.contains("__rust");
            assert!(!is_plumbing, "{names:?}");
        }
        let root = names.last().unwrap();
        assert!(
            root.contains("clone") || root.contains("_start") || root.contains("start_thread"),
            "{names:?}"
        );
    }
    assert!(found >= 2);
    drop(block);
}

#[test]
fn types_and_defaults_are_those_of_go() {
    let check = |name: &str, default: &str| {
        let profile = oxprof::lookup(name).unwrap().profile();
        let kinds: Vec<_> = profile
            .sample_types
            .iter()
            .map(|t| format!("{}/{}", profile.str(t.kind), profile.str(t.unit)))
            .collect();
        assert_eq!(
            kinds,
            [
                "alloc_objects/count",
                "alloc_space/bytes",
                "inuse_objects/count",
                "inuse_space/bytes"
            ]
        );
        assert_eq!(profile.str(profile.default_sample_type), default);
        assert_eq!(profile.str(profile.period_type.kind), "space");
        assert_eq!(profile.str(profile.period_type.unit), "bytes");
        assert_eq!(profile.period, 777_777);
        assert!(profile.time_nanos > 0);
    };
    let _rate = Rate::set(777_777);
    check("heap", "");
    check("allocs", "alloc_space");
}

#[inline(never)]
fn between_two_looks() -> Vec<u8> {
    black_box(Vec::with_capacity(5000))
}

#[test]
fn differences_subtract_what_only_grows() {
    let _rate = Rate::set(1);
    let heap = oxprof::lookup("heap").unwrap();
    let kept = between_two_looks();
    let check = |gauges, expected| {
        let baseline = heap.baseline();
        drop(between_two_looks());
        let difference = baseline.profile(gauges);
        assert!(difference.duration_nanos > 0);
        assert_eq!(sums(&difference, "totals::between_two_looks"), expected, "{gauges:?}");
    };
    check(oxprof::Gauges::Keep, [1, 5000, 1, 5000]);
    check(oxprof::Gauges::Subtract, [1, 5000, 0, 0]);
    drop(kept);
}
