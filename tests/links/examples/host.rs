//! A program that loads a library, both with an oxprof of their own: they do not get in each other's way.
//!
//! `host LIBRARY`

use std::ffi::CString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args().nth(1).expect("the library is the argument");
    let path = CString::new(path).expect("paths have no zeros");
    let before = links::run_all("before");
    // SAFETY: the library is the plugin, which has the function, of this type.
    let plugin = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null(), "{:?} does not load", path);
        let check = libc::dlsym(library, c"check_profiles".as_ptr());
        assert!(!check.is_null(), "the library has no function");
        let check: extern "C" fn() -> i32 = std::mem::transmute(check);
        let result = check();
        libc::dlclose(library);
        result
    };
    // What the plugin left behind may not be what breaks this.
    let after = links::run_all("after");
    if before.is_right && plugin == 0 && after.is_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
