//! Seeing threads from their first instruction: our `pthread_create` in front of libc's.
//!
//! The executable's symbol wins over that of libc, for the program and all its shared libraries. Ours starts
//! the thread by way of a function that attaches it and, when the thread's own function is back, detaches it.
//! While no capture runs, calls go straight on.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::threads;

/// Unwinds: `pthread_exit` and cancellation do.
type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    Start,
    *mut c_void,
) -> c_int;

/// What the thread was created to do.
struct Job {
    start: Start,
    argument: *mut c_void,
}

/// Starts a thread as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = next() else { return libc::EAGAIN };
    if !threads::are_profiled() {
        // SAFETY: passed on as it came.
        return unsafe { create(thread, attributes, start, argument) };
    }
    let job = Box::into_raw(Box::new(Job { start, argument }));
    // SAFETY: as it came, but for the function, which gets the job that it expects, once.
    let result = unsafe { create(thread, attributes, run, job.cast()) };
    if result != 0 {
        // SAFETY: no thread was started, so nobody else has the job.
        drop(unsafe { Box::from_raw(job) });
    }
    result
}

extern "C-unwind" fn run(job: *mut c_void) -> *mut c_void {
    // SAFETY: made by `pthread_create` for this thread.
    let Job { start, argument } = *unsafe { Box::from_raw(job.cast::<Job>()) };
    threads::register_current();
    let result = start(argument);
    threads::unregister_current();
    result
}

/// The function of this name behind ours.
fn next() -> Option<Create> {
    static NEXT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let mut found = NEXT.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: a valid name.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
        NEXT.store(found, Ordering::Relaxed);
    }
    // SAFETY: null, or a function of the type that this name has.
    unsafe { std::mem::transmute::<*mut c_void, Option<Create>>(found) }
}
