//! From bytes to checked, ordered events.
//!
//! A generation's tables come after its events, so a generation is collected as a whole (encoded, as it
//! is in the file) and then played: the threads' streams are merged by time, and an event is taken when
//! the model in [`crate::order`] allows it.
//!
//! Memory: the largest generation, a small multiple of it for its tables, and what is alive in the
//! traced program. The length of the trace does not matter.

mod merge;

use std::fmt;

use self::merge::{Frontier, Step as MergeStep};
use crate::error::{Rule, Violation};
use crate::generation::{Frame, Generation, parse_frame};
use crate::order::Order;
use crate::tables::Tables;
use crate::wire::{HEADER_LEN, Version};
use crate::{Event, GoId, Kind, ProcId, Slot, Stack, SyncKind, ThreadId};

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether the first violation ends the reading, as in Go's reader. If not, what can be read is read:
    /// a generation is abandoned at its first impossible event, and the next one starts afresh.
    pub strict: bool,
    /// Largest generation to accept, in bytes of its batches; at most 2 GiB. Memory is a small multiple.
    pub max_generation: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { strict: false, max_generation: 1 << 30 }
    }
}

/// What files begin with that gzip has compressed.
const GZIP: &[u8] = b"\x1f\x8b";

/// Latest time to believe, in nanoseconds: 36 years after the trace's clock began.
const LATEST: i64 = 1 << 60;

/// What the reader has for its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// An event.
    Event(Event),
    /// It needs [`Reader::feed`] or [`Reader::finish`].
    NeedInput,
    /// There is nothing more.
    End,
}

/// Reads a trace, piece by piece.
///
/// ```
/// # fn open() -> Vec<u8> { b"go 1.26 trace\0\0\0".to_vec() }
/// # fn main() -> Result<(), oxprof_trace::Violation> {
/// use oxprof_trace::{Options, Reader, Step};
///
/// let file = open();
/// let mut pieces = file.chunks(4096);
/// let mut reader = Reader::new(Options::default());
/// loop {
///     match reader.step()? {
///         Step::Event(event) => println!("{} {:?}", event.time, event.kind),
///         Step::NeedInput => match pieces.next() {
///             Some(piece) => reader.feed(piece),
///             None => reader.finish(),
///         },
///         Step::End => break,
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader {
    options: Options,
    version: Option<Version>,
    /// Bytes that have been fed and not yet parsed, from `input_pos` on.
    input: Vec<u8>,
    input_pos: usize,
    finished: bool,
    bytes_parsed: u64,
    /// A violation to be returned once what comes before it has been played.
    pending: Option<Violation>,
    phase: Phase,
    /// Whether the generation in memory is used up.
    played: bool,
    generation: Generation,
    /// Nanoseconds per tick of the previous generation.
    last_tick: f64,
    frontier: Frontier,
    order: Order,
    last_time: i64,
    syncs: u32,
    /// Whether the next generation starts without knowledge of what is before it.
    gap: bool,
    problems: Problems,
}

#[derive(Debug)]
enum Phase {
    /// Until a generation is complete.
    Collect,
    /// Until its events are used up.
    Play,
    /// Nothing more comes, after a violation if there is one.
    Over(Option<Violation>),
}

/// What was wrong with a trace that was read all the same.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// The first of them, each once.
    pub violations: Vec<Violation>,
    /// How many there were.
    pub count: u64,
    /// Bytes of event batches that were skipped, because what comes before them is broken.
    pub bytes_skipped: u64,
}

impl Problems {
    /// How many violations are kept.
    pub const KEPT: usize = 32;

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn push(&mut self, violation: Violation) {
        self.count += 1;
        if self.violations.len() < Self::KEPT && !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        match self.count - self.violations.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "and {more} more problems"),
        }
    }
}

impl Reader {
    /// A reader that has nothing yet.
    pub fn new(options: Options) -> Self {
        let max_generation = options.max_generation.min(2 << 30);
        Self {
            options: Options { max_generation, ..options },
            version: None,
            input: Vec::new(),
            input_pos: 0,
            finished: false,
            bytes_parsed: 0,
            pending: None,
            phase: Phase::Collect,
            played: false,
            generation: Generation::default(),
            last_tick: 0.0,
            frontier: Frontier::default(),
            order: Order::default(),
            last_time: 0,
            syncs: 0,
            gap: false,
            problems: Problems::default(),
        }
    }

    /// Gives the reader the next bytes of the trace. Give it pieces, not everything at once: it keeps
    /// what it has not used.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.input_pos);
        self.input_pos = 0;
        self.input.extend_from_slice(bytes);
    }

    /// Tells the reader that there are no more bytes.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The version in the header, once it has been read.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Strings and stacks of the event that came last.
    pub fn tables(&self) -> &Tables {
        &self.generation.tables
    }

    /// Number of the generation that is being read.
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// What was wrong so far, when not strict.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Bytes of the trace that have been understood.
    pub fn bytes_parsed(&self) -> u64 {
        self.bytes_parsed
    }

    /// The next event, or what is needed to tell.
    ///
    /// # Errors
    /// When the trace is not one; when it is strict, also when it breaks a rule. What comes after an
    /// error is [`Step::End`].
    #[inline]
    pub fn step(&mut self) -> Result<Step, Violation> {
        loop {
            if let Some(event) = self.order.pop() {
                return Ok(Step::Event(self.stamp(event)));
            }
            let step = match &mut self.phase {
                Phase::Play => self.play()?,
                Phase::Collect => self.collect_or_end()?,
                Phase::Over(violation) => {
                    return violation.take().map_or(Ok(Step::End), Err);
                }
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Makes times strictly increasing, and small enough to compute with.
    #[inline]
    fn stamp(&mut self, mut event: Event) -> Event {
        event.time = event.time.min(LATEST).max(self.last_time + 1);
        self.last_time = event.time;
        event
    }

    // Playing.

    /// Takes the next event of the generation.
    fn play(&mut self) -> Result<Option<Step>, Violation> {
        let generation = &mut self.generation;
        match self.frontier.step(generation, &mut self.order) {
            Ok(MergeStep::Taken) => self.check_references(),
            Ok(MergeStep::Sample(event, rule)) => {
                if let Some(rule) = rule {
                    self.report(rule, event.thread)?;
                }
                Ok(Some(Step::Event(self.stamp(event))))
            }
            Ok(MergeStep::Over) => {
                self.next_generation();
                Ok(None)
            }
            Err((rule, thread)) => {
                self.problems.bytes_skipped += self.frontier.bytes_left(&self.generation);
                self.report(rule, thread)?;
                self.gap = true;
                self.next_generation();
                Ok(None)
            }
        }
    }

    fn check_references(&mut self) -> Result<Option<Step>, Violation> {
        match self.order.take_dangling() {
            None => Ok(None),
            Some(rule) => {
                let thread = self.frontier.last_thread();
                self.report(rule, thread).map(|()| None)
            }
        }
    }

    /// Lets go of the generation; its tables stay until the events that are queued have been taken.
    fn next_generation(&mut self) {
        self.phase = Phase::Collect;
        self.played = true;
    }

    // Collecting.

    /// Like [`collect`](Self::collect), but a violation is preceded by the sync that ends what is good.
    fn collect_or_end(&mut self) -> Result<Option<Step>, Violation> {
        let result = match self.pending.take() {
            Some(violation) => Err(violation),
            None => self.collect(),
        };
        match result {
            Err(violation) if self.version.is_some() => Ok(Some(self.end(Some(violation)))),
            result => result,
        }
    }

    /// Parses batches until the generation is complete.
    fn collect(&mut self) -> Result<Option<Step>, Violation> {
        if std::mem::take(&mut self.played) {
            self.frontier.clear();
            self.generation.clear();
        }
        let Some(version) = self.version else { return self.read_header() };
        loop {
            match parse_frame(&self.input[self.input_pos..]) {
                Ok(None) if !self.finished => return Ok(Some(Step::NeedInput)),
                Ok(None) => return self.end_of_input(version),
                Ok(Some((Frame::EndOfGeneration, len))) => {
                    self.consume(len);
                    return self.install(version);
                }
                Ok(Some((Frame::Batch(header, payload), len))) => {
                    if self.starts_next(version, header.generation)? {
                        return self.install(version);
                    }
                    let payload = self.input_pos + payload.start..self.input_pos + payload.end;
                    let added = self.generation.add(version, header, &self.input[payload]);
                    self.consume(len);
                    if let Err(rule) = added {
                        self.report(rule, ThreadId::NONE)?;
                    }
                    if self.generation.size() > self.options.max_generation {
                        let rule = Rule::GenerationTooBig(self.options.max_generation);
                        return Err(self.stop(rule));
                    }
                }
                Err(rule) => return self.last_generation(version, rule),
            }
        }
    }

    fn consume(&mut self, len: usize) {
        self.input_pos += len;
        self.bytes_parsed += len as u64;
    }

    fn read_header(&mut self) -> Result<Option<Step>, Violation> {
        if self.input.len() < HEADER_LEN && !self.finished {
            return Ok(Some(Step::NeedInput));
        }
        match parse_header(&self.input) {
            Ok(version) => {
                self.version = Some(version);
                self.consume(HEADER_LEN);
                Ok(None)
            }
            Err(rule) => Err(self.stop(rule)),
        }
    }

    /// Whether a batch belongs to the generation after the one that is being collected.
    fn starts_next(&mut self, version: Version, found: u64) -> Result<bool, Violation> {
        let current = self.generation.number;
        if found == 0 {
            self.report(Rule::GenerationZero, ThreadId::NONE)?;
        }
        if self.generation.is_empty() || found == current {
            return Ok(false);
        }
        if version >= Version::Go126 || found != current.wrapping_add(1) {
            self.report(Rule::GenerationOrder { current, found }, ThreadId::NONE)?;
        }
        Ok(true)
    }

    /// All of a generation is there: it can be played.
    fn install(&mut self, version: Version) -> Result<Option<Step>, Violation> {
        let mut rules = Vec::new();
        self.generation.complete(version, |rule| rules.push(rule));
        for rule in rules {
            self.report(rule, ThreadId::NONE)?;
        }
        if self.generation.tick == 0.0 {
            self.generation.tick = self.last_tick;
        }
        if self.generation.tick == 0.0 {
            // Without a clock nothing can be placed in time.
            self.problems.bytes_skipped += self.generation.data.len() as u64;
            self.gap = true;
            self.next_generation();
            return Ok(None);
        }
        self.last_tick = self.generation.tick;
        self.generation.apply_tick();
        if self.gap {
            self.order.reset();
        }
        let kind = if std::mem::take(&mut self.gap) { SyncKind::Gap } else { SyncKind::Generation };
        let time = self.generation.nanos(self.generation.min_time);
        self.phase = Phase::Play;
        if let Err((rule, thread)) = self.frontier.start(&self.generation, &mut self.order) {
            self.report(rule, thread)?;
        }
        Ok(Some(self.sync(time, kind)))
    }

    /// The input ends, perhaps within something.
    fn end_of_input(&mut self, version: Version) -> Result<Option<Step>, Violation> {
        let cut = self.input_pos < self.input.len();
        if self.generation.is_empty() && !cut && (version >= Version::Go126 || self.syncs > 0) {
            return Ok(Some(self.end(None)));
        }
        let whole = !cut && version < Version::Go126 && !self.generation.is_empty();
        if whole { self.install(version) } else { self.last_generation(version, Rule::Truncated) }
    }

    /// Nothing more can be parsed, for a reason. What there is of a generation is still good.
    fn last_generation(&mut self, version: Version, rule: Rule) -> Result<Option<Step>, Violation> {
        self.finished = true;
        self.problems.bytes_skipped += (self.input.len() - self.input_pos) as u64;
        self.input_pos = self.input.len();
        if let Err(violation) = self.report(rule, ThreadId::NONE) {
            // Before Go 1.26 nothing marks the end of a generation, so this one may be whole.
            if version >= Version::Go126 || self.generation.is_empty() {
                return Err(violation);
            }
            self.phase = Phase::Collect;
            self.pending = Some(violation);
        }
        if self.generation.is_empty() { Ok(Some(self.end(None))) } else { self.install(version) }
    }

    fn end(&mut self, violation: Option<Violation>) -> Step {
        self.phase = Phase::Over(violation);
        self.generation.clear();
        self.sync(self.last_time, SyncKind::End)
    }

    fn sync(&mut self, time: i64, kind: SyncKind) -> Step {
        self.syncs += 1;
        Step::Event(self.stamp(Event {
            time,
            thread: ThreadId::NONE,
            proc: ProcId::NONE,
            goroutine: GoId::NONE,
            slot: Slot::NONE,
            stack: Stack::NONE,
            kind: Kind::Sync { number: self.syncs, kind },
        }))
    }

    // Violations.

    fn violation(&self, rule: Rule, thread: ThreadId) -> Violation {
        Violation { rule, generation: self.generation.number, thread }
    }

    /// Ends the reading at once.
    fn stop(&mut self, rule: Rule) -> Violation {
        self.phase = Phase::Over(None);
        self.violation(rule, ThreadId::NONE)
    }

    /// Ends the reading if it is strict, and remembers the violation if not.
    fn report(&mut self, rule: Rule, thread: ThreadId) -> Result<(), Violation> {
        let violation = self.violation(rule, thread);
        if self.options.strict {
            self.phase = Phase::Over(None);
            self.order.drop_queue();
            return Err(violation);
        }
        self.problems.push(violation);
        Ok(())
    }
}

/// The version in a file's first bytes.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Version, Rule> {
    if bytes.is_empty() {
        return Err(Rule::Empty);
    }
    if bytes.starts_with(GZIP) {
        return Err(Rule::Compressed);
    }
    let header = bytes.get(..HEADER_LEN).ok_or(Rule::Header)?;
    let number = header
        .strip_prefix(b"go 1.")
        .and_then(|rest| rest.strip_suffix(b" trace\0\0\0"))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or(Rule::Header)?;
    Version::from_number(number).ok_or(Rule::Version(number))
}
