//! Work that takes milliseconds, such as naming functions, in threads of its own: the runtime that awaits it may be any,
//! with a clock or without, and may be the program's, which has other things to do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::cost::OurThread;

/// Does `work`. `None` if there is no thread.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    // Nobody is there to be told if the request was dropped meanwhile.
    spawn(move || drop(done.send(work())))?;
    result.await.ok()
}

/// Does `first`, and `then` after some time. Dropping the future ends the wait. `None` if there is no thread.
pub(super) async fn run_in_two<S: Send + 'static, T: Send + 'static>(
    first: impl FnOnce() -> S + Send + 'static,
    wait: Duration,
    then: impl FnOnce(S) -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let (_until_dropped, dropped) = mpsc::channel::<()>();
    spawn(move || {
        let state = first();
        if dropped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Nobody is there to be told if the request was dropped just now.
            let _ = done.send(then(state));
        }
    })?;
    result.await.ok()
}

/// What is being made for several who asked for the same at the same time.
static SHARED: Mutex<Option<HashMap<String, watch::Receiver<Option<Bytes>>>>> = Mutex::new(None);

/// Does `work`, unless it is being done already for another who gave the same `key`: then shares what that one gets.
/// `None` if there is no thread.
pub(super) async fn run_shared(
    key: String,
    work: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Option<Bytes> {
    let mut result = join_or_start(key, work)?;
    result.wait_for(Option::is_some).await.ok()?.clone()
}

fn join_or_start(
    key: String,
    work: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Option<watch::Receiver<Option<Bytes>>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_default();
    if let Some(result) = shared.get(&key) {
        return Some(result.clone());
    }
    let (done, result) = watch::channel(None);
    let started = Started { key: key.clone() };
    spawn(move || {
        let bytes = work();
        // From here on, whoever asks gets a new one.
        drop(started);
        done.send_replace(Some(bytes.into()));
    })?;
    shared.insert(key, result.clone());
    Some(result)
}

/// The entry of what is being made; gone when that ends, by a panic too.
struct Started {
    key: String,
}

impl Drop for Started {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.as_mut().and_then(|shared| shared.remove(&self.key));
    }
}

/// Does `work`, and tells nobody. `None` if there is no thread.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Option<()> {
    let work = || {
        let _ours = OurThread::enter();
        work();
    };
    thread::Builder::new().name("oxprof-names".to_owned()).spawn(work).ok().map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    static DONE: AtomicU32 = AtomicU32::new(0);
    static GATE: Barrier = Barrier::new(2);

    fn slow() -> Vec<u8> {
        GATE.wait();
        vec![DONE.fetch_add(1, Ordering::Relaxed) as u8]
    }

    #[test]
    fn those_who_ask_at_the_same_time_share() {
        let waiting: Vec<_> =
            (0..5).map(|_| join_or_start("a".to_owned(), slow).unwrap()).collect();
        GATE.wait();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for mut result in waiting {
            let got =
                runtime.block_on(async { result.wait_for(Option::is_some).await.unwrap().clone() });
            assert_eq!(got, Some(Bytes::from_static(&[0])));
        }
        let later = runtime.block_on(async {
            let started = join_or_start("a".to_owned(), slow).unwrap();
            GATE.wait();
            started.clone().wait_for(Option::is_some).await.unwrap().clone()
        });
        assert_eq!(later.unwrap(), Bytes::from_static(&[1]));
    }

    #[test]
    fn a_panic_is_not_remembered() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let panics = run_shared("b".to_owned(), || std::panic::resume_unwind(Box::new(())));
        assert_eq!(runtime.block_on(panics), None);
        let works = run_shared("b".to_owned(), Vec::new);
        assert_eq!(runtime.block_on(works), Some(Bytes::new()));
    }
}
