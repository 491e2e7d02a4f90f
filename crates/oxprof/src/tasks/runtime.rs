//! All tasks of a tokio runtime, as far as the runtime tells by itself.
//!
//! ```text
//! spawn ──▶ add: a task in the list, by the stack that spawns it
//! poll ──▶ begin … end: how often, how long
//! the task is over, or dropped with the runtime ──▶ remove
//! ```
//!
//! The runtime gives its hooks a task's id and nothing else, so tasks are found by it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, TaskMeta};
use tokio::task::Id;

use super::list;
use super::task::{Begun, Task};
use crate::labels::Labels;

/// Makes all tasks known that the runtime spawns which is built by this.
///
/// ```
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let runtime = oxprof::tasks::watch_runtime(builder.enable_all()).build().unwrap();
/// runtime.spawn(async { /* … */ });
/// ```
///
/// Needs the feature `tokio-all-tasks` and a tokio that calls hooks: the program is built with
/// `RUSTFLAGS="--cfg tokio_unstable"`, which means that a minor version of tokio may change them.
///
/// Of tasks that are neither [spawned](crate::spawn) nor [wrapped](super::ProfileFuture) by functions of ours it is then known
/// that they are there, who spawned them (also as the label `spawned_at`), whether they are being polled, since when, how
/// often and how long they were. Not what they await: the stack of those that wait is `[waiting unseen]`; nor who wakes
/// them, so that one that was woken counts as waiting until it is polled. They are not in traces, and their waits not in
/// `block`. Tasks of a `LocalSet` are not there, for which tokio calls no hooks, nor is the future of `block_on`.
///
/// A task whose future is [`Profiled`](super::Profiled) is there once, as that; but twice until it is first polled, unless
/// [`oxprof::spawn`](crate::spawn) spawned it.
///
/// tokio has room for one hook of each kind. This takes all four (`on_task_spawn`, `on_before_task_poll`,
/// `on_after_task_poll`, `on_task_terminate`); of two that set the same the last counts. A poll takes some 160 ns more, a
/// task half a microsecond and 500 bytes.
pub fn watch_runtime(builder: &mut Builder) -> &mut Builder {
    let spawned = Arc::new(Spawned::default());
    let [first, second, third, last] = std::array::from_fn(|_| Arc::clone(&spawned));
    builder
        .on_task_spawn(move |meta: &TaskMeta<'_>| first.add(meta))
        .on_before_task_poll(move |meta: &TaskMeta<'_>| second.begin(meta.id()))
        .on_after_task_poll(move |meta: &TaskMeta<'_>| third.end(meta.id()))
        .on_task_terminate(move |meta: &TaskMeta<'_>| last.remove(meta.id()))
}

thread_local! {
    /// The task of these that the thread polls.
    static CURRENT: RefCell<Option<Arc<Task>>> = const { RefCell::new(None) };
    /// Whether what the thread spawns is known anyway.
    static IS_KNOWN: Cell<bool> = const { Cell::new(false) };
}

/// Spawns a task that is known without the hooks.
pub(super) fn spawn_known<R>(spawn: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            IS_KNOWN.set(false);
        }
    }
    let _reset = Reset;
    IS_KNOWN.set(true);
    spawn()
}

/// Says whether a future that the thread polls, and that is a task by itself, goes on. If it was made before the runtime's task
/// which is polled, it is what that task does, and is shown in its place.
pub(super) fn stand_in(future: &Task, goes_on: bool) {
    // The thread may be ending.
    _ = CURRENT.try_with(|current| {
        if let Some(task) = current.borrow().as_ref().filter(|task| task.id > future.id) {
            task.set_covered(goes_on);
        }
    });
}

/// The tasks of a runtime. Those that are left go with it.
#[derive(Default)]
struct Spawned {
    hasher: RandomState,
    shards: [Mutex<HashMap<Id, Known>>; 16],
    /// The label of each place in the program that spawns tasks.
    places: Mutex<HashMap<&'static Location<'static>, Labels>>,
}

struct Known {
    task: Arc<Task>,
    /// The poll that is under way, and what the thread polled before.
    poll: Option<(Begun, Option<Arc<Task>>)>,
}

impl Spawned {
    fn add(&self, meta: &TaskMeta<'_>) {
        if IS_KNOWN.get() {
            return;
        }
        let task = Arc::new(self.label(meta.spawned_at()).run(Task::of_runtime));
        list::add(&task);
        self.shard(meta.id()).insert(meta.id(), Known { task, poll: None });
    }

    fn begin(&self, id: Id) {
        if let Some(known) = self.shard(id).get_mut(&id) {
            known.task.set_covered(false);
            let outer = replace_current(Some(Arc::clone(&known.task)));
            known.poll = Some((known.task.begin(), outer));
        }
    }

    fn end(&self, id: Id) {
        if let Some(known) = self.shard(id).get_mut(&id) {
            known.end();
        }
    }

    /// Comes before the end of the poll in which a task is done.
    fn remove(&self, id: Id) {
        let known = self.shard(id).remove(&id);
        known.into_iter().for_each(Known::finish);
    }

    fn label(&self, place: &'static Location<'static>) -> Labels {
        let label = || Labels::new([("spawned_at", &place.to_string())]);
        lock(&self.places).entry(place).or_insert_with(label).clone()
    }

    fn shard(&self, id: Id) -> MutexGuard<'_, HashMap<Id, Known>> {
        lock(&self.shards[self.hasher.hash_one(id) as usize % self.shards.len()])
    }
}

impl Known {
    fn end(&mut self) {
        if let Some((begun, outer)) = self.poll.take() {
            self.task.end(begun);
            replace_current(outer);
        }
    }

    fn finish(mut self) {
        self.end();
        list::remove(&self.task);
        self.task.finish();
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let shards = self.shards.iter_mut();
        let known =
            shards.flat_map(|s| s.get_mut().unwrap_or_else(PoisonError::into_inner).drain());
        known.for_each(|(_, known)| known.finish());
    }
}

/// Returns what it was.
fn replace_current(task: Option<Arc<Task>>) -> Option<Arc<Task>> {
    CURRENT.try_with(|current| current.replace(task)).ok().flatten()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
