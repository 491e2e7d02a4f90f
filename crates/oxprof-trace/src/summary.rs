//! Goroutines, tasks and regions of a trace, each with what its time was spent on.

mod tasks;

use oxprof_profile::StrId;
use rustc_hash::FxHashMap;

use crate::names::{Names, StackIdx};
use crate::stats::{Clockwork, ExecStats, Since};
use crate::{
    Event, GoId, GoState, GoTransition, Kind, ProcId, ProcState, Range, Slot, SyncKind, Tables,
    TaskId,
};

/// All goroutines, tasks and regions of a trace.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Strings and stacks that the rest refers to.
    pub names: Names,
    /// Time of the first event.
    pub start: i64,
    /// Time of the last event.
    pub end: i64,
    /// Number of events.
    pub events: u64,
    /// Goroutines, by when they became known.
    pub goroutines: Vec<Goroutine>,
    /// Tasks, by when they became known.
    pub tasks: Vec<TaskSummary>,
    /// Regions, by when they became known.
    pub regions: Vec<RegionSummary>,
}

/// A goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Its id in the program.
    pub id: GoId,
    /// The function it starts in; empty if no stack of it was recorded.
    pub name: StrId,
    /// Where that function was entered.
    pub pc: u64,
    /// When it was created, or became known.
    pub created: i64,
    /// When it first ran.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// What it spent its time on.
    pub stats: ExecStats,
}

/// A moment on a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub time: i64,
    /// Where.
    pub goroutine: GoId,
    /// Its stack.
    pub stack: StackIdx,
}

/// A region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionSummary {
    /// The goroutine it is on, a position in [`Summary::goroutines`].
    pub goroutine: u32,
    /// The task it works for.
    pub task: TaskId,
    /// Its type. Empty for one that a goroutine inherits from the region it was created in.
    pub name: StrId,
    /// Its beginning, unless that is before the trace.
    pub start: Option<Mark>,
    /// Its end, unless that is after the trace.
    pub end: Option<Mark>,
    /// What its goroutine spent its time on meanwhile.
    pub stats: ExecStats,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSummary {
    /// Its id in the program.
    pub id: TaskId,
    /// Its type; empty if its beginning is not in the trace.
    pub name: StrId,
    /// The task it is part of, a position in [`Summary::tasks`].
    pub parent: Option<u32>,
    /// Its parts.
    pub children: Vec<u32>,
    /// Its beginning, unless that is before the trace.
    pub start: Option<Mark>,
    /// Its end, unless that is after the trace.
    pub end: Option<Mark>,
    /// What was logged for it.
    pub logs: Vec<LogMark>,
    /// Its regions, positions in [`Summary::regions`].
    pub regions: Vec<u32>,
    /// Goroutines that worked for it, positions in [`Summary::goroutines`].
    pub goroutines: Vec<u32>,
}

/// A logged message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// When and where.
    pub mark: Mark,
    /// Its category.
    pub category: StrId,
    /// The text.
    pub message: StrId,
}

impl Summary {
    /// Length of the trace in nanoseconds.
    pub fn duration(&self) -> i64 {
        self.end - self.start
    }

    /// How long a region took within the trace.
    pub fn region_time(&self, region: &RegionSummary) -> i64 {
        self.span(region.start, region.end)
    }

    /// How long a task took within the trace.
    pub fn task_time(&self, task: &TaskSummary) -> i64 {
        self.span(task.start, task.end)
    }

    fn span(&self, start: Option<Mark>, end: Option<Mark>) -> i64 {
        end.map_or(self.end, |mark| mark.time) - start.map_or(self.start, |mark| mark.time)
    }

    /// Goroutines by the function they start in, those that ran longest first.
    pub fn groups(&self) -> Vec<Group> {
        let mut index = FxHashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        for go in &self.goroutines {
            let i = *index.entry(go.name).or_insert_with(|| {
                groups.push(Group { name: go.name, count: 0, stats: ExecStats::default() });
                groups.len() - 1
            });
            groups[i].count += 1;
            groups[i].stats.add(&go.stats);
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.stats.exec));
        groups
    }
}

/// Goroutines that start in the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The function; empty if unknown.
    pub name: StrId,
    /// How many there are.
    pub count: u64,
    /// What they spent their time on, together.
    pub stats: ExecStats,
}

/// Whether goroutines that start in this function belong to Go's runtime.
pub fn is_system_goroutine(start: &str) -> bool {
    start.is_empty() || (start.starts_with("runtime.") && start != "runtime.main")
}

/// Makes a [`Summary`]. Feed it every event of a trace.
///
/// Memory grows with the number of goroutines, tasks, regions and logs, not with that of events.
#[derive(Debug, Default)]
pub struct Summarizer {
    summary: Summary,
    /// By slot.
    live: Vec<Live>,
    task_index: FxHashMap<TaskId, u32>,
    /// Who is in a system call with this processor.
    in_syscall: FxHashMap<ProcId, Slot>,
    /// Who sweeps on this processor.
    sweepers: FxHashMap<ProcId, GoId>,
    /// When the current generation began.
    generation_start: i64,
}

/// A goroutine that is alive.
#[derive(Debug, Default)]
struct Live {
    /// Position in [`Summary::goroutines`]; `None` for a free slot.
    goroutine: Option<u32>,
    clockwork: Clockwork,
    syscall_proc: ProcId,
    /// Regions that are open, and the times when they began; innermost last.
    regions: Vec<(u32, ExecStats)>,
}

impl Summarizer {
    /// Takes the next event into account.
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        self.summary.names.event(event);
        if self.summary.events == 0 {
            self.summary.start = event.time;
            self.generation_start = event.time;
        }
        self.summary.events += 1;
        match event.kind {
            Kind::Sync { kind, .. } => {
                self.generation_start = event.time;
                if kind == SyncKind::Gap {
                    self.end_all();
                }
            }
            Kind::Go(transition) => self.transition(event, &transition, tables),
            Kind::Proc(t) if t.from != t.to && t.to == ProcState::Idle => {
                if let Some(slot) = self.in_syscall.remove(&t.id) {
                    self.live[slot.index()].clockwork.lose_proc(event.time);
                }
            }
            Kind::RangeBegin(range) => {
                self.range(event, range, tables, Clockwork::range_begin, event.time);
            }
            Kind::RangeActive(range) => {
                self.range(event, range, tables, Clockwork::range_active, self.generation_start);
            }
            Kind::RangeEnd(range, _) => self.range_end(event, range, tables),
            Kind::RegionBegin(region) => self.region_begin(event, region, tables),
            Kind::RegionEnd(region) => self.region_end(event, region, tables),
            Kind::TaskBegin(task) => self.task(event, task, tables, true),
            Kind::TaskEnd(task) => self.task(event, task, tables, false),
            Kind::Log(log) => self.log(event, log, tables),
            _ => {}
        }
        self.summary.end = event.time;
    }

    /// The summary of all events so far.
    pub fn finish(mut self) -> Summary {
        self.end_all();
        self.summary
    }

    fn live(&mut self, slot: Slot) -> Option<&mut Live> {
        self.live.get_mut(slot.index()).filter(|live| live.goroutine.is_some())
    }

    fn transition(&mut self, event: &Event, t: &GoTransition, tables: &Tables) {
        if t.from == t.to {
            return;
        }
        let slot = t.slot.index();
        if slot >= self.live.len() {
            self.live.resize_with(slot + 1, Live::default);
        }
        match t.from {
            GoState::Undetermined => self.introduce(t, self.generation_start),
            GoState::NotExist => {
                self.introduce(t, event.time);
                self.name(t, tables);
                self.inherit_region(event, t.slot, tables);
            }
            GoState::Syscall => {
                let proc = self.live[slot].syscall_proc;
                if self.in_syscall.get(&proc) == Some(&t.slot) {
                    self.in_syscall.remove(&proc);
                }
            }
            _ => {}
        }
        self.name(t, tables);
        self.enter(event, t, tables);
    }

    fn introduce(&mut self, t: &GoTransition, created: i64) {
        let i = self.summary.goroutines.len() as u32;
        self.summary.goroutines.push(Goroutine {
            id: t.id,
            name: StrId::EMPTY,
            pc: 0,
            created,
            started: None,
            ended: None,
            stats: ExecStats::default(),
        });
        self.live[t.slot.index()] =
            Live { goroutine: Some(i), clockwork: Clockwork::new(created), ..Live::default() };
    }

    /// A goroutine is called by the function at the root of its first stack.
    fn name(&mut self, t: &GoTransition, tables: &Tables) {
        let Some(i) = self.live[t.slot.index()].goroutine else { return };
        let go = &mut self.summary.goroutines[i as usize];
        if !go.name.is_empty() {
            return;
        }
        if let Some(root) = t.stack.and_then(|stack| tables.frames(stack).next_back()) {
            go.pc = root.pc;
            go.name = self.summary.names.string(root.func, tables);
        }
    }

    fn enter(&mut self, event: &Event, t: &GoTransition, tables: &Tables) {
        let now = event.time;
        let live = &mut self.live[t.slot.index()];
        let Some(i) = live.goroutine else { return };
        let state = match t.to {
            GoState::Running => Since::Running(now),
            GoState::Runnable => Since::Runnable(now),
            GoState::Waiting => Since::Blocked(now, self.summary.names.string(t.reason, tables)),
            GoState::Syscall => Since::Syscall(now, event.proc.is_none().then_some(now)),
            GoState::NotExist | GoState::Undetermined => Since::Unknown,
        };
        if t.from == GoState::Undetermined {
            live.clockwork.backdate(state);
        }
        // A call that is entered without a processor has none to lose: it is known by its beginning only.
        let state = match state {
            Since::Syscall(now, Some(_)) => Since::Syscall(now, None),
            state => state,
        };
        live.clockwork.enter(now, state);
        match t.to {
            GoState::Running => {
                self.summary.goroutines[i as usize].started.get_or_insert(now);
            }
            GoState::Syscall => {
                live.syscall_proc = event.proc;
                if !event.proc.is_none() {
                    self.in_syscall.insert(event.proc, t.slot);
                }
            }
            GoState::NotExist => self.end(t.slot, Some(event), tables),
            GoState::Waiting if tables.str(t.reason) == "forever" => {
                self.end(t.slot, Some(event), tables);
            }
            _ => {}
        }
    }

    /// A goroutine has ended, by an event or with the trace.
    fn end(&mut self, slot: Slot, event: Option<&Event>, tables: &Tables) {
        let mark = event.map(|event| self.mark(event, tables));
        self.end_at(slot, mark);
    }

    fn end_at(&mut self, slot: Slot, mark: Option<Mark>) {
        let live = std::mem::take(&mut self.live[slot.index()]);
        let Some(i) = live.goroutine else { return };
        let now = mark.map_or(self.summary.end, |mark| mark.time);
        let stats = live.clockwork.snapshot(now);
        for (region, before) in live.regions {
            let region = &mut self.summary.regions[region as usize];
            region.end = mark;
            region.stats = stats.clone().minus(&before);
        }
        let go = &mut self.summary.goroutines[i as usize];
        go.ended = mark.map(|mark| mark.time);
        go.stats = stats;
    }

    fn end_all(&mut self) {
        for slot in 0..self.live.len() {
            self.end_at(Slot(slot as u32), None);
        }
        self.live.clear();
        self.in_syscall.clear();
        self.sweepers.clear();
    }

    fn mark(&mut self, event: &Event, tables: &Tables) -> Mark {
        let stack = self.summary.names.stack(event.stack, tables);
        Mark { time: event.time, goroutine: event.goroutine, stack }
    }

    // Spans of special time.

    /// The goroutine that a span counts for: its own, or the one that sweeps.
    fn range(
        &mut self,
        event: &Event,
        range: Range,
        tables: &Tables,
        change: fn(&mut Clockwork, StrId, i64),
        time: i64,
    ) {
        let slot = match range {
            Range::StopTheWorld(_, _, slot) | Range::GcMarkAssist(_, slot) => slot,
            Range::GcSweep(proc) => {
                self.sweepers.insert(proc, event.goroutine);
                event.slot
            }
            Range::GcMark => return,
        };
        let name = self.summary.names.intern(&range.name(tables));
        if let Some(live) = self.live(slot) {
            change(&mut live.clockwork, name, time);
        }
    }

    fn range_end(&mut self, event: &Event, range: Range, tables: &Tables) {
        let slot = match range {
            Range::StopTheWorld(_, _, slot) | Range::GcMarkAssist(_, slot) => slot,
            Range::GcSweep(proc) if self.sweepers.remove(&proc) == Some(event.goroutine) => {
                event.slot
            }
            Range::GcSweep(_) | Range::GcMark => return,
        };
        let name = self.summary.names.intern(&range.name(tables));
        if let Some(live) = self.live(slot) {
            live.clockwork.range_end(name, event.time);
        }
    }
}
