//! The threads of this process.

use std::os::unix::fs::MetadataExt;
use std::{fs, io};

const TASKS: &str = "/proc/self/task";

/// How many threads there are; cheap.
pub(super) fn count() -> Option<u64> {
    // The directory of a thread is a link to it, as are `.` and `..`.
    fs::metadata(TASKS).ok().map(|m| m.nlink().saturating_sub(2))
}

/// The ids of all threads, ascending; `None` if they cannot be read whole, for want of a file descriptor say.
pub(super) fn list() -> Option<Vec<i32>> {
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut tids: Vec<i32> = fs::read_dir(TASKS).ok()?.map(name).collect::<Option<_>>()?;
    tids.sort_unstable();
    Some(tids)
}

/// The id of the calling thread.
pub(super) fn current() -> i32 {
    // SAFETY: has no arguments and cannot fail.
    unsafe { libc::gettid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calling_thread_is_listed() {
        assert!(list().is_some_and(|tids| tids.contains(&current())));
        assert!(count().is_some_and(|n| n >= 1));
    }
}
