//! What the kernel knows of this process.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks per second of the times in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;

/// What the kernel knows of this process; `None` for what it does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// CPU time used by all threads, in user and kernel mode.
    pub cpu: Option<Duration>,
    /// When the process started.
    pub started: Option<SystemTime>,
    /// Threads that there are.
    pub threads: Option<u64>,
    /// Memory in RAM, in bytes.
    pub resident: Option<u64>,
    /// The most memory that was in RAM at a time.
    pub peak_resident: Option<u64>,
    /// Addresses in use, in bytes.
    pub virtual_size: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Files that may be open.
    pub max_open_files: Option<u64>,
}

impl Process {
    /// As it is now.
    pub fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let (status, stat) = (read("self/status"), read("self/stat"));
        let fields = Stat::parse(&stat);
        Self {
            cpu: fields.as_ref().map(|stat| stat.cpu),
            started: fields.and_then(|stat| {
                Some(UNIX_EPOCH + Duration::from_secs(boot(&read("stat"))?) + stat.since_boot)
            }),
            threads: value(&status, "Threads:"),
            resident: value(&status, "VmRSS:").map(kib),
            peak_resident: value(&status, "VmHWM:").map(kib),
            virtual_size: value(&status, "VmSize:").map(kib),
            // One of them is the directory itself, open to be read.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|dir| dir.count() as u64 - 1),
            max_open_files: value(&read("self/limits"), "Max open files"),
        }
    }

    /// How long it has been running.
    pub fn uptime(&self) -> Option<Duration> {
        SystemTime::now().duration_since(self.started?).ok()
    }
}

/// Fields of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu: Duration,
    since_boot: Duration,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name of the program may contain anything, but nothing after it contains a parenthesis.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| {
            let ticks: f64 = fields.get(field - 3)?.parse().ok()?;
            Duration::try_from_secs_f64(ticks / TICKS).ok()
        };
        Some(Self { cpu: ticks(14)? + ticks(15)?, since_boot: ticks(22)? })
    }
}

/// When the system started, in seconds since 1970.
fn boot(stat: &str) -> Option<u64> {
    value(stat, "btime")
}

/// The first number of the line that starts with `name`.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib(value: u64) -> u64 {
    value.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat() {
        let text =
            "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 3 0 12345 2000 300 1\n";
        let expected =
            Stat { cpu: Duration::from_millis(1750), since_boot: Duration::from_secs_f64(123.45) };
        assert_eq!(Stat::parse(text), Some(expected));
        for bad in ["", "7 (a) S", "7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 x 25 0 0 20 0 3 0 12345"] {
            assert_eq!(Stat::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn values() {
        let text = "Threads:\t3\nVmRSS:\t  10 kB\nMax open files            1024   4096   files\nbtime 77\n";
        let check = |name, expected| assert_eq!(value(text, name), expected, "{name}");
        check("Threads:", Some(3));
        check("VmRSS:", Some(10));
        check("Max open files", Some(1024));
        check("btime", Some(77));
        check("VmHWM:", None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn of_this_process() {
        let process = Process::now();
        let uptime = process.uptime().expect("the kernel says when it started");
        assert!(uptime < Duration::from_secs(24 * 3600), "{uptime:?}");
        assert!(process.threads >= Some(1) && process.resident >= Some(1 << 20), "{process:?}");
        assert!(process.open_files >= Some(3) && process.max_open_files >= process.open_files);
    }
}
