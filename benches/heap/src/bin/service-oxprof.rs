#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

fn main() {
    oxprof::heap::prepare();
    oxprof_bench_heap::main();
}
