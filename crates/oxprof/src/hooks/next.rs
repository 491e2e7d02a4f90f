//! The functions behind ours of the same name, in programs that are linked dynamically.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The function of a name behind ours; `F` is its type.
pub(crate) struct Next<F> {
    name: &'static CStr,
    /// Of several functions of the name, the one that programs are linked to. `None` if all do the same.
    version: Option<&'static CStr>,
    found: AtomicPtr<c_void>,
    function: PhantomData<F>,
}

impl<F: Copy> Next<F> {
    /// `F` is the type of a function pointer.
    pub(crate) const fn new(name: &'static CStr) -> Self {
        assert!(size_of::<F>() == size_of::<*mut c_void>());
        let found = AtomicPtr::new(ptr::null_mut());
        Self { name, version: None, found, function: PhantomData }
    }

    /// The same of a name under which the C library has several functions: of these the one of `version`, if there is
    /// one. Without a version, C libraries before glibc 2.36 give the oldest.
    pub(crate) const fn of_version(mut self, version: &'static CStr) -> Self {
        self.version = Some(version);
        self
    }

    /// The function, which is looked up the first time: not in signal handlers, before that.
    #[inline]
    pub(crate) fn get(&self) -> Option<F> {
        self.found().or_else(|| self.find())
    }

    /// The function, if it was looked up.
    #[inline]
    pub(crate) fn found(&self) -> Option<F> {
        let found = self.found.load(Ordering::Relaxed);
        // SAFETY: what has this name is a function, and who made this says of which type.
        (!found.is_null()).then(|| unsafe { std::mem::transmute_copy::<*mut c_void, F>(&found) })
    }

    #[cold]
    fn find(&self) -> Option<F> {
        // SAFETY: a valid name.
        let any = |name: &CStr| unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        self.found.store(self.look_up(any), Ordering::Relaxed);
        self.found()
    }

    /// Where the function is; null if nowhere. `any` finds one of the name.
    fn look_up(&self, any: impl FnOnce(&CStr) -> *mut c_void) -> *mut c_void {
        let found = self.version.map_or(ptr::null_mut(), |version| versioned(self.name, version));
        if found.is_null() { any(self.name) } else { found }
    }
}

/// The function of a name and version behind ours, null if there is none.
#[cfg(target_env = "gnu")]
fn versioned(name: &CStr, version: &CStr) -> *mut c_void {
    // SAFETY: valid names.
    unsafe { libc::dlvsym(libc::RTLD_NEXT, name.as_ptr(), version.as_ptr()) }
}

/// Other C libraries have no versions.
#[cfg(not(target_env = "gnu"))]
fn versioned(_: &CStr, _: &CStr) -> *mut c_void {
    ptr::null_mut()
}

#[cfg(all(test, target_env = "gnu"))]
pub(crate) mod tests {
    use std::ffi::CString;

    use super::*;

    /// Checks that the function behind is the one that programs are linked to, in C libraries whose `dlsym` finds the
    /// oldest, too.
    #[track_caller]
    pub(crate) fn check<F: Copy>(next: &Next<F>) {
        let versions = versions(next.name);
        let (Some(&oldest), newest) = (versions.first(), versions.last()) else {
            panic!("the C library has no {:?}", next.name);
        };
        assert_eq!(Some(&next.look_up(|_| oldest)), newest, "{:?}", next.name);
    }

    /// The functions of a name, from the oldest to the newest.
    fn versions(name: &CStr) -> Vec<*mut c_void> {
        let older = ["2.2.5", "2.3.2"].map(str::to_owned);
        let newer = (4..64).map(|minor| format!("2.{minor}"));
        let versions = older.into_iter().chain(newer);
        versions
            .map(|version| CString::new(format!("GLIBC_{version}")).unwrap())
            .map(|version| versioned(name, &version))
            .filter(|function| !function.is_null())
            .collect()
    }
}
