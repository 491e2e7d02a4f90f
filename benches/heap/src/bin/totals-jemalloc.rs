#[path = "../totals.rs"]
mod totals;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: oxprof::Heap<Jemalloc> = oxprof::Heap::new(Jemalloc);

fn main() {
    totals::check("jemalloc", true);
}
