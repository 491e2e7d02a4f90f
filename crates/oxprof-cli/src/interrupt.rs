//! ^C that stops what is going on, not the command: reports in the shell, and what the commands for services repeat.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGINT;

/// Whether ^C was pressed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupts(Arc<AtomicBool>);

/// Exit code after a second ^C, as shells report a process that a SIGINT has ended.
const INTERRUPTED: i32 = 130;

impl Interrupts {
    /// From now on ^C is noticed rather than obeyed, except for a second one before the first was
    /// [forgotten](Self::forget): whoever presses it twice wants out.
    pub(crate) fn catch() -> Self {
        let pressed = Self::default();
        let flag = || Arc::clone(&pressed.0);
        // Without a handler ^C ends the shell: less kind, but no reason not to start.
        let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, INTERRUPTED, flag());
        let _ = signal_hook::flag::register(SIGINT, flag());
        pressed
    }

    /// Starts anew.
    pub(crate) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether ^C was pressed since.
    pub(crate) fn pressed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits, unless ^C is pressed; whether it was not.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(50);
        let start = Instant::now();
        while !self.pressed() {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(STEP));
        }
        false
    }

    /// A writer that fails once ^C was pressed.
    pub(crate) fn guard<W: Write>(&self, inner: W) -> Guard<'_, W> {
        Guard { inner, interrupts: self }
    }
}

/// See [`Interrupts::guard`].
pub(crate) struct Guard<'a, W> {
    inner: W,
    interrupts: &'a Interrupts,
}

impl<W: Write> Write for Guard<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupts.pressed() {
            // Not `ErrorKind::Interrupted`, which means to try again.
            return Err(io::Error::other("interrupted"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_writer_stops_until_the_interrupt_is_forgotten() {
        let interrupts = Interrupts::default();
        let mut out = interrupts.guard(Vec::new());
        out.write_all(b"a").unwrap();
        interrupts.0.store(true, Ordering::Relaxed);
        assert_eq!(out.write_all(b"b").unwrap_err().to_string(), "interrupted");
        interrupts.forget();
        out.write_all(b"c").unwrap();
        assert_eq!(out.inner, b"ac");
    }
}
