//! The profiles that the page can show.
//!
//! Shared by all requests. Rules:
//! 1. A profile never changes once it is in here; loading the first one again puts another in its place.
//! 2. Every profile has an id that is never used again, so whatever was made of it is known by it.
//! 3. At most [`MOST`] profiles are kept besides the first; the oldest one goes.
//! 4. One comparison is kept, the last one asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oxprof_profile::Profile;
use oxprof_report::pipeline::{Base, combine};
use serde::Serialize;

use crate::Loaded;

/// Profiles that are kept besides the first.
const MOST: usize = 16;

/// A profile to look at.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Tells it from every other, comparisons included.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) profile: Profile,
    pub(crate) remarks: Vec<String>,
}

/// What the page says about a profile of the library.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) samples: usize,
}

/// Which profile, and what to compare it with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) profile: Option<u64>,
    pub(crate) base: Option<u64>,
    pub(crate) normalize: bool,
}

#[derive(Debug)]
pub(crate) struct Library(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    next: u64,
    first: Arc<Entry>,
    others: Vec<Arc<Entry>>,
    compared: Option<(Choice, Arc<Entry>)>,
}

/// The id by which pages know the first profile, whichever it is at the time.
const FIRST: u64 = 0;

impl Library {
    pub(crate) fn new(name: &str, first: Loaded) -> Self {
        let first = Arc::new(entry(1, name, first));
        Self(Mutex::new(Inner { next: 2, first, others: Vec::new(), compared: None }))
    }

    /// All profiles, the first one as number 0.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let inner = self.lock();
        let listed =
            |id, e: &Entry| Listed { id, name: e.name.clone(), samples: e.profile.samples.len() };
        let others = inner.others.iter().map(|e| listed(e.id, e));
        std::iter::once(listed(FIRST, &inner.first)).chain(others).collect()
    }

    /// Adds a profile; gives its id.
    pub(crate) fn add(&self, name: &str, loaded: Loaded) -> u64 {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.others.push(Arc::new(entry(id, name, loaded)));
        if inner.others.len() > MOST {
            inner.others.remove(0);
        }
        id
    }

    /// Puts another profile in the place of the first.
    pub(crate) fn replace_first(&self, loaded: Loaded) {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.first = Arc::new(entry(id, &inner.first.name, loaded));
        inner.compared = None;
    }

    /// The profile of a choice.
    ///
    /// # Errors
    /// When there is none, or two that do not fit together, in words.
    pub(crate) fn choose(&self, choice: Choice) -> Result<Arc<Entry>, String> {
        let mut inner = self.lock();
        let profile = inner.find(choice.profile.unwrap_or(FIRST))?;
        let Some(base) = choice.base else { return Ok(profile) };
        let base = inner.find(base)?;
        let key = Choice { profile: Some(profile.id), base: Some(base.id), ..choice };
        if let Some((known, entry)) = &inner.compared
            && *known == key
        {
            return Ok(Arc::clone(entry));
        }
        inner.compared = None;
        let compared = compare(&profile, &base, choice.normalize)?;
        let name = format!("{} compared with {}", profile.name, base.name);
        let id = inner.take_id();
        let made = Arc::new(entry(id, &name, Loaded { profile: compared, remarks: Vec::new() }));
        inner.compared = Some((key, Arc::clone(&made)));
        Ok(made)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half done: entries are put in place whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn find(&self, id: u64) -> Result<Arc<Entry>, String> {
        let found = match id {
            FIRST => Some(&self.first),
            id => self.others.iter().find(|entry| entry.id == id),
        };
        found
            .cloned()
            .ok_or_else(|| format!("there is no profile {id} any more; choose another one"))
    }
}

fn entry(id: u64, name: &str, loaded: Loaded) -> Entry {
    let Loaded { profile, remarks } = loaded;
    Entry { id, name: name.to_owned(), profile, remarks }
}

fn compare(profile: &Entry, base: &Entry, normalize: bool) -> Result<Profile, String> {
    let (source, base) = (profile.profile.clone(), base.profile.clone());
    combine(vec![source], vec![base], Base { compare: true, normalize })
        .map_err(|e| format!("these profiles cannot be compared: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Loaded {
        Loaded { profile: oxprof_profile::decode(text.as_bytes()).unwrap(), remarks: Vec::new() }
    }

    #[test]
    fn comparisons_are_made_once() {
        let library = Library::new("a", loaded("main;f 3\n"));
        let base = library.add("b", loaded("main;g 2\n"));
        let choice = Choice { base: Some(base), ..Choice::default() };
        let first = library.choose(choice).unwrap();
        assert_eq!(first.profile.samples.len(), 2);
        assert!(Arc::ptr_eq(&first, &library.choose(choice).unwrap()));
        library.replace_first(loaded("main;f 4\n"));
        assert!(!Arc::ptr_eq(&first, &library.choose(choice).unwrap()));
    }

    #[test]
    fn the_oldest_of_many_profiles_goes() {
        let library = Library::new("a", loaded("main;f 3\n"));
        let ids: Vec<u64> = (0..=MOST).map(|_| library.add("b", loaded("main;f 3\n"))).collect();
        assert_eq!(library.list().len(), MOST + 1);
        let chosen = |id| library.choose(Choice { profile: Some(id), ..Choice::default() });
        let gone = chosen(ids[0]).unwrap_err();
        assert!(gone.starts_with("there is no profile"), "{gone}");
        assert!(chosen(ids[1]).is_ok());
        assert!(chosen(FIRST).is_ok());
    }
}
