//! Nanoseconds of CPU time of an allocation and its free: the bare allocator, and profilers on top of it. Every line is
//! the least of many rounds, in which all take turns; the ratio is to the bare allocator in the same run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use oxprof_bench_heap::cpu_time;

static OURS: oxprof::Heap = oxprof::Heap::system();
static DHAT: dhat::Alloc = dhat::Alloc;

const ROUNDS: usize = 60;
const PAIRS: u64 = 100_000;

#[inline(never)]
fn pair<A: GlobalAlloc>(allocator: &A, layout: Layout) {
    // SAFETY: the layout is not empty; the block is freed once.
    unsafe {
        let block = black_box(allocator.alloc(layout));
        allocator.dealloc(block, layout);
    }
}

fn round<A: GlobalAlloc>(allocator: &A, layout: Layout, pairs: u64) -> f64 {
    let before = cpu_time();
    (0..pairs).for_each(|_| pair(allocator, black_box(layout)));
    (cpu_time() - before) as f64 / pairs as f64
}

type Subject = (&'static str, Box<dyn Fn(Layout) -> f64>);

fn ours(rate: u64) -> Box<dyn Fn(Layout) -> f64> {
    Box::new(move |layout| {
        oxprof::heap::set_rate(rate);
        // Threads notice within a megabyte.
        round(&OURS, Layout::from_size_align(1 << 20, 8).expect("a layout"), 4);
        round(&OURS, layout, PAIRS)
    })
}

fn main() {
    oxprof::heap::prepare();
    let _dhat = dhat::Profiler::builder().testing().build();
    let subjects: [Subject; 5] = [
        ("bare", Box::new(|layout| round(&System, layout, PAIRS))),
        ("oxprof, off", ours(0)),
        ("oxprof, 512 KiB", ours(512 << 10)),
        ("oxprof, 64 KiB", ours(64 << 10)),
        ("dhat", Box::new(|layout| round(&DHAT, layout, PAIRS / 100))),
    ];
    for size in [16, 64, 1024] {
        let layout = Layout::from_size_align(size, 8).expect("a layout");
        let mut least = [f64::INFINITY; 5];
        for _ in 0..ROUNDS {
            for (least, (_, measure)) in least.iter_mut().zip(&subjects) {
                *least = least.min(measure(layout));
            }
        }
        for (time, (name, _)) in least.iter().zip(&subjects) {
            let (extra, ratio) = (time - least[0], time / least[0]);
            println!("{size:5} B  {name:16} {time:8.2} ns  {extra:+8.2} ns  {ratio:6.2}x");
        }
    }
}
