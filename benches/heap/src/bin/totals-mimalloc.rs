#[path = "../totals.rs"]
mod totals;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: oxprof::Heap<MiMalloc> = oxprof::Heap::new(MiMalloc);

fn main() {
    totals::check("mimalloc", false);
}
