//! The program with oxprof. Arguments: the scenario, nanoseconds for each sample of `block`, waits for each of `mutex`, and
//! whether threads have been dumped before.

use oxprof::contention;

fn main() {
    let number = |i: usize| std::env::args().nth(i).and_then(|arg| arg.parse().ok()).unwrap_or(0);
    let (block, mutex, dumped) = (number(2), number(3), number(4));
    if block > 0 || mutex > 0 {
        contention::set_block_profile_rate(block);
        contention::set_mutex_profile_fraction(mutex);
    }
    if dumped > 0 {
        drop(oxprof::lookup("threads").expect("a built-in profile").profile());
    }
    oxprof_bench_contention::main();
}
