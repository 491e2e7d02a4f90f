//! Decoding a profile while it is being read, so that it never lies in memory as bytes.

use std::io::{self, Read};

use super::decode::{Assembler, Fault};
use super::wire::{Cursor, WireError};
use crate::Profile;
use crate::error::DecodeError;

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

/// What is read at once, unless a field is longer.
const CHUNK: usize = 256 << 10;

/// Reads an uncompressed profile from `source` to its end.
pub(crate) fn decode_stream(source: impl Read) -> Result<Profile, StreamFault> {
    let mut window = Window { source, buffer: vec![0; CHUNK], start: 0, end: 0, is_last: false };
    let mut assembler = Assembler::default();
    let mut passed = 0;
    loop {
        window.fill().map_err(StreamFault::Io)?;
        let mut cursor = Cursor::new(&window.buffer[window.start..window.end]);
        let complete = take_fields(&mut cursor, &mut assembler, window.is_last)
            .map_err(|fault| at_offset(fault, passed))?;
        if window.is_last && cursor.is_empty() {
            return Ok(assembler.finish()?);
        }
        passed += complete;
        window.start += complete;
    }
}

/// Takes in the fields that are complete; gives the length of those.
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
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_last: bool,
}

impl<R: Read> Window<R> {
    /// Reads on, with more room if what is there is not even one field.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
        }
        while self.end < self.buffer.len() {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.is_last = true;
                    break;
                }
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
