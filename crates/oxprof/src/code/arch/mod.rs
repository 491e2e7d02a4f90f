//! What differs between processors: system calls without libc, and what a signal interrupted.

mod x86_64;

pub(crate) use x86_64::{ARCH, registers, syscall4, walk};
