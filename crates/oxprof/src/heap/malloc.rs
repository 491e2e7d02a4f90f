//! Functions of ours in front of libc's `malloc` and its kin, so that what C code allocates is sampled, too.
//!
//! The executable's symbols win over those of libc for the program and all its libraries; libc's own code calls
//! through them as well, as its manual promises to who replaces `malloc`. The functions behind ours are glibc's under
//! the names that it keeps for that purpose. What an allocator of Rust passes on to `malloc` is counted here, once.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::sampler;

/// What is done to blocks here is sound for the reasons given at [`Heap`](super::Heap).
mod glibc {
    use std::ffi::c_void;

    unsafe extern "C" {
        pub(super) fn __libc_malloc(size: usize) -> *mut c_void;
        pub(super) fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        pub(super) fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
        pub(super) fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
        pub(super) fn __libc_free(block: *mut c_void);
    }
}

/// Counts a block that was just allocated.
#[inline]
fn count(block: *mut c_void, size: usize) -> *mut c_void {
    if sampler::charge(size) && !block.is_null() {
        sampler::consider(block.addr(), size);
    }
    block
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: as it came.
    count(unsafe { glibc::__libc_malloc(size) }, size)
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
    // SAFETY: as it came.
    let block = unsafe { glibc::__libc_calloc(number, size) };
    count(block, number.saturating_mul(size))
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    if sampler::may_hold(block.addr()) {
        sampler::forget(block.addr());
    }
    // SAFETY: as it came.
    unsafe { glibc::__libc_free(block) };
}

/// As libc's. The old block leaves the table before its address can be given away.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let address = block.addr();
    let sampled = if sampler::may_hold(address) { sampler::take(address) } else { None };
    // SAFETY: as it came.
    let new = unsafe { glibc::__libc_realloc(block, size) };
    // Nothing for something is a way to free it.
    let is_kept = new.is_null() && size > 0;
    match sampled {
        Some(sampled) if is_kept => sampler::put_back(address, sampled),
        Some(sampled) => sampler::freed(address, sampled),
        None => {}
    }
    count(new, size)
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarray(block: *mut c_void, number: usize, size: usize) -> *mut c_void {
    match number.checked_mul(size) {
        // SAFETY: as it came.
        Some(bytes) => unsafe { realloc(block, bytes) },
        None => {
            // SAFETY: the thread's own.
            unsafe { *libc::__errno_location() = libc::ENOMEM };
            ptr::null_mut()
        }
    }
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: as it came.
    count(unsafe { glibc::__libc_memalign(alignment, size) }, size)
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: as it came.
    unsafe { memalign(alignment, size) }
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(
    place: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> c_int {
    if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<*mut c_void>()) {
        return libc::EINVAL;
    }
    // SAFETY: as it came.
    let block = unsafe { memalign(alignment, size) };
    if block.is_null() && size > 0 {
        return libc::ENOMEM;
    }
    // SAFETY: the caller's place for the address.
    unsafe { *place = block };
    0
}
