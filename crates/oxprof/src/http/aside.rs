//! Work that takes milliseconds, such as naming functions, in threads of its own: the runtime that awaits it may be any,
//! with a clock or without, and may be the program's, which has other things to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::limits::Slot;
use crate::cost::OurThread;
use crate::log;

/// Where the work of one request is done. What is begun counts as being answered until it has ended, though the client
/// may have gone away: so who asks and leaves, again and again, starts no more threads than the limits say.
#[derive(Clone, Debug)]
pub(super) struct Aside(Slot);

/// Why work came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no thread for it.
    NoThread,
    /// It panicked.
    Panic,
}

impl Aside {
    pub(super) fn new(slot: Slot) -> Self {
        Self(slot)
    }

    /// Does `work`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, result) = oneshot::channel();
        let slot = self.0.clone();
        spawn(move || {
            let result = work();
            drop(slot);
            // Nobody is there to be told if the request was dropped meanwhile.
            let _ = done.send(result);
        })?;
        result.await.map_err(|_| Failure::Panic)
    }

    /// Does `first`, and `then` after some time. Dropping the future ends the wait.
    pub(super) async fn run_in_two<S: Send + 'static, T: Send + 'static>(
        &self,
        first: impl FnOnce() -> S + Send + 'static,
        wait: Duration,
        then: impl FnOnce(S) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, result) = oneshot::channel();
        let (_until_dropped, dropped) = mpsc::channel::<()>();
        let slot = self.0.clone();
        spawn(move || {
            let state = first();
            if dropped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                let result = then(state);
                drop(slot);
                // Nobody is there to be told if the request was dropped just now.
                let _ = done.send(result);
            }
        })?;
        result.await.map_err(|_| Failure::Panic)
    }

    /// Does `work`, unless it is being done already for another who gave the same `key`: then shares what that one gets.
    pub(super) async fn run_shared(
        &self,
        key: String,
        work: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<Bytes, Failure> {
        let mut result = self.join_or_start(key, work);
        let result = result.wait_for(Option::is_some).await.map_err(|_| Failure::Panic)?;
        result.clone().unwrap_or(Err(Failure::Panic))
    }

    fn join_or_start(
        &self,
        key: String,
        work: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> watch::Receiver<Shared> {
        let (done, result) = watch::channel(None);
        if let Some(result) = join_or_insert(&key, &result) {
            return result;
        }
        let done = Arc::new(done);
        let (sender, started, slot) = (Arc::clone(&done), Started { key }, self.0.clone());
        let thread = spawn(move || {
            let bytes = work();
            // From here on, whoever asks gets a new one.
            drop((started, slot));
            sender.send_replace(Some(Ok(bytes.into())));
        });
        if let Err(failure) = thread {
            done.send_replace(Some(Err(failure)));
        }
        result
    }

    /// Does `work`, and tells nobody.
    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let slot = self.0.clone();
        spawn(move || {
            let _answered = slot;
            work();
        })
    }
}

/// What several wait for; nothing yet at first.
type Shared = Option<Result<Bytes, Failure>>;

/// What is being made for several who asked for the same at the same time. No thread holds the lock while it starts
/// another: work that cannot be started takes its own entry away.
static SHARED: Mutex<Option<HashMap<String, watch::Receiver<Shared>>>> = Mutex::new(None);

/// What another is making under this key. If there is none, `own` is there for others from now on.
fn join_or_insert(key: &str, own: &watch::Receiver<Shared>) -> Option<watch::Receiver<Shared>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_default();
    let found = shared.get(key).cloned();
    if found.is_none() {
        shared.insert(key.to_owned(), own.clone());
    }
    found
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

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let work = || {
        let _ours = OurThread::enter();
        work();
    };
    match thread::Builder::new().name("oxprof-names".to_owned()).spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => {
            log::warn(format_args!("cannot start a thread to answer a request: {error}"));
            Err(Failure::NoThread)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::pin::pin;
    use std::process::Command;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::super::limits::Running;
    use super::*;

    static DONE: AtomicU32 = AtomicU32::new(0);
    static GATE: Barrier = Barrier::new(2);

    fn slow() -> Vec<u8> {
        GATE.wait();
        vec![DONE.fetch_add(1, Ordering::Relaxed) as u8]
    }

    fn aside() -> Aside {
        Aside::new(Running::default().enter(1).unwrap())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn wait(mut result: watch::Receiver<Shared>) -> Shared {
        block_on(async { result.wait_for(Option::is_some).await.unwrap().clone() })
    }

    #[test]
    fn those_who_ask_at_the_same_time_share() {
        let start = || aside().join_or_start("a".to_owned(), slow);
        let waiting: Vec<_> = (0..5).map(|_| start()).collect();
        GATE.wait();
        for result in waiting {
            assert_eq!(wait(result), Some(Ok(Bytes::from_static(&[0]))));
        }
        let later = start();
        GATE.wait();
        assert_eq!(wait(later), Some(Ok(Bytes::from_static(&[1]))));
    }

    #[test]
    fn a_panic_is_not_remembered() {
        let aside = aside();
        let panics = aside.run_shared("b".to_owned(), || std::panic::resume_unwind(Box::new(())));
        assert_eq!(block_on(panics), Err(Failure::Panic));
        let works = aside.run_shared("b".to_owned(), Vec::new);
        assert_eq!(block_on(works), Ok(Bytes::new()));
    }

    #[test]
    fn without_a_thread_requests_fail_and_leave_nothing_behind() {
        const IS_CHILD: &str = "OXPROF_TEST_WITHOUT_THREADS";
        if env::var_os(IS_CHILD).is_none() {
            let name = thread::current().name().unwrap().to_owned();
            let mut child = Command::new(env::current_exe().unwrap());
            // No thread can have so large a stack.
            child.args(["--exact", &name]).env("RUST_MIN_STACK", (1_u64 << 60).to_string());
            let output = child.env(IS_CHILD, "1").output().unwrap();
            assert!(output.status.success(), "{output:?}");
            return;
        }
        // SAFETY: has no preconditions. Ends a test that waits for itself.
        unsafe { libc::alarm(60) };
        let running = Running::default();
        let aside = Aside::new(running.enter(1).unwrap());
        for _ in 0..2 {
            let work = aside.run_shared("c".to_owned(), Vec::new);
            assert_eq!(block_on(work), Err(Failure::NoThread));
        }
        assert_eq!(block_on(aside.run(|| ())), Err(Failure::NoThread));
        drop(aside);
        assert!(running.enter(1).is_some());
    }

    #[test]
    fn work_is_counted_when_its_client_has_gone() {
        let running = Running::default();
        let (go, gate) = mpsc::channel::<()>();
        {
            let aside = Aside::new(running.enter(1).unwrap());
            let work = pin!(aside.run(move || gate.recv()));
            assert!(matches!(work.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        }
        assert!(running.enter(1).is_none(), "its thread still runs");
        go.send(()).unwrap();
        while running.enter(1).is_none() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
