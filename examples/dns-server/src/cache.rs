//! Answers that are still good.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::message::{self, Answer, Question};

/// Answers without records, such as that a name does not exist, are kept this long.
const NEGATIVE: Duration = Duration::from_secs(30);

/// Keeps answers until they are too old, at most so many.
pub(crate) struct Cache {
    entries: Mutex<HashMap<Question, Entry>>,
    capacity: usize,
}

struct Entry {
    message: Vec<u8>,
    ttls: Vec<usize>,
    since: Instant,
    until: Instant,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Mutex::default(), capacity: capacity.max(1) }
    }

    /// A good answer, as old as it has become.
    pub(crate) fn get(&self, question: &Question, now: Instant) -> Option<Vec<u8>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(question).filter(|entry| entry.until > now)?;
        let mut message = entry.message.clone();
        let seconds = now.saturating_duration_since(entry.since).as_secs();
        message::age(&mut message, &entry.ttls, u32::try_from(seconds).unwrap_or(u32::MAX));
        Some(message)
    }

    /// Keeps an answer for as long as it says. When there is no room, the one that ends first goes.
    pub(crate) fn put(&self, question: Question, message: &[u8], answer: &Answer, now: Instant) {
        let ttl = answer.ttl(message).map_or(NEGATIVE, |ttl| Duration::from_secs(ttl.into()));
        let entry = Entry {
            message: message.to_vec(),
            ttls: answer.ttls.clone(),
            since: now,
            until: now + ttl,
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity && !entries.contains_key(&question) {
            let first = entries.iter().min_by_key(|(_, entry)| entry.until).map(|(q, _)| q.clone());
            first.map(|question| entries.remove(&question));
        }
        entries.insert(question, entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn answers_are_kept_while_good_and_while_there_is_room() {
        let (cache, now) = (Cache::new(2), Instant::now());
        let put = |name: &str, ttl| {
            let question = Question { name: name.into(), kind: message::A };
            let message = message::answer(1, &question, &[Ipv4Addr::LOCALHOST], ttl);
            cache.put(question.clone(), &message, &Answer::read(&message).unwrap(), now);
            question
        };
        let (a, b) = (put("a", 10), put("b", 60));
        let later = now + Duration::from_secs(9);
        let message = cache.get(&a, later).unwrap();
        assert_eq!(Answer::read(&message).unwrap().ttl(&message), Some(1));
        assert!(cache.get(&a, now + Duration::from_secs(10)).is_none());
        put("c", 60);
        assert!(cache.get(&a, now).is_none() && cache.get(&b, now).is_some());
        cache.clear();
        assert_eq!(cache.len(), 0);
    }
}
