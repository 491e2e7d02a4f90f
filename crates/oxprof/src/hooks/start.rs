//! What is done before `main`, when constructors run: hooks may be called in places where it cannot be done.

use super::{calls, pthread};
use crate::contention;

/// The linker keeps it, and the C library calls it.
#[cfg(oxprof_block)]
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;
const _: extern "C" fn() = start;

extern "C" fn start() {
    calls::resolve();
    pthread::resolve();
    contention::start_from_env();
}
