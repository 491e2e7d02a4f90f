//! What allocators say of themselves.
//!
//! Which allocator a program uses is seen by the symbols that are linked into it: jemalloc's or mimalloc's if they
//! are there, glibc's otherwise. Others are asked by a function that the program [names](super::report_allocator).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::code::arch::weak_symbol;

/// The memory that an allocator manages, in bytes; `None` for what it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocatorMemory {
    /// In blocks that are in use.
    pub in_use: Option<u64>,
    /// All that it has from the kernel: in use, or kept to be used again.
    pub held: Option<u64>,
}

type Report = fn() -> Option<AllocatorMemory>;

static REPORT: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Names the function to ask.
pub(super) fn set(report: Report) {
    REPORT.store(report as *mut (), Ordering::Release);
}

/// What the program's allocator says, if it is one that we can ask.
pub(super) fn memory() -> Option<AllocatorMemory> {
    named().or_else(jemalloc).or_else(mimalloc).or_else(glibc)
}

fn named() -> Option<AllocatorMemory> {
    let report = REPORT.load(Ordering::Acquire);
    if report.is_null() {
        return None;
    }
    // SAFETY: only `set` writes there, such a function.
    let report = unsafe { std::mem::transmute::<*mut (), Report>(report) };
    report()
}

type MallCtl =
    unsafe extern "C" fn(*const c_char, *mut c_void, *mut usize, *mut c_void, usize) -> c_int;

fn jemalloc() -> Option<AllocatorMemory> {
    // With the prefix of Rust's crates, and without.
    let [prefixed, plain] = [weak_symbol!("_rjem_mallctl"), weak_symbol!("mallctl")];
    let address = if prefixed.is_null() { plain } else { prefixed };
    // SAFETY: null, or jemalloc's function of this name, which has this type.
    let control = unsafe { std::mem::transmute::<*const c_void, Option<MallCtl>>(address) }?;
    let mut epoch = 1u64;
    // SAFETY: takes a number of this size; has it bring its statistics up to date.
    unsafe {
        let new = (&raw mut epoch).cast();
        control(c"epoch".as_ptr(), ptr::null_mut(), ptr::null_mut(), new, size_of::<u64>());
    }
    let read = |name: &CStr| {
        let (mut value, mut size) = (0usize, size_of::<usize>());
        // SAFETY: a place for a number, and its size, which jemalloc compares with that of what it has.
        let result = unsafe {
            control(name.as_ptr(), (&raw mut value).cast(), &raw mut size, ptr::null_mut(), 0)
        };
        (result == 0).then_some(value as u64)
    };
    // Built without statistics it says nothing.
    Some(AllocatorMemory { in_use: read(c"stats.allocated"), held: read(c"stats.resident") })
}

fn mimalloc() -> Option<AllocatorMemory> {
    type ProcessInfo = unsafe extern "C" fn(
        *mut usize,
        *mut usize,
        *mut usize,
        *mut usize,
        *mut usize,
        *mut usize,
        *mut usize,
        *mut usize,
    );
    let address = weak_symbol!("mi_process_info");
    // SAFETY: null, or mimalloc's function of this name, which has this type.
    let info = unsafe { std::mem::transmute::<*const c_void, Option<ProcessInfo>>(address) }?;
    let (none, mut committed) = (ptr::null_mut(), 0);
    // SAFETY: null for what is not wanted, and a place for the number of bytes that are committed now.
    unsafe { info(none, none, none, none, none, &raw mut committed, none, none) };
    Some(AllocatorMemory { in_use: None, held: Some(committed as u64) })
}

#[cfg(target_env = "gnu")]
fn glibc() -> Option<AllocatorMemory> {
    // SAFETY: has no preconditions; takes the allocator's own locks, none of which a caller can hold.
    let info = unsafe { libc::mallinfo2() };
    let in_use = (info.uordblks + info.hblkhd) as u64;
    Some(AllocatorMemory { in_use: Some(in_use), held: Some(in_use + info.fordblks as u64) })
}

#[cfg(not(target_env = "gnu"))]
fn glibc() -> Option<AllocatorMemory> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_that_are_there_and_not() {
        assert_eq!(weak_symbol!("getpid"), libc::getpid as *const c_void);
        assert!(weak_symbol!("no_function_has_this_name").is_null());
    }

    #[test]
    fn named_functions_are_asked_first() {
        #[cfg(target_env = "gnu")]
        {
            let kept = std::hint::black_box(vec![1u8; 1 << 20]);
            let before = memory().expect("glibc is asked");
            assert!(before.in_use >= Some(1 << 20) && before.held >= before.in_use, "{before:?}");
            drop(kept);
        }
        let expected = AllocatorMemory { in_use: Some(1), held: Some(2) };
        set(|| Some(AllocatorMemory { in_use: Some(1), held: Some(2) }));
        assert_eq!(memory(), Some(expected));
        set(|| None);
        assert_ne!(memory(), Some(expected));
    }
}
