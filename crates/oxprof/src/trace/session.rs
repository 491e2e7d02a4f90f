//! One recorder for all who want a trace: a thread that runs while there are any.
//!
//! About ten times a second it takes what threads noted; about once a second, and whenever somebody begins, ends or
//! asks for it, that becomes a slice. Who keeps what happened gets it as it is. Who reads a trace meanwhile gets a
//! generation that is made of it. So each trace begins and ends with a generation, and is whole at every cut; and
//! nobody makes one that nobody reads.
//!
//! On a busy machine, or where more happens than it can write, the thread is behind. So who wants an end says when, and
//! the generation ends there, however much was noted since.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oxprof_trace::ThreadId;
use oxprof_trace::record::{Past, Present, Record, Text, Waiting, What};

use super::buffer::{Chain, RECORD};
use super::encoder::Encoder;
use super::flight::Kept;
use super::history::History;
use super::names::{Known, Namer, comm};
use super::slice::{Moment, Slice};
use super::{Error, hooks};
use crate::hooks::descriptors;
use crate::stacks::{self, StackId};
use crate::threads::clock::{self, NANOS};
use crate::threads::tasks;
use crate::{contention, cpu};

/// How often records are taken from threads.
const DRAIN: Duration = Duration::from_millis(100);
/// How long a slice is, in nanoseconds.
const SLICE: u64 = NANOS;
/// How much later a slice is closed than it ends: what threads were about to note comes within it, and what
/// happens next shows whom a wake-up let run.
const GRACE: Duration = Duration::from_millis(20);
/// Records after which a slice ends early: 4 MiB.
const MANY: usize = 1 << 17;

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

/// Who wants to know what happens.
#[derive(Clone)]
pub(super) enum Client {
    /// Reads the trace while it is recorded.
    Reader(Arc<dyn Listener>),
    /// Keeps what happened, in case somebody asks.
    Keeper(Arc<Kept>),
}

impl Client {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Reader(a), Self::Reader(b)) => Arc::ptr_eq(a, b),
            (Self::Keeper(a), Self::Keeper(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    fn is_in(&self, clients: &[Self]) -> bool {
        clients.iter().any(|other| self.is(other))
    }

    /// There is no more.
    fn end(&self) {
        if let Self::Reader(listener) = self {
            listener.end();
        }
    }
}

pub(super) struct State {
    /// Those who get what comes.
    clients: Vec<Client>,
    /// Where slices are to end.
    cuts: Vec<Cut>,
    /// The number of the last that was asked for.
    last_cut: u64,
    runs: bool,
    /// Counts forks between the first process and this one.
    epoch: u64,
}

/// The end of a slice.
struct Cut {
    /// Of its own.
    number: u64,
    /// The time of `CLOCK_MONOTONIC`. Only an end has to be at this time, all others at or after it.
    time: u64,
    then: Then,
}

/// What is different after a slice.
enum Then {
    Nothing,
    /// Somebody gets what comes, for as long as this if it says how long.
    Begin(Client, Option<Duration>),
    /// Somebody gets no more.
    End(Client),
}

pub(super) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lock_chains() -> MutexGuard<'static, Vec<Chain>> {
    CHAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a client what happens from some time before this returns on, for as long as `duration` if there is one.
pub(super) fn begin(client: Client, duration: Option<Duration>) -> Result<(), Error> {
    stacks::prepare();
    super::fork::watch();
    let mut state = lock();
    let cut = state.ask(clock::monotonic(), Then::Begin(client, duration));
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

/// Ends the current slice and waits until it has been handed out.
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

/// Hands a client what there is up to now, and nothing more.
pub(super) fn end(client: &Client) {
    let ask = |state: &mut State| {
        let is_there = state.runs && client.is_in(&state.clients);
        is_there.then(|| state.ask(clock::monotonic(), Then::End(client.clone())))
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
    client.end();
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
        Self { clients: Vec::new(), cuts: Vec::new(), last_cut: 0, runs: false, epoch: 0 }
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

    /// Where the current slice is to end, if it is by `now`: where the first of the clients ends, or else now.
    fn due(&self, now: u64) -> Option<u64> {
        let due = self.cuts.iter().filter(|cut| cut.time <= now);
        due.map(|cut| if let Then::End(_) = cut.then { cut.time } else { now }).min()
    }

    /// Does what is to be done after a slice that ended at `time`; who begins does so at `begin`. Returns those, and
    /// who got the slice as the last.
    fn after_cut(&mut self, time: u64, begin: u64) -> (Vec<Client>, Vec<Client>) {
        let made: Vec<Cut> = self.cuts.extract_if(.., |cut| cut.time <= time).collect();
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for cut in made {
            match cut.then {
                Then::Nothing => {}
                Then::Begin(client, duration) => {
                    if let Some(duration) = duration {
                        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                        self.ask(begin.saturating_add(nanos), Then::End(client.clone()));
                    }
                    begun.push(client);
                }
                Then::End(client) => ended.push(client),
            }
        }
        self.remove(&ended);
        (begun, ended)
    }

    /// Gives clients nothing more.
    fn remove(&mut self, gone: &[Client]) {
        self.clients.retain(|client| !client.is_in(gone));
        self.cuts.retain(|cut| !matches!(&cut.then, Then::End(client) if client.is_in(gone)));
    }

    /// Ends the recording if nobody listens or is about to.
    fn end_if_unwanted(&mut self) {
        let begins = |cut: &Cut| matches!(cut.then, Then::Begin(..));
        if self.clients.is_empty() && !self.cuts.iter().any(begins) {
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
        let mut clients = std::mem::take(&mut state.clients);
        for cut in state.cuts.drain(..) {
            if let Then::Begin(client, _) = cut.then {
                clients.push(client);
            }
        }
        drop(state);
        clients.iter().for_each(Client::end);
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
    let mut session = Session::begin(&mut Namer::new(&mut known, &stacks::maps()));
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

/// What the recorder's thread keeps from its first client to its last.
struct Session {
    own: ThreadId,
    /// What was taken since the last slice ended, and when that was.
    slice: Slice,
    began: u64,
    /// Makes generations, while somebody reads them.
    encoder: Option<Encoder>,
    /// The threads there were when somebody looked.
    threads: HashSet<i32>,
    /// Those that began, and when, and whose names nobody asked for yet.
    unnamed: Vec<(u64, ThreadId)>,
    /// Room for what is taken of a thread.
    taken: Vec<[u64; RECORD]>,
}

impl Session {
    fn begin(names: &mut Namer<'_>) -> Self {
        let mut state = lock();
        let mut session = Self {
            own: ThreadId(tasks::current().into()),
            slice: Slice::new(),
            began: 0,
            encoder: None,
            threads: HashSet::new(),
            unnamed: Vec::new(),
            taken: Vec::new(),
        };
        // What threads noted for a session before.
        session.take();
        (session.slice, session.unnamed) = (Slice::new(), Vec::new());
        session.began = clock::monotonic();
        hooks::turn(true);
        session.threads = tasks::list().unwrap_or_default().into_iter().collect();
        let (begun, _) = state.after_cut(session.began, session.began);
        session.welcome(&mut state, begun, session.began, names);
        CHANGED.notify_all();
        session
    }

    /// Waits a little and takes what there is. Whether to go on.
    fn step(&mut self, names: &mut Namer<'_>) -> bool {
        let (now, due) = self.wait();
        self.take();
        let is_long = now - self.began >= SLICE || self.slice.len() > MANY;
        let Some(end) = due.or(is_long.then_some(now)) else { return true };
        let slice = Arc::new(self.close(end));
        self.hand_out(&slice, names)
    }

    /// Waits for the time to take records. Returns what time it is then, and when the slice is to end if that has
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

    /// Takes what threads have noted since the last time; not what they note meanwhile, of which there may be no end.
    fn take(&mut self) {
        descriptors::tick();
        let now = clock::monotonic();
        let Self { slice, taken, unnamed, .. } = self;
        let mut chains = lock_chains();
        chains.extend(hooks::POOL.news());
        chains.retain_mut(|chain| {
            let owner = chain.owner;
            // Asked first: what it writes from now on, until it ends, is for the next time.
            let is_there = tasks::exists(owner as i32);
            let may_go_on = hooks::POOL.read(chain, |words| {
                if hooks::is_begin(words) {
                    unnamed.push((words[0], ThreadId(owner as i64)));
                }
                // SAFETY: the pool gives each record once.
                taken.push(unsafe { hooks::take(words, |what, texts| slice.keep(what, texts)) });
                let goes_on = !is_there || words[0] < now;
                if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            slice.add(owner, taken);
            taken.clear();
            if may_go_on && !is_there {
                hooks::POOL.drop_chain(chain);
            }
            may_go_on && is_there
        });
        drop(chains);
        // A flood's room is not kept.
        taken.shrink_to(1 << 14);
    }

    /// The slice of what happened up to `end`.
    fn close(&mut self, end: u64) -> Slice {
        let moment = Moment::at(end);
        let ago = Duration::from_nanos(clock::monotonic() - end);
        std::thread::sleep(GRACE.saturating_sub(ago));
        cpu::flush();
        self.take();
        self.ask_for_names(end);
        self.look_for_threads(end);
        self.tell_heap(end - 1);
        self.began = end;
        let mut slice = std::mem::replace(&mut self.slice, Slice::new());
        slice.end = moment;
        slice
    }

    /// Notes how much memory is in use, which takes longer the more places have allocated it.
    fn tell_heap(&mut self, time: u64) {
        if let Some(bytes) = crate::heap::bytes_in_use() {
            self.slice.tell(Record { time, thread: self.own, what: What::Heap { bytes } });
        }
    }

    /// Asks for the names of threads that began before `time`, which have them by now. Naming functions takes long, and
    /// threads may end meanwhile.
    fn ask_for_names(&mut self, time: u64) {
        let begun: Vec<_> = self.unnamed.extract_if(.., |(began, _)| *began < time).collect();
        let mut are_known = true;
        for (_, thread) in begun {
            let name = comm(thread);
            are_known &= !name.is_empty();
            self.slice.name(thread, name);
        }
        if !are_known {
            // Who has ended has noted its name.
            self.take();
        }
    }

    /// Sees which threads came and went without a word.
    fn look_for_threads(&mut self, time: u64) {
        let Some(tids) = tasks::list() else { return };
        let now: HashSet<i32> = tids.into_iter().collect();
        let gone = self.threads.difference(&now).map(|&tid| (tid, What::ThreadEnd));
        let new = now.difference(&self.threads).map(|&tid| (tid, What::ThreadBegin { token: 0 }));
        for (tid, what) in gone.chain(new) {
            let thread = ThreadId(tid.into());
            if let What::ThreadBegin { .. } = what {
                // Later it may be gone.
                self.slice.name(thread, comm(thread));
            }
            self.slice.tell(Record { time, thread, what });
        }
        self.threads = now;
    }

    /// Gives a slice to all who want it. Whether anybody wants more.
    fn hand_out(&mut self, slice: &Arc<Slice>, names: &mut Namer<'_>) -> bool {
        let mut gone = lock().clients.clone();
        let encoder = self.encoder.as_mut();
        let generation: Option<Generation> =
            encoder.map(|encoder| encoder.generation(slice, names).into());
        gone.retain(|client| match client {
            Client::Reader(listener) => !generation.as_ref().is_some_and(|g| listener.take(g)),
            Client::Keeper(kept) => !kept.take(slice),
        });
        let end = slice.end.time;
        let mut state = lock();
        state.remove(&gone);
        // A trace that is being written goes on where the slice ends.
        let begin = if self.encoder.is_some() { end } else { clock::monotonic() };
        let (begun, mut ended) = state.after_cut(end, begin);
        gone.append(&mut ended);
        self.welcome(&mut state, begun, begin, names);
        state.end_if_unwanted();
        let goes_on = state.runs;
        if !goes_on {
            // Texts are not to be kept until somebody records again, which must not begin before.
            self.take();
        }
        drop(state);
        if goes_on && self.encoder.is_none() {
            // Nobody names what hooks see, and would notice that code was loaded.
            names.is_outdated = true;
        }
        gone.iter().for_each(Client::end);
        CHANGED.notify_all();
        goes_on
    }

    /// Begins with clients, who get what happens from a time on.
    fn welcome(
        &mut self,
        state: &mut State,
        begun: Vec<Client>,
        begin: u64,
        names: &mut Namer<'_>,
    ) {
        if !begun.is_empty() {
            let past = self.past(&state.clients);
            for client in &begun {
                match client {
                    Client::Reader(_) if self.encoder.is_some() => {}
                    Client::Reader(_) => {
                        names.forget_threads();
                        self.encoder = Some(Encoder::new(begin, self.own, &past, names));
                    }
                    Client::Keeper(kept) => {
                        // Of what was noted since the last slice ended some was in that.
                        let begin = clock::monotonic();
                        let names = past.threads().map(|thread| (thread, comm(thread)));
                        let names: HashMap<ThreadId, Text> = names.collect();
                        kept.begin(History::new(self.own, begin, past.clone(), names));
                    }
                }
            }
            state.clients.extend(begun);
        }
        if !state.clients.iter().any(|client| matches!(client, Client::Reader(_))) {
            self.encoder = None;
        }
    }

    /// What threads and tasks are doing, as one knows who has kept what they did, or else as the kernel tells.
    fn past(&self, clients: &[Client]) -> Past {
        let history = clients.iter().find_map(|client| match client {
            Client::Keeper(kept) => kept.history(),
            Client::Reader(_) => None,
        });
        history.map_or_else(|| self.present(), |history| history.past())
    }

    fn present(&self) -> Past {
        let threads = self.threads.iter().map(|&tid| present(tid));
        let threads: Vec<Present> = threads.filter(|p| p.thread != self.own).collect();
        let mut past = Past::new(&threads);
        for task in crate::tasks::Handle::all().iter().filter(|task| task.is_traced()) {
            // Who polls one now is not known: it seems to wait until it is polled again.
            let place = task.waits_at().map_or(0, StackId::to_raw);
            past.add_task(task.id(), task.title(), (!task.is_ready()).then_some(place));
        }
        past
    }
}

/// What a thread does as the recording begins, as far as the kernel tells.
fn present(tid: i32) -> Present {
    let waiting = tasks::is_asleep(tid).then_some((Waiting::Other, 0, 0));
    Present { thread: ThreadId(tid.into()), waiting }
}
