//! Tasks for those who look at them again and again, as wall-clock profiles do.

use std::borrow::Cow;
use std::sync::Arc;

use super::dump::{self, State};
use super::list;
use super::profile::places;
use super::task::{Await, Phase, Task};
use crate::registry::Key;
use crate::stacks::{self, Stack, StackId};
use crate::threads::state::{self, Doing};
use crate::threads::wait::Kind;

/// A task.
pub(crate) struct Handle(Arc<Task>);

/// Where a task is.
pub(crate) enum Place {
    /// It waits, or is ready, here; or it did when it was asked, and has been polled again since.
    At { key: Key, is_current: bool },
    /// It is being polled, or over.
    Running,
    /// It has been polled since it was last looked at.
    Unknown,
}

/// The number of the poll that was the last one when a task was asked where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(u64);

impl Handle {
    /// All tasks, by ascending id.
    pub(crate) fn all() -> Vec<Self> {
        list::all().into_iter().map(Self).collect()
    }

    /// All tasks, each with where it is, unless it is being polled. Like a dump, has those polled once of which that is
    /// not known, and waits for them, but not for long.
    pub(crate) fn all_with_places() -> Vec<(Self, Option<Key>)> {
        let place = |dumped: dump::Dumped| {
            let doing = match dumped.state {
                State::Running => None,
                State::New | State::Runnable => Some(Doing::Runnable),
                State::Waiting(_) => Some(Doing::Waiting(Kind::Await)),
            };
            let first = places(&dumped).into_iter().next();
            let key = doing.zip(first).map(|(doing, (key, _))| with_state(key, doing));
            (Self(dumped.task), key)
        };
        dump::take(dump::PATIENCE).into_iter().map(place).collect()
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// What it does: its name, or its function's.
    pub(crate) fn title(&self) -> Cow<'static, str> {
        self.0.title()
    }

    /// Whether it tells traces of its polls.
    pub(crate) fn is_traced(&self) -> bool {
        !self.0.is_of_runtime
    }

    /// Whether it is to be polled as soon as there is a thread.
    pub(crate) fn is_ready(&self) -> bool {
        match self.0.phase().0 {
            Phase::New => true,
            Phase::Waiting => self.0.is_woken(),
            Phase::Running | Phase::Done => false,
        }
    }

    /// Where it waits, if that is known.
    pub(crate) fn waits_at(&self) -> Option<StackId> {
        Some(self.0.awaits()?.first()?.stack)
    }

    /// A number that changes whenever the task is woken, polled, or done with a poll.
    pub(crate) fn moves(&self) -> u64 {
        self.0.moves()
    }

    /// Has the task polled, and say what it then waits for.
    pub(crate) fn ask(&self) -> Asked {
        let asked = Asked(self.0.polls());
        self.0.stir();
        asked
    }

    /// Where it is, or was when it was asked.
    pub(crate) fn place(&self, asked: Option<Asked>) -> Place {
        match self.0.phase().0 {
            Phase::Running | Phase::Done => Place::Running,
            Phase::New => {
                let key = Key::new(Stack::pseudo("[not polled yet]"), self.0.labels);
                Place::At { key: with_state(key, Doing::Runnable), is_current: true }
            }
            Phase::Waiting => self.waiting(asked),
        }
    }

    fn waiting(&self, asked: Option<Asked>) -> Place {
        let current = self.0.awaits();
        let is_current = current.is_some();
        let awaits = current.or_else(|| self.0.awaits_after(asked?.0));
        let Some(awaits) = awaits else { return Place::Unknown };
        let is_ready = is_current && self.0.is_woken();
        let doing = if is_ready { Doing::Runnable } else { Doing::Waiting(Kind::Await) };
        let key = match awaits.first() {
            Some(Await { stack, labels, .. }) => Key::new(stacks::get(*stack), *labels),
            None => Key::new(Stack::pseudo("[waiting unseen]"), self.0.labels),
        };
        Place::At { key: with_state(key, doing), is_current }
    }
}

/// With the labels that say what it does. Tasks are no threads, so there is none that says of what kind.
fn with_state(key: Key, doing: Doing) -> Key {
    let group = Default::default();
    Key { thread: Some(state::Thread { doing, group }), ..key }
}
