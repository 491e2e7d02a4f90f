//! A look at the program as a whole: how many threads and tasks, how much memory, since when.
//!
//! ```
//! let stats = oxprof::stats::Stats::now();
//! println!("{} threads and tasks", stats.goroutines);
//! ```
//!
//! The endpoints serve it as JSON at `/debug/stats`, with the names that Go programs use where there is such a thing here:
//! `curl localhost:6060/debug/stats | jq .goroutines`. What cannot be known is `null`.

mod json;
mod process;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::json::Object;
pub use self::process::Process;

/// A look at the program as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// What the kernel knows.
    pub process: Process,
    /// What is allocated.
    pub memory: Memory,
    /// Threads and tasks that the profile `goroutine` would list.
    pub goroutines: u64,
    /// Async tasks that are [followed](crate::tasks).
    pub tasks: u64,
    /// CPU time that our own threads used: those that make and serve profiles. What samplers take of the
    /// program's threads is not in it.
    pub own_cpu: Option<Duration>,
}

/// What is allocated; `None` for what cannot be known here.
///
/// Counts and bytes of objects are estimates from the samples of a [`Heap`](crate::Heap), if the program allocates
/// through one. What is in use and idle is what the allocator says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// Bytes in use.
    pub allocated: Option<u64>,
    /// Objects in use.
    pub objects: Option<u64>,
    /// Bytes that were ever allocated.
    pub total_allocated: Option<u64>,
    /// Objects that were ever allocated.
    pub total_objects: Option<u64>,
    /// Bytes in blocks that the allocator has given out.
    pub in_use: Option<u64>,
    /// Bytes that the allocator has from the kernel, and has not given out.
    pub idle: Option<u64>,
}

impl Stats {
    /// As it is now.
    pub fn now() -> Self {
        let process = Process::now();
        let tasks = count("tasks").unwrap_or(0);
        Self {
            goroutines: count("goroutine").or(process.threads).unwrap_or(0),
            memory: Memory::now(),
            own_cpu: crate::cost::cpu_time_of_ours(),
            tasks,
            process,
        }
    }

    /// As JSON, for programs with routes of their own.
    pub fn to_json(&self) -> String {
        self.to_object().finish() + "\n"
    }

    /// The same with what who keeps profiles of this program needs to know.
    #[cfg(feature = "http")]
    pub(crate) fn to_json_with(&self, profiling: &Profiling<'_>) -> String {
        self.to_object().object("profiling", profiling.to_object()).finish() + "\n"
    }

    fn to_object(&self) -> Object {
        let process = &self.process;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = |duration: Option<Duration>| duration.map(|d| d.as_secs_f64());
        Object::new()
            .number("time", Some(now.as_secs_f64()))
            .number("uptime_seconds", seconds(process.uptime()))
            .integer("goroutines", Some(self.goroutines))
            .integer("threads", process.threads)
            .integer("tasks", Some(self.tasks))
            .integer("cpus", std::thread::available_parallelism().ok().map(|n| n.get() as u64))
            .number("cpu_seconds", seconds(process.cpu))
            .number("profiling_cpu_seconds", seconds(self.own_cpu))
            .integer("open_files", process.open_files)
            .integer("max_open_files", process.max_open_files)
            .object("memory", self.memory_to_object())
    }

    fn memory_to_object(&self) -> Object {
        let (memory, process) = (&self.memory, &self.process);
        let frees =
            memory.total_objects.zip(memory.objects).map(|(all, live)| all.saturating_sub(live));
        let from_kernel = memory.in_use.zip(memory.idle).map(|(in_use, idle)| in_use + idle);
        Object::new()
            .integer("alloc", memory.allocated)
            .integer("total_alloc", memory.total_allocated)
            .integer("sys", process.virtual_size)
            .integer("mallocs", memory.total_objects)
            .integer("frees", frees)
            .integer("heap_alloc", memory.allocated)
            .integer("heap_sys", from_kernel)
            .integer("heap_inuse", memory.in_use)
            .integer("heap_idle", memory.idle)
            .integer("heap_objects", memory.objects)
            .integer("rss", process.resident)
            .integer("peak_rss", process.peak_resident)
    }
}

/// What who keeps profiles of this program needs to know.
#[cfg(feature = "http")]
pub(crate) struct Profiling<'a> {
    pub(crate) path: &'a str,
    pub(crate) cpu_duration: Duration,
    pub(crate) memory_interval: Option<Duration>,
}

#[cfg(feature = "http")]
impl Profiling<'_> {
    fn to_object(&self) -> Object {
        Object::new()
            .text("path", self.path)
            .number("cpu_profile_duration", Some(self.cpu_duration.as_secs_f64()))
            .number("memory_profile_interval", self.memory_interval.map(|i| i.as_secs_f64()))
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Memory {
    fn now() -> Self {
        let totals = crate::heap::Totals::now();
        let sampled = crate::heap::is_installed();
        let of_samples = |value: f64| sampled.then_some(value.round() as u64);
        let allocator = totals.allocator;
        Self {
            allocated: if sampled { Some(totals.in_use.bytes) } else { allocator.in_use },
            objects: of_samples(totals.in_use.objects),
            total_allocated: sampled.then_some(totals.allocated.bytes),
            total_objects: of_samples(totals.allocated.objects),
            in_use: allocator.in_use,
            idle: allocator
                .held
                .zip(allocator.in_use)
                .map(|(held, used)| held.saturating_sub(used)),
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
impl Memory {
    fn now() -> Self {
        Self::default()
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn count(profile: &str) -> Option<u64> {
    crate::lookup(profile).map(|profile| profile.count())
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn count(_: &str) -> Option<u64> {
    None
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let mut stats = Stats::default();
        (stats.process.threads, stats.tasks, stats.goroutines) = (Some(3), 4, 7);
        stats.memory.total_objects = Some(10);
        stats.memory.objects = Some(4);
        let profiling = Profiling {
            path: "/debug/pprof",
            cpu_duration: Duration::from_secs(30),
            memory_interval: None,
        };
        let json = stats.to_json_with(&profiling);
        for part in [
            r#""goroutines":7,"threads":3,"tasks":4,"#,
            r#""mallocs":10,"frees":6,"#,
            r#""rss":null"#,
            r#""profiling":{"path":"/debug/pprof","cpu_profile_duration":30,"memory_profile_interval":null}"#,
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
    }
}
