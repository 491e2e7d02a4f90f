//! Wrong tokens are counted, so that nobody can try many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::peer::Source;

/// What one failure costs: a source may fail once in this time for ever.
const COST: Duration = Duration::from_secs(1);

/// How many failures a source may have on account.
const BURST: u32 = 10;

/// Sources that are remembered.
const MAX_SOURCES: usize = 1024;

/// Until when each source is in debt.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(Arc<Mutex<HashMap<Source, Instant>>>);

impl Failures {
    /// How long `source` has to wait before it may try a token.
    pub(super) fn wait(&self, source: Source, now: Instant) -> Option<Duration> {
        let debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed_at = debts.get(&source)?.checked_sub(COST * (BURST - 1))?;
        allowed_at.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong token.
    pub(super) fn note(&self, source: Source, now: Instant) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = debts.get(&source).map_or(now, |until| now.max(*until));
        if debts.len() >= MAX_SOURCES && !debts.contains_key(&source) {
            make_room(&mut debts);
        }
        debts.insert(source, until + COST);
    }
}

/// Forgets the source with the least debt.
fn make_room(debts: &mut HashMap<Source, Instant>) {
    let least = debts.iter().min_by_key(|(_, until)| **until).map(|(source, _)| *source);
    least.and_then(|source| debts.remove(&source));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_beyond_some_have_to_wait() {
        let (failures, start) = (Failures::default(), Instant::now());
        let (us, them) = (Source::User(1), Source::User(2));
        for _ in 0..BURST {
            assert_eq!(failures.wait(us, start), None);
            failures.note(us, start);
        }
        assert_eq!(failures.wait(us, start), Some(COST));
        assert_eq!(failures.wait(them, start), None);
        assert_eq!(failures.wait(us, start + COST), None);
        failures.note(us, start + COST);
        assert_eq!(failures.wait(us, start + COST), Some(COST));
        assert_eq!(failures.wait(us, start + COST * 100), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (failures, start) = (Failures::default(), Instant::now());
        for _ in 0..BURST {
            failures.note(Source::User(0), start);
        }
        for user in 1..5000 {
            failures.note(Source::User(user), start);
        }
        assert_eq!(failures.0.lock().unwrap().len(), MAX_SOURCES);
        assert!(failures.wait(Source::User(0), start).is_some());
    }
}
