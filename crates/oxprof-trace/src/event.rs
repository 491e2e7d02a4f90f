//! An event of a trace, checked and put in order.

use crate::{GoId, ProcId, Slot, Stack, Str, TaskId, ThreadId};

/// Something that happened, and where.
///
/// Events are small values without allocations. Their strings and stacks are those of
/// [`Reader::tables`](crate::Reader::tables) at the time when the event comes out of the reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When: nanoseconds on the trace's clock, greater than that of every earlier event.
    pub time: i64,
    /// The thread it happened on.
    pub thread: ThreadId,
    /// The processor which that thread held just before.
    pub proc: ProcId,
    /// The goroutine which that thread ran just before.
    pub goroutine: GoId,
    /// That goroutine's number in tables.
    pub slot: Slot,
    /// Stack of the thread.
    pub stack: Stack,
    /// What happened.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A generation begins, or the trace ends.
    Sync {
        /// How many of these there have been, this one included.
        number: u32,
        /// Which of the two, and what it means for what was known before.
        kind: SyncKind,
    },
    /// A measurement of the whole program.
    Metric(Metric, u64),
    /// The running goroutine got a label.
    Label(Str),
    /// The CPU profiler took a sample.
    StackSample,
    /// A span of special time begins.
    RangeBegin(Range),
    /// A span of special time had begun before this generation.
    RangeActive(Range),
    /// A span of special time ends.
    RangeEnd(Range, Option<Swept>),
    /// A declared task begins.
    TaskBegin(Task),
    /// A declared task ends.
    TaskEnd(Task),
    /// A declared region of code begins.
    RegionBegin(Region),
    /// A declared region of code ends.
    RegionEnd(Region),
    /// The program logged a message.
    Log(Log),
    /// A goroutine changed its state, or its state became known.
    Go(GoTransition),
    /// A processor changed its state, or its state became known.
    Proc(ProcTransition),
    /// An event of an experiment, with its type and arguments.
    Experimental(crate::wire::EventType, [u64; 3]),
}

/// What a [`Kind::Sync`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// A generation begins where the previous one ended.
    Generation,
    /// A generation begins, and part of what lies before it could not be read: nothing is known any
    /// more, and what is alive will be introduced again as [`GoState::Undetermined`].
    Gap,
    /// The trace ends.
    End,
}

/// A measurement of the whole program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Number of processors.
    Procs,
    /// Bytes of heap objects.
    HeapAlloc,
    /// Bytes of heap at which the garbage collector will start again.
    HeapGoal,
}

impl Metric {
    /// Its name among Go's runtime metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Procs => "/sched/gomaxprocs:threads",
            Self::HeapAlloc => "/memory/classes/heap/objects:bytes",
            Self::HeapGoal => "/gc/heap/goal:bytes",
        }
    }
}

/// A span of special time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All goroutines but this one were stopped, for the reason in the string.
    StopTheWorld(Str, GoId, Slot),
    /// The garbage collector marks, concurrently with the program.
    GcMark,
    /// This processor sweeps.
    GcSweep(ProcId),
    /// This goroutine helps the garbage collector to mark.
    GcMarkAssist(GoId, Slot),
}

/// Outcome of sweeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Bytes looked at.
    pub swept: u64,
    /// Bytes given back.
    pub reclaimed: u64,
}

/// A declared task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The task.
    pub id: TaskId,
    /// The task it is part of.
    pub parent: TaskId,
    /// Its type; empty at the end of a task whose beginning is not in the trace.
    pub name: Str,
}

/// A declared region of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The task it works for.
    pub task: TaskId,
    /// Its type.
    pub name: Str,
}

/// A logged message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The task it was logged for.
    pub task: TaskId,
    /// Its category, often empty.
    pub category: Str,
    /// The text.
    pub message: Str,
}

/// A change of a goroutine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoTransition {
    /// The goroutine.
    pub id: GoId,
    /// Its number in tables; still valid in the event that ends it.
    pub slot: Slot,
    /// State before.
    pub from: GoState,
    /// State after; the same when a new generation confirms it.
    pub to: GoState,
    /// Why, when it stops running.
    pub reason: Str,
    /// Stack of the goroutine itself, which for one that is created is where it will start. Unlike an
    /// absent stack, one that was recorded as empty is `Some`.
    pub stack: Option<Stack>,
}

/// State of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoState {
    /// Nothing is known.
    Undetermined,
    /// It has not begun, or has ended.
    NotExist,
    /// It could run and waits for a processor.
    Runnable,
    /// It runs.
    Running,
    /// It waits for something to happen.
    Waiting,
    /// It is in a system call.
    Syscall,
}

impl GoState {
    /// Whether it occupies a thread.
    pub fn executing(self) -> bool {
        matches!(self, Self::Running | Self::Syscall)
    }
}

/// A change of a processor's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcTransition {
    /// The processor.
    pub id: ProcId,
    /// State before.
    pub from: ProcState,
    /// State after; the same when a new generation confirms it.
    pub to: ProcState,
}

/// State of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcState {
    /// Nothing is known.
    Undetermined,
    /// It has not been introduced.
    NotExist,
    /// A thread holds it.
    Running,
    /// No thread holds it.
    Idle,
}
