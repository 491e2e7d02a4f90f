//! Work on a trace that may take a while: begun once, by whoever asks first, and kept.
//!
//! Rules:
//! 1. The work runs in a thread of its own, at most once in the life of a job.
//! 2. It may publish results before it ends; each takes the place of the one before.
//! 3. Once it has ended, nothing changes any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who asks waits so long for work that is done quickly.
pub(super) const PATIENCE: Duration = Duration::from_millis(150);

/// Some work and what came of it. Clones are the same job.
#[derive(Debug)]
pub(super) struct Job<T>(Arc<(Mutex<State<T>>, Condvar)>);

#[derive(Debug)]
struct State<T> {
    begun: bool,
    ended: bool,
    /// How much is done, from 0 to 1.
    progress: f64,
    result: Option<Result<Arc<T>, String>>,
}

/// How a job stands.
#[derive(Debug)]
pub(super) struct Standing<T> {
    /// How much is done; 1 for all.
    pub(super) progress: f64,
    /// The latest result, if there is any yet.
    pub(super) value: Option<Arc<T>>,
}

impl<T> Clone for Job<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Job<T> {
    fn default() -> Self {
        let state = State { begun: false, ended: false, progress: 0.0, result: None };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }
}

impl<T: Send + Sync + 'static> Job<T> {
    /// How the job stands, after it has been begun.
    pub(super) fn ask(
        &self,
        work: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<Standing<T>, String> {
        self.begin(work)?;
        self.standing()
    }

    /// Begins the job, if nobody has.
    pub(super) fn begin(
        &self,
        work: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<(), String> {
        let mut state = self.lock();
        if !state.begun {
            self.spawn(work)?;
            state.begun = true;
        }
        Ok(())
    }

    /// How the job, which has been begun, stands.
    pub(super) fn standing(&self) -> Result<Standing<T>, String> {
        let state = self.lock();
        let waited = self.0.1.wait_timeout_while(state, PATIENCE, |state| !state.ended);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let progress = if state.ended { 1.0 } else { state.progress.min(0.999) };
        let value = state.result.clone().transpose()?;
        Ok(Standing { progress, value })
    }

    /// Whether all is done.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    fn spawn(
        &self,
        work: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<(), String> {
        let job = self.clone();
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&job)));
            let failed = || Err("the page failed; see the server's messages".to_owned());
            let mut state = job.lock();
            state.result = Some(result.unwrap_or_else(|_| failed()).map(Arc::new));
            state.ended = true;
            job.0.1.notify_all();
        };
        let thread = std::thread::Builder::new().name("oxprof-trace".to_owned()).spawn(work);
        thread.map(drop).map_err(|e| format!("no thread can be started: {e}"))
    }

    /// Says how much is done.
    pub(super) fn progress(&self, progress: f64) {
        self.lock().progress = progress;
    }

    /// Puts out what there is so far.
    pub(super) fn publish(&self, value: T) {
        self.lock().result = Some(Ok(Arc::new(value)));
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_is_done_once_and_seen_on_its_way() {
        let (job, (go, wait)) = (Job::default(), channel::<()>());
        let work = move |job: &Job<u32>| {
            job.progress(0.5);
            job.publish(1);
            wait.recv().map_err(|e| e.to_string()).map(|()| 2)
        };
        let standing = job.ask(work).unwrap();
        assert!(standing.progress < 1.0);
        go.send(()).unwrap();
        let standing = loop {
            let standing = job.ask(|_| Ok(3)).unwrap();
            if standing.progress == 1.0 {
                break standing;
            }
        };
        assert_eq!(standing.value.as_deref(), Some(&2));
    }

    #[test]
    fn what_fails_says_so_every_time() {
        let job = Job::<u32>::default();
        let error = |job: &Job<u32>| loop {
            if let Err(error) = job.ask(|_| Err("no trace".to_owned())) {
                return error;
            }
        };
        assert_eq!((error(&job), error(&job)), ("no trace".to_owned(), "no trace".to_owned()));
    }
}
