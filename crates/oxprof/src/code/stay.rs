//! Keeping the binary that this is part of in memory.
//!
//! Who has loaded a library may unload it. What the kernel or the C library was told to call must still be there then,
//! and what our threads run.

use std::sync::Once;

/// From now on the binary that this is part of is not unloaded. Not for hooks: takes the loader's lock.
pub(crate) fn stay() {
    static ONCE: Once = Once::new();
    ONCE.call_once(pin);
}

/// Opens it once more, with the wish that closing shall not matter. Of a program nothing is opened, nor needs to.
#[cfg(not(target_feature = "crt-static"))]
fn pin() {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let address = pin as *const () as *const libc::c_void;
    // SAFETY: a valid place for the answer, of which all zero is a valid value; the name in it is a C string.
    unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) != 0 {
            let name = info.assume_init().dli_fname;
            libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

/// Static programs have no libraries, and are not unloaded.
#[cfg(target_feature = "crt-static")]
fn pin() {}
