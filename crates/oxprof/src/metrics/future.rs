//! Futures whose way from the first poll to the end is measured.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::function::{Call, Function};

/// A future that is measured. See [`Function::measure_future`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Measured<F, E> {
    function: &'static Function,
    /// From the first poll to the end. What is dropped before it is ready has ended, too.
    call: Option<Call>,
    is_error: Option<E>,
    future: F,
}

impl<F, E> Measured<F, E> {
    pub(super) fn new(function: &'static Function, is_error: E, future: F) -> Self {
        Self { function, call: None, is_error: Some(is_error), future }
    }
}

impl<F: Future, E: FnOnce(&F::Output) -> bool + Unpin> Future for Measured<F, E> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned as this is: never moved out, no `Drop` or other method of this type touches it, and
        // it is `Unpin` only if this is. The other fields are never pinned.
        let (this_call, is_error, function, future) = unsafe {
            let this = self.get_unchecked_mut();
            let future = Pin::new_unchecked(&mut this.future);
            (&mut this.call, &mut this.is_error, this.function, future)
        };
        let mut call = match this_call.take() {
            Some(mut call) => {
                call.resume();
                call
            }
            None => function.call(),
        };
        // A panic drops the call here, which makes it an error.
        let poll = future.poll(context);
        match &poll {
            Poll::Ready(output) => {
                call.set_error(is_error.take().is_some_and(|is_error| is_error(output)));
            }
            Poll::Pending => {
                call.suspend();
                *this_call = Some(call);
            }
        }
        poll
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Waker;

    use super::super::exposition::Format;
    use super::*;

    #[test]
    fn from_the_first_poll_to_the_end() {
        static F: Function = Function::new("test::future");
        let mut polls = 0;
        let twice = poll_fn(|_| {
            polls += 1;
            if polls < 2 { Poll::Pending } else { Poll::Ready(Err::<(), ()>(())) }
        });
        let mut context = Context::from_waker(Waker::noop());
        let mut future = Box::pin(F.measure_future(Result::is_err, twice));
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(future.as_mut().poll(&mut context).is_ready());
        drop(future);

        let mut cancelled = Box::pin(F.measure_future(|()| true, pending::<()>()));
        assert!(cancelled.as_mut().poll(&mut context).is_pending());
        drop(cancelled);
        drop(F.measure_future(|()| true, pending::<()>()));

        let text = crate::metrics::text(Format::Prometheus);
        for line in [
            r#"function_calls_total{function="test::future"} 2"#,
            r#"function_errors_total{function="test::future"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} not in {text}");
        }
    }
}
