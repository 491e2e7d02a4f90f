//! One recorder for all who want a trace: a thread that runs while there are any.
//!
//! About ten times a second it takes what threads noted; about once a second, and whenever somebody begins, ends or
//! asks for it, it makes a generation of it and hands that to everybody. So each gets a trace that begins and ends with
//! a generation, and is whole at every cut.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use oxprof_trace::ThreadId;
use oxprof_trace::record::{LabelsKey, Present, Record, Recorder, Waiting, What};
use oxprof_trace::write::Clock;

use super::buffer::Chain;
use super::names::{Known, Namer};
use super::{Error, hooks};
use crate::stacks;
use crate::threads::{clock, tasks};
use crate::{contention, cpu};

/// How often records are taken from threads.
const DRAIN: Duration = Duration::from_millis(100);
/// How long a generation is.
const GENERATION: Duration = Duration::from_secs(1);
/// How much later a generation is written than it ends: what threads were about to note comes within it, and what
/// happens next shows whom a wake-up let run.
const GRACE: Duration = Duration::from_millis(20);
/// Records after which a generation ends early: some 60 MiB.
const MANY: usize = 1 << 19;

static STATE: Mutex<State> = Mutex::new(State::new());
static CHANGED: Condvar = Condvar::new();
/// What threads have begun to write to. Only the recorder's thread takes this lock, and who forks; after that of
/// [`STATE`], if both.
static CHAINS: Mutex<Vec<Chain>> = Mutex::new(Vec::new());

/// The bytes of a generation.
pub(super) type Generation = Arc<[u8]>;

/// Somebody who wants a trace.
pub(super) trait Listener: Send + Sync {
    /// Takes a generation. Whether it wants more.
    fn take(&self, generation: &Generation) -> bool;
    /// There is no more.
    fn end(&self);
}

pub(super) struct State {
    /// Those who get what comes.
    listeners: Vec<Arc<dyn Listener>>,
    /// Those who get what comes after the current generation.
    beginners: Vec<Arc<dyn Listener>>,
    /// How often a generation was asked to end, and how often one did since.
    cuts_wanted: u64,
    cuts_made: u64,
    runs: bool,
    /// Counts forks between the first process and this one.
    epoch: u64,
}

pub(super) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lock_chains() -> MutexGuard<'static, Vec<Chain>> {
    CHAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a listener what happens from when this returns on.
pub(super) fn begin(listener: Arc<dyn Listener>) -> Result<(), Error> {
    stacks::prepare();
    super::fork::watch();
    let mut state = lock();
    state.beginners.push(listener);
    state.cuts_wanted += 1;
    if !state.runs {
        let thread = std::thread::Builder::new().name("oxprof-trace".into());
        if let Err(error) = thread.spawn(run) {
            state.beginners.clear();
            return Err(Error::Thread(error));
        }
        state.runs = true;
    }
    wait_for_cut(state);
    Ok(())
}

/// Ends the current generation and waits until it has been handed out.
pub(super) fn cut() {
    let mut state = lock();
    if state.runs {
        state.cuts_wanted += 1;
        wait_for_cut(state);
    }
}

fn wait_for_cut(mut state: MutexGuard<'_, State>) {
    let (wanted, epoch) = (state.cuts_wanted, state.epoch);
    CHANGED.notify_all();
    while state.runs && state.epoch == epoch && state.cuts_made < wanted {
        state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Hands a listener what there is up to now, and nothing more.
pub(super) fn end(listener: &Arc<dyn Listener>) {
    cut();
    let mut state = lock();
    let is_other = |other: &Arc<dyn Listener>| !Arc::ptr_eq(other, listener);
    state.listeners.retain(is_other);
    state.beginners.retain(is_other);
    if state.runs && state.listeners.is_empty() && state.beginners.is_empty() {
        // So that the recorder's thread looks, and nothing is recorded any more when this returns.
        state.cuts_wanted += 1;
        wait_for_cut(state);
    } else {
        drop(state);
    }
    listener.end();
}

impl State {
    const fn new() -> Self {
        Self {
            listeners: Vec::new(),
            beginners: Vec::new(),
            cuts_wanted: 0,
            cuts_made: 0,
            runs: false,
            epoch: 0,
        }
    }

    /// Starts from nothing in the child of a fork. What other threads may have been using is forgotten, not dropped.
    pub(super) fn reset_after_fork(&mut self) {
        let epoch = self.epoch + 1;
        let old = std::mem::replace(self, Self { epoch, ..Self::new() });
        std::mem::forget(old);
    }
}

/// Sees to it that nobody waits for a recorder's thread that died.
struct Died;

impl Drop for Died {
    fn drop(&mut self) {
        let mut state = lock();
        hooks::turn(false);
        state.runs = false;
        let mut listeners = std::mem::take(&mut state.listeners);
        listeners.append(&mut state.beginners);
        drop(state);
        listeners.iter().for_each(|listener| listener.end());
        CHANGED.notify_all();
    }
}

/// What the recorder's thread does.
fn run() {
    hooks::ignore_current_thread();
    contention::exempt_current_thread();
    let died = Died;
    let mut known = Known::default();
    let mut session = Session::begin(&mut known);
    loop {
        stacks::refresh();
        let maps = stacks::maps();
        let mut namer = Namer::new(&mut known, &maps);
        while !namer.is_outdated {
            if !session.step(&mut namer) {
                return std::mem::forget(died);
            }
        }
    }
}

/// What the recorder's thread keeps from its first listener to its last.
struct Session {
    recorder: Recorder,
    own: ThreadId,
    /// The time of `CLOCK_MONOTONIC` at which ticks are 0.
    base: u64,
    /// Of the next generation.
    number: u64,
    began: Instant,
    /// The threads there were when somebody looked.
    threads: HashSet<i32>,
    /// Those that had labels.
    labelled: HashSet<ThreadId>,
}

/// What a thread noted.
struct Noted {
    record: Record,
    /// The thread's name, if it ends.
    name: Option<String>,
    /// The labels in force, if it says so.
    labels: Option<LabelsKey>,
}

impl Session {
    fn begin(known: &mut Known) -> Self {
        let mut state = lock();
        let state = &mut *state;
        state.listeners.append(&mut state.beginners);
        state.cuts_made = state.cuts_wanted;
        // What threads noted for a session before.
        drain(|_| ());
        let base = clock::monotonic() - 1;
        hooks::turn(true);
        let own = ThreadId(tasks::current().into());
        let threads: HashSet<i32> = tasks::list().unwrap_or_default().into_iter().collect();
        let present: Vec<_> = threads
            .iter()
            .map(|&tid| present(tid))
            .filter(|present| present.thread != own)
            .collect();
        let recorder = Recorder::new(1, own, &present, &mut Namer::new(known, &stacks::maps()));
        CHANGED.notify_all();
        let (began, labelled) = (Instant::now(), HashSet::new());
        Self { recorder, own, base, number: 1, began, threads, labelled }
    }

    /// Waits a little and takes what there is. Whether to go on.
    fn step(&mut self, names: &mut Namer<'_>) -> bool {
        let wanted = self.wait();
        if !is_wanted() {
            return false;
        }
        self.record(names);
        let is_due = self.began.elapsed() >= GENERATION || self.recorder.len() > MANY;
        if !is_due && wanted.is_none() {
            return true;
        }
        let generation = self.generation(names);
        self.hand_out(&generation, wanted);
        true
    }

    /// Waits for the time to take records. Returns the cut that is wanted, if one is.
    fn wait(&self) -> Option<u64> {
        let mut state = lock();
        if state.cuts_made == state.cuts_wanted {
            state = CHANGED.wait_timeout(state, DRAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
        (state.cuts_made != state.cuts_wanted).then_some(state.cuts_wanted)
    }

    /// Takes what threads noted.
    fn record(&mut self, names: &mut Namer<'_>) {
        drain(|noted| self.add(noted, names));
        if let Some(bytes) = crate::heap::bytes_in_use() {
            let (time, thread) = (clock::monotonic() - self.base, self.own);
            self.recorder.record(Record { time, thread, what: What::Heap { bytes } });
        }
    }

    fn add(&mut self, noted: Noted, names: &mut Namer<'_>) {
        let Noted { mut record, name, labels } = noted;
        let thread = record.thread;
        record.time = record.time.saturating_sub(self.base);
        match &mut record.what {
            What::ThreadBegin { .. } => names.forget_thread(thread),
            What::ThreadEnd => _ = self.labelled.remove(&thread),
            What::WaitBegin { why, stack, .. }
            | What::PollEnd { waits: Some((why, stack)), .. } => {
                *why = names.why(*why, *stack);
            }
            _ => {}
        }
        if let Some(name) = name {
            names.learn_thread(thread, name);
        }
        let labels = self.labels(&record, labels);
        // Of the task, if one is polled from now on.
        let is_poll = matches!(record.what, What::PollBegin { .. });
        let [first, second] = if is_poll { [Some(record), labels] } else { [labels, Some(record)] };
        first.into_iter().chain(second).for_each(|record| self.recorder.record(record));
    }

    /// A record of the labels that were in force at another, unless its thread never had any.
    fn labels(&mut self, record: &Record, labels: Option<LabelsKey>) -> Option<Record> {
        let labels = labels?;
        if labels != 0 {
            self.labelled.insert(record.thread);
        }
        let what = What::Labels { labels };
        self.labelled.contains(&record.thread).then_some(Record { what, ..*record })
    }

    /// Makes a generation of what happened up to now.
    fn generation(&mut self, names: &mut Namer<'_>) -> Generation {
        let end = clock::monotonic() - self.base;
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        std::thread::sleep(GRACE);
        cpu::flush();
        self.record(names);
        self.look_for_threads(end);
        let clock = Clock {
            frequency: 1_000_000_000,
            ticks: end,
            mono: end + self.base,
            wall_seconds: wall.as_secs(),
            wall_nanos: wall.subsec_nanos(),
        };
        let mut bytes = Vec::new();
        self.recorder.generation(self.number, end, clock, names, &mut bytes);
        self.number += 1;
        self.began = Instant::now();
        bytes.into()
    }

    /// Sees which threads came and went without a word.
    fn look_for_threads(&mut self, time: u64) {
        let Some(tids) = tasks::list() else { return };
        let now: HashSet<i32> = tids.into_iter().collect();
        let gone = self.threads.difference(&now).map(|&tid| (tid, What::ThreadEnd));
        let new = now.difference(&self.threads).map(|&tid| (tid, What::ThreadBegin { token: 0 }));
        for (tid, what) in gone.chain(new) {
            self.recorder.record(Record { time, thread: ThreadId(tid.into()), what });
        }
        self.threads = now;
    }

    /// Gives a generation to all who want it.
    fn hand_out(&self, generation: &Generation, wanted: Option<u64>) {
        let listeners = lock().listeners.clone();
        let (_, done): (Vec<_>, Vec<_>) = listeners.iter().partition(|l| l.take(generation));
        done.iter().for_each(|listener| listener.end());
        let mut state = lock();
        let state = &mut *state;
        state.listeners.retain(|listener| !done.iter().any(|other| Arc::ptr_eq(listener, other)));
        state.listeners.append(&mut state.beginners);
        state.cuts_made = wanted.unwrap_or(state.cuts_made);
        CHANGED.notify_all();
    }
}

/// Whether anybody listens. If not, the recording is over.
fn is_wanted() -> bool {
    let mut state = lock();
    state.runs = !state.listeners.is_empty() || !state.beginners.is_empty();
    if !state.runs {
        hooks::turn(false);
        CHANGED.notify_all();
    }
    state.runs
}

/// Takes what threads have noted since the last time.
fn drain(mut each: impl FnMut(Noted)) {
    let mut chains = lock_chains();
    chains.extend(hooks::POOL.news());
    chains.retain_mut(|chain| {
        let owner = chain.owner;
        // Asked first: what it writes from now on, until it ends, is for the next time.
        let is_there = tasks::exists(owner as i32);
        let may_go_on = hooks::POOL.read(chain, |words| {
            // SAFETY: the pool gives each record once.
            if let Some(record) = unsafe { hooks::decode(owner, words) } {
                let (name, labels) = (hooks::name_at_end(words), hooks::labels_of(words));
                each(Noted { record, name, labels });
            }
        });
        if may_go_on && !is_there {
            hooks::POOL.drop_chain(chain);
        }
        may_go_on && is_there
    });
}

/// What a thread does as the recording begins, as far as the kernel tells.
fn present(tid: i32) -> Present {
    let waiting = tasks::is_asleep(tid).then_some((Waiting::Other, 0, 0));
    Present { thread: ThreadId(tid.into()), waiting }
}
