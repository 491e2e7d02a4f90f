//! What the process uses in all: by our samples, by its allocator, by the kernel.

use super::allocators::{self, AllocatorMemory};
use super::sites::{self, Sums};

/// The totals; `None` for what cannot be known here.
pub(crate) struct Totals {
    /// By our samples: estimates.
    pub(crate) allocated: Sums,
    pub(crate) in_use: Sums,
    /// By the allocator.
    pub(crate) allocator: AllocatorMemory,
    /// By the kernel.
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) peak_resident_bytes: Option<u64>,
}

impl Totals {
    pub(crate) fn now() -> Self {
        let (mut allocated, mut in_use) = (Sums::default(), Sums::default());
        for site in sites::iter() {
            add(&mut allocated, site.allocated);
            add(&mut in_use, site.in_use);
        }
        // If it cannot be read, the lines are left out.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            allocated,
            in_use,
            allocator: allocators::memory().unwrap_or_default(),
            virtual_bytes: bytes(&status, "VmSize:"),
            resident_bytes: bytes(&status, "VmRSS:"),
            peak_resident_bytes: bytes(&status, "VmHWM:"),
        }
    }
}

fn add(sum: &mut Sums, other: Sums) {
    sum.objects += other.objects;
    sum.bytes += other.bytes;
}

/// The value of a line such as `VmRSS:     1234 kB`.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_status() {
        let status = "Name:\tx\nVmHWM:\t    2064 kB\nVmRSS:\t 10 kB\nThreads:\t1\n";
        let check = |name, expected| assert_eq!(bytes(status, name), expected, "{name}");
        check("VmHWM:", Some(2064 * 1024));
        check("VmRSS:", Some(10240));
        check("VmSize:", None);
        check("Threads:", None);
    }
}
