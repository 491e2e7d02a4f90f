//! The threads of this process.

use std::fs;
use std::os::unix::fs::MetadataExt;

const TASKS: &str = "/proc/self/task";

/// How many threads there are; cheap.
pub(super) fn count() -> Option<u64> {
    // The directory of a thread is a link to it, as are `.` and `..`.
    fs::metadata(TASKS).ok().map(|m| m.nlink().saturating_sub(2))
}

/// The ids of all threads, ascending; empty if they cannot be read.
pub(super) fn list() -> Vec<i32> {
    let Ok(entries) = fs::read_dir(TASKS) else { return Vec::new() };
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut tids: Vec<i32> = entries.filter_map(|e| e.ok().and_then(name)).collect();
    tids.sort_unstable();
    tids
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
        assert!(list().contains(&current()));
        assert!(count().is_some_and(|n| n >= 1));
    }
}
