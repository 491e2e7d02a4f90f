//! What can be wrong with a trace.

use std::fmt;

use crate::ThreadId;

/// A trace breaks a rule of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// The generation it was found in; 0 if none had begun.
    pub generation: u64,
    /// The thread whose event breaks it.
    pub thread: ThreadId,
}

/// A rule of the format, with what breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The file begins like a trace.
    Header,
    /// There is something in the file.
    Empty,
    /// The file is not compressed.
    Compressed,
    /// The version is one of those that this reader knows.
    Version(u32),
    /// Only batches stand outside batches.
    BatchStart(u8),
    /// Numbers, strings and stacks are whole.
    Encoding(&'static str),
    /// Strings, stacks and batches keep to their limits.
    Limit {
        /// What is too big.
        what: &'static str,
        /// How big it is.
        size: u64,
        /// How big it may be.
        limit: u64,
    },
    /// The reader's own limit on the size of a generation.
    GenerationTooBig(usize),
    /// Generations are numbered from 1.
    GenerationZero,
    /// The batches of a generation stand together and, from Go 1.26, end with a mark.
    GenerationOrder {
        /// The generation that is being read.
        current: u64,
        /// The one that a batch claims to belong to.
        found: u64,
    },
    /// The trace ends where a generation does.
    Truncated,
    /// Each generation says how its clock ticks, once.
    MissingSync(&'static str),
    /// Nothing is said twice.
    Duplicate {
        /// What is.
        what: &'static str,
        /// Its id.
        id: u64,
    },
    /// A table holds only entries of its own kind.
    TableEntry {
        /// The table.
        table: &'static str,
        /// The type found instead.
        found: u8,
    },
    /// What is referred to exists.
    Reference {
        /// What does not.
        what: &'static str,
        /// Its id.
        id: u64,
        /// What refers to it.
        by: &'static str,
    },
    /// A thread's stream holds only events with a time.
    Untimed(u8),
    /// An event happens where it can: on a thread, with or without a processor and a goroutine.
    Context {
        /// The event.
        event: &'static str,
        /// What it lacks or should not have.
        what: &'static str,
        /// Whether it lacks it.
        missing: bool,
    },
    /// A thing is in the state that an event starts from.
    State {
        /// The event.
        event: &'static str,
        /// The thing, such as `goroutine 7`.
        what: String,
        /// What is wrong with its state.
        problem: String,
    },
    /// Some thread's next event can happen. None of these can.
    Stuck(Vec<Pending>),
}

/// An event that cannot happen yet, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its thread.
    pub thread: ThreadId,
    /// Its type.
    pub event: &'static str,
    /// What keeps it.
    pub waits_for: String,
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.generation != 0 {
            write!(f, "generation {}", self.generation)?;
            if !self.thread.is_none() {
                write!(f, ", thread {}", self.thread)?;
            }
            f.write_str(": ")?;
        }
        self.rule.fmt(f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => write!(f, "this is not a Go execution trace: its header is missing"),
            Self::Empty => {
                write!(f, "this is not a Go execution trace: there is nothing in it")
            }
            Self::Compressed => write!(
                f,
                "this is not a Go execution trace: it is compressed, so it may be a profile, which `oxprof` without `trace` opens, or a trace to unpack first"
            ),
            Self::Version(11 | 19 | 21) => write!(
                f,
                "traces of Go 1.21 and older are not supported; open this one with that release's `go tool trace`"
            ),
            Self::Version(n) => {
                write!(
                    f,
                    "trace version go 1.{n} is unknown; versions 1.22, 1.23, 1.25 and 1.26 are supported"
                )
            }
            Self::BatchStart(byte) => write!(f, "expected a batch, found a byte of type {byte}"),
            Self::Encoding(what) => write!(f, "{what} is cut short or malformed"),
            Self::Limit { what, size, limit } => {
                write!(f, "a {what} has a size of {size}, more than the {limit} allowed")
            }
            Self::GenerationTooBig(limit) => {
                write!(
                    f,
                    "a generation takes more than {limit} bytes, the limit set for this reader"
                )
            }
            Self::GenerationZero => {
                write!(f, "a batch has generation number 0; numbers start at 1")
            }
            Self::GenerationOrder { current, found } => write!(
                f,
                "a batch of generation {found} stands in generation {current}, which has not been ended"
            ),
            Self::Truncated => write!(f, "the trace ends within a generation; it was cut short"),
            Self::MissingSync(what) => write!(f, "the generation has no {what}"),
            Self::Duplicate { what, id: 0 } => write!(f, "the generation has a second {what}"),
            Self::Duplicate { what, id } => write!(f, "a second {what} has id {id}"),
            Self::TableEntry { table, found } => {
                write!(f, "a batch of {table} holds an event of type {found}")
            }
            Self::Reference { what, id, by } => {
                write!(f, "{by} refers to {what} {id}, which does not exist")
            }
            Self::Untimed(byte) => {
                write!(f, "a batch of events holds one of type {byte}, which has no time")
            }
            Self::Context { event, what, missing: true } => {
                write!(f, "{event} needs a {what}, and there is none")
            }
            Self::Context { event, what, missing: false } => {
                write!(f, "{event} happens without a {what}, and there is one")
            }
            Self::State { event, what, problem } => write!(f, "{event} for {what}, {problem}"),
            Self::Stuck(pending) => fmt_stuck(pending, f),
        }
    }
}

fn fmt_stuck(pending: &[Pending], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "no thread's next event can happen")?;
    for (i, p) in pending.iter().take(8).enumerate() {
        let separator = if i == 0 { ": " } else { "; " };
        write!(f, "{separator}{} on thread {} waits for {}", p.event, p.thread, p.waits_for)?;
    }
    match pending.len().saturating_sub(8) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}
