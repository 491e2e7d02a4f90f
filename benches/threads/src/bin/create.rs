//! What our `pthread_create` in front of libc's costs: a thread that is created, does nothing and is joined.

use oxprof_bench_threads::{cpu, least};

fn main() {
    let how = if cfg!(feature = "hooks") { "ours" } else { "libc's" };
    let pairs = 2000;
    let create = || (0..pairs).for_each(|_| std::thread::spawn(|| ()).join().expect("no panic"));
    let [before, _] = least(10, cpu, create);
    drop(oxprof::lookup("threads").expect("a built-in profile").profile());
    let [after, _] = least(10, cpu, create);
    let each = |micros: f64| micros / f64::from(pairs);
    println!(
        "{how}: {:.2} microseconds of CPU time for each thread; {:.2} once a profile was taken",
        each(before),
        each(after)
    );
}
