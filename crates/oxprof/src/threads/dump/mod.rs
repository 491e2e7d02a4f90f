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
mod turn;

use super::name::Name;
use super::slots::{self, Identity, Slot};
use super::state::Doing;
use super::wait::{Kind, Waiting};
use super::{clock, fork, name, tasks};
use crate::code::arch::Registers;
use crate::hooks;
use crate::labels::{self, LabelsId};
use crate::stacks::{self, MAX_DEPTH, Stack, StackId};
use ask::Answer;
use remote::Frames;
pub(super) use remote::PinnedMemory;
pub(crate) use syscall::Call;
use turn::Turn;

/// A thread, at the time of a dump.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) tid: i32,
    /// Empty if it has none that could be read.
    pub(crate) name: Name,
    pub(crate) place: Place,
    /// Where it was created.
    pub(crate) creator: Option<StackId>,
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
    let mut places = places(&list());
    places.sort_unstable_by_key(|(listed, _)| listed.tid);
    places.into_iter().map(|(listed, place)| listed.seen(place)).collect()
}

impl Seen {
    /// CPU time that it has used until now, in nanoseconds; `None` if it has ended. Most of what a dump costs.
    pub(crate) fn cpu(&self) -> Option<u64> {
        clock::read(clock::of_thread(self.tid)).ok()
    }
}

/// Where those threads are that say that they wait.
pub(crate) fn waiting() -> Vec<(Listed, Place)> {
    let (now, mut frames) = (clock::monotonic(), [0; MAX_DEPTH]);
    let place = |listed: Listed| Some((listed, listed.waiting(now, &mut frames)?));
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

/// All threads, by ascending id. Slots of threads that are no more are given back.
pub(crate) fn list() -> Vec<Listed> {
    fork::watch();
    hooks::publish();
    // Before the list of threads: whom that does not name then ended, or was overlooked.
    let mut listed: Vec<Listed> = slots::iter().map(Listed::of_slot).collect();
    listed.sort_unstable_by_key(|listed| listed.tid);
    if !are_all(&listed) {
        listed = reconcile(listed, &tasks::list().unwrap_or_default());
    }
    listed
}

/// Whether these, which have slots, are all threads there are: they are as many, and none of them has ended.
fn are_all(listed: &[Listed]) -> bool {
    let may_have_ended = |listed: &&Listed| !listed.gives_slot_back();
    tasks::count() == Some(listed.len() as u64)
        && listed.windows(2).all(|pair| pair[0].tid != pair[1].tid)
        && listed.iter().filter(may_have_ended).all(|listed| tasks::exists(listed.tid))
}

/// The threads of these ids, and those with slots that exist all the same.
fn reconcile(with_slots: Vec<Listed>, tids: &[i32]) -> Vec<Listed> {
    let exists = |tid: i32| tids.binary_search(&tid).is_ok() || tasks::exists(tid);
    let mut listed: Vec<Listed> = Vec::with_capacity(tids.len());
    for thread in with_slots {
        match listed.last_mut() {
            _ if !exists(thread.tid) => thread.release_slot(),
            // The id of a thread that has ended is that of another now. Which is which is not worth being wrong about.
            Some(last) if last.tid == thread.tid => last.keep_one(thread),
            _ => listed.push(thread),
        }
    }
    let count = listed.len();
    for &tid in tids {
        if listed[..count].binary_search_by_key(&tid, |listed| listed.tid).is_err() {
            listed.push(Listed { tid, slot: None });
        }
    }
    listed.sort_unstable_by_key(|listed| listed.tid);
    listed
}

/// Where these threads are now, but for those that have ended.
///
/// For one caller at a time; others wait.
pub(crate) fn places(threads: &[Listed]) -> Vec<(Listed, Place)> {
    /// How many threads ahead of the one that is looked at memory is fetched.
    const AHEAD: usize = 4;
    let _turn = Turn::take();
    let mut places = Vec::with_capacity(threads.len());
    let mut silent = Vec::new();
    let mut frames = [0; MAX_DEPTH];
    let (own, now) = (tasks::current(), clock::monotonic());
    let slot = |i: usize| threads.get(i).and_then(|listed| listed.slot);
    for (i, &listed) in threads.iter().enumerate() {
        slot(i + 2 * AHEAD).iter().for_each(|(slot, _)| remote::prefetch_slot(slot));
        slot(i + AHEAD).iter().for_each(|(slot, of)| remote::prefetch_stack(slot, of.stack));
        match listed.waiting(now, &mut frames) {
            Some(place) => places.push((listed, place)),
            None if listed.tid == own => {
                let place = Place::new(Doing::Running, stacks::current(), labels::sample());
                places.push((listed, place));
            }
            None => silent.push(listed),
        }
    }
    ask(&silent, &mut places, &mut frames);
    places
}

/// Asks threads that publish no wait, but for those in calls that would be broken: each is looked at once more, just
/// before, because it may enter one any time.
fn ask(silent: &[Listed], places: &mut Vec<(Listed, Place)>, frames: &mut Frames) {
    let tids: Vec<i32> = silent.iter().map(|listed| listed.tid).collect();
    let mut doing = vec![Doing::Running; silent.len()];
    let may_ask = |i: usize| {
        let listed = silent[i];
        let place = match Call::of(listed.tid) {
            Some(call) if !call.restarts() => Some(call.place("[not interrupted]")),
            call => {
                doing[i] = call.map_or(Doing::Running, Call::doing);
                None
            }
        };
        // One that says that it waits says more about it.
        let place = listed.waiting(clock::monotonic(), frames).or(place);
        let may_ask = place.is_none();
        places.extend(place.map(|place| (listed, place)));
        may_ask
    };
    let answers = ask::stacks(&tids, may_ask);
    for ((listed, doing), answer) in silent.iter().zip(doing).zip(answers) {
        match answer {
            Answer::Stack(stack, labels) => {
                places.push((*listed, Place::new(doing, stack, labels)));
            }
            Answer::NotAsked | Answer::Gone => {}
            Answer::None => places.push((*listed, listed.without_answer(frames))),
        }
    }
}

impl Place {
    fn new(doing: Doing, stack: Stack, labels: LabelsId) -> Self {
        Self { doing, wait: None, stack, labels }
    }
}

impl Listed {
    fn of_slot((slot, identity): (&'static Slot, Identity)) -> Self {
        Self { tid: identity.tid, slot: Some((slot, identity)) }
    }

    /// Whether its slot is one that the thread gives back when it ends.
    fn gives_slot_back(&self) -> bool {
        self.slot.is_some_and(|(_, identity)| identity.creator.is_some())
    }

    /// Gives the slot back for a thread that is no more.
    fn release_slot(self) {
        if let Some((slot, identity)) = self.slot {
            slots::release_dead(slot, identity.generation);
        }
    }

    /// Of two slots of one id, keeps the one that would be given back by now if its thread had ended.
    fn keep_one(&mut self, other: Self) {
        if !self.gives_slot_back() {
            *self = other;
        }
    }

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
    pub(crate) fn name(&self) -> Name {
        match self.slot {
            Some((_, identity)) if name::are_told() => identity.name,
            _ => tasks::name(self.tid).unwrap_or_default(),
        }
    }

    fn seen(self, place: Place) -> Seen {
        let creator = self.slot.and_then(|(_, identity)| identity.creator?.stack());
        Seen { tid: self.tid, name: self.name(), place, creator: creator.map(|(stack, _)| stack) }
    }

    /// The thread's place, if it says that it waits.
    fn waiting(&self, now: u64, frames: &mut Frames) -> Option<Place> {
        let (slot, identity) = self.slot?;
        let look = remote::look(slot, identity.stack, frames)?;
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
        let place = Place::new(Doing::Waiting(kind), look.stack, labels);
        Some(Place { wait: Some(wait), ..place })
    }

    /// The place of a thread that did not answer: one that blocks our signal, say. It may have begun to wait, and said
    /// so, meanwhile.
    fn without_answer(&self, frames: &mut Frames) -> Place {
        const WHY: &str = "[no answer]";
        let in_call = || Call::of(self.tid).map(|call| call.place(WHY));
        self.waiting(clock::monotonic(), frames)
            .or_else(in_call)
            .unwrap_or_else(|| Place::new(Doing::Running, Stack::pseudo(WHY), LabelsId::NONE))
    }
}
