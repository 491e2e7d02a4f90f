//! Decoding a profile while it is being read, so that it never lies in memory as bytes.

use std::io::{self, Read};

use super::decode::{Assembler, Fault};
use super::wire::{Cursor, WireError};
use crate::Profile;
use crate::compress::GzipReader;
use crate::error::DecodeError;
use crate::inflate::{ROOM, WINDOW};

/// Why a stream was not decoded.
#[derive(Debug)]
pub(crate) enum StreamFault {
    /// The stream itself failed.
    Io(io::Error),
    /// The fields come in an order for which all of them are needed at once.
    OutOfOrder,
    Error(DecodeError),
}

impl From<DecodeError> for StreamFault {
    fn from(e: DecodeError) -> Self {
        Self::Error(e)
    }
}

/// Bytes that are in memory at a time, unless a field is longer. They fit in a processor's cache.
const BUFFER: usize = 256 << 10;

/// Reads an uncompressed profile from `source` to its end, in the memory of a spent one.
pub(crate) fn decode_stream(
    spent: Profile,
    source: GzipReader<impl Read>,
) -> Result<Profile, StreamFault> {
    let mut window =
        Window { source, buffer: vec![0; BUFFER], start: 0, end: 0, passed: 0, is_last: false };
    let mut assembler = Assembler::reusing(spent);
    loop {
        window.fill().map_err(StreamFault::Io)?;
        let mut cursor = Cursor::part(&window.buffer, window.start, window.end);
        let start = take_fields(&mut cursor, &mut assembler, window.is_last)
            .map_err(|fault| at_offset(fault, window.passed))?;
        if window.is_last && cursor.is_empty() {
            return Ok(assembler.finish()?);
        }
        window.start = start;
    }
}

/// Takes in the fields that are complete; gives where those end.
fn take_fields(
    cursor: &mut Cursor<'_>,
    assembler: &mut Assembler,
    is_last: bool,
) -> Result<usize, Fault> {
    loop {
        let before = cursor.position();
        match cursor.field() {
            Ok(Some(field)) => assembler.add(&field)?,
            Ok(None) => return Ok(before),
            Err(WireError { is_cut: true, .. }) if !is_last => return Ok(before),
            Err(e) => return Err(e.into()),
        }
    }
}

fn at_offset(fault: Fault, passed: usize) -> StreamFault {
    match fault {
        Fault::TypesAfterSamples => StreamFault::OutOfOrder,
        Fault::Error(DecodeError::Malformed { format, offset, reason }) => {
            StreamFault::Error(DecodeError::Malformed { format, offset: passed + offset, reason })
        }
        Fault::Error(e) => StreamFault::Error(e),
    }
}

/// The part of the stream that is in memory; `buffer[start..end]` is yet to be decoded.
struct Window<R> {
    source: GzipReader<R>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the stream before the buffer.
    passed: usize,
    is_last: bool,
}

impl<R: Read> Window<R> {
    /// Reads on, with more room if what is there is not even one field.
    fn fill(&mut self) -> io::Result<()> {
        // The decompressor looks back further than we do.
        let gone = self.start.min(self.end.saturating_sub(WINDOW));
        self.buffer.copy_within(gone..self.end, 0);
        self.start -= gone;
        self.end -= gone;
        self.passed += gone;
        if self.buffer.len() - self.end < ROOM {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let end = self.source.fill(&mut self.buffer, self.end)?;
        self.is_last = end == self.end;
        self.end = end;
        Ok(())
    }
}
