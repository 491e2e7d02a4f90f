//! Where all threads are at one time.
//!
//! ```text
//! slots ─┬─ published wait ──▶ remote: its stack is walked from here
//!        └─ none ─▶ syscall: in a call that a signal would break? ─▶ shown without a stack
//!                      └─ no ─▶ ask: a signal, and the thread walks its own stack
//! ```
//!
//! One dump at a time. While one looks at a published wait it allocates nothing and waits for nobody.

mod ask;
mod remote;
mod syscall;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::slots::{self, Identity, Slot};
use super::state::Doing;
use super::wait::{Kind, Waiting};
use super::{clock, fork, name, tasks};
use crate::code::arch::Registers;
use crate::hooks;
use crate::labels::{self, LabelsId};
use crate::stacks::{self, Stack};
pub(super) use remote::PinnedMemory;
pub(crate) use syscall::Call;

/// A thread, at the time of a dump.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) tid: i32,
    /// Empty if it has none that could be read.
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Where it was created.
    pub(crate) creator: Option<Stack>,
    /// CPU time that it has used, in nanoseconds.
    pub(crate) cpu: Option<u64>,
}

/// Where a thread is, and what it does there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) doing: Doing,
    /// More about it, if it says that it waits.
    pub(crate) wait: Option<Wait>,
    pub(crate) stack: Stack,
    pub(crate) labels: LabelsId,
}

/// What there is to know about a thread that waits, and says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    slot: &'static Slot,
    /// Bounds of the thread's stack.
    bounds: (u64, u64),
    /// Of this wait; see [`sequence`](super::wait::Wait::sequence).
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    /// What it waits for, in the words of its kind.
    pub(crate) address: u64,
    /// Most nanoseconds that the wait may last; `None` if that is for ever.
    pub(crate) timeout: Option<u64>,
    /// How long it has been waiting, in nanoseconds.
    pub(crate) lasting: u64,
}

impl Wait {
    /// Looks at the thread's stack again, if it is still in this wait: with the registers with which it waits, and the
    /// bounds of its stack. `look` must be quick, allocate nothing and wait for nothing.
    pub(super) fn again(&self, look: impl FnOnce(&Registers, (u64, u64))) {
        self.slot.wait.pinned(|waiting| {
            if self.slot.wait.sequence() == self.sequence {
                look(&waiting.registers, self.bounds);
            }
        });
    }
}

/// Where all threads are now, by ascending id.
///
/// No thread is interrupted in a call that would then return early; one that does not publish that it is in such a call
/// is shown without a stack. But a thread that runs when it is asked may enter such a call before the signal is there.
pub(crate) fn take() -> Vec<Seen> {
    let seen = |(listed, place): (Listed, Place)| listed.seen(place);
    let mut seen: Vec<Seen> = places(list()).into_iter().map(seen).collect();
    seen.sort_unstable_by_key(|seen| seen.tid);
    seen
}

/// Where those threads are that say that they wait.
pub(crate) fn waiting() -> Vec<(Listed, Place)> {
    let now = clock::monotonic();
    let place = |listed: Listed| Some((listed, listed.waiting(now)?));
    list().into_iter().filter_map(place).collect()
}

/// How many threads there are.
pub(crate) fn count() -> u64 {
    tasks::count().unwrap_or_else(|| slots::iter().count() as u64)
}

/// A thread that exists, and its slot if it has one.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) tid: i32,
    slot: Option<(&'static Slot, Identity)>,
}

/// All threads. Slots of threads that are no more are given back.
pub(crate) fn list() -> Vec<Listed> {
    fork::watch();
    hooks::publish();
    // Before the list of threads: whom that does not name then ended, or was overlooked.
    let mut slots: HashMap<i32, (&'static Slot, Identity)> = HashMap::new();
    let mut count = 0;
    for (slot, identity) in slots::iter() {
        count += 1;
        slots.insert(identity.tid, (slot, identity));
    }
    let known = |slots: HashMap<i32, (&'static Slot, Identity)>| {
        let listed = |(tid, slot)| Listed { tid, slot: Some(slot) };
        slots.into_iter().map(listed).collect()
    };
    if tasks::count() == Some(count) && slots.len() as u64 == count {
        return known(slots);
    }
    let Some(tids) = tasks::list() else { return known(slots) };
    let mut listed: Vec<Listed> =
        tids.into_iter().map(|tid| Listed { tid, slot: slots.remove(&tid) }).collect();
    for (tid, (slot, identity)) in slots {
        if tasks::exists(tid) {
            listed.push(Listed { tid, slot: Some((slot, identity)) });
        } else {
            slots::release_dead(slot, identity.generation);
        }
    }
    listed
}

/// Where these threads are now, but for those that have ended.
pub(crate) fn places(threads: Vec<Listed>) -> Vec<(Listed, Place)> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut places = Vec::with_capacity(threads.len());
    let mut silent = Vec::new();
    let (own, now) = (tasks::current(), clock::monotonic());
    for listed in threads {
        match listed.waiting(now) {
            Some(place) => places.push((listed, place)),
            None if listed.tid == own => {
                let place = Place::new(Doing::Running, stacks::current(), labels::sample());
                places.push((listed, place));
            }
            None => silent.push(listed),
        }
    }
    ask(silent, &mut places);
    places
}

/// Asks threads that publish no wait, but for those in calls that would be broken.
fn ask(silent: Vec<Listed>, places: &mut Vec<(Listed, Place)>) {
    let mut asked = Vec::new();
    for listed in silent {
        match Call::of(listed.tid) {
            Some(call) if !call.restarts() => {
                places.push((listed, call.place("[not interrupted]")));
            }
            call => asked.push((listed, call.map_or(Doing::Running, Call::doing))),
        }
    }
    let tids: Vec<i32> = asked.iter().map(|(listed, _)| listed.tid).collect();
    let mut answers = ask::stacks(&tids);
    for (i, (listed, doing)) in asked.into_iter().enumerate() {
        match answers.remove(&i) {
            Some(ask::Answer::Stack(stack, labels)) => {
                places.push((listed, Place::new(doing, stack, labels)));
            }
            Some(ask::Answer::Gone) => {}
            None => places.push((listed, listed.without_answer())),
        }
    }
}

impl Place {
    fn new(doing: Doing, stack: Stack, labels: LabelsId) -> Self {
        Self { doing, wait: None, stack, labels }
    }
}

impl Listed {
    /// Tells the thread from others that had its id before; `None` if it has no slot.
    pub(crate) fn generation(&self) -> Option<u32> {
        self.slot.map(|(_, identity)| identity.generation)
    }

    /// The number of the wait that the thread says it is in.
    pub(crate) fn wait_sequence(&self) -> Option<u64> {
        self.slot.map(|(slot, _)| slot.wait.sequence()).filter(|sequence| sequence % 2 == 1)
    }

    /// CPU time that the thread has used, in nanoseconds; `None` if it has ended.
    pub(crate) fn cpu(&self) -> Option<u64> {
        clock::read(clock::of_thread(self.tid)).ok()
    }

    /// What the thread is called; empty if that is unknown.
    pub(crate) fn name(&self) -> String {
        let Some((_, Identity { name, .. })) = self.slot.filter(|_| name::are_told()) else {
            return tasks::name(self.tid).unwrap_or_default();
        };
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    }

    fn seen(self, place: Place) -> Seen {
        let creator = self.slot.and_then(|(_, identity)| identity.creator?.stack());
        Seen {
            tid: self.tid,
            name: self.name(),
            place,
            creator: creator.map(|(stack, _)| stacks::get(stack)),
            cpu: self.cpu(),
        }
    }

    /// The thread's place, if it says that it waits.
    fn waiting(&self, now: u64) -> Option<Place> {
        let (slot, identity) = self.slot?;
        let look = remote::look(slot, identity.stack)?;
        let Waiting { kind, address, timeout, since, labels, .. } = look.waiting;
        let wait = Wait {
            slot,
            bounds: identity.stack,
            sequence: look.sequence,
            kind,
            address,
            timeout,
            lasting: now.saturating_sub(since),
        };
        let place = Place::new(Doing::Waiting(kind), look.stack(), labels);
        Some(Place { wait: Some(wait), ..place })
    }

    /// The place of a thread that did not answer: one that blocks our signal, say. It may have begun to wait, and said
    /// so, meanwhile.
    fn without_answer(&self) -> Place {
        const WHY: &str = "[no answer]";
        let in_call = || Call::of(self.tid).map(|call| call.place(WHY));
        self.waiting(clock::monotonic())
            .or_else(in_call)
            .unwrap_or_else(|| Place::new(Doing::Running, Stack::pseudo(WHY), LabelsId::NONE))
    }
}
