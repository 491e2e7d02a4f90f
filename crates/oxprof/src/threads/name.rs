//! What threads are called: they tell their slots, because asking the kernel takes microseconds for each.
//!
//! A thread begins with the name of its creator, which it asks for once. When it is given another, our
//! `pthread_setname_np` in front of libc's writes it down. In static programs, where libc's has no second name by which ours
//! could call it, and once a thread has renamed another one, which its handle does not lead to, dumps ask the kernel.

use std::sync::atomic::{AtomicBool, Ordering};

use super::slots::Slot;
use crate::code::arch::syscall4;

/// Whether names in slots may be out of date.
static STALE: AtomicBool = AtomicBool::new(!HOOKED);
const HOOKED: bool = cfg!(all(oxprof_pthread_create, not(target_feature = "crt-static")));

/// Whether the names in slots are those that the threads have.
pub(super) fn are_told() -> bool {
    !STALE.load(Ordering::Relaxed)
}

/// Writes the name of the calling thread into its slot. For hooks.
pub(super) fn tell(slot: &Slot) {
    let mut name = [0u8; 16];
    let args = [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0];
    // SAFETY: the kernel writes 16 bytes.
    unsafe { syscall4(libc::SYS_prctl, args) };
    slot.set_name(&name);
}

#[cfg(not(target_feature = "crt-static"))]
mod hook {
    use std::ffi::{c_char, c_int};
    use std::sync::atomic::Ordering;

    use super::super::current;
    use super::STALE;
    use crate::hooks::interpose;
    use crate::hooks::next::Next;

    type SetName = unsafe extern "C" fn(libc::pthread_t, *const c_char) -> c_int;

    interpose!(oxprof_pthread_create: pthread_setname_np);

    static NEXT: Next<SetName> = Next::new(c"pthread_setname_np");

    /// Names a thread as libc's function of this name does.
    ///
    /// # Safety
    /// As for libc's.
    #[cfg_attr(oxprof_pthread_create, unsafe(no_mangle))]
    unsafe extern "C" fn pthread_setname_np(thread: libc::pthread_t, name: *const c_char) -> c_int {
        let Some(set_name) = NEXT.get() else { return libc::ENOSYS };
        // SAFETY: passed on as it came.
        let result = unsafe { set_name(thread, name) };
        // SAFETY: has no preconditions.
        if thread != unsafe { libc::pthread_self() } {
            STALE.store(true, Ordering::Relaxed);
        } else if let Some(slot) = current::slot() {
            super::tell(slot);
        }
        result
    }
}
