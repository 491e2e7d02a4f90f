fn main() {
    oxprof_bench_heap::main();
}
