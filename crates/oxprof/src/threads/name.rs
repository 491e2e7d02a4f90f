//! What threads are called: they tell their slots, because asking the kernel takes microseconds for each.
//!
//! A thread begins with the name of its creator, which it asks for once. When it is given another, our
//! `pthread_setname_np` in front of libc's writes it down. In static programs, where libc's has no second name by which ours
//! could call it, and once a thread has renamed another one, which its handle does not lead to, dumps ask the kernel.
//! Nobody tells of names that are given by `prctl(PR_SET_NAME)` or through `/proc`, as few C libraries do: such a thread
//! is shown under the name before.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::slots::Slot;
use crate::code::arch::syscall4;

/// What a thread is called: up to 15 bytes, and zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name([u8; 16]);

impl Name {
    /// Of bytes that end with the first zero, or the fifteenth.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut name = [0; 16];
        let kept = bytes.iter().take(name.len() - 1).take_while(|byte| **byte != 0);
        name.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
        Self(name)
    }

    /// Its bytes, without the zeros.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// Whether the profiler has named the thread.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.starts_with(b"oxprof-")
    }

    /// What threads that do the same are called in common: the name without the number that tells them apart.
    pub(crate) fn group(&self) -> Self {
        let is_separator = |byte: &u8| b"-_#: ".contains(byte);
        let bytes = trim_end(self.bytes(), u8::is_ascii_digit);
        let bytes = trim_end(bytes, is_separator);
        if bytes.is_empty() { *self } else { Self::new(bytes) }
    }
}

fn trim_end(bytes: &[u8], is_cut: impl Fn(&u8) -> bool) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !is_cut(byte)).map_or(0, |last| last + 1);
    &bytes[..end]
}

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

    #[cfg(all(test, target_env = "gnu"))]
    #[test]
    fn the_one_behind_is_the_one_that_programs_are_linked_to() {
        crate::hooks::next::tests::check(&NEXT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        for (name, expected) in [
            ("worker-12", "worker"),
            ("tokio-rt-worker", "tokio-rt-worker"),
            ("pool #3", "pool"),
            ("42", "42"),
            ("exactly-15-long", "exactly-15-long"),
            ("more-than-15-bytes", "more-than-15-by"),
            ("", ""),
        ] {
            assert_eq!(Name::new(name.as_bytes()).group().text(), expected, "{name}");
        }
    }
}
