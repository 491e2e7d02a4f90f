#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() {
    let directory = std::env::temp_dir().join(format!("oxprof-bench-{}.json", std::process::id()));
    let profiler = dhat::Profiler::builder().file_name(&directory).build();
    oxprof_bench_heap::main();
    std::mem::forget(profiler);
}
