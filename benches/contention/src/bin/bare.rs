//! The program without oxprof.

fn main() {
    oxprof_bench_contention::main();
}
