//! What profiling costs: the CPU time of our own threads.

use std::collections::HashSet;
use std::fs;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static COST: LazyLock<Mutex<Cost>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Cost {
    /// Of threads that have ended.
    past: Duration,
    /// Kernel's numbers of threads that run.
    running: HashSet<u32>,
}

/// Counts the calling thread as ours until dropped. Its waits are in no profile.
pub(crate) struct OurThread {
    id: Option<u32>,
}

impl OurThread {
    pub(crate) fn enter() -> Self {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        {
            crate::code::stay::stay();
            crate::contention::exempt_current_thread();
        }
        let id = this_thread();
        lock().running.extend(id);
        Self { id }
    }
}

impl Drop for OurThread {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut cost = lock();
        if cost.running.remove(&id) {
            cost.past += cpu_time(id).unwrap_or_default();
        }
    }
}

/// CPU time of our threads, of those that have ended, too. `None` where the system does not tell.
pub(crate) fn cpu_time_of_ours() -> Option<Duration> {
    this_thread()?;
    let cost = lock();
    let running = cost.running.iter().filter_map(|id| cpu_time(*id));
    Some(cost.past + running.sum::<Duration>())
}

fn lock() -> MutexGuard<'static, Cost> {
    COST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn this_thread() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

fn cpu_time(id: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn time_of_threads_remains() {
        let before = cpu_time_of_ours().unwrap();
        std::thread::spawn(|| {
            let _ours = OurThread::enter();
            let mut sum = 0u64;
            while cpu_time(this_thread().unwrap()).unwrap() < Duration::from_millis(20) {
                sum = std::hint::black_box((0..100_000).fold(sum, |a, b| a ^ b));
            }
        })
        .join()
        .unwrap();
        assert!(cpu_time_of_ours().unwrap() >= before + Duration::from_millis(20));
    }
}
