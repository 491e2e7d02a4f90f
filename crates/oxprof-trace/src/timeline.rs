//! A trace as things to draw: slices, instants, arrows and counters on lanes.
//!
//! Items come out as soon as they are complete, so a viewer or an exporter needs no more memory than it
//! wants to. Slices of one lane nest, and come in the order of their ends.

use oxprof_profile::StrId;
use rustc_hash::FxHashMap;

use crate::names::{Names, StackIdx};
use crate::{
    Event, GoId, GoState, GoTransition, Kind, Metric, ProcId, ProcState, ProcTransition, Range,
    Slot, SyncKind, Tables, TaskId, ThreadId,
};

/// What has a lane of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LanesBy {
    /// Each processor: which goroutine it runs.
    #[default]
    Proc,
    /// Each thread: which goroutine it runs.
    Thread,
    /// Each goroutine: what state it is in.
    Goroutine,
}

/// A lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// A processor.
    Proc(ProcId),
    /// A thread.
    Thread(ThreadId),
    /// A goroutine.
    Goroutine(GoId),
    /// The garbage collector.
    Gc,
    /// Where wake-ups by the network come from.
    Network,
    /// Where goroutines come from that were in a system call without a processor.
    Syscalls,
}

/// Something to draw. Strings and stacks are those of [`Timeline::names`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    /// Something that takes time.
    Slice {
        /// Where.
        lane: Lane,
        /// What.
        name: Name,
        /// The goroutine it is about, and the function that starts in; neither for what is about none.
        goroutine: (GoId, StrId),
        /// When it begins.
        start: i64,
        /// When it ends.
        end: i64,
        /// Stack at the beginning, if known.
        stack: Option<StackIdx>,
    },
    /// Something that takes none.
    Instant {
        /// Where.
        lane: Lane,
        /// What.
        name: Name,
        /// When.
        time: i64,
        /// Stack, if known.
        stack: Option<StackIdx>,
    },
    /// One thing leads to another.
    Arrow {
        /// What kind of thing.
        name: Name,
        /// The goroutine that is the cause, if one is, and the one that runs because of it.
        goroutines: (GoId, GoId),
        /// Lane and time of the cause.
        from: (Lane, i64),
        /// Lane and time of the effect.
        to: (Lane, i64),
    },
    /// A number has changed.
    Counter {
        /// Which.
        counter: Counter,
        /// When.
        time: i64,
        /// To what.
        value: u64,
    },
    /// A task or region, which may overlap with others.
    Span {
        /// Whether it is a task, or a region of one.
        is_task: bool,
        /// The task.
        task: TaskId,
        /// The goroutine where it ends.
        goroutine: GoId,
        /// Its type.
        name: StrId,
        /// When it begins.
        start: i64,
        /// When it ends.
        end: i64,
    },
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A goroutine runs, which starts in this function.
    Goroutine(GoId, StrId),
    /// A goroutine's state and, where it has one, its reason.
    State(GoState, StrId),
    /// A system call; whether it cost the goroutine its processor.
    Syscall {
        /// Whether it did.
        blocked: bool,
    },
    /// A span of special time, by name.
    Range(StrId),
    /// A log message: category and text.
    Log(StrId, StrId),
    /// A sample of the CPU profiler.
    CpuSample,
    /// A thread takes a processor.
    ProcStart(ThreadId),
    /// A thread loses a processor.
    ProcStop(ThreadId),
    /// A goroutine creates another.
    Create,
    /// A goroutine that was blocked for this reason can run again.
    Unblock(StrId),
    /// A goroutine returns from a system call that cost its processor.
    SyscallExit,
}

/// A number that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Goroutines in this state.
    Goroutines(GoState),
    /// Processors that threads hold.
    RunningProcs,
    /// Bytes of heap objects.
    HeapAlloc,
    /// Bytes at which garbage will be collected.
    HeapGoal,
}

/// Turns events into items. Feed it every event of a trace.
#[derive(Debug, Default)]
pub struct Timeline {
    by: LanesBy,
    names: Names,
    start: Option<i64>,
    end: i64,
    /// By slot.
    goroutines: Vec<Goroutine>,
    states: [u64; 4],
    running_procs: u64,
    in_syscall: FxHashMap<ProcId, Slot>,
    sweeps: FxHashMap<ProcId, (i64, StackIdx)>,
    marking: Option<(i64, StackIdx)>,
    tasks: FxHashMap<TaskId, (i64, StrId)>,
}

#[derive(Debug, Default)]
struct Goroutine {
    id: GoId,
    name: StrId,
    state: Option<GoState>,
    state_since: i64,
    state_reason: StrId,
    state_stack: Option<StackIdx>,
    /// The lane it occupies, and since when.
    runs: Option<(Lane, i64)>,
    /// A system call that it is in.
    syscall: Option<(i64, StackIdx)>,
    /// Why it will run next: by whom, where and when.
    cause: Option<(Name, GoId, Lane, i64)>,
    ranges: Vec<(StrId, i64)>,
    regions: Vec<(TaskId, StrId, i64)>,
}

/// Where items go.
pub type Sink<'a> = dyn FnMut(&Names, Item) + 'a;

impl Timeline {
    /// No items yet.
    pub fn new(by: LanesBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Strings and stacks of the items.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes the next event into account, and hands out what is complete.
    pub fn event(&mut self, event: &Event, tables: &Tables, sink: &mut Sink<'_>) {
        self.names.event(event);
        let start = *self.start.get_or_insert(event.time);
        self.end = event.time;
        match event.kind {
            Kind::Sync { kind: SyncKind::Gap, .. } => self.close(sink),
            Kind::Metric(Metric::HeapAlloc, value) => self.counter(Counter::HeapAlloc, value, sink),
            Kind::Metric(Metric::HeapGoal, value) => self.counter(Counter::HeapGoal, value, sink),
            Kind::StackSample => self.instant(event, Name::CpuSample, tables, sink),
            Kind::Log(log) => {
                let category = self.names.string(log.category, tables);
                let message = self.names.string(log.message, tables);
                self.instant(event, Name::Log(category, message), tables, sink);
            }
            Kind::Go(t) => self.transition(event, &t, tables, start, sink),
            Kind::Proc(t) => self.proc(event, t, sink),
            Kind::RangeBegin(range) => self.range_begin(event, range, tables, event.time),
            Kind::RangeActive(range) => self.range_active(event, range, tables, start),
            Kind::RangeEnd(range, _) => self.range_end(event, range, tables, sink),
            Kind::TaskBegin(task) => {
                let name = self.names.string(task.name, tables);
                self.tasks.insert(task.id, (event.time, name));
            }
            Kind::TaskEnd(task) => {
                let name = self.names.string(task.name, tables);
                let (start, _) = self.tasks.remove(&task.id).unwrap_or((start, name));
                let (goroutine, end) = (event.goroutine, event.time);
                let span = Item::Span { is_task: true, task: task.id, goroutine, name, start, end };
                sink(&self.names, span);
            }
            Kind::RegionBegin(region) => {
                let name = self.names.string(region.name, tables);
                if let Some(go) = self.goroutines.get_mut(event.slot.index()) {
                    go.regions.push((region.task, name, event.time));
                }
            }
            Kind::RegionEnd(region) => {
                let name = self.names.string(region.name, tables);
                let open =
                    self.goroutines.get_mut(event.slot.index()).and_then(|go| go.regions.pop());
                let (task, name, start) = open.unwrap_or((region.task, name, start));
                let (goroutine, end) = (event.goroutine, event.time);
                sink(&self.names, Item::Span { is_task: false, task, goroutine, name, start, end });
            }
            _ => {}
        }
    }

    /// Hands out everything that goes on at the end of the trace.
    pub fn finish(mut self, sink: &mut Sink<'_>) -> Names {
        self.close(sink);
        self.names
    }

    fn close(&mut self, sink: &mut Sink<'_>) {
        let end = self.end;
        for slot in 0..self.goroutines.len() {
            self.leave_state(slot, end, sink);
            self.stop(slot, end, sink);
            let go = std::mem::take(&mut self.goroutines[slot]);
            for (task, name, start) in go.regions {
                let span = Item::Span { is_task: false, task, goroutine: go.id, name, start, end };
                sink(&self.names, span);
            }
        }
        for (task, (start, name)) in std::mem::take(&mut self.tasks) {
            let span = Item::Span { is_task: true, task, goroutine: GoId::NONE, name, start, end };
            sink(&self.names, span);
        }
        self.in_syscall.clear();
        self.sweeps.clear();
        self.marking = None;
        (self.states, self.running_procs) = ([0; 4], 0);
    }

    fn counter(&mut self, counter: Counter, value: u64, sink: &mut Sink<'_>) {
        sink(&self.names, Item::Counter { counter, time: self.end, value });
    }

    /// The lane of the event itself.
    fn lane(&self, event: &Event) -> Option<Lane> {
        match self.by {
            LanesBy::Proc => (!event.proc.is_none()).then_some(Lane::Proc(event.proc)),
            LanesBy::Thread => (!event.thread.is_none()).then_some(Lane::Thread(event.thread)),
            LanesBy::Goroutine => {
                (!event.goroutine.is_none()).then_some(Lane::Goroutine(event.goroutine))
            }
        }
    }

    fn instant(&mut self, event: &Event, name: Name, tables: &Tables, sink: &mut Sink<'_>) {
        let Some(lane) = self.lane(event) else { return };
        let stack = Some(self.names.stack(event.stack, tables));
        sink(&self.names, Item::Instant { lane, name, time: event.time, stack });
    }

    fn transition(
        &mut self,
        event: &Event,
        t: &GoTransition,
        tables: &Tables,
        start: i64,
        sink: &mut Sink<'_>,
    ) {
        let slot = t.slot.index();
        if slot >= self.goroutines.len() {
            self.goroutines.resize_with(slot + 1, Goroutine::default);
        }
        if matches!(t.from, GoState::Undetermined | GoState::NotExist) {
            self.goroutines[slot] = Goroutine { id: t.id, ..Goroutine::default() };
        }
        let go = &mut self.goroutines[slot];
        if let Some(stack) = t.stack.filter(|_| go.name.is_empty())
            && let Some(root) = tables.frames(stack).next_back()
        {
            go.name = self.names.string(root.func, tables);
        }
        if t.from == t.to {
            return;
        }
        // A state that becomes known has lasted since the trace began.
        let since = if t.from == GoState::Undetermined { start } else { event.time };
        self.leave_state(slot, event.time, sink);
        self.move_on(event, t, since, tables, sink);
        self.wake(event, t, tables, sink);
        self.enter_state(event, t, since, tables, sink);
    }

    /// Takes the goroutine off its lane, or puts it on one.
    fn move_on(
        &mut self,
        event: &Event,
        t: &GoTransition,
        since: i64,
        tables: &Tables,
        sink: &mut Sink<'_>,
    ) {
        let slot = t.slot.index();
        if t.from == GoState::Syscall {
            self.end_syscall(slot, event.time, t.to != GoState::Running, sink);
            self.in_syscall.retain(|_, in_call| *in_call != t.slot);
        }
        if !t.to.executing() {
            self.stop(slot, event.time, sink);
        } else if self.goroutines[slot].runs.is_none() {
            self.run(event, t.slot, since, sink);
        }
        if t.to == GoState::Syscall {
            let stack = self.names.stack(event.stack, tables);
            self.goroutines[slot].syscall = Some((since, stack));
            if !event.proc.is_none() {
                self.in_syscall.insert(event.proc, t.slot);
            }
        }
    }

    fn run(&mut self, event: &Event, slot: Slot, since: i64, sink: &mut Sink<'_>) {
        let go = &mut self.goroutines[slot.index()];
        let lane = match self.by {
            LanesBy::Proc if event.proc.is_none() => return,
            LanesBy::Proc => Lane::Proc(event.proc),
            LanesBy::Thread => Lane::Thread(event.thread),
            LanesBy::Goroutine => Lane::Goroutine(go.id),
        };
        go.runs = Some((lane, since));
        go.ranges.iter_mut().for_each(|(_, start)| *start = since);
        if let Some((name, by, from, time)) = go.cause.take() {
            let goroutines = (by, go.id);
            sink(
                &self.names,
                Item::Arrow { name, goroutines, from: (from, time), to: (lane, since) },
            );
        }
    }

    /// A goroutine leaves its lane: what it did there is complete, innermost first.
    fn stop(&mut self, slot: usize, end: i64, sink: &mut Sink<'_>) {
        self.end_syscall(slot, end, false, sink);
        let go = &mut self.goroutines[slot];
        let Some((lane, start)) = go.runs.take() else { return };
        let goroutine = (go.id, go.name);
        for &(name, since) in &go.ranges {
            let (name, start) = (Name::Range(name), since.max(start));
            sink(&self.names, Item::Slice { lane, name, goroutine, start, end, stack: None });
        }
        if self.by != LanesBy::Goroutine {
            let name = Name::Goroutine(go.id, go.name);
            sink(&self.names, Item::Slice { lane, name, goroutine, start, end, stack: None });
        }
    }

    fn end_syscall(&mut self, slot: usize, end: i64, blocked: bool, sink: &mut Sink<'_>) {
        let go = &mut self.goroutines[slot];
        let Some((start, stack)) = go.syscall.take() else { return };
        let Some((lane, _)) = go.runs else { return };
        if self.by != LanesBy::Goroutine {
            let (name, goroutine) = (Name::Syscall { blocked }, (go.id, go.name));
            let stack = Some(stack);
            sink(&self.names, Item::Slice { lane, name, goroutine, start, end, stack });
        }
    }

    /// Notes what will have made the goroutine run.
    fn wake(&mut self, event: &Event, t: &GoTransition, tables: &Tables, sink: &mut Sink<'_>) {
        let lane = self.lane(event);
        let stack = Some(self.names.stack(event.stack, tables));
        let time = event.time;
        let go = &mut self.goroutines[t.slot.index()];
        let cause = match (t.from, t.to) {
            (GoState::Waiting, _) if self.names.get(go.state_reason) == "network" => {
                let name = Name::Unblock(go.state_reason);
                sink(&self.names, Item::Instant { lane: Lane::Network, name, time, stack });
                Some((name, Lane::Network))
            }
            (GoState::Waiting, _) => lane.map(|lane| (Name::Unblock(go.state_reason), lane)),
            (GoState::NotExist, GoState::Runnable) => lane.map(|lane| (Name::Create, lane)),
            (GoState::Syscall, GoState::Runnable) => {
                let name = Name::SyscallExit;
                sink(&self.names, Item::Instant { lane: Lane::Syscalls, name, time, stack });
                Some((name, Lane::Syscalls))
            }
            _ => return,
        };
        go.cause = cause.map(|(name, lane)| (name, event.goroutine, lane, time));
    }

    fn leave_state(&mut self, slot: usize, end: i64, sink: &mut Sink<'_>) {
        let go = &mut self.goroutines[slot];
        let Some(state) = go.state.take() else { return };
        let (lane, start, stack) = (Lane::Goroutine(go.id), go.state_since, go.state_stack);
        let (name, goroutine) = (Name::State(state, go.state_reason), (go.id, go.name));
        if self.by == LanesBy::Goroutine {
            sink(&self.names, Item::Slice { lane, name, goroutine, start, end, stack });
        }
        self.count_state(state, false, sink);
    }

    fn enter_state(
        &mut self,
        event: &Event,
        t: &GoTransition,
        since: i64,
        tables: &Tables,
        sink: &mut Sink<'_>,
    ) {
        if t.to == GoState::NotExist {
            return;
        }
        let reason = self.names.string(t.reason, tables);
        let stack = self.names.stack(event.stack, tables);
        let go = &mut self.goroutines[t.slot.index()];
        go.state = Some(t.to);
        go.state_since = since;
        go.state_reason = reason;
        go.state_stack = Some(stack);
        self.count_state(t.to, true, sink);
    }

    fn count_state(&mut self, state: GoState, more: bool, sink: &mut Sink<'_>) {
        let i = match state {
            GoState::Runnable => 0,
            GoState::Running => 1,
            GoState::Waiting => 2,
            GoState::Syscall => 3,
            GoState::Undetermined | GoState::NotExist => return,
        };
        self.states[i] = if more { self.states[i] + 1 } else { self.states[i].saturating_sub(1) };
        self.counter(Counter::Goroutines(state), self.states[i], sink);
    }

    fn proc(&mut self, event: &Event, t: ProcTransition, sink: &mut Sink<'_>) {
        if t.from == t.to {
            return;
        }
        let lane = match self.by {
            LanesBy::Proc => Lane::Proc(t.id),
            _ => Lane::Thread(event.thread),
        };
        let starts = t.to == ProcState::Running;
        if !starts && t.from != ProcState::Running {
            return;
        }
        let name =
            if starts { Name::ProcStart(event.thread) } else { Name::ProcStop(event.thread) };
        if starts {
            self.running_procs += 1;
        } else {
            self.running_procs = self.running_procs.saturating_sub(1);
            self.lose_proc(event, t.id, sink);
        }
        if self.by != LanesBy::Goroutine {
            sink(&self.names, Item::Instant { lane, name, time: event.time, stack: None });
        }
        self.counter(Counter::RunningProcs, self.running_procs, sink);
    }

    /// A goroutine in a system call leaves the lane of the processor that it loses.
    fn lose_proc(&mut self, event: &Event, proc: ProcId, sink: &mut Sink<'_>) {
        if self.by != LanesBy::Proc {
            return;
        }
        if let Some(slot) = self.in_syscall.remove(&proc) {
            self.end_syscall(slot.index(), event.time, true, sink);
            self.stop(slot.index(), event.time, sink);
        }
    }

    // Spans of special time.

    fn range_begin(&mut self, event: &Event, range: Range, tables: &Tables, since: i64) {
        let stack = self.names.stack(event.stack, tables);
        match range {
            Range::GcMark => self.marking = Some((since, stack)),
            Range::GcSweep(proc) => {
                self.sweeps.insert(proc, (since, stack));
            }
            Range::StopTheWorld(_, _, slot) | Range::GcMarkAssist(_, slot) => {
                let name = self.names.intern(&range.name(tables));
                if let Some(go) = self.goroutines.get_mut(slot.index()) {
                    go.ranges.push((name, since));
                }
            }
        }
    }

    fn range_active(&mut self, event: &Event, range: Range, tables: &Tables, start: i64) {
        let known = match range {
            Range::GcMark => self.marking.is_some(),
            Range::GcSweep(proc) => self.sweeps.contains_key(&proc),
            Range::StopTheWorld(_, _, slot) | Range::GcMarkAssist(_, slot) => {
                let name = self.names.intern(&range.name(tables));
                let go = self.goroutines.get(slot.index());
                go.is_some_and(|go| go.ranges.iter().any(|(n, _)| *n == name))
            }
        };
        if !known {
            self.range_begin(event, range, tables, start);
        }
    }

    fn range_end(&mut self, event: &Event, range: Range, tables: &Tables, sink: &mut Sink<'_>) {
        let id = self.names.intern(&range.name(tables));
        let (name, end) = (Name::Range(id), event.time);
        let slice = match range {
            Range::GcMark => self.marking.take().map(|begin| (Lane::Gc, begin)),
            Range::GcSweep(proc) => {
                self.sweeps.remove(&proc).zip(self.lane(event)).map(|(b, l)| (l, b))
            }
            Range::StopTheWorld(_, _, slot) | Range::GcMarkAssist(_, slot) => {
                let Some(go) = self.goroutines.get_mut(slot.index()) else { return };
                let Some(i) = go.ranges.iter().position(|(n, _)| *n == id) else { return };
                let (_, start) = go.ranges.swap_remove(i);
                if let Some((lane, since)) = go.runs {
                    let (start, goroutine) = (start.max(since), (go.id, go.name));
                    sink(
                        &self.names,
                        Item::Slice { lane, name, goroutine, start, end, stack: None },
                    );
                }
                None
            }
        };
        if let Some((lane, (start, stack))) = slice {
            let (goroutine, stack) = ((GoId::NONE, StrId::EMPTY), Some(stack));
            sink(&self.names, Item::Slice { lane, name, goroutine, start, end, stack });
        }
    }
}
