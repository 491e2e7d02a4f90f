//! One value, handed from one thread to another that waits for it or polls.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::Error;

/// The side that gives the value. Dropped without, the other side gets [`Error::Died`].
pub(super) struct Promise<T>(Arc<Slot<T>>);

/// The side that gets the value.
pub(super) struct Reply<T>(Arc<Slot<T>>);

struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Stays set once the value is taken.
    is_set: bool,
    value: Option<Result<T, Error>>,
    waker: Option<Waker>,
}

pub(super) fn pair<T>() -> (Promise<T>, Reply<T>) {
    let state = Mutex::new(State { is_set: false, value: None, waker: None });
    let slot = Arc::new(Slot { state, changed: Condvar::new() });
    (Promise(Arc::clone(&slot)), Reply(slot))
}

impl<T> Promise<T> {
    pub(super) fn fulfil(self, value: Result<T, Error>) {
        self.0.set(value);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.set(Err(Error::Died));
    }
}

impl<T> Reply<T> {
    /// A reply that is there already.
    pub(super) fn ready(value: Result<T, Error>) -> Self {
        let (promise, reply) = pair();
        promise.fulfil(value);
        reply
    }

    pub(super) fn wait(self) -> Result<T, Error> {
        let mut state = self.0.lock();
        loop {
            if let Some(value) = state.value.take() {
                return value;
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<T, Error>> {
        let mut state = self.0.lock();
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the value unless one was set before.
    fn set(&self, value: Result<T, Error>) {
        let mut state = self.lock();
        if state.is_set {
            return;
        }
        state.is_set = true;
        state.value = Some(value);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
