//! Nanoseconds of CPU time of an allocation and its free: the bare allocator, and profilers on top of it. Every line is
//! the least of many rounds, in which all take turns; the ratio is to the bare allocator in the
//! same run: the system's, or jemalloc with its profiler compiled in.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use oxprof_bench_heap::cpu_time;
use tikv_jemallocator::Jemalloc;

static OURS: oxprof::Heap = oxprof::Heap::system();
static DHAT: dhat::Alloc = dhat::Alloc;
static JEMALLOC: Jemalloc = Jemalloc;
static OURS_ON_JEMALLOC: oxprof::Heap<Jemalloc> = oxprof::Heap::new(Jemalloc);

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

/// Our wrapper at a rate, off after the round.
fn ours<A: GlobalAlloc>(allocator: &'static oxprof::Heap<A>, rate: u64) -> Measure {
    Box::new(move |layout| {
        let notice = || {
            // Threads look at the rate once in a megabyte.
            round(allocator, Layout::from_size_align(1 << 20, 8).expect("a layout"), 4);
        };
        oxprof::heap::set_rate(rate);
        notice();
        let time = round(allocator, layout, PAIRS);
        oxprof::heap::set_rate(0);
        notice();
        time
    })
}

/// jemalloc with its own profiler on for the round: at 512 KiB, by its settings in `run.sh`.
fn jemalloc_profiled() -> Measure {
    Box::new(|layout| {
        set_profiling(true);
        let time = round(&JEMALLOC, layout, PAIRS);
        set_profiling(false);
        time
    })
}

fn set_profiling(mut on: bool) {
    let (null, value) = (std::ptr::null_mut(), (&raw mut on).cast());
    let name = c"prof.active".as_ptr();
    // SAFETY: a name, and a value of the size that it has.
    let result =
        unsafe { tikv_jemalloc_sys::mallctl(name, null, null.cast(), value, size_of::<bool>()) };
    assert_eq!(
        result, 0,
        "_RJEM_MALLOC_CONF=prof:true,prof_active:false,lg_prof_sample:19 is not set"
    );
}

type Measure = Box<dyn Fn(Layout) -> f64>;

/// A name, how to measure it, and what it is compared with.
struct Subject(&'static str, Measure, usize);

fn main() {
    oxprof::heap::prepare();
    let _dhat = dhat::Profiler::builder().testing().build();
    let subjects = [
        Subject("bare", Box::new(|layout| round(&System, layout, PAIRS)), 0),
        Subject("oxprof, off", ours(&OURS, 0), 0),
        Subject("oxprof, 512 KiB", ours(&OURS, 512 << 10), 0),
        Subject("oxprof, 64 KiB", ours(&OURS, 64 << 10), 0),
        Subject("dhat", Box::new(|layout| round(&DHAT, layout, PAIRS / 100)), 0),
        Subject("jemalloc", Box::new(|layout| round(&JEMALLOC, layout, PAIRS)), 5),
        Subject("jemalloc, own, 512 KiB", jemalloc_profiled(), 5),
        Subject("jemalloc, oxprof, 512 KiB", ours(&OURS_ON_JEMALLOC, 512 << 10), 5),
    ];
    for size in [16, 64, 1024] {
        let layout = Layout::from_size_align(size, 8).expect("a layout");
        let mut least = [f64::INFINITY; 8];
        for _ in 0..ROUNDS {
            for (least, Subject(_, measure, _)) in least.iter_mut().zip(&subjects) {
                *least = least.min(measure(layout));
            }
        }
        for (time, Subject(name, _, base)) in least.iter().zip(&subjects) {
            let (extra, ratio) = (time - least[*base], time / least[*base]);
            println!("{size:5} B  {name:26} {time:8.2} ns  {extra:+8.2} ns  {ratio:6.2}x");
        }
    }
}
