//! Wall-clock profiles: where time passes, on the CPU and off it, in all threads and async tasks.
//!
//! ```no_run
//! # fn work() {}
//! use oxprof::wall;
//!
//! let capture = wall::start(wall::Options::default())?;
//! work();
//! let profile = capture.finish()?;
//! std::fs::write("wall.pb.gz", oxprof_profile::encode_gzip(&profile, Default::default())).unwrap();
//! # Ok::<(), wall::Error>(())
//! ```
//!
//! A thread of the profiler's looks at all others so many times a second. A thread that waits since it was last looked at
//! is where it was; it costs a look at a clock, or not even that, and is left in peace. Others are asked where they are
//! by a signal, unless they are in a system call that would then return early. A thread that runs when it is asked may
//! enter such a call before the signal is there, and see `EINTR`. Sleeping, locking, async runtimes and whoever reads or
//! writes all of something go on then; a bare `recv` with a timeout does not.
//!
//! Tasks that are [known](crate::tasks) are there by the stacks of their `.await`s, as long as nobody polls them: then they
//! are in the stack of the thread that does. One that has not been polled since it was last looked at costs
//! nothing; others are polled once more, up to 64 at a look, to say what they wait for. A task that waits in
//! several places at once is at the first.
//!
//! The profile has two values a sample: how often a thread or task was seen there, and the time between the looks in
//! nanoseconds, whose sum is the time that all threads lived while the profile was taken, and that all tasks
//! waited. Labels say what a thread or task was doing (`state`), whether it was on the CPU or ready for it (`cpu`: `on`
//! or `off`), and what threads of its kind are called (`thread`). The profiler's own threads are left out.

mod rows;
mod sampler;
mod tasks;

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use oxprof_profile::Profile;

use crate::contention;
use crate::cpu::HZ_RANGE;
use sampler::{Recorded, Sampler};

/// Looks a second, unless [`Options::hz`] says otherwise: not quite a hundred, so as not to keep step with what programs
/// do that often.
pub const DEFAULT_HZ: u32 = 99;

/// How to take a wall-clock profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Looks a second at each thread, from 1 to 1000. In programs with more than some hundred threads, these take
    /// turns.
    pub hz: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { hz: DEFAULT_HZ }
    }
}

impl Options {
    /// Sets the number of looks a second.
    #[must_use]
    pub fn hz(mut self, hz: u32) -> Self {
        self.hz = hz;
        self
    }
}

/// Why there is no wall-clock profile.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The rate is out of range.
    Rate {
        /// The rate that was asked for.
        hz: u32,
    },
    /// The system refused a thread for the profiler.
    Thread(io::Error),
    /// The profiler's thread ended unexpectedly, or is in the parent of this process.
    Died,
}

/// A wall-clock profile being taken. Dropping it cancels.
#[derive(Debug)]
pub struct Capture {
    /// Dropping it ends the thread.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Recorded>,
    pid: u32,
}

/// Starts to take a wall-clock profile. Any number may be taken at once, each by a thread of its own.
///
/// # Errors
/// When the rate is out of range, or the system refuses a thread.
pub fn start(options: Options) -> Result<Capture, Error> {
    if !HZ_RANGE.contains(&options.hz) {
        return Err(Error::Rate { hz: options.hz });
    }
    crate::threads::prepare();
    let (stop, stopped) = mpsc::channel();
    let sampler = Sampler::new(options.hz);
    let builder = thread::Builder::new().name("oxprof-wall".to_owned());
    let run = move || {
        contention::exempt_current_thread();
        sampler.run(&stopped)
    };
    let thread = builder.spawn(run).map_err(Error::Thread)?;
    Ok(Capture { stop, thread, pid: std::process::id() })
}

impl Capture {
    /// Ends the capture and makes its profile.
    ///
    /// # Errors
    /// When the profiler's thread died, as it has in a child of `fork`.
    pub fn finish(self) -> Result<Profile, Error> {
        let Self { stop, thread, pid } = self;
        drop(stop);
        if pid != std::process::id() {
            return Err(Error::Died);
        }
        thread.join().map(Recorded::into_profile).map_err(|_| Error::Died)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { hz } => {
                let (low, high) = (HZ_RANGE.start(), HZ_RANGE.end());
                write!(f, "hz must be from {low} to {high}, not {hz}")
            }
            Self::Thread(source) => {
                write!(f, "the system refused a thread for the profiler: {source}")
            }
            Self::Died => f.write_str("the profiler's thread ended unexpectedly"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(source) => Some(source),
            Self::Rate { .. } | Self::Died => None,
        }
    }
}
