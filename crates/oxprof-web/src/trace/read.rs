//! Reading a trace, or a part of it.

use std::io::{self, Read};
use std::ops::Range;

use oxprof_trace::wire::HEADER_LEN;
use oxprof_trace::{Event, Options, Problems, Reader, Step, Tables};

use super::TraceSource;

/// Bytes to read at once.
const PIECE: usize = 1 << 20;

/// Who looks at a trace while it is read.
pub(super) trait Visitor {
    /// An event, and how many bytes have been understood.
    fn event(&mut self, event: &Event, tables: &Tables, bytes_parsed: u64);

    /// A piece has been read: so many bytes in all.
    fn piece(&mut self, _: u64) {}
}

impl<F: FnMut(&Event, &Tables)> Visitor for F {
    fn event(&mut self, event: &Event, tables: &Tables, _: u64) {
        self(event, tables);
    }
}

/// Shows all of a trace to a visitor.
pub(super) fn all(
    source: &dyn TraceSource,
    visitor: &mut impl Visitor,
) -> Result<Problems, String> {
    let input = source.open(0).map_err(words)?;
    drive(Reader::new(Options::default()), input, visitor)
}

/// Shows the generations that lie in a range of bytes to a visitor.
pub(super) fn part(
    source: &dyn TraceSource,
    range: Range<u64>,
    visitor: &mut impl Visitor,
) -> Result<(), String> {
    let mut header = [0; HEADER_LEN];
    source.open(0).and_then(|mut input| input.read_exact(&mut header)).map_err(words)?;
    let mut reader = Reader::new(Options::default());
    reader.feed(&header);
    let input = source.open(range.start).map_err(words)?.take(range.end - range.start);
    drive(reader, input, visitor).map(drop)
}

fn drive(
    mut reader: Reader,
    mut input: impl Read,
    visitor: &mut impl Visitor,
) -> Result<Problems, String> {
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    loop {
        match reader.step().map_err(|e| e.to_string())? {
            Step::Event(event) => visitor.event(&event, reader.tables(), reader.bytes_parsed()),
            Step::NeedInput => match input.read(&mut piece).map_err(words)? {
                0 => reader.finish(),
                n => {
                    read += n as u64;
                    visitor.piece(read);
                    reader.feed(&piece[..n]);
                }
            },
            Step::End => return Ok(reader.problems().clone()),
        }
    }
}

fn words(e: io::Error) -> String {
    format!("the trace cannot be read: {e}")
}
