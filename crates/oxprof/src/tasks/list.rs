//! The tasks there are.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use super::task::Task;
use crate::code::fork::ForkMutex;

/// Tasks are spread over lists by their ids, so that threads which create and end tasks rarely meet.
static LISTS: [ForkMutex<Vec<Arc<Task>>>; 16] = [const { ForkMutex::new(Vec::new()) }; 16];

/// Adds a task.
pub(super) fn add(task: &Arc<Task>) {
    let mut list = lock(task.id);
    task.place.store(list.len(), Ordering::Relaxed);
    list.push(Arc::clone(task));
}

/// Removes a task, if it is there.
pub(super) fn remove(task: &Arc<Task>) {
    let mut list = lock(task.id);
    let place = task.place.load(Ordering::Relaxed);
    if list.get(place).is_some_and(|at| Arc::ptr_eq(at, task)) {
        list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
    }
}

/// All tasks that no others stand for, by ascending id.
pub(super) fn all() -> Vec<Arc<Task>> {
    let mut all = Vec::new();
    for number in 0..LISTS.len() as u64 {
        all.extend(lock(number).iter().filter(|task| !task.is_covered()).cloned());
    }
    all.sort_unstable_by_key(|task| task.id);
    all
}

/// How many there are.
pub(super) fn count() -> u64 {
    let shown = |number| lock(number).iter().filter(|task| !task.is_covered()).count() as u64;
    (0..LISTS.len() as u64).map(shown).sum()
}

fn lock(id: u64) -> MutexGuard<'static, Vec<Arc<Task>>> {
    LISTS[id as usize % LISTS.len()].lock()
}
