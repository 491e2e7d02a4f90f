//! A criterion benchmark of a measured call, with our profiler: `cargo bench -- --profile-time 10` writes a CPU profile
//! of each benchmark. The figures that are quoted come from `run.sh`.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use criterion::profiler::Profiler;
use criterion::{Criterion, criterion_group, criterion_main};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[inline(never)]
fn plain(n: u64) -> u64 {
    black_box(n) + 1
}

#[oxprof::measure]
#[inline(never)]
fn measured(n: u64) -> u64 {
    black_box(n) + 1
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    group.bench_function("plain", |b| b.iter(|| plain(black_box(1))));
    group.bench_function("two looks at the clock", |b| {
        b.iter(|| {
            let started = Instant::now();
            black_box(plain(black_box(1)));
            started.elapsed()
        });
    });
    group.bench_function("measured", |b| b.iter(|| measured(black_box(1))));
    group.bench_function("measured, with labels in force", |b| {
        let _scope = oxprof::labels::scope([("tenant", "acme")]);
        b.iter(|| measured(black_box(1)));
    });
    group.finish();
}

/// Takes CPU profiles for criterion.
struct Cpu(Option<oxprof::cpu::FileCapture>);

impl Profiler for Cpu {
    fn start_profiling(&mut self, _id: &str, directory: &Path) {
        let _ = std::fs::create_dir_all(directory);
        self.0 = oxprof::cpu::start_to_file(directory.join("cpu.pb.gz")).ok();
    }

    fn stop_profiling(&mut self, _id: &str, _directory: &Path) {
        self.0 = None;
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_profiler(Cpu(None));
    targets = calls
}
criterion_main!(benches);
