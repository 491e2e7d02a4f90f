//! Labels of futures.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Labels;

/// Gives futures labels.
pub trait LabelFuture: Future + Sized {
    /// This future, with labels in force while it is polled, by whichever thread.
    ///
    /// For a task that is to have those of its creator: `spawn(work.labeled(labels::current()))`.
    fn labeled(self, labels: Labels) -> Labeled<Self> {
        Labeled { labels, future: self }
    }
}

impl<F: Future> LabelFuture for F {}

/// A future with labels. See [`LabelFuture::labeled`].
#[derive(Clone, Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Labeled<F> {
    labels: Labels,
    future: F,
}

impl<F: Future> Future for Labeled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned as this is: never moved out, no `Drop` or other method of this type touches it, and
        // it is `Unpin` exactly if this is. `labels` is never pinned.
        let (labels, future) = unsafe {
            let this = self.get_unchecked_mut();
            (&this.labels, Pin::new_unchecked(&mut this.future))
        };
        labels.run(|| future.poll(context))
    }
}
