//! From what a program's hooks saw to a trace that keeps every rule of the format.
//!
//! Hooks on many threads note [`Record`]s: waits, wake-ups, polls of tasks, what the program says of itself.
//! They cannot agree on an order, may lose some, and begin in the middle of things. A [`Recorder`] takes the
//! records of about a second at a time and writes a generation in which they make sense: it keeps a model of
//! threads and tasks, numbers what has to be numbered, pairs waits with the wake-ups that ended them, and mends
//! what does not fit, so that a strict reader accepts whatever was recorded.
//!
//! ```text
//! Record (any thread) ──Recorder::record──▶ sorted by time ──wakes──▶ who woke whom
//!                                               └──model──▶ events, numbered ──▶ a generation's bytes
//! ```
//! A [`Past`] is all that it takes to begin: who keeps records and writes them only when they are asked for brings one up
//! to date with those that are dropped.
//!
//! How a program without Go's scheduler is shown:
//!
//! * Each thread is a goroutine with a processor of its own, which it keeps while it waits.
//! * Each asynchronous task is a goroutine. While a thread polls it, the thread's own goroutine waits for it,
//!   and what the thread does is the task's doing.
//! * Waiting that the kernel ends (input, time) is ended by the thread itself.
//! * A thread of the recorder's own introduces what belongs to no thread.

mod model;
mod past;
mod wakes;

use std::borrow::Cow;

use crate::ThreadId;
use crate::wire::MAX_STRING;
use crate::write::{Clock, FrameRef, truncated};
use model::{Model, Slice};
pub use past::{Past, Present};
use wakes::Waits;

/// A text that the program or a hook gives.
pub type Text = Cow<'static, str>;

/// A stack as the caller names it; 0 is the empty one. [`Names`] knows its frames.
pub type StackKey = u32;

/// A set of labels as the caller names it; 0 is the empty one. [`Names`] knows what they are.
pub type LabelsKey = u32;

/// Something that a thread did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in ticks. Those of a thread do not go back.
    pub time: u64,
    /// The thread.
    pub thread: ThreadId,
    /// What it did.
    pub what: What,
}

/// What a thread did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It creates a thread, whose [`ThreadBegin`](Self::ThreadBegin) has the same token.
    ThreadCreate {
        /// Any number that no other thread's creation has.
        token: u64,
        /// Where.
        stack: StackKey,
    },
    /// It begins to run. A thread of which another record comes first has begun by then, too.
    ThreadBegin {
        /// That of its creation, or 0.
        token: u64,
    },
    /// It ends.
    ThreadEnd,
    /// It begins to wait.
    WaitBegin {
        /// For what.
        why: Waiting,
        /// What wake-ups name, such as the address of a futex; 0 if it cannot be woken by name.
        on: u64,
        /// Where.
        stack: StackKey,
    },
    /// It runs again.
    WaitEnd,
    /// It lets waiting threads run.
    Wake {
        /// What they wait [on](Self::WaitBegin::on).
        on: u64,
        /// How many at most.
        count: u32,
        /// Where.
        stack: StackKey,
    },
    /// It creates a task.
    TaskCreate {
        /// The task: a number that no other has, ever.
        task: u64,
        /// What the task does, for instance the name of its function.
        name: Text,
        /// Where.
        stack: StackKey,
    },
    /// It begins to poll a task.
    PollBegin {
        /// The task. One that was not created before counts as created now.
        task: u64,
    },
    /// It has polled a task, and those that it began to poll meanwhile.
    PollEnd {
        /// The task.
        task: u64,
        /// For what it waits and where, unless it is complete.
        waits: Option<(Waiting, StackKey)>,
    },
    /// It lets a task be polled again.
    TaskWake {
        /// The task.
        task: u64,
        /// Where.
        stack: StackKey,
    },
    /// It drops a task that is not complete.
    TaskDrop {
        /// The task.
        task: u64,
    },
    /// A user task begins.
    UserTaskBegin {
        /// Number that no other user task has.
        id: u64,
        /// The task that it is part of, or 0.
        parent: u64,
        /// Its kind.
        name: Text,
        /// Where.
        stack: StackKey,
    },
    /// A user task ends.
    UserTaskEnd {
        /// Its number.
        id: u64,
        /// Where.
        stack: StackKey,
    },
    /// A region of the current goroutine begins.
    RegionBegin {
        /// The user task that it belongs to, or 0.
        task: u64,
        /// Its kind.
        name: Text,
        /// Where.
        stack: StackKey,
    },
    /// A region ends, and with it those inside that are open.
    RegionEnd {
        /// As when it began.
        task: u64,
        /// As when it began.
        name: Text,
        /// Where.
        stack: StackKey,
    },
    /// A message.
    Log {
        /// The user task that it belongs to, or 0.
        task: u64,
        /// Its kind.
        category: Text,
        /// The message.
        message: Text,
        /// Where.
        stack: StackKey,
    },
    /// The labels of what it runs.
    Labels {
        /// All of them, whatever they were before.
        labels: LabelsKey,
    },
    /// Memory in use.
    Heap {
        /// In bytes.
        bytes: u64,
    },
    /// A sample of the CPU profiler.
    Sample {
        /// What the thread was doing.
        stack: StackKey,
    },
    /// Records that this thread had no room for.
    Lost {
        /// How many.
        count: u64,
    },
}

impl What {
    /// Whether it is what the program says of itself, which changes nothing in what threads and tasks do.
    pub fn is_said(&self) -> bool {
        matches!(
            self,
            Self::UserTaskBegin { .. }
                | Self::UserTaskEnd { .. }
                | Self::RegionBegin { .. }
                | Self::RegionEnd { .. }
                | Self::Log { .. }
        )
    }

    /// Cuts texts to the length that the format takes. Returns how many bytes of memory they use then.
    pub fn cut_texts(&mut self) -> usize {
        let texts = match self {
            Self::TaskCreate { name, .. }
            | Self::UserTaskBegin { name, .. }
            | Self::RegionBegin { name, .. }
            | Self::RegionEnd { name, .. } => [Some(name), None],
            Self::Log { category, message, .. } => [Some(category), Some(message)],
            _ => [None, None],
        };
        let cut = |text: &mut Text| match text {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => {
                text.truncate(truncated(text, MAX_STRING as usize).len());
                text.shrink_to_fit();
                text.len()
            }
        };
        texts.into_iter().flatten().map(cut).sum()
    }
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A lock.
    Lock,
    /// A condition variable.
    Condition,
    /// A message, or room for one.
    Channel,
    /// To be unparked, or another futex whose kind is not known.
    Park,
    /// The end of a thread, or others to come to some point.
    Join,
    /// Something to be initialised.
    Once,
    /// Time to pass.
    Sleep,
    /// The network, or anything that is polled for.
    Network,
    /// Another system call.
    Syscall,
    /// Work, in a pool of threads.
    Idle,
    /// Nobody knows what, of an asynchronous task.
    Await,
    /// Nobody knows.
    Other,
}

impl Waiting {
    /// Each of them, by its number.
    pub const ALL: [Self; 12] = [
        Self::Lock,
        Self::Condition,
        Self::Channel,
        Self::Park,
        Self::Join,
        Self::Once,
        Self::Sleep,
        Self::Network,
        Self::Syscall,
        Self::Idle,
        Self::Await,
        Self::Other,
    ];

    /// The reason as Go's tools group them: those that contain "sync" (as "async" does), "chan" or "select" are
    /// blocking, and "network" is what it says.
    fn reason(self) -> &'static str {
        match self {
            Self::Lock => "sync",
            Self::Condition => "sync.(*Cond).Wait",
            Self::Channel => "chan receive",
            Self::Park => "sync (park)",
            Self::Join => "sync (join)",
            Self::Once => "sync (once)",
            Self::Sleep => "sleep",
            Self::Network => "network",
            Self::Syscall => "syscall",
            Self::Idle => "idle",
            Self::Await => "async",
            Self::Other => "waiting",
        }
    }
}

/// What the recorder asks about the program.
pub trait Names {
    /// The frames of a stack, leaf first.
    fn frames(&mut self, stack: StackKey) -> Vec<FrameRef<'_>>;
    /// What a thread does: its name, or its function's.
    fn thread(&mut self, thread: ThreadId) -> Text;
    /// Labels as text.
    fn labels(&mut self, labels: LabelsKey) -> Text;
}

/// Puts records together to a trace; see the [module](self).
#[derive(Debug)]
pub struct Recorder {
    model: Model,
    waits: Waits,
    /// What is recorded and not yet written.
    records: Vec<Record>,
    /// When the generation that comes next begins.
    begin: u64,
}

impl Recorder {
    /// Begins to record at a time, with the threads and tasks there are then. `own` is the number of a thread that
    /// stands for the recorder, which no other has.
    pub fn new(time: u64, own: ThreadId, past: &Past, names: &mut dyn Names) -> Self {
        let mut waits = Waits::default();
        for (&id, thread) in &past.threads {
            if let Some((_, on, _)) = thread.waiting {
                waits.begin(id, on, time);
            }
        }
        Self { model: Model::new(own, past, names), waits, records: Vec::new(), begin: time }
    }

    /// Adds something that happened. What comes too late for its generation counts as having happened when
    /// the next one began.
    pub fn record(&mut self, mut record: Record) {
        record.time = record.time.max(self.begin);
        self.records.push(record);
    }

    /// Appends the generation of all that happened before `end`. Later records tell who woke whom and stay.
    ///
    /// The numbers of the generations of a trace go up by one.
    pub fn generation(
        &mut self,
        number: u64,
        end: u64,
        clock: Clock,
        names: &mut dyn Names,
        out: &mut Vec<u8>,
    ) {
        let slice = self.slice(end);
        self.model.generation(number, self.begin, slice, names).finish(clock, out);
        self.begin = self.begin.max(end);
    }

    /// What happened before `end`, in order.
    fn slice(&mut self, end: u64) -> Slice {
        self.records.sort_by_key(|record| record.time);
        let split = self.records.partition_point(|record| record.time < end);
        let wakeups = self.waits.pair(&self.records, split);
        let born = self.records.iter().filter_map(|record| match record.what {
            What::ThreadBegin { token } => Some((token, record.thread)),
            _ => None,
        });
        let born = born.collect();
        let later = self.records.split_off(split);
        let end = end.max(self.begin);
        Slice { end, records: std::mem::replace(&mut self.records, later), wakeups, born }
    }
}
