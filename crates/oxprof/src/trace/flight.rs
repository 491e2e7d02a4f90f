//! The last seconds, always at hand.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, fs};

use oxprof_trace::write::header;

use super::Error;
use super::history::History;
use super::session::{self, Client};
use super::slice::Slice;
use crate::code::fork::OwnMutex;

/// Keeps what happened last, to be looked at when something has gone wrong.
///
/// ```
/// # fn main() -> Result<(), oxprof::trace::Error> {
/// let recorder = oxprof::trace::FlightRecorder::builder().start()?;
/// // … something takes too long …
/// let mut trace = Vec::new();
/// recorder.write_to(&mut trace).unwrap();
/// # Ok(())
/// # }
/// ```
///
/// Dropping it ends the recording, unless somebody else records.
pub struct FlightRecorder {
    kept: Arc<Kept>,
}

/// How much a [`FlightRecorder`] keeps.
#[derive(Clone, Copy, Debug)]
pub struct FlightRecorderBuilder {
    min_age: Duration,
    max_bytes: usize,
}

/// What happened last, as it was noted: what it means is found out when somebody asks.
pub(super) struct Kept {
    limits: FlightRecorderBuilder,
    /// `None` until the recording begins.
    history: OwnMutex<Option<History>>,
}

impl FlightRecorderBuilder {
    /// What happened within this time is there, if there is room: 10 seconds unless told otherwise.
    #[must_use]
    pub fn min_age(self, min_age: Duration) -> Self {
        Self { min_age, ..self }
    }

    /// About how many bytes it keeps at most: 32 MiB unless told otherwise. Each wait, end of a wait, poll, wake-up
    /// and the like takes 32 bytes, a message its text on top. What happened in the last second is always there, or
    /// if that is much, the last 4 MiB of it. The trace that is made of it is smaller.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Begins to record.
    ///
    /// # Errors
    /// When the recorder's thread cannot be started.
    pub fn start(self) -> Result<FlightRecorder, Error> {
        let kept = Arc::new(Kept { limits: self, history: OwnMutex::new(None) });
        session::begin(Client::Keeper(Arc::clone(&kept)), None)?;
        Ok(FlightRecorder { kept })
    }
}

impl Kept {
    /// Begins with a history.
    pub(super) fn begin(&self, history: History) {
        if let Some(mut kept) = self.history.lock() {
            *kept = Some(history);
        }
    }

    /// Takes what happened. Whether it wants more.
    pub(super) fn take(&self, slice: &Arc<Slice>) -> bool {
        let Some(mut history) = self.history.lock() else { return false };
        if let Some(history) = &mut *history {
            let FlightRecorderBuilder { min_age, max_bytes } = self.limits;
            let nanos = u64::try_from(min_age.as_nanos()).unwrap_or(u64::MAX);
            history.push(Arc::clone(slice), max_bytes, nanos);
        }
        true
    }

    /// A copy of what there is, which shares what was noted; `None` in the child of a fork.
    pub(super) fn history(&self) -> Option<History> {
        self.history.lock()?.clone()
    }
}

impl FlightRecorder {
    /// A recorder with the usual limits, to be changed and [started](FlightRecorderBuilder::start).
    pub fn builder() -> FlightRecorderBuilder {
        FlightRecorderBuilder { min_age: Duration::from_secs(10), max_bytes: 32 << 20 }
    }

    /// The trace of the last seconds, up to now; an empty one in the child of a fork, where nothing is recorded.
    ///
    /// It is made by the calling thread, which takes it about a quarter of a second for a million events.
    pub fn snapshot(&self) -> Vec<u8> {
        session::cut();
        self.kept.history().map_or_else(|| header().to_vec(), |history| history.to_trace())
    }

    /// Writes the trace of the last seconds, up to now.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        writer.write_all(&self.snapshot())?;
        writer.flush()
    }

    /// Writes the trace to a new file in a directory, whose name says when and why; returns its path.
    ///
    /// # Errors
    /// Those of the file.
    pub fn save(&self, directory: &Path, reason: &str) -> io::Result<PathBuf> {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let reason: String =
            reason.chars().take(64).map(|c| if is_plain(c) { c } else { '-' }).collect();
        let name = format!("{}.{:09}-{reason}.trace", time.as_secs(), time.subsec_nanos());
        let path = directory.join(name);
        // Never one that is there, which may be somebody's link to another place.
        self.write_to(fs::File::create_new(&path)?)?;
        Ok(path)
    }

    /// Watches a piece of work: if it takes longer than `limit`, the trace is [saved](Self::save) when it is done, that is
    /// when what is returned is dropped. Files are written at most once in ten seconds.
    ///
    /// ```
    /// # use std::{path::Path, time::Duration};
    /// # fn handle(recorder: &oxprof::trace::FlightRecorder) {
    /// let _watch = recorder.watch(Path::new("traces"), "GET /cart", Duration::from_secs(1));
    /// // … answer the request …
    /// # }
    /// ```
    pub fn watch<'a>(
        &'a self,
        directory: &'a Path,
        reason: &'a str,
        limit: Duration,
    ) -> impl Drop + use<'a> {
        Watch { recorder: self, directory, reason, limit, began: Instant::now() }
    }

    /// Saves the trace when a thread panics, from now on and after whatever else happens on panics.
    pub fn save_on_panic(self: &Arc<Self>, directory: impl Into<PathBuf>) {
        let (recorder, directory) = (Arc::downgrade(self), directory.into());
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            if let Some(recorder) = recorder.upgrade()
                && let Err(error) = recorder.save(&directory, "panic")
            {
                eprintln!("oxprof: saving a trace in {}: {error}", directory.display());
            }
        }));
    }
}

impl Drop for FlightRecorder {
    fn drop(&mut self) {
        session::end(&Client::Keeper(Arc::clone(&self.kept)));
    }
}

/// A piece of work that should not take long.
struct Watch<'a> {
    recorder: &'a FlightRecorder,
    directory: &'a Path,
    reason: &'a str,
    limit: Duration,
    began: Instant,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        static LAST: Mutex<Option<Instant>> = Mutex::new(None);
        if self.began.elapsed() <= self.limit {
            return;
        }
        {
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < Duration::from_secs(10)) {
                return;
            }
            *last = Some(Instant::now());
        }
        if let Err(error) = self.recorder.save(self.directory, self.reason) {
            eprintln!("oxprof: saving a trace in {}: {error}", self.directory.display());
        }
    }
}

impl fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightRecorder").field("limits", &self.kept.limits).finish_non_exhaustive()
    }
}
