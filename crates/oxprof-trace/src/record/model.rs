//! What threads and tasks do, as the format wants it told.
//!
//! Invariants:
//! 1. A thread's *top* goroutine is its innermost poll's, or its own. The format's thread holds a goroutine if
//!    and only if the top is running or in a system call.
//! 2. Goroutines below the top wait.
//! 3. A goroutine's number in the sequence starts at 0 when a generation first speaks of it; nothing is said
//!    of one before that.
//! 4. Records that contradict the model are taken to mean that one is missing: the model is brought to where
//!    the record makes sense, or the record is left out.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::past::{Past, Task, UNNAMED};
use super::wakes::Wakeups;
use super::{LabelsKey, Names, Record, StackKey, Text, Waiting, What};
use crate::wire::EventType as E;
use crate::write::{Events, FrameRef, Generation, Sample, StackId, StringId};
use crate::{GoId, ProcId, ThreadId};

/// Goroutines are numbered from 1 in the order in which they are first heard of.
type Number = u64;

/// Why a goroutine waits while its thread polls a task.
const POLLING: &str = "polling a task";
/// Why and where a task waits whose poll was not seen to end.
const UNKNOWN: (Waiting, StackKey) = (Waiting::Await, 0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runnable = 1,
    Running = 2,
    Syscall = 3,
    Waiting = 4,
}

#[derive(Debug)]
struct Goroutine {
    state: State,
    /// Of the last event that handed it over, in the generation `known`.
    seq: u64,
    /// The last generation that speaks of it.
    known: u64,
    /// Where it got into its state.
    stack: StackKey,
    /// The outermost frame of its stacks, by which tools group goroutines.
    name: Text,
    /// Regions that are open, outermost first.
    regions: Vec<(u64, Text)>,
    /// Whether a thread polls it, directly or around another.
    is_polled: bool,
    /// Whether it was woken meanwhile.
    woken: bool,
    /// The task that it is, if it is one.
    task: Option<u64>,
    /// Its labels, and the last generation that speaks of them.
    labels: (LabelsKey, u64),
}

#[derive(Debug)]
struct Thread {
    proc: u64,
    /// Of the processor's last event that is numbered.
    proc_seq: u64,
    own: Number,
    /// The tasks that it polls, outermost first.
    polls: Vec<Number>,
    events: Events,
}

impl Thread {
    fn top(&self) -> Number {
        self.polls.last().copied().unwrap_or(self.own)
    }
}

/// The state of a goroutine that waits as a thread does, and where.
fn state_of(waiting: Option<(Waiting, u64, StackKey)>) -> (State, StackKey) {
    match waiting {
        None => (State::Running, 0),
        Some((Waiting::Syscall, _, stack)) => (State::Syscall, stack),
        Some((_, _, stack)) => (State::Waiting, stack),
    }
}

/// What happened in a generation.
pub(super) struct Slice {
    /// When the generation ends.
    pub(super) end: u64,
    pub(super) records: Vec<Record>,
    pub(super) wakeups: Wakeups,
    /// Threads that begin in it or soon after, by the tokens of their creation.
    pub(super) born: FxHashMap<u64, ThreadId>,
}

#[derive(Debug)]
pub(super) struct Model {
    /// The recorder's own thread.
    own: ThreadId,
    threads: BTreeMap<ThreadId, Thread>,
    goroutines: FxHashMap<Number, Goroutine>,
    tasks: FxHashMap<u64, Number>,
    user_tasks: FxHashSet<u64>,
    /// Goroutines of threads that were created and have not begun, by token.
    unborn: FxHashMap<u64, Number>,
    last_goroutine: Number,
    /// Processors that no thread has, and how many there ever were.
    free_procs: Vec<u64>,
    procs: u64,
    /// Events of threads that have ended.
    ended: Vec<(ThreadId, Events)>,
}

/// The model while it writes a generation.
struct Writing<'a> {
    model: &'a mut Model,
    out: Generation,
    names: &'a mut dyn Names,
    /// Stacks of the generation, by their key and the string that is added as the outermost frame.
    stacks: FxHashMap<(StackKey, StringId), StackId>,
    /// The threads that begin in the generation or later, by token.
    born: FxHashMap<u64, ThreadId>,
    /// Processors that the generation speaks of, beside those of threads, and their numbers in the sequence.
    idle: FxHashMap<u64, u64>,
    time: u64,
}

impl Model {
    pub(super) fn new(own: ThreadId, past: &Past, names: &mut dyn Names) -> Self {
        let mut model = Self {
            own,
            threads: BTreeMap::new(),
            goroutines: FxHashMap::default(),
            tasks: FxHashMap::default(),
            user_tasks: FxHashSet::default(),
            unborn: FxHashMap::default(),
            last_goroutine: 0,
            free_procs: Vec::new(),
            procs: 0,
            ended: Vec::new(),
        };
        let threads: BTreeMap<_, _> = past.threads.iter().filter(|(id, _)| **id != own).collect();
        for (&&id, &thread) in &threads {
            let (state, stack) = state_of(thread.waiting);
            let own = model.add_goroutine(state, names.thread(id), stack, None);
            model.add_thread(id, own);
        }
        let own_goroutine = model.add_goroutine(State::Waiting, "oxprof".into(), 0, None);
        model.add_thread(own, own_goroutine);
        for (id, task) in past.tasks.iter().collect::<BTreeMap<_, _>>() {
            model.add_task(*id, task);
        }
        for (&&id, &thread) in &threads {
            thread.polls.iter().for_each(|&task| model.poll(id, task, thread.waiting));
        }
        model
    }

    fn add_task(&mut self, id: u64, task: &Task) {
        let (state, stack) = match task.waits() {
            Some((_, stack)) => (State::Waiting, stack),
            None => (State::Runnable, 0),
        };
        let new = self.add_goroutine(state, task.name.clone(), stack, Some(id));
        self.tasks.insert(id, new);
    }

    /// A thread polls a task from the beginning on, which does for it whatever it does.
    fn poll(&mut self, id: ThreadId, task: u64, waiting: Option<(Waiting, u64, StackKey)>) {
        let (Some(&polled), Some(thread)) = (self.tasks.get(&task), self.threads.get_mut(&id))
        else {
            return;
        };
        if self.goroutines[&polled].is_polled {
            return;
        }
        let below = thread.top();
        thread.polls.push(polled);
        for (number, (state, stack)) in [(below, (State::Waiting, 0)), (polled, state_of(waiting))]
        {
            let goroutine = self.goroutines.get_mut(&number).expect("of a thread or a task");
            (goroutine.state, goroutine.stack) = (state, stack);
            goroutine.is_polled = number == polled || goroutine.is_polled;
        }
    }

    fn add_goroutine(
        &mut self,
        state: State,
        name: Text,
        stack: StackKey,
        task: Option<u64>,
    ) -> Number {
        self.last_goroutine += 1;
        let regions = Vec::new();
        let (is_polled, woken, labels) = (false, false, (0, 0));
        let new = Goroutine {
            state,
            seq: 0,
            known: 0,
            stack,
            name,
            regions,
            is_polled,
            woken,
            task,
            labels,
        };
        self.goroutines.insert(self.last_goroutine, new);
        self.last_goroutine
    }

    /// Adds a thread, and a processor for it if none is free.
    fn add_thread(&mut self, id: ThreadId, own: Number) {
        let proc = self.free_procs.pop().unwrap_or_else(|| {
            self.procs += 1;
            self.procs - 1
        });
        let events = Events::new();
        self.threads.insert(id, Thread { proc, proc_seq: 0, own, polls: Vec::new(), events });
    }

    /// The generation with a number, which begins at a time, of records that are sorted by time.
    pub(super) fn generation(
        &mut self,
        number: u64,
        begin: u64,
        slice: Slice,
        names: &mut dyn Names,
    ) -> Generation {
        let mut writing = Writing {
            model: self,
            out: Generation::new(number),
            names,
            stacks: FxHashMap::default(),
            born: slice.born,
            idle: FxHashMap::default(),
            time: begin,
        };
        writing.introduce();
        for (position, record) in slice.records.into_iter().enumerate() {
            writing.time = record.time;
            let earlier = slice.wakeups.earlier.get(&position).copied();
            let woken = slice.wakeups.woken.get(&position).map_or(&[][..], |woken| woken);
            writing.record(record, earlier, woken);
        }
        writing.time = slice.end;
        writing.finish()
    }
}

impl Writing<'_> {
    /// Says what there is: each thread with its processor and its goroutine, and how many processors.
    fn introduce(&mut self) {
        let ids: Vec<ThreadId> = self.model.threads.keys().copied().collect();
        for &id in &ids {
            let thread = self.model.threads.get_mut(&id).expect("a key of the map");
            thread.proc_seq = 0;
            let (proc, top) = (thread.proc, thread.top());
            let in_syscall = self.model.goroutines[&top].state == State::Syscall;
            self.push(id, E::ProcStatus, &[proc, if in_syscall { 3 } else { 1 }]);
            self.know(id, top);
        }
        self.introduce_the_rest();
        // Somebody has to be running to tell the number of processors.
        let own = self.model.own;
        let goroutine = self.model.threads[&own].top();
        let main = self.stack_of(goroutine);
        self.resume(own, goroutine, 0);
        self.push(own, E::ProcsChange, &[self.model.procs, main]);
        self.block(own, "sleep", 0);
    }

    /// Says what state goroutines are in that no thread has: who begins to read here may be told of new ones only
    /// now.
    fn introduce_the_rest(&mut self) {
        let mut numbers: Vec<Number> = self.model.goroutines.keys().copied().collect();
        numbers.sort_unstable();
        let own = self.model.own;
        numbers.into_iter().for_each(|number| self.know(own, number));
    }

    /// Ends the generation with an event, so that it is seen how long the last state lasted.
    fn finish(mut self) -> Generation {
        let recorder = self.model.own;
        self.wake_up(recorder, 0);
        self.block(recorder, "sleep", 0);
        for (id, mut events) in std::mem::take(&mut self.model.ended) {
            self.out.events(id, &mut events);
        }
        for (&id, thread) in &mut self.model.threads {
            self.out.events(id, &mut thread.events);
        }
        self.out
    }

    fn record(&mut self, record: Record, earlier: Option<StackKey>, woken: &[ThreadId]) {
        let Record { thread, what, .. } = record;
        if let What::ThreadBegin { token } = what {
            return self.thread_begin(thread, token);
        }
        if let What::Heap { bytes } = what
            && self.model.threads.contains_key(&thread)
        {
            return self.push(thread, E::HeapAlloc, &[bytes]);
        }
        if thread.is_none() || thread == self.model.own {
            return;
        }
        if !self.model.threads.contains_key(&thread) {
            if what == What::ThreadEnd {
                return;
            }
            self.thread_begin(thread, 0);
        }
        match what {
            What::ThreadBegin { .. } => {}
            What::ThreadCreate { token, stack } => self.thread_create(thread, token, stack),
            What::ThreadEnd => self.thread_end(thread),
            What::WaitBegin { why, stack, .. } => self.wait_begin(thread, why, stack),
            What::WaitEnd => self.wake_up(thread, earlier.unwrap_or(0)),
            What::Wake { stack, .. } => {
                woken.iter().for_each(|&other| self.wake(thread, other, stack));
            }
            What::TaskCreate { task, name, stack } => self.task_create(thread, task, name, stack),
            What::PollBegin { task } => self.poll_begin(thread, task),
            What::PollEnd { task, waits } => self.poll_end(thread, task, waits),
            What::TaskWake { task, stack } => self.task_wake(thread, task, stack),
            What::TaskDrop { task } => self.task_drop(thread, task),
            What::Labels { labels } => self.labels(thread, labels),
            What::Sample { stack } => self.sample(thread, stack),
            told => self.told(thread, told),
        }
    }

    // Threads.

    fn thread_create(&mut self, thread: ThreadId, token: u64, stack: StackKey) {
        if self.model.unborn.contains_key(&token) {
            return;
        }
        self.wake_up(thread, 0);
        // One that does not begin soon is introduced when it does.
        let Some(&born) = self.born.get(&token).filter(|_| token != 0) else { return };
        let name = self.names.thread(born);
        let new = self.model.add_goroutine(State::Runnable, name, 0, None);
        self.created(thread, new, stack);
        self.model.unborn.insert(token, new);
    }

    /// Says that a thread's goroutine has created another.
    fn created(&mut self, thread: ThreadId, new: Number, stack: StackKey) {
        let number = self.out.number();
        let goroutine = self.model.goroutines.get_mut(&new).expect("just added");
        goroutine.known = number;
        let start = self.stack_of(new);
        let stack = self.stack(stack);
        self.push(thread, E::GoCreate, &[new, start, stack]);
    }

    fn thread_begin(&mut self, id: ThreadId, token: u64) {
        if id.is_none() || id == self.model.own {
            return;
        }
        if self.model.threads.contains_key(&id) {
            if token == 0 {
                return;
            }
            self.thread_end(id);
        }
        let created = self.model.unborn.remove(&token);
        let own = created.unwrap_or_else(|| self.introduced(id));
        let procs = self.model.procs;
        self.model.add_thread(id, own);
        self.proc_start(id);
        self.start(id, own);
        if self.model.procs > procs {
            self.push(id, E::ProcsChange, &[self.model.procs, 0]);
        }
    }

    /// The goroutine of a thread that nobody was seen to create. New ones have to be created by somebody, so
    /// the recorder's thread does.
    fn introduced(&mut self, id: ThreadId) -> Number {
        let name = self.names.thread(id);
        let new = self.model.add_goroutine(State::Runnable, name, 0, None);
        let recorder = self.model.own;
        self.wake_up(recorder, 0);
        self.created(recorder, new, 0);
        self.block(recorder, "sleep", 0);
        new
    }

    /// Gives a thread its processor, which is new or was given back.
    fn proc_start(&mut self, id: ThreadId) {
        let proc = self.thread(id).proc;
        match self.idle.remove(&proc) {
            Some(seq) => self.thread(id).proc_seq = seq,
            None => self.push(id, E::ProcStatus, &[proc, 2]),
        }
        let thread = self.thread(id);
        thread.proc_seq += 1;
        let seq = thread.proc_seq;
        self.push(id, E::ProcStart, &[proc, seq]);
    }

    fn thread_end(&mut self, id: ThreadId) {
        if let Some(&outermost) = self.model.threads[&id].polls.first() {
            self.end_polls(id, outermost, Some(UNKNOWN));
        }
        self.wake_up(id, 0);
        let own = self.model.threads[&id].own;
        self.push(id, E::GoDestroy, &[]);
        self.push(id, E::ProcStop, &[]);
        self.model.goroutines.remove(&own);
        let thread = self.model.threads.remove(&id).expect("a thread that there is");
        self.model.free_procs.push(thread.proc);
        self.idle.insert(thread.proc, thread.proc_seq);
        self.model.ended.push((id, thread.events));
    }

    // Waiting.

    fn wait_begin(&mut self, id: ThreadId, why: Waiting, stack: StackKey) {
        self.wake_up(id, 0);
        if why != Waiting::Syscall {
            return self.block(id, why.reason(), stack);
        }
        let thread = self.thread(id);
        thread.proc_seq += 1;
        let (seq, top) = (thread.proc_seq, thread.top());
        let at = self.stack(stack);
        self.push(id, E::GoSyscallBegin, &[seq, at]);
        let goroutine = self.goroutine(top);
        (goroutine.state, goroutine.stack) = (State::Syscall, stack);
    }

    /// Brings a thread to run, whatever it did.
    fn wake_up(&mut self, id: ThreadId, woken_at: StackKey) {
        let top = self.model.threads[&id].top();
        match self.model.goroutines[&top].state {
            State::Running => {}
            State::Syscall => {
                self.push(id, E::GoSyscallEnd, &[]);
                self.goroutine(top).state = State::Running;
            }
            State::Runnable => self.start(id, top),
            State::Waiting => self.resume(id, top, woken_at),
        }
    }

    /// A thread lets another run.
    fn wake(&mut self, by: ThreadId, other: ThreadId, stack: StackKey) {
        let Some(top) = self.model.threads.get(&other).map(Thread::top) else { return };
        if self.model.goroutines[&top].state == State::Waiting {
            self.unblock(by, top, stack);
        }
    }

    // Tasks.

    fn task_create(&mut self, id: ThreadId, task: u64, name: Text, stack: StackKey) {
        if self.model.tasks.contains_key(&task) {
            return;
        }
        self.wake_up(id, 0);
        let new = self.model.add_goroutine(State::Runnable, name, 0, Some(task));
        self.created(id, new, stack);
        self.model.tasks.insert(task, new);
    }

    fn poll_begin(&mut self, id: ThreadId, task: u64) {
        self.wake_up(id, 0);
        self.task_create(id, task, UNNAMED.into(), 0);
        let new = self.model.tasks[&task];
        if self.model.goroutines[&new].is_polled {
            return;
        }
        self.block(id, POLLING, 0);
        self.thread(id).polls.push(new);
        match self.model.goroutines[&new].state {
            State::Waiting => self.resume(id, new, 0),
            _ => self.start(id, new),
        }
        let polled = self.goroutine(new);
        (polled.is_polled, polled.woken) = (true, false);
    }

    fn poll_end(&mut self, id: ThreadId, task: u64, waits: Option<(Waiting, StackKey)>) {
        let polls = &self.model.threads[&id].polls;
        if let Some(&polled) = self.model.tasks.get(&task).filter(|polled| polls.contains(polled)) {
            self.end_polls(id, polled, waits);
        }
    }

    /// Ends the poll of a task, and first those inside, whose own ends are missing.
    fn end_polls(&mut self, id: ThreadId, polled: Number, waits: Option<(Waiting, StackKey)>) {
        self.wake_up(id, 0);
        while let Some(top) = self.thread(id).polls.pop() {
            if top != polled {
                self.leave(id, top, Some(UNKNOWN));
                continue;
            }
            return self.leave(id, top, waits);
        }
    }

    /// The thread goes from a task, which it does not poll any more, to what it did before.
    fn leave(&mut self, id: ThreadId, polled: Number, waits: Option<(Waiting, StackKey)>) {
        self.goroutine(polled).is_polled = false;
        match waits {
            None => {
                self.push(id, E::GoDestroy, &[]);
                self.forget(polled);
            }
            Some((_, stack)) if self.model.goroutines[&polled].woken => {
                let (why, at) = (self.string("woken while it ran"), self.stack(stack));
                self.push(id, E::GoStop, &[why, at]);
                let goroutine = self.goroutine(polled);
                (goroutine.state, goroutine.stack) = (State::Runnable, stack);
            }
            Some((why, stack)) => self.block_as(id, polled, why.reason(), stack),
        }
        let below = self.model.threads[&id].top();
        self.resume(id, below, 0);
    }

    fn forget(&mut self, goroutine: Number) {
        let gone = self.model.goroutines.remove(&goroutine);
        if let Some(task) = gone.and_then(|gone| gone.task) {
            self.model.tasks.remove(&task);
        }
    }

    fn task_wake(&mut self, by: ThreadId, task: u64, stack: StackKey) {
        let Some(&woken) = self.model.tasks.get(&task) else { return };
        let goroutine = self.goroutine(woken);
        if goroutine.is_polled {
            goroutine.woken = true;
        } else if goroutine.state == State::Waiting {
            self.unblock(by, woken, stack);
        }
    }

    /// A goroutine ends by itself only, so the thread that drops a task seems to poll it to its end.
    fn task_drop(&mut self, id: ThreadId, task: u64) {
        let Some(&dropped) = self.model.tasks.get(&task) else { return };
        if !self.model.goroutines[&dropped].is_polled {
            self.poll_begin(id, task);
            self.poll_end(id, task, None);
        }
    }

    // What the program says of itself.

    fn told(&mut self, id: ThreadId, what: What) {
        self.wake_up(id, 0);
        match what {
            What::UserTaskBegin { id: task, parent, name, stack }
                if self.model.user_tasks.insert(task) =>
            {
                let (name, at) = (self.string(&name), self.stack(stack));
                self.push(id, E::UserTaskBegin, &[task, parent, name, at]);
            }
            What::UserTaskEnd { id: task, stack } => {
                self.model.user_tasks.remove(&task);
                let at = self.stack(stack);
                self.push(id, E::UserTaskEnd, &[task, at]);
            }
            What::RegionBegin { task, name, stack } => {
                let (text, at) = (self.string(&name), self.stack(stack));
                self.push(id, E::UserRegionBegin, &[task, text, at]);
                self.regions(id).push((task, name));
            }
            What::RegionEnd { task, name, stack } => self.region_end(id, (task, name), stack),
            What::Log { task, category, message, stack } => {
                self.log(id, task, &category, &message, stack);
            }
            What::Lost { count } => {
                let message = format!("{count} events of this thread are missing");
                self.log(id, 0, "oxprof", &message, 0);
            }
            _ => {}
        }
    }

    fn log(&mut self, id: ThreadId, task: u64, category: &str, message: &str, stack: StackKey) {
        let (category, message) = (self.string(category), self.string(message));
        let at = self.stack(stack);
        self.push(id, E::UserLog, &[task, category, message, at]);
    }

    /// Ends a region and those inside it. One that is not open had begun before the recording, unless another
    /// is.
    fn region_end(&mut self, id: ThreadId, region: (u64, Text), stack: StackKey) {
        let open = self.regions(id);
        let inner = match open.iter().rposition(|other| *other == region) {
            Some(i) => open.split_off(i),
            None if open.is_empty() => vec![region],
            None => return,
        };
        let at = self.stack(stack);
        for (task, name) in inner.into_iter().rev() {
            let name = self.string(&name);
            self.push(id, E::UserRegionEnd, &[task, name, at]);
        }
    }

    fn regions(&mut self, id: ThreadId) -> &mut Vec<(u64, Text)> {
        let top = self.model.threads[&id].top();
        &mut self.goroutine(top).regions
    }

    /// Tells the labels of what a thread runs, once in a generation and whenever they are others.
    fn labels(&mut self, id: ThreadId, labels: LabelsKey) {
        let (top, number) = (self.model.threads[&id].top(), self.out.number());
        let goroutine = self.goroutine(top);
        let (known, told) = goroutine.labels;
        let is_told = known == labels && (told == number || labels == 0);
        if is_told || goroutine.state != State::Running {
            return;
        }
        goroutine.labels = (labels, number);
        let text = if labels == 0 { "{}".into() } else { self.names.labels(labels) };
        let text = self.string(&text);
        self.push(id, E::GoLabel, &[text]);
    }

    fn sample(&mut self, id: ThreadId, stack: StackKey) {
        let thread = &self.model.threads[&id];
        let (proc, goroutine) = (ProcId(thread.proc as i64), GoId(thread.top() as i64));
        let stack = self.stack_id(stack, "");
        self.out.sample(&Sample { ticks: self.time, thread: id, proc, goroutine, stack });
    }

    // Events.

    /// The top goroutine of a thread waits from now on.
    fn block(&mut self, id: ThreadId, why: &str, stack: StackKey) {
        let top = self.model.threads[&id].top();
        self.block_as(id, top, why, stack);
    }

    fn block_as(&mut self, id: ThreadId, goroutine: Number, why: &str, stack: StackKey) {
        let (why, at) = (self.string(why), self.stack(stack));
        self.push(id, E::GoBlock, &[why, at]);
        let goroutine = self.goroutine(goroutine);
        (goroutine.state, goroutine.stack) = (State::Waiting, stack);
    }

    /// Ends the waiting of a goroutine.
    fn unblock(&mut self, by: ThreadId, goroutine: Number, stack: StackKey) {
        self.know(by, goroutine);
        let at = self.stack(stack);
        let woken = self.goroutine(goroutine);
        woken.seq += 1;
        woken.state = State::Runnable;
        let seq = woken.seq;
        self.push(by, E::GoUnblock, &[goroutine, seq, at]);
    }

    fn start(&mut self, id: ThreadId, goroutine: Number) {
        self.know(id, goroutine);
        let started = self.goroutine(goroutine);
        started.seq += 1;
        started.state = State::Running;
        started.stack = 0;
        let seq = started.seq;
        self.push(id, E::GoStart, &[goroutine, seq]);
    }

    fn resume(&mut self, id: ThreadId, goroutine: Number, woken_at: StackKey) {
        self.unblock(id, goroutine, woken_at);
        self.start(id, goroutine);
    }

    /// Says what is known of a goroutine, if the generation has not spoken of it.
    fn know(&mut self, id: ThreadId, goroutine: Number) {
        let number = self.out.number();
        if self.model.goroutines[&goroutine].known == number {
            return;
        }
        let at = self.stack_of(goroutine);
        let known = self.goroutine(goroutine);
        (known.known, known.seq) = (number, 0);
        let state = known.state;
        let holder = match state {
            State::Running | State::Syscall => id.0 as u64,
            State::Runnable | State::Waiting => u64::MAX,
        };
        self.push(id, E::GoStatusStack, &[goroutine, holder, state as u64, at]);
    }

    fn push(&mut self, id: ThreadId, event: E, args: &[u64]) {
        let time = self.time;
        self.thread(id).events.push(time, event, args);
    }

    fn thread(&mut self, id: ThreadId) -> &mut Thread {
        self.model.threads.get_mut(&id).expect("a thread that there is")
    }

    fn goroutine(&mut self, number: Number) -> &mut Goroutine {
        self.model.goroutines.get_mut(&number).expect("a goroutine that there is")
    }

    // Texts and stacks.

    fn string(&mut self, text: &str) -> u64 {
        self.out.string(text).into()
    }

    fn stack(&mut self, key: StackKey) -> u64 {
        self.stack_id(key, "").into()
    }

    /// The stack on which a goroutine got into its state, with its name as the outermost frame.
    fn stack_of(&mut self, goroutine: Number) -> u64 {
        let Goroutine { stack, ref name, .. } = self.model.goroutines[&goroutine];
        let name = name.clone();
        self.stack_id(stack, &name).into()
    }

    /// A stack with an outermost frame, unless that is empty.
    fn stack_id(&mut self, key: StackKey, root: &str) -> StackId {
        let root_id = self.out.string(root);
        if let Some(&id) = self.stacks.get(&(key, root_id)) {
            return id;
        }
        let mut frames = if key == 0 { Vec::new() } else { self.names.frames(key) };
        if !root.is_empty() {
            frames.push(FrameRef { func: root, file: "", line: 0 });
        }
        let id = self.out.stack(&frames);
        self.stacks.insert((key, root_id), id);
        id
    }
}
