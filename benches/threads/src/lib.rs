//! What the benchmarks share.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Threads that wait.
pub struct Waiting {
    gate: Arc<(Mutex<bool>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Waiting {
    /// Starts `count` threads, each a dozen calls deep, and waits until all wait.
    pub fn start(count: usize) -> Self {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let spawn = |_| {
            let gate = Arc::clone(&gate);
            let builder = std::thread::Builder::new().stack_size(64 << 10);
            builder.spawn(move || deep(&gate, 10)).expect("a thread")
        };
        let threads = (0..count).map(spawn).collect();
        std::thread::sleep(Duration::from_millis(100 + count as u64 / 5));
        Self { gate, threads }
    }

    /// Ends them.
    pub fn stop(self) {
        *self.gate.0.lock().expect("no thread panics") = true;
        self.gate.1.notify_all();
        self.threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    }
}

#[inline(never)]
fn deep(gate: &(Mutex<bool>, Condvar), depth: u32) {
    if depth > 0 {
        deep(gate, depth - 1);
    } else {
        let open = gate.0.lock().expect("no thread panics");
        drop(gate.1.wait_while(open, |open| !*open));
    }
    std::hint::black_box(depth);
}

/// CPU time of the process.
pub fn cpu() -> Duration {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the work of a dump: of all threads where these are asked by signals, of the calling one otherwise. To read
/// the former takes longer, the more threads there are.
pub fn cpu_of_work() -> Duration {
    read(if cfg!(feature = "hooks") {
        libc::CLOCK_THREAD_CPUTIME_ID
    } else {
        libc::CLOCK_PROCESS_CPUTIME_ID
    })
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// The least CPU time and the least time that `work` takes, of so many times, in microseconds.
pub fn least(times: u32, clock: fn() -> Duration, mut work: impl FnMut()) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..times {
        let (begun, before) = (Instant::now(), clock());
        work();
        let took = [clock() - before, begun.elapsed()];
        for (least, took) in least.iter_mut().zip(took) {
            *least = least.min(took.as_secs_f64() * 1e6);
        }
    }
    least
}
