//! The profiles that the page can show.
//!
//! Shared by all requests. Rules:
//! 1. A profile never changes once it is in here; loading the first one again puts another in its place.
//! 2. Every profile has an id that is never used again, so whatever was made of it is known by it.
//! 3. At most [`MOST`] profiles are kept besides the first; the oldest one goes.
//! 4. One comparison is kept, the last one asked for.
//! 5. The first profile may come late: until it is there, whoever asks for one waits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use oxprof_profile::Profile;
use oxprof_report::pipeline::{Base, combine};
use serde::Serialize;

use crate::{Giver, Loaded};

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
    pub(crate) giver: Giver,
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
pub(crate) struct Library {
    inner: Mutex<Inner>,
    /// Told when the first profile is there.
    arrived: Condvar,
    /// What to call the first profile.
    name: String,
}

#[derive(Debug, Default)]
struct Inner {
    /// Ids that were given.
    ids: u64,
    first: Option<Arc<Entry>>,
    others: Vec<Arc<Entry>>,
    compared: Option<(Choice, Arc<Entry>)>,
}

/// The id by which pages know the first profile, whichever it is at the time.
const FIRST: u64 = 0;

impl Library {
    /// No profiles yet; the first one will be called `name`.
    pub(crate) fn new(name: String) -> Self {
        Self { inner: Mutex::default(), arrived: Condvar::new(), name }
    }

    /// Whether the first profile is there.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().first.is_some()
    }

    /// All profiles, the first one as number 0.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let inner = self.lock();
        let listed =
            |id, e: &Entry| Listed { id, name: e.name.clone(), samples: e.profile.samples.len() };
        let first = inner.first.iter().map(|e| listed(FIRST, e));
        first.chain(inner.others.iter().map(|e| listed(e.id, e))).collect()
    }

    /// Adds a profile; gives its id.
    pub(crate) fn add(&self, name: &str, loaded: Loaded, giver: Giver) -> u64 {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.others.push(Arc::new(entry(id, name, loaded, giver)));
        if inner.others.len() > MOST {
            inner.others.remove(0);
        }
        id
    }

    /// Puts a profile of the user in the first place.
    pub(crate) fn set_first(&self, loaded: Loaded) {
        let mut inner = self.lock();
        let id = inner.take_id();
        inner.first = Some(Arc::new(entry(id, &self.name, loaded, Giver::User)));
        inner.compared = None;
        self.arrived.notify_all();
    }

    /// The profile of a choice.
    ///
    /// # Errors
    /// When there is none, or two that do not fit together, in words.
    pub(crate) fn choose(&self, choice: Choice) -> Result<Arc<Entry>, String> {
        let mut inner = self.open();
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
        let loaded = Loaded { profile: compared, remarks: Vec::new() };
        let made = Arc::new(entry(id, &name, loaded, profile.giver.with(base.giver)));
        inner.compared = Some((key, Arc::clone(&made)));
        Ok(made)
    }

    /// Once the first profile is there.
    fn open(&self) -> MutexGuard<'_, Inner> {
        let arrived = self.arrived.wait_while(self.lock(), |inner| inner.first.is_none());
        arrived.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half done: entries are put in place whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn find(&self, id: u64) -> Result<Arc<Entry>, String> {
        let found = match id {
            FIRST => self.first.as_ref(),
            id => self.others.iter().find(|entry| entry.id == id),
        };
        found
            .cloned()
            .ok_or_else(|| format!("there is no profile {id} any more; choose another one"))
    }
}

fn entry(id: u64, name: &str, loaded: Loaded, giver: Giver) -> Entry {
    let Loaded { profile, remarks } = loaded;
    Entry { id, name: name.to_owned(), profile, remarks, giver }
}

fn compare(profile: &Entry, base: &Entry, normalize: bool) -> Result<Profile, String> {
    let (source, base) = (profile.profile.clone(), base.profile.clone());
    combine(source, Some(base), Base { compare: true, normalize })
        .map_err(|e| format!("these profiles cannot be compared: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Loaded {
        Loaded { profile: oxprof_profile::decode(text.as_bytes()).unwrap(), remarks: Vec::new() }
    }

    fn library() -> Library {
        let library = Library::new("a".to_owned());
        library.set_first(loaded("main;f 3\n"));
        library
    }

    #[test]
    fn questions_wait_for_the_first_profile() {
        let library = Library::new("a".to_owned());
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| library.choose(Choice::default()).unwrap().name.clone());
            assert!(!library.is_open());
            library.set_first(loaded("main;f 3\n"));
            assert_eq!(asked.join().unwrap(), "a");
        });
        assert!(library.is_open());
    }

    #[test]
    fn comparisons_are_made_once() {
        let library = library();
        let base = library.add("b", loaded("main;g 2\n"), Giver::User);
        let choice = Choice { base: Some(base), ..Choice::default() };
        let first = library.choose(choice).unwrap();
        assert_eq!(first.profile.samples.len(), 2);
        assert!(Arc::ptr_eq(&first, &library.choose(choice).unwrap()));
        library.set_first(loaded("main;f 4\n"));
        assert!(!Arc::ptr_eq(&first, &library.choose(choice).unwrap()));
    }

    #[test]
    fn the_oldest_of_many_profiles_goes() {
        let library = library();
        let ids: Vec<u64> =
            (0..=MOST).map(|_| library.add("b", loaded("main;f 3\n"), Giver::User)).collect();
        assert_eq!(library.list().len(), MOST + 1);
        let chosen = |id| library.choose(Choice { profile: Some(id), ..Choice::default() });
        let gone = chosen(ids[0]).unwrap_err();
        assert!(gone.starts_with("there is no profile"), "{gone}");
        assert!(chosen(ids[1]).is_ok());
        assert!(chosen(FIRST).is_ok());
    }
}
