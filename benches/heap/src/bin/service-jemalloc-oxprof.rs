use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: oxprof::Heap<Jemalloc> = oxprof::Heap::new(Jemalloc);

fn main() {
    oxprof::heap::prepare();
    oxprof_bench_heap::main();
}
