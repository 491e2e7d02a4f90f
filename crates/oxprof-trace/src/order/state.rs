//! What the model keeps of each thread, processor and goroutine.

use std::fmt;

use crate::{GoId, ProcId, TaskId, ThreadId};

/// A name and where it was last found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound<Id> {
    pub(super) id: Id,
    pub(super) hint: u32,
}

impl Bound<GoId> {
    pub(super) const NO_GO: Self = Self { id: GoId::NONE, hint: u32::MAX };
}

impl Bound<ProcId> {
    pub(super) const NO_PROC: Self = Self { id: ProcId::NONE, hint: u32::MAX };
}

/// Counts the events that hand over a goroutine or a processor; starts anew in each generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seq {
    pub(super) generation: u64,
    pub(super) number: u64,
}

impl Seq {
    pub(super) fn start(generation: u64) -> Self {
        Self { generation, number: 0 }
    }

    /// Whether this comes right after `before`.
    #[inline]
    pub(super) fn follows(self, before: Self) -> bool {
        self.generation == before.generation && self.number == before.number.wrapping_add(1)
    }
}

#[derive(Debug)]
pub(super) struct Thread {
    pub(super) id: ThreadId,
    /// Whether one of its own events has been attempted, or another's has told of it.
    pub(super) seen: bool,
    pub(super) proc: Bound<ProcId>,
    pub(super) go: Bound<GoId>,
}

impl Thread {
    pub(super) fn new(id: ThreadId) -> Self {
        Self { id, seen: false, proc: Bound::NO_PROC, go: Bound::NO_GO }
    }
}

#[derive(Debug)]
pub(super) struct Proc {
    pub(super) id: ProcId,
    pub(super) status: ProcStatus,
    pub(super) seq: Seq,
    pub(super) sweeping: bool,
}

/// There may be very many, of which every event needs another: each is in one line of the processor's cache.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Goroutine {
    /// [`GoId::NONE`] when its slot is free.
    pub(super) id: GoId,
    pub(super) seq: Seq,
    pub(super) status: GoStatus,
    pub(super) mark_assist: bool,
    /// Few have any.
    spans: Option<Box<Spans>>,
}

/// What a goroutine has begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// The kind of each stop of the world.
    pub(super) stops: Vec<Box<str>>,
    /// Regions, innermost last.
    pub(super) regions: Vec<(TaskId, Box<str>)>,
}

impl Goroutine {
    pub(super) fn new(id: GoId, status: GoStatus, seq: Seq) -> Self {
        Self { id, seq, status, mark_assist: false, spans: None }
    }

    pub(super) fn spans(&mut self) -> &mut Spans {
        self.spans.get_or_insert_default()
    }

    pub(super) fn end(&mut self) {
        *self = Self::new(GoId::NONE, self.status, self.seq);
    }
}

/// State of a goroutine, as the format numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoStatus {
    Runnable,
    Running,
    Syscall,
    Waiting,
}

impl GoStatus {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Runnable),
            2 => Some(Self::Running),
            3 => Some(Self::Syscall),
            4 => Some(Self::Waiting),
            _ => None,
        }
    }

    pub(super) fn state(self) -> crate::GoState {
        match self {
            Self::Runnable => crate::GoState::Runnable,
            Self::Running => crate::GoState::Running,
            Self::Syscall => crate::GoState::Syscall,
            Self::Waiting => crate::GoState::Waiting,
        }
    }
}

impl fmt::Display for GoStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "in a system call",
            Self::Waiting => "waiting",
        })
    }
}

/// State of a processor, as the format numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcStatus {
    Running,
    Idle,
    Syscall,
    /// In a system call of a thread that nothing is known about any more.
    Abandoned,
}

impl ProcStatus {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Running),
            2 => Some(Self::Idle),
            3 => Some(Self::Syscall),
            4 => Some(Self::Abandoned),
            _ => None,
        }
    }

    pub(super) fn state(self) -> crate::ProcState {
        match self {
            Self::Running | Self::Syscall => crate::ProcState::Running,
            Self::Idle | Self::Abandoned => crate::ProcState::Idle,
        }
    }
}

impl fmt::Display for ProcStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Syscall => "in a system call",
            Self::Abandoned => "abandoned in a system call",
        })
    }
}
