//! The CPU profiler of Linux: who does what, and what makes it safe.
//!
//! ```text
//! kernel timer ─SIGPROF─▶ handler (any thread)         collector (own thread, all signals blocked)
//!                          │ reads  slots               │ scans threads: slots, timers
//!                          │ walks  the stack by the map│ looks for new binaries: the map
//!                          └ writes rings ─────────────▶└ drains rings ─▶ captures ─▶ profiles
//! ```
//!
//! # Owners
//! - [`control`]: requests of callers to the collector, and whether one runs. A mutex.
//! - [`threads`]: timers and the slots they point to. A mutex, taken by the collector and by threads
//!   that register themselves; never in the handler.
//! - [`shared`]: what handlers see. Published through one pointer ([`gate`](crate::code::gate)), null while no capture runs.
//! - [`ring`]: records from handlers to the collector.
//!
//! # Rules
//! 1. A handler touches the stack it interrupted, its own `ucontext`, what [`shared::enter`] gives
//!    it, the map of code ([`stacks`](crate::stacks)), and the thread's [`labels`](crate::labels); it calls nothing but
//!    the raw system calls of [`memory`](crate::code::memory) and [`words`](crate::stacks::words). So it does not allocate,
//!    wait, use lazily initialised thread-local storage, change `errno`, or call libc, but for `clock_gettime` while an
//!    execution trace is recorded: that may be called in handlers, and the trace's hooks have called it before.
//! 2. Between entering and leaving, a handler is counted. What a pointer no longer points to is freed
//!    only after the count was seen to be zero ([`gate`](crate::code::gate)).
//! 3. A timer's signal names a slot and its generation. A slot's generation changes before its timer is
//!    deleted and after it is created for another thread, so that late signals are recognised and dropped.
//! 4. All signals are blocked in the handler: handlers do not nest in a thread, and no foreign handler jumps
//!    out of ours.
//! 5. Timers are made after the handler is installed and the first map is published, and deleted before
//!    the pointer becomes null. The handler stays installed for ever.
//! 6. A child of `fork` has no timers and no collector: it starts from nothing ([`fork`]).

mod capture;
mod collector;
mod control;
mod fork;
mod handler;
mod profile;
mod random;
mod recording;
mod ring;
mod shared;
mod stacks;
mod threads;
mod timer;

#[cfg(feature = "http")]
pub(crate) use crate::code::names::symbols;
pub(super) use capture::Capture;

/// Hands all samples up to now to the execution trace that is being recorded.
pub(super) fn flush() {
    control::flush();
}

pub(super) fn register_current_thread() {
    threads::register_current();
}

/// Stops profiling the calling thread, which ends.
pub(super) fn unregister_current_thread() {
    threads::unregister_current();
}
