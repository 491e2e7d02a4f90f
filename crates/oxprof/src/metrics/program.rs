//! Metrics of the program as a whole.

use std::time::{Duration, UNIX_EPOCH};

use super::exposition::{Exposition, Kind};
use crate::stats::Stats;

pub(super) fn write(out: &mut Exposition, stats: &Stats) {
    let (counter, gauge) = (Kind::Counter, Kind::Gauge);
    let seconds = |duration: Option<Duration>| duration.map(|d| d.as_secs_f64());
    let (process, memory) = (&stats.process, &stats.memory);
    let started = process.started.and_then(|started| started.duration_since(UNIX_EPOCH).ok());

    let integers = [
        ("goroutines_total", gauge, "Threads and async tasks.", Some(stats.goroutines)),
        ("threads_total", gauge, "Threads.", process.threads),
        ("tasks_total", gauge, "Async tasks.", Some(stats.tasks)),
        ("heap_alloc_bytes", gauge, "Memory in use.", memory.allocated),
        ("heap_objects", gauge, "Allocated objects in use.", memory.objects),
        ("heap_allocated_bytes_total", counter, "Memory ever allocated.", memory.total_allocated),
        ("allocator_in_use_bytes", gauge, "Memory that malloc has given out.", memory.in_use),
        ("allocator_idle_bytes", gauge, "Memory that malloc keeps for later.", memory.idle),
        (
            "process_resident_memory_bytes",
            gauge,
            "Resident memory size in bytes.",
            process.resident,
        ),
        (
            "process_virtual_memory_bytes",
            gauge,
            "Virtual memory size in bytes.",
            process.virtual_size,
        ),
        ("process_open_fds", gauge, "Number of open file descriptors.", process.open_files),
        (
            "process_max_fds",
            gauge,
            "Maximum number of open file descriptors.",
            process.max_open_files,
        ),
    ];
    for (name, kind, help, value) in integers {
        out.single(name, kind, help, value);
    }
    let floats = [
        ("process_cpu_seconds_total", counter, "CPU time spent in seconds.", seconds(process.cpu)),
        (
            "process_start_time_seconds",
            gauge,
            "Start time in seconds since 1970.",
            seconds(started),
        ),
        (
            "oxprof_cpu_seconds_total",
            counter,
            "CPU time of the threads that make and serve profiles.",
            seconds(stats.own_cpu),
        ),
    ];
    for (name, kind, help, value) in floats {
        out.single(name, kind, help, value);
    }
}
