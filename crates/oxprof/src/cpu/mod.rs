//! CPU profiles of the running program.
//!
//! ```no_run
//! # fn work() {}
//! use oxprof::cpu;
//!
//! let capture = cpu::start(cpu::Options::default())?;
//! work();
//! let profile = capture.finish()?;
//! std::fs::write("cpu.pb.gz", oxprof_profile::encode_gzip(&profile, Default::default())).unwrap();
//! # Ok::<(), cpu::Error>(())
//! ```
//!
//! Every thread has a timer on its own CPU clock, which interrupts it after each so many
//! nanoseconds that it ran; the interrupted stack is walked by call-frame information, so that programs need
//! neither frame pointers nor debug information. See [`Capture`] for what a profile holds.
//!
//! Any number of captures may run at once. They share the timers, which exist only while one runs.
//!
//! # What it does to the program
//! - It installs a `SIGPROF` handler on first use and leaves it there: a signal that arrives late must
//!   not kill the process. Signals that are not ours go to the handler that was there before.
//! - It starts a thread, which blocks all signals, for as long as captures run.
//! - Signals hit only threads that are on a CPU, so no system call returns early with `EINTR`.
//!
//! Works on Linux on x86-64; elsewhere [`start`] returns [`Error::Unsupported`].

mod error;
mod file;
mod future;
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    expect(dead_code, reason = "without an engine nobody promises profiles")
)]
mod reply;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "linux/mod.rs"]
mod engine;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "unsupported.rs"]
mod engine;

use std::ops::RangeInclusive;
use std::time::Duration;

use oxprof_profile::Profile;

#[cfg(feature = "http")]
pub(crate) use engine::symbols;
pub use error::Error;
pub use file::{FileCapture, start_to_file};

/// Samples per second of CPU time, unless [`Options::hz`] says otherwise: as in Go.
pub const DEFAULT_HZ: u32 = 100;

/// Rates that [`Options::hz`] accepts.
pub const HZ_RANGE: RangeInclusive<u32> = 1..=1000;

/// How to take a CPU profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Samples per second of CPU time of each thread, in [`HZ_RANGE`].
    pub hz: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { hz: DEFAULT_HZ }
    }
}

impl Options {
    /// Sets the number of samples per second of CPU time.
    #[must_use]
    pub fn hz(mut self, hz: u32) -> Self {
        self.hz = hz;
        self
    }
}

/// A CPU profile being taken. Dropping it cancels.
///
/// # What the profile holds
/// Two values a sample, `samples` and `cpu` nanoseconds, the latter being the former times the period.
/// Their sum is the CPU time that the program used between start and finish, without the profiler's own
/// thread. What could not be attributed to code is there under a name in brackets:
///
/// | frame | what it stands for |
/// |---|---|
/// | `[before attach]` | time threads ran before the profiler saw them |
/// | `[lost]` | samples for which there was no room |
/// | `[unattributed]` | time of threads that came and went unseen, or that block `SIGPROF` |
/// | `[truncated]` | root of a stack that is deeper than 512 frames |
/// | `[incomplete]` | root of a stack that could not be followed to the thread's start |
///
/// Stacks in which a caller had to be guessed, because code has no call-frame information, have the label
/// `unwind` with the value `guessed`.
///
/// # Several at once
/// The timers run at the highest rate of all captures. A capture with a lower rate takes of each
/// thread's samples every so manieth by CPU time, starting at a random one, which is what timers at its own
/// rate would have done.
#[derive(Debug)]
pub struct Capture {
    session: engine::Capture,
}

/// Starts to take a CPU profile.
///
/// The first capture waits until call-frame information of the program and its libraries is compiled: some
/// milliseconds, about 1.5 per megabyte of code.
///
/// # Errors
/// When the rate is out of range, the platform is not supported, or the system refuses a thread, a
/// timer or the signal handler.
pub fn start(options: Options) -> Result<Capture, Error> {
    if !HZ_RANGE.contains(&options.hz) {
        return Err(Error::Rate { hz: options.hz });
    }
    engine::Capture::start(options.hz).map(|session| Capture { session })
}

impl Capture {
    /// Ends the capture and waits for its profile.
    ///
    /// # Errors
    /// When the process is a fork of the one that started the capture, or the profiler's thread died.
    pub fn finish(self) -> Result<Profile, Error> {
        self.session.finish().wait()
    }

    /// Ends the capture once `duration` has passed from now, in any async runtime or none: the profiler's
    /// own thread keeps the time. Dropping the future cancels.
    ///
    /// The future resolves to the errors of [`finish`](Self::finish).
    pub fn run_for(
        self,
        duration: Duration,
    ) -> impl Future<Output = Result<Profile, Error>> + Send + 'static {
        let reply = self.session.finish_after(duration);
        future::RunFor::new(self, reply)
    }
}

/// Tells the profiler of the thread that calls this, so that it need not be discovered.
///
/// While captures run, new threads are discovered within a tenth of a second, and what they ran until then
/// is in the profile without stacks. Programs with many short-lived threads get these stacks too if
/// each calls this first: from tokio's `on_thread_start`, rayon's `start_handler`, or one's own wrapper. With the
/// feature `pthread-create`, which is on by default, all threads of Rust do. It costs an atomic load when no
/// capture runs.
pub fn register_current_thread() {
    engine::register_current_thread();
}

/// Hands all samples up to now to the execution trace that is being recorded.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn flush() {
    engine::flush();
}

/// Stops profiling the calling thread, which ends.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn thread_ends() {
    engine::unregister_current_thread();
}
