//! A trace on its way to somebody who reads it.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use oxprof_trace::write::header;

use super::Error;
use super::session::{self, Client, Generation, Listener};
use crate::code::fork::OwnMutex;

/// Most bytes that wait for a reader. One that is slower gets a trace that ends early.
const MOST: usize = 64 << 20;

/// A trace that is being recorded, as pieces of bytes. It is whole wherever it ends after a piece.
///
/// Dropping it ends the recording without waiting for what is missing. In the child of a fork it has ended, and has no more pieces.
pub struct Capture {
    queue: Arc<Queue>,
}

/// Pieces that have been recorded and not been read.
struct Queue {
    state: OwnMutex<State>,
    changed: Condvar,
}

struct State {
    pieces: VecDeque<Generation>,
    bytes: usize,
    has_ended: bool,
    /// Whether it ended because nobody read it.
    is_overdue: bool,
    waker: Option<Waker>,
}

impl Queue {
    /// `None` in the child of a fork.
    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.lock()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let Some(mut state) = self.lock() else { return };
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Listener for Queue {
    fn take(&self, generation: &Generation) -> bool {
        let mut wants_more = false;
        self.change(|state| {
            wants_more = !state.has_ended && state.bytes + generation.len() <= MOST;
            if wants_more {
                state.bytes += generation.len();
                state.pieces.push_back(Arc::clone(generation));
            } else {
                state.is_overdue = !state.has_ended;
            }
        });
        wants_more
    }

    fn end(&self) {
        self.change(|state| state.has_ended = true);
    }
}

/// Begins to record.
///
/// # Errors
/// When the recorder's thread cannot be started.
pub fn start() -> Result<Capture, Error> {
    begin(None)
}

/// Begins to record for some time, which the trace is long to the nanosecond unless it is [stopped](Capture::stop) before.
///
/// # Errors
/// When the recorder's thread cannot be started.
pub fn start_for(duration: Duration) -> Result<Capture, Error> {
    begin(Some(duration))
}

fn begin(duration: Option<Duration>) -> Result<Capture, Error> {
    let header: Generation = header().as_slice().into();
    let state = State {
        bytes: header.len(),
        pieces: VecDeque::from([header]),
        has_ended: false,
        is_overdue: false,
        waker: None,
    };
    let queue = Arc::new(Queue { state: OwnMutex::new(state), changed: Condvar::new() });
    session::begin(Client::Reader(Arc::clone(&queue) as _), duration)?;
    Ok(Capture { queue })
}

impl Capture {
    /// Ends the recording with what has happened up to now; the rest of the trace is there when this returns.
    pub fn stop(&self) {
        session::end(&Client::Reader(Arc::clone(&self.queue) as _));
    }

    /// The next piece of the trace, waiting for it; `None` after the last.
    pub fn next(&self) -> Option<Arc<[u8]>> {
        let mut state = self.queue.lock()?;
        loop {
            if let Some(piece) = state.take_piece() {
                return Some(piece);
            }
            if state.has_ended {
                return None;
            }
            state = self.queue.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same without waiting: the task of `context` is woken when it is worth another try.
    pub fn poll_next(&self, context: &mut std::task::Context<'_>) -> Poll<Option<Arc<[u8]>>> {
        let Some(mut state) = self.queue.lock() else { return Poll::Ready(None) };
        if let Some(piece) = state.take_piece() {
            return Poll::Ready(Some(piece));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether the recording ended because its pieces were not taken in time.
    pub fn is_overdue(&self) -> bool {
        self.queue.lock().is_some_and(|state| state.is_overdue)
    }

    /// Ends the recording and writes what is left of the trace.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self, mut writer: impl Write) -> io::Result<()> {
        for piece in self.rest() {
            writer.write_all(&piece)?;
        }
        writer.flush()
    }

    /// Ends the recording and gives what is left of the trace.
    pub(crate) fn rest(&self) -> impl Iterator<Item = Arc<[u8]>> {
        self.stop();
        std::iter::from_fn(|| self.next())
    }
}

impl State {
    fn take_piece(&mut self) -> Option<Generation> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.len();
        Some(piece)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Some(mut state) = self.queue.lock() {
            state.has_ended = true;
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    /// What a reader leaves is bounded, and the end says that there was more.
    #[test]
    fn a_slow_reader_gets_the_beginning() {
        let state = State {
            pieces: VecDeque::new(),
            bytes: 0,
            has_ended: false,
            is_overdue: false,
            waker: None,
        };
        let queue = Arc::new(Queue { state: OwnMutex::new(state), changed: Condvar::new() });
        let capture = Capture { queue: Arc::clone(&queue) };
        let piece: Generation = vec![0; MOST / 8].into();
        assert!((0..8).all(|_| queue.take(&piece)));
        assert!(capture.next().is_some());
        assert!(queue.take(&piece), "there is room again");
        assert!(!queue.take(&piece) && capture.is_overdue());
        queue.end();
        assert_eq!(std::iter::from_fn(|| capture.next()).count(), 8);
        assert!(capture.is_overdue());
    }

    #[test]
    fn a_reader_that_is_gone_is_not_overdue() {
        let capture = start().unwrap();
        let queue = Arc::clone(&capture.queue);
        drop(capture);
        assert!(!queue.take(&vec![0].into()) && !queue.lock().unwrap().is_overdue);
    }
}
