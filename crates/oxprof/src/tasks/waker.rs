//! The wakers that tasks are polled with.
//!
//! ```text
//! usually          leaf ─clone─▶ TaskWaker ─wake─▶ counts, runtime's waker
//! while watched    leaf ─clone─▶ Watch: takes the stack, hands out a TaskWaker
//!                                or, while waits are sampled, a Wait ─wake─▶ contention, TaskWaker
//! ```

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{RawWaker, RawWakerVTable, Wake, Waker};

use super::task::{Await, Begun, Task};
use super::waits::Wait;
use crate::{contention, labels, stacks, trace};

/// Counts wakes on their way to the runtime.
pub(super) struct TaskWaker {
    pub(super) task: Arc<Task>,
    pub(super) runtime: Waker,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.task.note_wake();
        trace::hooks::task_wake(self.task.id);
        self.runtime.wake_by_ref();
    }
}

/// How many look at what tasks await.
static WATCHERS: AtomicU32 = AtomicU32::new(0);

/// Has tasks say what they await, in polls that begin from now on until this is dropped.
pub(super) struct Watching(());

impl Watching {
    pub(super) fn new() -> Self {
        WATCHERS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether tasks are to say what they await. Who is woken by somebody who watches knows.
#[inline]
pub(super) fn is_watched() -> bool {
    WATCHERS.load(Ordering::Relaxed) != 0 || trace::is_enabled() || contention::is_sampled()
}

/// Looks at a poll: lives in the frame of the function that polls, which is how far stacks go.
pub(super) struct Watch<'a> {
    task: &'a Task,
    waker: &'a Waker,
    begun: Begun,
    is_sampled: bool,
    /// Behind a lock because a waker may be cloned by any thread.
    awaits: Mutex<Vec<Await>>,
}

impl<'a> Watch<'a> {
    /// A look at the poll of a task with this waker.
    pub(super) fn new(task: &'a Task, waker: &'a Waker, begun: Begun) -> Self {
        Self { task, waker, begun, is_sampled: contention::is_sampled(), awaits: Mutex::default() }
    }

    /// The waker to poll with.
    pub(super) fn waker(&self) -> WatchWaker<'_> {
        let raw = RawWaker::new(std::ptr::from_ref(self).cast(), &VTABLE);
        // SAFETY: what the functions of the table do with the pointer is sound as long as `self` is borrowed, which is as
        // long as the result lives. It is only lent, so nobody can keep it; clones do not refer to `self`.
        WatchWaker { waker: ManuallyDrop::new(unsafe { Waker::from_raw(raw) }), _watch: self }
    }

    /// What was awaited.
    pub(super) fn into_awaits(self) -> Vec<Await> {
        self.awaits.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn clone_waker(&self) -> Waker {
        let stack = stacks::capture_below(std::ptr::from_ref(self).addr() as u64);
        let labels = labels::sample();
        let mut awaits = self.awaits.lock().unwrap_or_else(PoisonError::into_inner);
        // A leaf may clone more than once.
        let known = awaits.iter().position(|known| (known.stack, known.labels) == (stack, labels));
        let at = known.unwrap_or_else(|| {
            awaits.push(self.task.begin_await(stack, labels, self.begun));
            awaits.len() - 1
        });
        if !self.is_sampled {
            return self.waker.clone();
        }
        let Await { since, wait, .. } = &mut awaits[at];
        let wait = wait.get_or_insert_with(|| Wait::new(stack, labels, *since, self.waker.clone()));
        Arc::clone(wait).into()
    }
}

/// A waker that tells a [`Watch`] when it is cloned.
pub(super) struct WatchWaker<'a> {
    waker: ManuallyDrop<Waker>,
    _watch: &'a Watch<'a>,
}

impl std::ops::Deref for WatchWaker<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

/// # Safety
/// For these four: the pointer is that of [`Watch::waker`], and the watch still lives.
unsafe fn clone(watch: *const ()) -> RawWaker {
    // SAFETY: by the caller's word. Shared between threads by nothing but a lock and a waker, which may be.
    let watch = unsafe { &*watch.cast::<Watch<'_>>() };
    let clone = ManuallyDrop::new(watch.clone_waker());
    RawWaker::new(clone.data(), clone.vtable())
}

unsafe fn wake(watch: *const ()) {
    // SAFETY: passed on. The waker itself is dropped by nobody, and needs not be.
    unsafe { wake_by_ref(watch) };
}

unsafe fn wake_by_ref(watch: *const ()) {
    // SAFETY: by the caller's word.
    unsafe { &*watch.cast::<Watch<'_>>() }.waker.wake_by_ref();
}

unsafe fn drop(_: *const ()) {}
