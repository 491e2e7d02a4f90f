//! Async tasks: which there are, what they await, for how long, and who created them.
//!
//! ```
//! use oxprof::tasks::ProfileFuture;
//!
//! # async fn refill() {}
//! # async fn serve() {}
//! # #[cfg(feature = "tokio")]
//! # async fn example() {
//! oxprof::spawn(serve());                                 // instead of tokio::spawn, or
//! tokio::spawn(refill().profiled_as("refill"));           // with a name, and for any runtime
//! # }
//! ```
//!
//! The profiles `tasks` and `goroutine` then show each task by the stack of its `.await`s, with lines, down to
//! the future that it waits for; a task that waits in several branches of `select!` or `join!` has a stack for each. Requests
//! of tower services, and so of axum, tonic and hyper, become tasks by a `RequestLayer` (feature `tower`).
//!
//! # How it works
//! A future that cannot go on clones the waker that it was polled with. While somebody asks for a profile, tasks are
//! polled with a waker that takes the stack when it is cloned: that is the whole chain of nested futures, of which
//! nothing remains on any stack later. Tasks that have not been polled since they were last asked need not be
//! polled for that; the others are woken once, which futures have to expect at any time. What they keep is
//! an ordinary waker.
//!
//! # What it costs
//! A task takes some 300 bytes, and two microseconds for the stack that created it. A poll takes some 60 ns more: two looks at
//! the clock and a few counters. The wakers that tasks are given count wakes; they stay the same from poll to poll, as
//! those of the runtime.
//!
//! # Limits
//! * `FuturesUnordered` and `JoinSet` poll only children that were woken: the stack ends there. Make the
//!   children tasks of their own.
//! * A task that a worker thread is busy with cannot answer. It is shown as running; the profile of threads
//!   shows where.
//! * Tasks that are neither spawned nor wrapped by these functions are not there, unless the runtime tells of them: with
//!   the feature `tokio-all-tasks`, and tokio built with `--cfg tokio_unstable`, `watch_runtime` makes all tasks of a
//!   runtime known, but not what they await.
//!
//! # What is not done
//! Two ways would show what all tasks of an unchanged program await.
//! * A runtime's wakers lead to a table of functions, and who writes others to it sees each waker that is cloned, with
//!   its stack (in trials with tokio all 11 of 11 kinds of waits). But that table is an immutable `static`. To write to it is
//!   undefined behaviour, even if today's compilers make nothing of it; each version of tokio in a program has a table
//!   of its own; and `block_on` has another. No switch is worth a program that might break with the next compiler.
//! * tokio's own dump (`Handle::dump`, feature `taskdump`, `--cfg tokio_unstable`) stops all workers until each has come by. A
//!   worker that is busy for long holds up all others for as long, when somebody only wanted to look. Who can bear
//!   that calls it himself.
//!
//! # Profiles from within tasks
//! A profile must not be asked for from within a task of a runtime that has but one thread, which could not answer: the
//! routes of [`http`](crate::http) see to that.

mod dump;
mod future;
mod handle;
mod list;
mod profile;
mod reason;
#[cfg(feature = "tower")]
mod requests;
#[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
mod runtime;
mod task;
mod text;
mod waits;
mod waker;

pub use future::{ProfileFuture, Profiled};
pub(crate) use handle::{Asked, Handle, Place};
pub(crate) use profile::{TASKS, sources};
pub(crate) use reason::reason;
#[cfg(feature = "tower")]
pub use requests::{RequestLayer, RequestService};
#[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
pub use runtime::watch_runtime;

/// Starts a task as [`tokio::spawn`] does, profiled and with the labels in force here.
///
/// # Panics
/// Outside of a tokio runtime.
#[cfg(feature = "tokio")]
#[inline(never)]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    use crate::labels::{self, LabelFuture};
    let future = future.profiled().labeled(labels::current());
    #[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
    return runtime::spawn_known(|| tokio::spawn(future));
    #[cfg(not(all(feature = "tokio-all-tasks", tokio_unstable)))]
    tokio::spawn(future)
}
