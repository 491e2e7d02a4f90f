//! The threads of this program: who they are, where they wait, who created them.
//!
//! ```text
//! pthread_create ─create─▶ slot per thread ◀─wait─ hooks around blocking calls
//!                            │ tid, stack bounds, creator, name, published wait
//!                            ▼
//!                          dumps walk published waits from outside, and signal only threads that run
//! ```
//!
//! # Owners
//! - [`slots`]: the slots: memory that is never freed, in pieces, for up to 65 536 threads at once.
//! - [`current`]: which slot the calling thread has, and when it gives it back.
//! - [`wait`]: what a blocked thread says of itself, and how others look at its stack meanwhile.
//! - [`create`]: our `pthread_create` in front of libc's; [`created`]: what it saw.
//!
//! # Rules
//! 1. A slot belongs to one thread at a time, from [`slots::claim`] to [`slots::release`]. Its generation is odd
//!    meanwhile, and changes with each step: what is read between two looks at the same odd generation is of one thread.
//! 2. Slots are only atomics, and zero is a valid slot. So whoever holds a reference to one may read it for ever;
//!    at worst he reads of another thread.
//! 3. What hooks call ([`current::slot`], [`wait`]) allocates nothing, takes no lock and calls no libc.
//! 4. A thread that did not come through [`create`] has a slot from its first hook on, and does not give it back.
//!    Whoever looks at all threads takes back the slots of those that are no more.
//! 5. A child of `fork` has one thread, and keeps one slot ([`fork`]).

pub(crate) mod clock;
mod create;
mod created;
pub(crate) mod current;
mod deadlock;
pub(crate) mod dump;
mod fork;
mod free;
pub(crate) mod name;
mod profile;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod wait;

use crate::registry::Source;
pub(crate) use dump::waiting;
pub(crate) use profile::THREADS;

/// Does what takes milliseconds before dumps are asked for.
pub(crate) fn prepare() {
    fork::watch();
    crate::hooks::publish();
    crate::stacks::prepare();
}

/// The profiles of threads.
pub(crate) fn sources() -> impl Iterator<Item = &'static dyn Source> {
    let created: &'static dyn Source = &created::THREADCREATE;
    let created = Some(created).filter(|_| create::IS_HERE);
    let threads: &'static dyn Source = &THREADS;
    created.into_iter().chain([threads])
}
