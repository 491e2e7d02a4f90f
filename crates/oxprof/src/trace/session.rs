//! One recorder for all who want a trace: a thread that runs while there are any.
//!
//! About ten times a second it takes what threads noted; about once a second, and whenever somebody begins, ends or
//! asks for it, it makes a generation of it and hands that to everybody. So each gets a trace that begins and ends with
//! a generation, and is whole at every cut.
//!
//! On a busy machine, or where more happens than it can write, the thread is behind. So who wants an end says when, and
//! the generation ends there, however much was noted since.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use oxprof_trace::ThreadId;
use oxprof_trace::record::{LabelsKey, Present, Record, Recorder, Waiting, What};
use oxprof_trace::write::Clock;

use super::buffer::Chain;
use super::names::{Known, Namer};
use super::{Error, hooks};
use crate::stacks::{self, StackId};
use crate::threads::clock::{self, NANOS};
use crate::threads::tasks;
use crate::{contention, cpu};

/// How often records are taken from threads.
const DRAIN: Duration = Duration::from_millis(100);
/// How long a generation is, in nanoseconds.
const GENERATION: u64 = NANOS;
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

thread_local! {
    /// Whether this is the recorder's thread, which must not wait for itself. It runs what others wrote only to wake who
    /// reads a trace, and when that panics.
    static IS_RECORDER: Cell<bool> = const { Cell::new(false) };
}

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
    /// Where generations are to end.
    cuts: Vec<Cut>,
    /// The number of the last that was asked for.
    last_cut: u64,
    runs: bool,
    /// Counts forks between the first process and this one.
    epoch: u64,
}

/// The end of a generation.
struct Cut {
    /// Of its own.
    number: u64,
    /// The time of `CLOCK_MONOTONIC`. Only an end has to be at this time, all others at or after it.
    time: u64,
    then: Then,
}

/// What is different after a generation.
enum Then {
    Nothing,
    /// Somebody gets what comes, for as long as this if it says how long.
    Begin(Arc<dyn Listener>, Option<Duration>),
    /// Somebody gets no more.
    End(Arc<dyn Listener>),
}

pub(super) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lock_chains() -> MutexGuard<'static, Vec<Chain>> {
    CHAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a listener what happens from some time before this returns on, for as long as `duration` if there is one.
pub(super) fn begin(listener: Arc<dyn Listener>, duration: Option<Duration>) -> Result<(), Error> {
    stacks::prepare();
    super::fork::watch();
    let mut state = lock();
    let cut = state.ask(clock::monotonic(), Then::Begin(listener, duration));
    if !state.runs {
        let thread = std::thread::Builder::new().name("oxprof-trace".into());
        if let Err(error) = thread.spawn(run) {
            state.cuts.clear();
            return Err(Error::Thread(error));
        }
        state.runs = true;
    }
    wait_for(state, cut);
    Ok(())
}

/// Ends the current generation and waits until it has been handed out.
pub(super) fn cut() {
    if IS_RECORDER.get() {
        return;
    }
    let mut state = lock();
    if state.runs {
        let cut = state.ask(clock::monotonic(), Then::Nothing);
        wait_for(state, cut);
    }
}

/// Hands a listener what there is up to now, and nothing more.
pub(super) fn end(listener: &Arc<dyn Listener>) {
    let ask = |state: &mut State| {
        let is_there = state.runs && state.has(listener);
        is_there.then(|| state.ask(clock::monotonic(), Then::End(Arc::clone(listener))))
    };
    if IS_RECORDER.get() {
        // It may hold the lock.
        if let Ok(mut state) = STATE.try_lock() {
            ask(&mut state);
        }
    } else {
        let mut state = lock();
        if let Some(cut) = ask(&mut state) {
            wait_for(state, cut);
        }
    }
    listener.end();
}

fn wait_for(mut state: MutexGuard<'_, State>, cut: u64) {
    let epoch = state.epoch;
    CHANGED.notify_all();
    while state.runs && state.epoch == epoch && state.cuts.iter().any(|c| c.number == cut) {
        state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

impl State {
    const fn new() -> Self {
        Self { listeners: Vec::new(), cuts: Vec::new(), last_cut: 0, runs: false, epoch: 0 }
    }

    fn has(&self, listener: &Arc<dyn Listener>) -> bool {
        self.listeners.iter().any(|other| Arc::ptr_eq(other, listener))
    }

    /// Asks for a cut; returns its number.
    fn ask(&mut self, time: u64, then: Then) -> u64 {
        self.last_cut += 1;
        self.cuts.push(Cut { number: self.last_cut, time, then });
        self.last_cut
    }

    /// When the next cut is to be made.
    fn next_cut(&self) -> Option<u64> {
        self.cuts.iter().map(|cut| cut.time).min()
    }

    /// Where the current generation is to end, if it is by `now`: where the first of the listeners ends, or else now.
    fn due(&self, now: u64) -> Option<u64> {
        let due = self.cuts.iter().filter(|cut| cut.time <= now);
        due.map(|cut| if let Then::End(_) = cut.then { cut.time } else { now }).min()
    }

    /// Does what is to be done after a generation that ended at `time`. Returns who got it as the last.
    fn after_cut(&mut self, time: u64) -> Vec<Arc<dyn Listener>> {
        let made: Vec<Cut> = self.cuts.extract_if(.., |cut| cut.time <= time).collect();
        let mut ended = Vec::new();
        for cut in made {
            match cut.then {
                Then::Nothing => {}
                Then::Begin(listener, duration) => {
                    if let Some(duration) = duration {
                        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                        self.ask(time.saturating_add(nanos), Then::End(Arc::clone(&listener)));
                    }
                    self.listeners.push(listener);
                }
                Then::End(listener) => ended.push(listener),
            }
        }
        self.remove(&ended);
        ended
    }

    /// Gives listeners nothing more.
    fn remove(&mut self, gone: &[Arc<dyn Listener>]) {
        let is_gone = |l: &Arc<dyn Listener>| gone.iter().any(|other| Arc::ptr_eq(l, other));
        self.listeners.retain(|listener| !is_gone(listener));
        self.cuts.retain(|cut| !matches!(&cut.then, Then::End(listener) if is_gone(listener)));
    }

    /// Ends the recording if nobody listens or is about to.
    fn end_if_unwanted(&mut self) {
        let begins = |cut: &Cut| matches!(cut.then, Then::Begin(..));
        if self.listeners.is_empty() && !self.cuts.iter().any(begins) {
            self.cuts.clear();
            self.runs = false;
            hooks::turn(false);
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
        for cut in state.cuts.drain(..) {
            if let Then::Begin(listener, _) = cut.then {
                listeners.push(listener);
            }
        }
        drop(state);
        listeners.iter().for_each(|listener| listener.end());
        CHANGED.notify_all();
    }
}

/// What the recorder's thread does.
fn run() {
    hooks::ignore_current_thread();
    contention::exempt_current_thread();
    IS_RECORDER.set(true);
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
    /// When the last generation ended.
    began: u64,
    /// The threads there were when somebody looked.
    threads: HashSet<i32>,
    /// Those that began, and when, and whose names nobody asked for yet.
    unnamed: Vec<(u64, ThreadId)>,
    /// Those that had labels.
    labelled: HashSet<ThreadId>,
    /// Room for what is taken at once.
    noted: Vec<Noted>,
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
        // What threads noted for a session before.
        drain(&mut Vec::new());
        let began = clock::monotonic();
        hooks::turn(true);
        let own = ThreadId(tasks::current().into());
        let threads: HashSet<i32> = tasks::list().unwrap_or_default().into_iter().collect();
        let present: Vec<_> = threads
            .iter()
            .map(|&tid| present(tid))
            .filter(|present| present.thread != own)
            .collect();
        let mut recorder = Recorder::new(1, own, &present, &mut Namer::new(known, &stacks::maps()));
        for task in crate::tasks::Handle::all().iter().filter(|task| task.is_traced()) {
            // Who polls one now is not known: it seems to wait until it is polled again.
            let place = task.waits_at().map_or(0, StackId::to_raw);
            let waits = (!task.is_ready()).then_some(place);
            recorder.add_present_task(task.id(), task.title(), waits);
        }
        state.after_cut(began);
        CHANGED.notify_all();
        Self {
            recorder,
            own,
            base: began - 1,
            number: 1,
            began,
            threads,
            unnamed: Vec::new(),
            labelled: HashSet::new(),
            noted: Vec::new(),
        }
    }

    /// Waits a little and takes what there is. Whether to go on.
    fn step(&mut self, names: &mut Namer<'_>) -> bool {
        let (now, due) = self.wait();
        self.record(names);
        let is_long = now - self.began >= GENERATION || self.recorder.len() > MANY;
        let Some(end) = due.or(is_long.then_some(now)) else { return true };
        let generation = self.generation(end, names);
        self.hand_out(&generation, end)
    }

    /// Waits for the time to take records. Returns what time it is then, and when the generation is to end if that has
    /// come.
    fn wait(&self) -> (u64, Option<u64>) {
        let mut state = lock();
        let left = state.next_cut().map(|time| time.saturating_sub(clock::monotonic()));
        let left = left.map_or(DRAIN, |left| DRAIN.min(Duration::from_nanos(left)));
        if !left.is_zero() {
            state = CHANGED.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let now = clock::monotonic();
        (now, state.due(now))
    }

    /// Takes what threads noted.
    fn record(&mut self, names: &mut Namer<'_>) {
        let mut noted = std::mem::take(&mut self.noted);
        drain(&mut noted);
        noted.drain(..).for_each(|noted| self.add(noted, names));
        // A flood's room is not kept.
        noted.shrink_to(1 << 14);
        self.noted = noted;
    }

    /// Notes how much memory is in use, which takes longer the more places have allocated it.
    fn record_heap(&mut self, time: u64) {
        if let Some(bytes) = crate::heap::bytes_in_use() {
            self.recorder.record(Record { time, thread: self.own, what: What::Heap { bytes } });
        }
    }

    fn add(&mut self, noted: Noted, names: &mut Namer<'_>) {
        let Noted { mut record, name, labels } = noted;
        let thread = record.thread;
        record.time = record.time.saturating_sub(self.base);
        match &mut record.what {
            What::ThreadBegin { .. } => {
                names.forget_thread(thread);
                self.unnamed.push((record.time, thread));
            }
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
        let (before, after) = match record.what {
            What::PollBegin { .. } => (None, labels),
            _ => (labels, None),
        };
        before.into_iter().for_each(|labels| self.recorder.record(labels));
        self.recorder.record(record);
        after.into_iter().for_each(|labels| self.recorder.record(labels));
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

    /// Makes a generation of what happened up to `end`.
    fn generation(&mut self, end: u64, names: &mut Namer<'_>) -> Generation {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ago = Duration::from_nanos(clock::monotonic() - end);
        let wall = wall.saturating_sub(ago);
        std::thread::sleep(GRACE.saturating_sub(ago));
        cpu::flush();
        self.record(names);
        let ticks = end - self.base;
        self.ask_for_names(ticks, names);
        self.look_for_threads(ticks);
        self.record_heap(ticks - 1);
        let clock = Clock {
            frequency: NANOS,
            ticks,
            mono: end,
            wall_seconds: wall.as_secs(),
            wall_nanos: wall.subsec_nanos(),
        };
        let mut bytes = Vec::new();
        self.recorder.generation(self.number, ticks, clock, names, &mut bytes);
        self.number += 1;
        self.began = end;
        bytes.into()
    }

    /// Asks for the names of threads that began before `time`, which have them by now. Naming functions takes long, and
    /// threads may end meanwhile.
    fn ask_for_names(&mut self, time: u64, names: &mut Namer<'_>) {
        let begun: Vec<_> = self.unnamed.extract_if(.., |(began, _)| *began < time).collect();
        let known = begun.iter().filter(|(_, thread)| names.ask_thread(*thread)).count();
        if known < begun.len() {
            // Who has ended has noted its name.
            self.record(names);
        }
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

    /// Gives a generation that ends at a time to all who want it. Whether anybody wants more.
    fn hand_out(&self, generation: &Generation, end: u64) -> bool {
        let mut listeners = lock().listeners.clone();
        listeners.retain(|listener| !listener.take(generation));
        let mut state = lock();
        state.remove(&listeners);
        listeners.append(&mut state.after_cut(end));
        state.end_if_unwanted();
        let goes_on = state.runs;
        drop(state);
        if !goes_on {
            // Texts are not to be kept until somebody records again.
            drain(&mut Vec::new());
        }
        listeners.iter().for_each(|listener| listener.end());
        CHANGED.notify_all();
        goes_on
    }
}

/// Takes what threads have noted since the last time; not what they note meanwhile, of which there may be no end. What is
/// to be done with it comes after the lock is given back, since who forks waits for that.
fn drain(all: &mut Vec<Noted>) {
    let now = clock::monotonic();
    let mut chains = lock_chains();
    chains.extend(hooks::POOL.news());
    chains.retain_mut(|chain| {
        let owner = chain.owner;
        // Asked first: what it writes from now on, until it ends, is for the next time.
        let is_there = tasks::exists(owner as i32);
        let may_go_on = hooks::POOL.read(chain, |words| {
            // SAFETY: the pool gives each record once.
            let record = unsafe { hooks::decode(owner, words) };
            let goes_on = !is_there || record.as_ref().is_none_or(|record| record.time < now);
            if let Some(record) = record {
                let (name, labels) = (hooks::name_at_end(words), hooks::labels_of(words));
                all.push(Noted { record, name, labels });
            }
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
