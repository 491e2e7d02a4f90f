//! The threads of this process, as the kernel tells.

use std::os::unix::fs::MetadataExt;
use std::{fs, io};

use super::name::Name;
use crate::code::arch::syscall4;

const TASKS: &str = "/proc/self/task";

/// How many threads there are; cheap.
pub(crate) fn count() -> Option<u64> {
    // The directory of a thread is a link to it, as are `.` and `..`.
    fs::metadata(TASKS).ok().map(|m| m.nlink().saturating_sub(2))
}

/// The ids of all threads, ascending, and some that have just ended; `None` if they cannot be read, for want of a file
/// descriptor say.
///
/// Where a thread ends just when it is its turn, the kernel leaves out as many others as had ended before. So the list
/// is read until two in a row are the same, or a few together name everybody.
pub(crate) fn list() -> Option<Vec<i32>> {
    const TRIES: u32 = 4;
    let mut last = read_list()?;
    let mut all = last.clone();
    for _ in 1..TRIES {
        let next = read_list()?;
        if next == last {
            break;
        }
        all.extend_from_slice(&next);
        last = next;
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

fn read_list() -> Option<Vec<i32>> {
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    fs::read_dir(TASKS).ok()?.map(name).collect()
}

/// The id of the calling thread. For hooks, too.
pub(crate) fn current() -> i32 {
    // SAFETY: has no arguments and cannot fail.
    unsafe { syscall4(libc::SYS_gettid, [0; 4]) as i32 }
}

/// The id of this process, which is that of its main thread. For hooks, too.
pub(crate) fn process() -> i32 {
    // SAFETY: has no arguments and cannot fail.
    unsafe { syscall4(libc::SYS_getpid, [0; 4]) as i32 }
}

/// Whether thread `tid` exists.
pub(crate) fn exists(tid: i32) -> bool {
    // SAFETY: signal 0 is none; what is asked is only whether one could be sent.
    let result = unsafe { syscall4(libc::SYS_tgkill, [process() as usize, tid as usize, 0, 0]) };
    result != -(libc::ESRCH as isize)
}

/// The name of thread `tid`.
pub(crate) fn name(tid: i32) -> Option<Name> {
    let name = fs::read(format!("{TASKS}/{tid}/comm")).ok()?;
    Some(Name::new(name.strip_suffix(b"\n").unwrap_or(&name)))
}

/// Whether the main thread is there: a program may go on without it.
pub(crate) fn main_is_alive() -> bool {
    let status = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Its state comes after its name, which is in parentheses and may hold any others.
    !status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Whether a thread sleeps, in whatever it has called.
pub(crate) fn is_asleep(tid: i32) -> bool {
    let status = fs::read_to_string(format!("{TASKS}/{tid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['S', 'D']))
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
