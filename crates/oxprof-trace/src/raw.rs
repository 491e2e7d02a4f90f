//! A trace as it is written: every event in the order of the file, unchecked.
//!
//! This is for people who write tracers. Text is that of `go tool trace -d=wire`.

use std::fmt::Write;

use crate::ThreadId;
use crate::error::{Rule, Violation};
use crate::reader::parse_header;
use crate::text::Quoted;
use crate::wire::{EventType, HEADER_LEN, Version, uvarint, uvarint_len};

/// Reads events as they are written.
#[derive(Debug, Default)]
pub struct RawReader {
    input: Vec<u8>,
    pos: usize,
    version: Option<Version>,
    finished: bool,
    args: Vec<u64>,
    data: Vec<u8>,
}

/// What a [`RawReader`] has.
#[derive(Debug)]
pub enum RawStep<'a> {
    /// An event.
    Event(Raw<'a>),
    /// It needs [`RawReader::feed`] or [`RawReader::finish`].
    NeedInput,
    /// There is nothing more.
    End,
}

/// An event as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raw<'a> {
    /// Its type.
    pub event: EventType,
    /// Its arguments; of a stack, also four numbers a frame.
    pub args: &'a [u64],
    /// Bytes that follow them, in types that have some.
    pub data: Option<&'a [u8]>,
}

impl RawReader {
    /// A reader that has nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the reader the next bytes of the trace.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.pos);
        self.pos = 0;
        self.input.extend_from_slice(bytes);
    }

    /// Tells the reader that there are no more bytes.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next event, or what is needed to tell.
    ///
    /// # Errors
    /// When the bytes are not those of a trace.
    pub fn step(&mut self) -> Result<RawStep<'_>, Violation> {
        if self.version.is_none() {
            if self.input.len() < HEADER_LEN && !self.finished {
                return Ok(RawStep::NeedInput);
            }
            self.version = Some(parse_header(&self.input).map_err(violation)?);
            self.pos = HEADER_LEN;
        }
        let version = self.version.unwrap_or(Version::Go126);
        let Some(&byte) = self.input.get(self.pos) else {
            return Ok(if self.finished { RawStep::End } else { RawStep::NeedInput });
        };
        let event = EventType::from_byte(byte).filter(|_| version.has_event(byte));
        let event = event.ok_or_else(|| violation(Rule::Encoding("an event's type")))?;
        let mut pos = self.pos + 1;
        match self.parse(event, &mut pos).map_err(violation)? {
            true => {
                self.pos = pos;
                let data = has_data(event).then_some(self.data.as_slice());
                Ok(RawStep::Event(Raw { event, args: &self.args, data }))
            }
            false if self.finished => Err(violation(Rule::Truncated)),
            false => Ok(RawStep::NeedInput),
        }
    }

    /// Parses what follows the type; false when the bytes end first.
    fn parse(&mut self, event: EventType, pos: &mut usize) -> Result<bool, Rule> {
        self.args.clear();
        self.data.clear();
        if !self.parse_args(event.spec().args.len(), pos)? {
            return Ok(false);
        }
        if event == EventType::Stack {
            let frames = self.args[1].min(1 << 16) as usize;
            return self.parse_args(4 * frames, pos);
        }
        if !has_data(event) {
            return Ok(true);
        }
        if !self.parse_args(1, pos)? {
            return Ok(false);
        }
        let size = self.args.pop().unwrap_or_default();
        if size > crate::wire::MAX_BATCH {
            let limit = crate::wire::MAX_BATCH;
            return Err(Rule::Limit { what: "piece of data", size, limit });
        }
        let Some(data) = self.input.get(*pos..*pos + size as usize) else { return Ok(false) };
        self.data.extend_from_slice(data);
        *pos += data.len();
        Ok(true)
    }

    fn parse_args(&mut self, count: usize, pos: &mut usize) -> Result<bool, Rule> {
        for _ in 0..count {
            match uvarint(&self.input, pos) {
                Some(arg) => self.args.push(arg),
                None if self.input.len() >= *pos + 10 => {
                    return Err(Rule::Encoding("an argument of an event"));
                }
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

fn violation(rule: Rule) -> Violation {
    Violation { rule, generation: 0, thread: ThreadId::NONE }
}

fn has_data(event: EventType) -> bool {
    matches!(event, EventType::String | EventType::ExperimentalBatch)
}

impl Raw<'_> {
    /// Appends the event as text, with a line break at the end of each line.
    pub fn write_text(&self, out: &mut String) {
        let spec = self.event.spec();
        out.push_str(spec.name);
        for (name, arg) in spec.args.iter().zip(self.args) {
            // Writing to a string cannot fail.
            let _ = write!(out, " {name}={arg}");
        }
        for frame in self.args[spec.args.len()..].chunks_exact(4) {
            let [pc, func, file, line] = [frame[0], frame[1], frame[2], frame[3]];
            let _ = write!(out, "\n\tpc={pc} func={func} file={file} line={line}");
        }
        if let Some(data) = self.data.filter(|data| !data.is_empty()) {
            let _ = write!(out, "\n\tdata={}", Quoted(&String::from_utf8_lossy(data)));
        }
        out.push('\n');
    }

    /// Number of bytes that it takes, written without padding.
    pub fn encoded_len(&self) -> u64 {
        let args: u64 = self.args.iter().map(|&arg| uvarint_len(arg)).sum();
        let data = self.data.map_or(0, |data| uvarint_len(data.len() as u64) + data.len() as u64);
        1 + args + data
    }
}

/// How many bytes of a trace each type of event takes. Feed it every raw event.
#[derive(Clone, Debug)]
pub struct Footprint {
    rows: [(u64, u64); 256],
}

/// A row of a [`Footprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FootprintRow {
    /// Type of the events.
    pub event: EventType,
    /// How many bytes they take.
    pub bytes: u64,
    /// How many there are.
    pub count: u64,
}

impl Default for Footprint {
    fn default() -> Self {
        Self { rows: [(0, 0); 256] }
    }
}

impl Footprint {
    /// Counts an event.
    pub fn add(&mut self, raw: &Raw<'_>) {
        let (bytes, count) = &mut self.rows[raw.event as usize];
        *bytes += raw.encoded_len();
        *count += 1;
    }

    /// The types that occur, the biggest first.
    pub fn rows(&self) -> Vec<FootprintRow> {
        let row = |&event: &EventType| {
            let (bytes, count) = self.rows[event as usize];
            FootprintRow { event, bytes, count }
        };
        let mut rows: Vec<_> = EventType::ALL.iter().map(row).filter(|row| row.count > 0).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.bytes));
        rows
    }
}
