//! Seeing threads from their first instruction: our `pthread_create` in front of libc's.
//!
//! Our symbol wins over that of libc: in the whole program if it is linked into the program, in a shared library for
//! that library. It starts the thread by way of a function that gives it a slot. The slot goes back when the
//! thread's destructors have run ([`current`]).

use std::ffi::{c_int, c_void};

use super::created::Creator;
use super::{current, fork};
use crate::hooks::interpose;
use crate::{cpu, trace};

/// Unwinds: `pthread_exit` and cancellation do.
type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    Start,
    *mut c_void,
) -> c_int;

// Our own calls bind to our function even in a library that is loaded into a program which binds to libc's; and
// libraries that the program is linked to still find it.
interpose!(oxprof_pthread_create: pthread_create);

/// Whether it is in this program.
pub(super) const IS_HERE: bool = cfg!(oxprof_pthread_create);

/// The C library calls it when the program ends, or the library that this is part of is unloaded.
#[cfg(oxprof_pthread_create)]
#[used]
#[unsafe(link_section = ".fini_array")]
static FINISH: extern "C" fn() = current::forget_end_key;
const _: extern "C" fn() = current::forget_end_key;

/// What the thread was created to do.
struct Job {
    start: Start,
    argument: *mut c_void,
    creator: Option<Creator>,
    stack_size: u64,
    /// What traces know its creation by.
    token: u64,
}

/// Starts a thread as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[cfg_attr(oxprof_pthread_create, unsafe(no_mangle))]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = next() else { return libc::EAGAIN };
    fork::watch();
    let creator = Creator::current();
    // SAFETY: valid or null, as the caller's word for libc's function has it.
    let stack_size = unsafe { stack_size(attributes) };
    let token = trace::hooks::thread_create();
    let job = Box::into_raw(Box::new(Job { start, argument, creator, stack_size, token }));
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
    let job = *unsafe { Box::from_raw(job.cast::<Job>()) };
    let Job { start, argument, creator, stack_size, token } = job;
    current::begin(creator, stack_size);
    trace::hooks::thread_begin(token);
    cpu::register_current_thread();
    start(argument)
}

/// The size of the stack that these attributes, or those by default, give a thread; 0 if unknown.
///
/// # Safety
/// `attributes` is null or valid.
unsafe fn stack_size(attributes: *const libc::pthread_attr_t) -> u64 {
    let mut size = 0;
    if !attributes.is_null() {
        // SAFETY: valid, and so is the place for the answer.
        let result = unsafe { libc::pthread_attr_getstacksize(attributes, &raw mut size) };
        return if result == 0 { size as u64 } else { 0 };
    }
    let mut default = std::mem::MaybeUninit::uninit();
    // SAFETY: initialised before it is read and destroyed.
    unsafe {
        if libc::pthread_attr_init(default.as_mut_ptr()) != 0 {
            return 0;
        }
        libc::pthread_attr_getstacksize(default.as_ptr(), &raw mut size);
        libc::pthread_attr_destroy(default.as_mut_ptr());
    }
    size as u64
}

/// The function behind ours. C libraries that are linked statically have it under a second name.
#[cfg(target_feature = "crt-static")]
fn next() -> Option<Create> {
    unsafe extern "C" {
        fn __pthread_create(
            thread: *mut libc::pthread_t,
            attributes: *const libc::pthread_attr_t,
            start: Start,
            argument: *mut c_void,
        ) -> c_int;
    }
    Some(__pthread_create)
}

/// The function of this name behind ours.
#[cfg(not(target_feature = "crt-static"))]
fn next() -> Option<Create> {
    NEXT.get()
}

#[cfg(not(target_feature = "crt-static"))]
static NEXT: crate::hooks::next::Next<Create> = crate::hooks::next::Next::new(c"pthread_create");

#[cfg(all(test, target_env = "gnu", not(target_feature = "crt-static")))]
mod tests {
    #[test]
    fn the_one_behind_is_the_one_that_programs_are_linked_to() {
        crate::hooks::next::tests::check(&super::NEXT);
    }
}
