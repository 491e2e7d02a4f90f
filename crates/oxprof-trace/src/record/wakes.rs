//! Which wake-up ended which wait.
//!
//! A wake-up names a place, such as a futex, and how many of those who wait there are to run; it does not say
//! whom. The one that ended a wait is therefore the first at the same place, since the wait began, that has not
//! been used up by others.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::{Record, StackKey, What};
use crate::ThreadId;

/// Wake-ups kept of one place. More come only if nobody waits there, or faster than anybody runs.
const KEPT: usize = 64;

/// Waits and wake-ups that have not met.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    waiting: FxHashMap<ThreadId, Wait>,
    wakes: FxHashMap<u64, VecDeque<Wake>>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    on: u64,
    since: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wake {
    time: u64,
    left: u32,
    /// Its position among the records, if it is one of them.
    position: Option<usize>,
    stack: StackKey,
}

/// Who woke whom among some records.
#[derive(Debug, Default)]
pub(super) struct Wakeups {
    /// By position of the wake-up, whom it wakes.
    pub(super) woken: FxHashMap<usize, Vec<ThreadId>>,
    /// By position of a wait's end, where the wake-up was if it is not one of the records.
    pub(super) earlier: FxHashMap<usize, StackKey>,
}

impl Waits {
    /// Notes that a thread waits.
    pub(super) fn begin(&mut self, thread: ThreadId, on: u64, since: u64) {
        if on != 0 {
            self.waiting.insert(thread, Wait { on, since });
        }
    }

    /// Pairs the wake-ups and waits of `records`, which are sorted by time. Those from `split` on only tell
    /// which of the earlier wake-ups were used; they will come again.
    pub(super) fn pair(&mut self, records: &[Record], split: usize) -> Wakeups {
        let mut wakeups = Wakeups::default();
        let mut numbered = records.iter().enumerate();
        for (position, record) in numbered.by_ref().take(split) {
            self.step(position, record, &mut wakeups);
        }
        let mut ahead = self.clone();
        for (position, record) in numbered {
            ahead.step(position, record, &mut wakeups);
        }
        wakeups.woken.retain(|&position, _| position < split);
        wakeups.earlier.retain(|&position, _| position < split);
        self.keep_since(records.first().map_or(0, |record| record.time));
        wakeups
    }

    fn step(&mut self, position: usize, record: &Record, wakeups: &mut Wakeups) {
        match record.what {
            What::WaitBegin { on, .. } => self.begin(record.thread, on, record.time),
            What::WaitEnd => {
                let wait = self.waiting.remove(&record.thread);
                match wait.and_then(|wait| self.take(wait)) {
                    Some(Wake { position: Some(wake), .. }) => {
                        wakeups.woken.entry(wake).or_default().push(record.thread);
                    }
                    Some(wake) => _ = wakeups.earlier.insert(position, wake.stack),
                    None => {}
                }
            }
            What::Wake { on, count, stack } if count > 0 => {
                let queue = self.wakes.entry(on).or_default();
                if queue.len() == KEPT {
                    queue.pop_front();
                }
                let position = Some(position);
                queue.push_back(Wake { time: record.time, left: count, position, stack });
            }
            _ => {}
        }
    }

    /// Uses up the first wake-up that may have ended a wait.
    fn take(&mut self, wait: Wait) -> Option<Wake> {
        let queue = self.wakes.get_mut(&wait.on)?;
        let i = queue.iter().position(|wake| wake.time >= wait.since && wake.left > 0)?;
        queue[i].left -= 1;
        Some(queue[i])
    }

    /// Forgets wake-ups that nobody can still be on the way from.
    fn keep_since(&mut self, time: u64) {
        self.wakes.retain(|_, queue| {
            queue.retain(|wake| wake.time >= time && wake.left > 0);
            queue.iter_mut().for_each(|wake| wake.position = None);
            !queue.is_empty()
        });
    }
}
