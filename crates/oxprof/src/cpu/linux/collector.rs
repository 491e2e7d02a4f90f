//! The profiler's own thread: keeps the session while captures run, and makes profiles of them.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use oxprof_profile::Profile;

use super::super::Error;
use super::super::reply::Promise;
use super::control::{self, Request};
use super::recording::{Counts, Recording, Totals, period_of};
use super::ring::Header;
use super::shared::Published;
use super::{handler, profile, threads};
use crate::cost::OurThread;
use crate::labels::LabelsId;
use crate::threads::{clock, tasks};
use crate::{stacks, trace};

/// Time between looks at threads and rings, while all is quiet and while threads come and go.
const QUIET: Duration = Duration::from_millis(100);
const BUSY: Duration = Duration::from_millis(10);
/// Threads may replace each other without their number changing; so all are listed this often anyway.
const FULL_SCAN: Duration = Duration::from_secs(1);

/// Starts the thread.
pub(super) fn spawn() -> Result<(), Error> {
    let _blocked = SignalsBlocked::new();
    let builder = thread::Builder::new().name("oxprof-cpu".to_owned());
    builder
        .spawn(run)
        .map(drop)
        .map_err(|source| Error::System { what: "a thread for the profiler", source })
}

fn run() {
    struct OnPanic;
    impl Drop for OnPanic {
        fn drop(&mut self) {
            if thread::panicking() {
                control::died();
            }
        }
    }
    let _on_panic = OnPanic;
    let _ours = OurThread::enter();
    loop {
        let far = Instant::now() + Duration::from_secs(1);
        let requests = control::wait_until(far);
        if let Some(collector) = begin(requests) {
            collector.run();
        }
        if control::try_to_leave() {
            return;
        }
    }
}

/// Starts a session with what was asked for; `None` if that comes to nothing.
fn begin(mut requests: Vec<Request>) -> Option<Collector> {
    let hz = requests
        .iter()
        .filter_map(|r| if let Request::Start { hz, .. } = r { Some(*hz) } else { None });
    let hz = hz.max()?;
    match Collector::new(period_of(hz)) {
        Ok(mut collector) => {
            collector.serve(requests);
            Some(collector)
        }
        Err(error) => {
            let started = requests.iter().position(|r| matches!(r, Request::Start { .. }))?;
            if let Request::Start { started, .. } = requests.swap_remove(started) {
                started.fulfil(Err(error));
            }
            // The others are asked for again, and may have better luck or fail alike.
            begin(requests)
        }
    }
}

struct Collector {
    /// Declared first: dropped first, and before that [`Drop`] deletes the timers.
    published: Published,
    recordings: Vec<Recording>,
    /// Of the timers, in nanoseconds.
    period: u32,
    /// Time until the next look.
    pace: Duration,
    last_scan: Instant,
    last_count: Option<u64>,
}

impl Collector {
    fn new(period: u32) -> Result<Self, Error> {
        handler::install()?;
        stacks::refresh();
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let published = Published::new(cpus);
        // SAFETY: the session lives until `published` is dropped, before which our `drop` ends its use; on
        // error nothing uses it.
        let begun = unsafe { threads::begin(published.session(), period) };
        begun
            .map_err(|source| Error::System { what: "a timer for a thread's CPU time", source })?;
        Ok(Self {
            published,
            recordings: Vec::new(),
            period,
            pace: BUSY,
            last_scan: Instant::now(),
            last_count: None,
        })
    }

    /// Serves until no capture is left.
    fn run(mut self) {
        while !self.recordings.is_empty() {
            let due =
                self.recordings.iter().filter_map(|r| r.due.as_ref()).map(|(at, _)| *at).min();
            let look = Instant::now() + self.pace;
            let requests = control::wait_until(due.map_or(look, |due| due.min(look)));
            self.look();
            self.serve(requests);
            self.finish_due();
        }
    }

    /// Looks at modules, threads and rings.
    fn look(&mut self) {
        stacks::refresh();
        self.scan_threads();
        self.drain();
    }

    fn scan_threads(&mut self) {
        let count = tasks::count();
        let changed = count != self.last_count || self.last_scan.elapsed() >= FULL_SCAN;
        let came = changed && self.scan_all_threads();
        self.last_count = count;
        self.pace = if came { BUSY } else { (self.pace * 2).min(QUIET) };
    }

    fn scan_all_threads(&mut self) -> bool {
        self.last_scan = Instant::now();
        threads::lock().as_mut().is_some_and(|threads| threads.scan())
    }

    fn drain(&mut self) {
        let Self { published, recordings, .. } = self;
        // SAFETY: this is the one collector, and it does not drain from within.
        unsafe {
            published.session().rings.drain(|header, frames| {
                recordings.iter_mut().for_each(|recording| recording.add(header, frames));
                if header.time != 0 {
                    trace(header, frames);
                }
            });
        }
    }

    fn serve(&mut self, requests: Vec<Request>) {
        for request in requests {
            match request {
                Request::Start { id, hz, started } => {
                    self.start(id, hz);
                    started.fulfil(Ok(()));
                }
                Request::Finish { id, profile } => self.finish(id, profile),
                Request::FinishAt { id, at, profile } => {
                    if let Some(recording) = self.recordings.iter_mut().find(|r| r.id == id) {
                        recording.due = Some((at, profile));
                    }
                }
                // That comes before what is asked for.
                Request::Look { done } => done.fulfil(Ok(())),
                Request::Cancel { id } => {
                    self.recordings.retain(|r| r.id != id);
                    self.adjust_period();
                }
            }
        }
    }

    fn start(&mut self, id: u64, hz: u32) {
        // Threads born before the capture are not to be counted as missed, nor samples taken before it.
        self.scan_all_threads();
        self.drain();
        self.recordings.push(Recording::new(id, hz, self.totals()));
        self.adjust_period();
    }

    fn finish_due(&mut self) {
        let now = Instant::now();
        let is_due = |r: &Recording| r.due.as_ref().is_some_and(|(at, _)| *at <= now);
        while let Some(position) = self.recordings.iter().position(is_due) {
            if let Some((_, profile)) = self.recordings[position].due.take() {
                let id = self.recordings[position].id;
                self.finish(id, profile);
            }
        }
    }

    /// Ends a capture and leaves it to a thread of its own to name the functions: that may take long.
    fn finish(&mut self, id: u64, promise: Promise<Profile>) {
        let Some(position) = self.recordings.iter().position(|r| r.id == id) else { return };
        self.scan_all_threads();
        self.drain();
        let maps = stacks::current_maps();
        let recording = self.recordings.swap_remove(position);
        self.adjust_period();
        let recorded = recording.close(self.totals());
        in_background(move || promise.fulfil(Ok(profile::build(&recorded, &maps))));
    }

    /// Lets the timers run as fast as the fastest capture wants.
    fn adjust_period(&mut self) {
        let Some(period) = self.recordings.iter().map(|r| r.period).min() else { return };
        if period != self.period {
            self.period = period;
            if let Some(threads) = threads::lock().as_mut() {
                threads.set_period(period);
            }
        }
    }

    fn totals(&self) -> Totals {
        let own = clock::current_thread() + control::helpers_cpu();
        let (missed, threads) =
            threads::lock().as_ref().map_or((0, Counts::default()), |t| (t.missed, t.counts));
        Totals {
            process: clock::process(),
            own,
            missed,
            threads,
            lost: self.published.session().lost.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        threads::end();
    }
}

/// Gives a sample to the execution trace that is being recorded.
fn trace(header: &Header, frames: &[u64]) {
    let stack = stacks::keep(frames, header.outcome, header.guessed);
    let labels = LabelsId::from_raw(header.labels);
    trace::hooks::sample(header.time, header.thread, stack, labels);
}

/// Does the profiler's work in a thread of its own; in this one if there cannot be another.
fn in_background(work: impl FnOnce() + Send + 'static) {
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = Arc::clone(&work);
    let builder = thread::Builder::new().name("oxprof-names".to_owned());
    let spawned = builder.spawn(move || {
        let _ours = OurThread::enter();
        if let Some(work) = take(&theirs) {
            control::help(work);
        }
    });
    if spawned.is_err()
        && let Some(work) = take(&work)
    {
        work();
    }
}

/// Blocks all signals in the calling thread, and in threads it starts, until dropped.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> Self {
        let (mut all, mut old) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both are valid places for a signal set, and initialised by the calls.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
            Self(old.assume_init())
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set came from the same call.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
    }
}
