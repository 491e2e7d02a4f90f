//! Why something was late: the chain of what it waited for.
//!
//! From the end of an interval, the chain goes back in time. While the goroutine runs, that is the reason
//! the interval is not over. When it waits for a processor, so is that. When it is blocked until another
//! goroutine wakes it, the chain goes on with that goroutine, for whatever it did until then is the reason.

use oxprof_profile::StrId;
use rustc_hash::FxHashMap;

use crate::names::{Names, StackIdx};
use crate::{Event, GoId, GoState, Kind, SyncKind, Tables};

/// States of all goroutines in an interval of time. Feed it every event of a trace.
///
/// Memory: about 50 bytes for each change of a goroutine's state in the interval.
#[derive(Debug)]
pub struct History {
    names: Names,
    from: i64,
    to: i64,
    /// Since when events tell what goes on.
    known_since: Option<i64>,
    index: FxHashMap<GoId, u32>,
    goroutines: Vec<Goroutine>,
}

#[derive(Debug, Default)]
struct Goroutine {
    name: StrId,
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    time: i64,
    to: GoState,
    /// Who made the change.
    by: GoId,
    reason: StrId,
    stack: StackIdx,
}

/// A piece of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The goroutine that the chain goes through.
    pub goroutine: GoId,
    /// The function it starts in; empty if unknown.
    pub name: String,
    /// What it does.
    pub state: GoState,
    /// Why, if it waits.
    pub reason: String,
    /// When the piece begins.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// The goroutine that ended the state by waking this one or by creating it.
    pub woken_by: Option<GoId>,
    /// Function names of the stack with which the state began, leaf first.
    pub stack: Vec<String>,
}

impl History {
    /// The history of an interval.
    pub fn new(from: i64, to: i64) -> Self {
        let (index, goroutines) = (FxHashMap::default(), Vec::new());
        Self { names: Names::default(), from, to, known_since: None, index, goroutines }
    }

    /// Takes the next event into account.
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        self.names.event(event);
        let known_since = *self.known_since.get_or_insert(event.time);
        let t = match event.kind {
            Kind::Go(t) if t.from != t.to => t,
            Kind::Sync { kind: SyncKind::Gap, .. } => {
                self.goroutines.clear();
                self.index.clear();
                self.known_since = Some(event.time);
                return;
            }
            _ => return,
        };
        if event.time > self.to {
            return;
        }
        let reason = self.names.string(t.reason, tables);
        let stack = self.names.stack(event.stack, tables);
        let name = t.stack.and_then(|stack| tables.frames(stack).next_back()).map(|root| root.func);
        let go = self.goroutine(t.id);
        if let Some(name) = name.filter(|_| self.goroutines[go].name.is_empty()) {
            self.goroutines[go].name = self.names.string(name, tables);
        }
        let changes = &mut self.goroutines[go].changes;
        if event.time < self.from {
            // Only the state in which the interval finds it matters.
            changes.clear();
        }
        // A state that becomes known has lasted since anything is known, and nobody made it so.
        let (time, by) = match t.from {
            GoState::Undetermined => (known_since, GoId::NONE),
            _ => (event.time, event.goroutine),
        };
        changes.push(Change { time, to: t.to, by, reason, stack });
    }

    fn goroutine(&mut self, id: GoId) -> usize {
        let goroutines = &mut self.goroutines;
        *self.index.entry(id).or_insert_with(|| {
            goroutines.push(Goroutine::default());
            goroutines.len() as u32 - 1
        }) as usize
    }

    /// The chain that ends on a goroutine at the end of the interval, the latest link last.
    pub fn chain(&self, goroutine: GoId) -> Vec<Link> {
        let mut links = Vec::new();
        let (mut id, mut end) = (goroutine, self.to);
        // The state that follows `end`, whose cause is the waker.
        let mut next: Option<Change> = None;
        while end > self.from {
            let Some(change) = self.state_before(id, end) else {
                // It did not exist before. Whoever made it goes on.
                match next.take().map(|next| next.by).filter(|&by| by != id && !by.is_none()) {
                    Some(creator) => id = creator,
                    None => break,
                }
                continue;
            };
            let waker = next.filter(|next| woken(change.to, next)).map(|next| next.by);
            let start = change.time.max(self.from);
            if let Some(waker) =
                waker.filter(|&waker| waker != id && self.state_before(waker, end).is_some())
            {
                links.push(self.link(id, change, (end, end), Some(waker)));
                (id, next) = (waker, None);
                continue;
            }
            links.push(self.link(id, change, (start, end), waker.filter(|&waker| waker != id)));
            end = start;
            next = Some(change);
        }
        links.reverse();
        links
    }

    /// The state that a goroutine is in just before a time.
    fn state_before(&self, id: GoId, time: i64) -> Option<Change> {
        let changes = &self.goroutines[*self.index.get(&id)? as usize].changes;
        let i = changes.partition_point(|change| change.time < time).checked_sub(1)?;
        Some(changes[i]).filter(|change| change.to != GoState::NotExist)
    }

    fn link(
        &self,
        id: GoId,
        change: Change,
        (start, end): (i64, i64),
        woken_by: Option<GoId>,
    ) -> Link {
        let name = self.index.get(&id).map_or(StrId::EMPTY, |&i| self.goroutines[i as usize].name);
        let frames = self.names.frames(change.stack);
        Link {
            goroutine: id,
            name: self.names.get(name).to_owned(),
            state: change.to,
            reason: self.names.get(change.reason).to_owned(),
            start,
            end,
            woken_by,
            stack: frames.map(|frame| self.names.get(frame.func).to_owned()).collect(),
        }
    }
}

/// Whether a change ends a wait because of whoever made it.
fn woken(state: GoState, next: &Change) -> bool {
    state == GoState::Waiting && next.to == GoState::Runnable && !next.by.is_none()
}
