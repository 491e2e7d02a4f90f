//! Frames that every sample of a kind has and nobody wants to see, as regular expressions for the
//! profile's `drop_frames` and `keep_frames`. The lists are those that pprof gives legacy profiles.

use crate::Profile;

/// Alternatives of two regular expressions.
pub(super) struct Frames {
    drop: &'static [&'static str],
    keep: &'static [&'static str],
}

impl Frames {
    pub(super) fn apply(&self, profile: &mut Profile) {
        profile.drop_frames = profile.strings.intern(&self.drop.join("|"));
        profile.keep_frames = profile.strings.intern(&self.keep.join("|"));
    }
}

/// Frames of lock implementations.
pub(super) static LOCKS: Frames = Frames {
    drop: &[
        "RecordLockProfileData",
        "(base::)?RecordLockProfileData.*",
        "(base::)?SubmitMutexProfileData.*",
        "(base::)?SubmitSpinLockProfileData.*",
        "(base::Mutex::)?AwaitCommon.*",
        "(base::Mutex::)?Unlock.*",
        "(base::Mutex::)?UnlockSlow.*",
        "(base::Mutex::)?ReaderUnlock.*",
        "(base::MutexLock::)?~MutexLock.*",
        "(Mutex::)?AwaitCommon.*",
        "(Mutex::)?Unlock.*",
        "(Mutex::)?UnlockSlow.*",
        "(Mutex::)?ReaderUnlock.*",
        "(MutexLock::)?~MutexLock.*",
        "(SpinLock::)?Unlock.*",
        "(SpinLock::)?SlowUnlock.*",
        "(SpinLockHolder::)?~SpinLockHolder.*",
    ],
    keep: &[],
};

/// Frames of CPU profilers.
pub(super) static CPU: Frames = Frames {
    drop: &[
        "ProfileData::Add",
        "ProfileData::prof_handler",
        "CpuProfiler::prof_handler",
        "__pthread_sighandler",
        "__restore",
    ],
    keep: &[],
};

/// Frames of allocators; of the Go runtime, the ones through which a panic or a call passes stay.
pub(super) static ALLOCATORS: Frames = Frames {
    drop: &[
        "calloc",
        "cfree",
        "malloc",
        "free",
        "memalign",
        "do_memalign",
        "(__)?posix_memalign",
        "pvalloc",
        "valloc",
        "realloc",
        "tcmalloc::.*",
        "tc_calloc",
        "tc_cfree",
        "tc_malloc",
        "tc_free",
        "tc_memalign",
        "tc_posix_memalign",
        "tc_pvalloc",
        "tc_valloc",
        "tc_realloc",
        "tc_new",
        "tc_delete",
        "tc_newarray",
        "tc_deletearray",
        "tc_new_nothrow",
        "tc_newarray_nothrow",
        "malloc_zone_malloc",
        "malloc_zone_calloc",
        "malloc_zone_valloc",
        "malloc_zone_realloc",
        "malloc_zone_memalign",
        "malloc_zone_free",
        r"runtime\..*",
        "BaseArena::.*",
        "(::)?do_malloc_no_errno",
        "(::)?do_malloc_pages",
        "(::)?do_malloc",
        "DoSampledAllocation",
        "MallocedMemBlock::MallocedMemBlock",
        "_M_allocate",
        "__builtin_(vec_)?delete",
        "__builtin_(vec_)?new",
        "__gnu_cxx::new_allocator::allocate",
        "__libc_malloc",
        "__malloc_alloc_template::allocate",
        "allocate",
        "cpp_alloc",
        r"operator new(\[\])?",
        "simple_alloc::allocate",
    ],
    keep: &[r"runtime\.panic", r"runtime\.reflectcall", r"runtime\.call[0-9]*"],
};
