//! The map by which hooks and handlers walk stacks: there is one, and one table for each binary, whoever profiles.
//!
//! It is published through a [`Gate`], which says when an old one may be freed. Only normal code publishes, under a
//! lock that neither touches. In a child of `fork` the gate may count hooks of threads that are no more: maps replaced
//! there are never freed, which is as well.

use std::sync::atomic::{AtomicBool, Ordering};

use oxprof_unwind::Modules;

use super::memo;
use crate::code::fork::ForkMutex;
use crate::code::gate::Gate;
use crate::code::maps::Maps;
use crate::code::modules::Binaries;

#[cfg(not(all(test, oxprof_loom)))]
static GATE: Gate<Modules> = Gate::new();
#[cfg(all(test, oxprof_loom))]
static GATE: std::sync::LazyLock<Gate<Modules>> = std::sync::LazyLock::new(Gate::new);

static IS_PREPARED: AtomicBool = AtomicBool::new(false);
static STATE: ForkMutex<Option<State>> = ForkMutex::new(None);

/// What publishing needs to remember.
#[derive(Default)]
struct State {
    binaries: Binaries,
    maps: Maps,
    #[expect(clippy::vec_box, reason = "hooks may still refer to where the boxes point")]
    retired: Vec<Box<Modules>>,
}

/// Lends the published map, if there is one. For hooks.
#[inline]
pub(super) fn read<R>(f: impl FnOnce(Option<&Modules>) -> R) -> R {
    let guard = GATE.enter();
    // SAFETY: `State::refresh` is the only one to set the gate, and frees maps only when it is quiet.
    f(guard.as_ref().map(|guard| unsafe { guard.target() }))
}

/// Publishes a map unless there is one. Takes some milliseconds the first time, about 1.5 per megabyte of code.
pub(crate) fn prepare() {
    if !IS_PREPARED.load(Ordering::Relaxed) {
        refresh();
    }
}

/// Publishes a map of what is loaded now.
pub(crate) fn refresh() {
    STATE.lock().get_or_insert_default().refresh();
}

/// What is mapped where just now, also without the loader's knowledge, and since the first call of [`refresh`].
pub(crate) fn current_maps() -> Maps {
    let mut state = STATE.lock();
    let state = state.get_or_insert_default();
    state.refresh();
    state.maps.update(&state.binaries);
    state.maps.clone()
}

/// What is mapped where, as of the last call of [`refresh`], and since the first.
pub(crate) fn maps() -> Maps {
    STATE.lock().as_ref().map(|state| state.maps.clone()).unwrap_or_default()
}

impl State {
    fn refresh(&mut self) {
        if self.binaries.refresh() {
            self.maps.update(&self.binaries);
            let new = Box::into_raw(Box::new(self.binaries.modules()));
            let old = GATE.set(new);
            memo::forget();
            IS_PREPARED.store(true, Ordering::Relaxed);
            if !old.is_null() {
                // SAFETY: the pointer came from a box, and is no longer published. Hooks may still read it, so it
                // is not touched before they are done.
                self.retired.push(unsafe { Box::from_raw(old) });
            }
        }
        if !self.retired.is_empty() && GATE.is_quiet() {
            self.retired.clear();
        }
    }
}
