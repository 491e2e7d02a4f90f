//! One of everything that profiles show, each checked against what is known of it.

mod check;
mod profiles;

pub use check::{Finding, Outcome, run_all};

#[global_allocator]
static ALLOCATOR: oxprof::Heap = oxprof::Heap::system();
