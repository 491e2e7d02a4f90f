//! Functions of pthreads in which threads wait for each other.
//!
//! Who ends a wait in one of these is not known: there is no hook in the functions that do.

use std::ffi::{c_int, c_void};

use libc::{clockid_t, pthread_cond_t, pthread_mutex_t, pthread_t, timespec};

use super::blocked::{self, Call, SYNC, deadline};
use super::interpose;
use super::on::{self, Purposes};
use crate::code::arch;
use crate::contention::HasBlocked;
use crate::threads::wait::Kind;

/// They unwind: threads are cancelled in them.
type Join = unsafe extern "C-unwind" fn(pthread_t, *mut *mut c_void) -> c_int;
type Lock = unsafe extern "C-unwind" fn(*mut pthread_mutex_t) -> c_int;
type Wait = unsafe extern "C-unwind" fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int;
type TimedWait = unsafe extern "C-unwind" fn(
    *mut pthread_cond_t,
    *mut pthread_mutex_t,
    *const timespec,
) -> c_int;

interpose!(oxprof_block: pthread_join pthread_mutex_lock pthread_cond_wait pthread_cond_timedwait);

pub(super) use next::resolve;

/// Waits for the end of a thread, as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[cfg_attr(oxprof_block, unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, value: *mut *mut c_void) -> c_int {
    let Some(join) = next::join() else { return libc::EAGAIN };
    // A number in glibc, a pointer in musl.
    let what = Call { kind: Kind::Join, address: thread as usize as u64, timeout: None };
    let registers = arch::current_registers();
    // SAFETY: as it came.
    blocked::during(SYNC, &what, &registers, || unsafe { join(thread, value) }, |_| HasBlocked::Yes)
}

/// Locks a mutex as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[cfg_attr(oxprof_block, unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    let Some(lock) = next::lock() else { return libc::EAGAIN };
    if on::now().has_any(SYNC) {
        // SAFETY: as it came. All mutexes that can be locked can be tried.
        let tried = unsafe { libc::pthread_mutex_trylock(mutex) };
        if tried != libc::EBUSY {
            return tried;
        }
    }
    let what = Call { kind: Kind::Mutex, address: mutex.addr() as u64, timeout: None };
    let registers = arch::current_registers();
    // SAFETY: as it came.
    blocked::during(SYNC, &what, &registers, || unsafe { lock(mutex) }, |_| HasBlocked::Yes)
}

/// Waits for a condition variable as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[cfg_attr(oxprof_block, unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    let Some(wait) = next::wait() else { return libc::EAGAIN };
    let what = Call { kind: Kind::Condition, address: condition.addr() as u64, timeout: None };
    let registers = arch::current_registers();
    // SAFETY: as it came.
    blocked::during(
        SYNC,
        &what,
        &registers,
        || unsafe { wait(condition, mutex) },
        |_| HasBlocked::Yes,
    )
}

/// Waits for a condition variable until some time, as libc's function of this name does.
///
/// # Safety
/// As for libc's.
#[cfg_attr(oxprof_block, unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    until: *const timespec,
) -> c_int {
    let Some(wait) = next::timed_wait() else { return libc::EAGAIN };
    let is_wanted = on::now().has_any(Purposes::PUBLISH) && !until.is_null();
    // Which clock the condition variable is for is its secret; most are for this one.
    const CLOCK: clockid_t = libc::CLOCK_REALTIME;
    // SAFETY: not null, so valid, as the caller's word has it.
    let timeout = is_wanted.then(|| deadline(unsafe { *until }, CLOCK));
    let what = Call { kind: Kind::Condition, address: condition.addr() as u64, timeout };
    let registers = arch::current_registers();
    // SAFETY: as it came.
    let call = || unsafe { wait(condition, mutex, until) };
    blocked::during(SYNC, &what, &registers, call, |_| HasBlocked::Yes)
}

/// The functions behind these.
#[cfg(not(target_feature = "crt-static"))]
mod next {
    use std::ffi::CStr;

    use super::{Join, Lock, TimedWait, Wait};
    use crate::hooks::next::Next;

    /// From this version of glibc on, condition variables are others than before, which it still has the functions
    /// for.
    const CONDITIONS: &CStr = c"GLIBC_2.3.2";

    static JOIN: Next<Join> = Next::new(c"pthread_join");
    static LOCK: Next<Lock> = Next::new(c"pthread_mutex_lock");
    static WAIT: Next<Wait> = Next::new(c"pthread_cond_wait").of_version(CONDITIONS);
    static TIMED_WAIT: Next<TimedWait> =
        Next::new(c"pthread_cond_timedwait").of_version(CONDITIONS);

    pub(in crate::hooks) fn resolve() {
        join();
        lock();
        wait();
        timed_wait();
    }

    #[inline]
    pub(super) fn join() -> Option<Join> {
        JOIN.get()
    }

    #[inline]
    pub(super) fn lock() -> Option<Lock> {
        LOCK.get()
    }

    #[inline]
    pub(super) fn wait() -> Option<Wait> {
        WAIT.get()
    }

    #[inline]
    pub(super) fn timed_wait() -> Option<TimedWait> {
        TIMED_WAIT.get()
    }

    #[cfg(all(test, target_env = "gnu"))]
    #[test]
    fn those_behind_are_those_that_programs_are_linked_to() {
        use crate::hooks::next::tests::check;

        check(&JOIN);
        check(&LOCK);
        check(&WAIT);
        check(&TIMED_WAIT);
    }
}

/// The functions behind these: C libraries that are linked statically have them under second names.
#[cfg(target_feature = "crt-static")]
mod next {
    use super::{
        Join, Lock, TimedWait, Wait, c_int, c_void, pthread_cond_t, pthread_mutex_t, pthread_t,
        timespec,
    };

    unsafe extern "C-unwind" {
        fn __pthread_join(thread: pthread_t, value: *mut *mut c_void) -> c_int;
        fn __pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int;
        fn __pthread_cond_timedwait(
            condition: *mut pthread_cond_t,
            mutex: *mut pthread_mutex_t,
            until: *const timespec,
        ) -> c_int;
    }

    pub(in crate::hooks) fn resolve() {}

    pub(super) fn join() -> Option<Join> {
        Some(__pthread_join)
    }

    pub(super) fn lock() -> Option<Lock> {
        Some(__pthread_mutex_lock)
    }

    #[cfg(target_env = "gnu")]
    pub(super) fn wait() -> Option<Wait> {
        unsafe extern "C-unwind" {
            fn __pthread_cond_wait(
                condition: *mut pthread_cond_t,
                mutex: *mut pthread_mutex_t,
            ) -> c_int;
        }
        Some(__pthread_cond_wait)
    }

    /// musl's waits by the other one, too.
    #[cfg(not(target_env = "gnu"))]
    pub(super) fn wait() -> Option<Wait> {
        unsafe extern "C-unwind" fn wait(
            condition: *mut pthread_cond_t,
            mutex: *mut pthread_mutex_t,
        ) -> c_int {
            // SAFETY: as it came; no time stands for ever.
            unsafe { __pthread_cond_timedwait(condition, mutex, std::ptr::null()) }
        }
        Some(wait)
    }

    pub(super) fn timed_wait() -> Option<TimedWait> {
        Some(__pthread_cond_timedwait)
    }
}
