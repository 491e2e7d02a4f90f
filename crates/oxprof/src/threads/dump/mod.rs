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
    pub(crate) doing: Doing,
    /// More about it, if it says that it waits.
    pub(crate) wait: Option<Wait>,
    pub(crate) stack: Stack,
    pub(crate) labels: LabelsId,
    /// Where it was created, and with which labels.
    pub(crate) creator: Option<Stack>,
    /// CPU time that it has used, in nanoseconds.
    pub(crate) cpu: Option<u64>,
}

/// What there is to know about a thread that waits, and says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    slot: &'static Slot,
    /// Bounds of the thread's stack.
    bounds: (u64, u64),
    /// Of this wait; see [`sequence`](super::wait::Wait::sequence).
    sequence: u64,
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

/// Where all threads are now, by ascending id. No thread is interrupted in a call that would then return early; one that
/// does not publish that it is in such a call is shown without a stack.
pub(crate) fn take() -> Vec<Seen> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    fork::watch();
    let mut dump = Dump { seen: Vec::new(), silent: Vec::new(), now: clock::monotonic() };
    let listed = list();
    dump.seen.reserve(listed.len());
    let own = tasks::current();
    for listed in &listed {
        match dump.waiting(listed) {
            Some(seen) => dump.seen.push(seen),
            None if listed.tid == own => dump.seen.push(listed.running(stacks::current())),
            None => dump.silent.push(*listed),
        }
    }
    dump.ask();
    dump.seen.sort_unstable_by_key(|seen| seen.tid);
    dump.seen
}

/// How many threads there are.
pub(crate) fn count() -> u64 {
    tasks::count().unwrap_or_else(|| slots::iter().count() as u64)
}

/// A thread that exists, and its slot if it has one.
#[derive(Clone, Copy)]
struct Listed {
    tid: i32,
    slot: Option<(&'static Slot, Identity)>,
}

/// All threads. Slots of threads that are no more are given back.
fn list() -> Vec<Listed> {
    // Before the list of threads: whom it does not name then ended, or was overlooked.
    let mut slots: HashMap<i32, (&'static Slot, Identity)> = HashMap::new();
    let mut count = 0;
    for (slot, identity) in slots::iter() {
        count += 1;
        // Of two with the same id, one is of a thread that is no more, and younger slots are not always behind.
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

impl Listed {
    fn seen(&self, doing: Doing, stack: Stack, labels: LabelsId) -> Seen {
        let creator = self.slot.and_then(|(_, identity)| identity.creator?.stack());
        Seen {
            tid: self.tid,
            name: self.name(),
            doing,
            wait: None,
            stack,
            labels,
            creator: creator.map(|(stack, _)| stacks::get(stack)),
            cpu: clock::read(clock::of_thread(self.tid)).ok(),
        }
    }

    fn running(&self, stack: Stack) -> Seen {
        self.seen(Doing::Running, stack, labels::sample())
    }

    fn name(&self) -> String {
        let Some((_, Identity { name, .. })) = self.slot.filter(|_| name::are_told()) else {
            return tasks::name(self.tid).unwrap_or_default();
        };
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    }
}

struct Dump {
    seen: Vec<Seen>,
    /// Threads that publish no wait.
    silent: Vec<Listed>,
    /// On `CLOCK_MONOTONIC`.
    now: u64,
}

impl Dump {
    /// The thread, if it says that it waits.
    fn waiting(&self, listed: &Listed) -> Option<Seen> {
        let (slot, identity) = listed.slot?;
        let look = remote::look(slot, identity.stack)?;
        let Waiting { kind, address, timeout, since, labels, .. } = look.waiting;
        let wait = Wait {
            slot,
            bounds: identity.stack,
            sequence: look.sequence,
            kind,
            address,
            timeout,
            lasting: self.now.saturating_sub(since),
        };
        let seen = listed.seen(Doing::Waiting(kind), look.stack(), labels);
        Some(Seen { wait: Some(wait), ..seen })
    }

    /// Asks the others, but for those in calls that would be broken.
    fn ask(&mut self) {
        let mut asked = Vec::new();
        for listed in std::mem::take(&mut self.silent) {
            match syscall::of(listed.tid) {
                Some(call) if !call.restarts() => {
                    let stack = call.stack("[not interrupted]");
                    let seen = listed.seen(Doing::InCall(call.number), stack, LabelsId::NONE);
                    self.seen.push(seen);
                }
                call => {
                    asked.push((listed, call.map_or(Doing::Running, |c| Doing::InCall(c.number))));
                }
            }
        }
        let tids: Vec<i32> = asked.iter().map(|(listed, _)| listed.tid).collect();
        let mut answers = ask::stacks(&tids);
        for (i, (listed, doing)) in asked.into_iter().enumerate() {
            match answers.remove(&i) {
                Some(ask::Answer::Stack(stack, labels)) => {
                    self.seen.push(listed.seen(doing, stack, labels));
                }
                Some(ask::Answer::Gone) => {}
                None => self.without_answer(&listed),
            }
        }
    }

    /// A thread that blocks our signal, say. It may have blocked, and said so, meanwhile.
    fn without_answer(&mut self, listed: &Listed) {
        let seen = self.waiting(listed).unwrap_or_else(|| {
            let call = syscall::of(listed.tid);
            let stack = match &call {
                Some(call) => call.stack("[no answer]"),
                None => Stack::pseudo("[no answer]"),
            };
            let doing = call.map_or(Doing::Running, |call| Doing::InCall(call.number));
            listed.seen(doing, stack, LabelsId::NONE)
        });
        self.seen.push(seen);
    }
}
