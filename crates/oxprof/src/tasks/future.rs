//! The wrapper that makes a future a task that is known.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::list;
use super::task::{Begun, Phase, Task};
use super::waker::{self, TaskWaker, Watch};
use crate::labels::Labels;
use crate::stacks::StackId;
use crate::trace;

/// Makes futures known as tasks.
pub trait ProfileFuture: Future + Sized {
    /// This future as a task of the profiles `tasks` and `goroutine`.
    ///
    /// It counts from now on, by the stack that calls this, until it is done or dropped.
    #[inline(never)]
    fn profiled(self) -> Profiled<Self> {
        Profiled { probe: Probe::new::<Self>(None), future: self }
    }

    /// The same, under a name: all that it does has the label `task` with this value.
    #[inline(never)]
    fn profiled_as(self, name: impl Into<Cow<'static, str>>) -> Profiled<Self> {
        Profiled { probe: Probe::new::<Self>(Some(name.into())), future: self }
    }
}

impl<F: Future> ProfileFuture for F {}

/// A future that is known as a task. See [`ProfileFuture`].
#[must_use = "futures do nothing unless polled"]
pub struct Profiled<F> {
    probe: Probe,
    future: F,
}

impl<F: Future> Future for Profiled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned as this is: never moved out, no `Drop` or other method of this type touches it, and
        // it is `Unpin` exactly if this is. `probe` is never pinned.
        let (probe, future) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.probe, Pin::new_unchecked(&mut this.future))
        };
        let running = probe.begin(context.waker());
        let is_watched = running.begun.is_asked || waker::is_watched();
        let result = running.labels.run(|| match is_watched {
            false => future.poll(&mut Context::from_waker(running.waker)),
            true => watched(future, &running),
        });
        running.is_done.set(result.is_ready());
        drop(running);
        if result.is_ready() {
            #[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
            super::runtime::stand_in(&probe.task, false);
            probe.finish();
        }
        result
    }
}

/// Polls, and notes what is awaited. A function of its own whose frame is the last that stacks show.
#[inline(never)]
fn watched<F: Future>(future: Pin<&mut F>, running: &Running<'_>) -> Poll<F::Output> {
    let watch = Watch::new(running.task, running.waker, running.begun);
    let result = future.poll(&mut Context::from_waker(&watch.waker()));
    if result.is_pending() {
        let awaits = watch.into_awaits();
        running.awaits.set(awaits.first().map(|first| first.stack));
        running.task.set_awaits(awaits);
    }
    result
}

impl<F> fmt::Debug for Profiled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.probe.task;
        f.debug_struct("Profiled")
            .field("id", &task.id)
            .field("name", &task.name)
            .finish_non_exhaustive()
    }
}

/// The task's side of the wrapper.
struct Probe {
    task: Arc<Task>,
    /// Its name, if it has one.
    labels: Labels,
    /// Made in the first poll, and again when the runtime's waker is another one.
    waker: Option<ProbeWaker>,
}

/// The same waker twice: to look into, and to lend.
struct ProbeWaker {
    inner: Arc<TaskWaker>,
    waker: Waker,
}

/// A poll that is under way.
struct Running<'a> {
    task: &'a Task,
    labels: &'a Labels,
    waker: &'a Waker,
    begun: Begun,
    is_done: Cell<bool>,
    /// Where the task waits, as far as that was looked at.
    awaits: Cell<Option<StackId>>,
}

impl Probe {
    fn new<F>(name: Option<Cow<'static, str>>) -> Self {
        let labels = name.as_ref().map_or(Labels::EMPTY, |name| Labels::new([("task", &**name)]));
        let task = Arc::new(labels.run(|| Task::new(name, function_of::<F>())));
        list::add(&task);
        trace::hooks::task_create(task.id, task.created_by, || task.title());
        Self { task, labels, waker: None }
    }

    fn begin(&mut self, runtime: &Waker) -> Running<'_> {
        let fits = |known: &ProbeWaker| known.inner.runtime.will_wake(runtime);
        if !self.waker.as_ref().is_some_and(fits) {
            self.waker = None;
        }
        let Self { task, labels, waker } = self;
        let waker = &waker.get_or_insert_with(|| ProbeWaker::new(task, runtime.clone())).waker;
        let begun = task.begin();
        trace::hooks::poll_begin(begun.at.0, task.id);
        #[cfg(all(feature = "tokio-all-tasks", tokio_unstable))]
        super::runtime::stand_in(task, true);
        let (is_done, awaits) = Default::default();
        Running { task, labels, waker, begun, is_done, awaits }
    }

    fn finish(&self) {
        list::remove(&self.task);
        self.task.finish();
    }
}

/// The async function that a future is of, or whatever else its type is called.
fn function_of<F>() -> &'static str {
    std::any::type_name::<F>().trim_end_matches("::{{closure}}")
}

impl ProbeWaker {
    #[cold]
    fn new(task: &Arc<Task>, runtime: Waker) -> Self {
        task.set_runtime(Some(runtime.clone()));
        let inner = Arc::new(TaskWaker { task: Arc::clone(task), runtime });
        Self { waker: Arc::clone(&inner).into(), inner }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if self.task.phase().0 != Phase::Done {
            trace::hooks::task_drop(self.task.id);
        }
        self.finish();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let now = self.task.end(self.begun);
        trace::hooks::poll_end(now.0, self.task.id, self.is_done.get(), self.awaits.get());
    }
}
