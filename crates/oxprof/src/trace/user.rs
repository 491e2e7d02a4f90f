//! What a program says of itself in its traces: tasks, regions and messages.

use std::borrow::Cow;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use oxprof_trace::record::What;

use super::hooks;
use crate::stacks;

thread_local! {
    /// The task that the thread works on, 0 if none.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// A piece of work that may take several threads, such as a request. It ends when this is dropped.
///
/// Tools show how long tasks of a kind take, and what happened meanwhile.
#[derive(Debug)]
pub struct Task {
    id: u64,
}

/// Until this is dropped, the calling thread works on a [`Task`]: regions and messages are its.
#[derive(Debug)]
#[must_use = "dropped at once, it has no effect"]
pub struct Entered<'a> {
    before: u64,
    /// Of one thread.
    task: PhantomData<(&'a Task, *const ())>,
}

/// A part of what a thread does, which ends when this is dropped.
///
/// Regions nest. One that ends before those inside it ends them too.
#[derive(Debug)]
#[must_use = "dropped at once, it is empty"]
pub struct Region {
    name: Cow<'static, str>,
    task: u64,
    /// Whether it was noted that it began.
    began: bool,
    /// Of one thread.
    thread: PhantomData<*const ()>,
}

/// Begins a task of a kind, as part of the one that the calling thread works on, if it does.
///
/// ```
/// let task = oxprof::trace::task("request");
/// let _entered = task.enter();
/// let body = {
///     let _region = oxprof::trace::region("parse");
///     "…"
/// };
/// oxprof::trace::log("body", || body.to_owned());
/// ```
pub fn task(name: impl Into<Cow<'static, str>>) -> Task {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    if hooks::is_on() {
        let stack = stacks::capture().to_raw();
        let parent = CURRENT.get();
        hooks::tell(What::UserTaskBegin { id, parent, name: name.into(), stack });
    }
    Task { id }
}

/// Begins a region of a kind.
pub fn region(name: impl Into<Cow<'static, str>>) -> Region {
    let (name, task, began) = (name.into(), CURRENT.get(), hooks::is_on());
    if began {
        let stack = stacks::capture().to_raw();
        hooks::tell(What::RegionBegin { task, name: name.clone(), stack });
    }
    Region { name, task, began, thread: PhantomData }
}

/// Notes a message of a kind. It is made only if a trace is being recorded.
pub fn log<M: Into<Cow<'static, str>>>(
    category: impl Into<Cow<'static, str>>,
    message: impl FnOnce() -> M,
) {
    if hooks::is_on() {
        let (category, message) = (category.into(), message().into());
        let stack = stacks::capture().to_raw();
        hooks::tell(What::Log { task: CURRENT.get(), category, message, stack });
    }
}

impl Task {
    /// Its number.
    #[cfg(feature = "tracing")]
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Makes the calling thread work on the task.
    pub fn enter(&self) -> Entered<'_> {
        Entered { before: CURRENT.replace(self.id), task: PhantomData }
    }

    /// A future that works on the task whenever it is polled, and ends it when it is complete or dropped.
    pub fn run<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        Running { task: self, future: Box::pin(future) }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if hooks::is_on() {
            hooks::tell(What::UserTaskEnd { id: self.id, stack: stacks::capture().to_raw() });
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.began && hooks::is_on() {
            let (task, name) = (self.task, std::mem::take(&mut self.name));
            hooks::tell(What::RegionEnd { task, name, stack: stacks::capture().to_raw() });
        }
    }
}

/// See [`Task::run`].
struct Running<F> {
    task: Task,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Running<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.task.enter();
        this.future.as_mut().poll(context)
    }
}
