//! What the benches share: subjects that take turns, measured in CPU time.

use std::hint::black_box;

/// A name, and what to measure: does it so many times.
pub type Subject = (&'static str, Box<dyn FnMut(u64)>);

/// A subject that calls `f`.
pub fn subject(name: &'static str, mut f: impl FnMut() + 'static) -> Subject {
    (name, Box::new(move |times| (0..times).for_each(|_| black_box(&mut f)())))
}

/// Prints the nanoseconds of CPU time that each subject takes: the least of many rounds, in which all take turns. The
/// first subject is what the others are compared with.
pub fn compare(rounds: usize, times: u64, subjects: &mut [Subject]) {
    let mut least = vec![f64::INFINITY; subjects.len()];
    for _ in 0..rounds {
        for (least, (_, run)) in least.iter_mut().zip(subjects.iter_mut()) {
            let before = cpu_time();
            run(times);
            *least = least.min((cpu_time() - before) as f64 / times as f64);
        }
    }
    for (time, (name, _)) in least.iter().zip(subjects.iter()) {
        println!("{name:44} {time:8.2} ns  {:+8.2} ns  {:6.2}x", time - least[0], time / least[0]);
    }
}

/// Nanoseconds of CPU time of the process.
pub fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for a timespec, and a clock that always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
