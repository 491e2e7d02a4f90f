//! Decoding a profile while it is being read, so that it never lies in memory as bytes.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvError, Sender, SyncSender};

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

/// Bytes that are decompressed at a time. They fit in a processor's cache.
const PART: usize = 256 << 10;

/// Parts that are decompressed before they are wanted, where another thread does it.
const AHEAD: usize = 2;

/// Reads an uncompressed profile from `source` to its end, in the memory of a spent one. If it has more than one
/// part, another thread may decompress those that follow.
pub(crate) fn decode_stream<R: Read + Send>(
    spent: Profile,
    mut source: GzipReader<R>,
    two_threads: bool,
) -> Result<Profile, StreamFault> {
    let assembler = Assembler::reusing(spent);
    let mut window = Window::new();
    source.supply(&mut window).map_err(StreamFault::Io)?;
    if !two_threads || window.has_room() {
        return assemble(assembler, window, source);
    }
    let history = *window.history();
    let (sender, parts) = mpsc::sync_channel(AHEAD);
    let (used, empty) = mpsc::channel();
    let begun = std::thread::scope(|scope| {
        let source = &mut source;
        let beside = move || decompress(source, history, &sender, &empty);
        match std::thread::Builder::new().spawn_scoped(scope, beside) {
            Ok(_) => Ok(assemble(assembler, window, Beside { parts, used })),
            Err(_) => Err(Box::new((assembler, window))),
        }
    });
    begun.unwrap_or_else(|alone| {
        let (assembler, window) = *alone;
        assemble(assembler, window, source)
    })
}

/// Decodes what is in the window and whatever follows.
fn assemble(
    mut assembler: Assembler,
    mut window: Window,
    mut source: impl Source,
) -> Result<Profile, StreamFault> {
    loop {
        let mut cursor = Cursor::part(&window.buffer, window.start, window.end);
        let start = take_fields(&mut cursor, &mut assembler, window.is_last)
            .map_err(|fault| at_offset(fault, window.passed))?;
        if window.is_last && cursor.is_empty() {
            return Ok(assembler.finish()?);
        }
        window.start = start;
        source.supply(&mut window).map_err(StreamFault::Io)?;
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
            let offset = passed.wrapping_add(offset);
            StreamFault::Error(DecodeError::Malformed { format, offset, reason })
        }
        Fault::Error(e) => StreamFault::Error(e),
    }
}

/// The part of the stream that is in memory; `buffer[start..end]` is yet to be decoded.
struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the stream before the buffer; wraps around where the buffer begins before the stream does.
    passed: usize,
    is_last: bool,
}

impl Window {
    fn new() -> Self {
        Self { buffer: vec![0; PART], start: 0, end: 0, passed: 0, is_last: false }
    }

    /// Whether more would have fitted if there were more.
    fn has_room(&self) -> bool {
        self.buffer.len() - self.end >= ROOM
    }

    /// The last bytes, which what follows may repeat.
    fn history(&self) -> &[u8; WINDOW] {
        self.buffer[..self.end].last_chunk().expect("a part is longer")
    }

    /// Goes on with another part, behind what is yet to be decoded; gives back a buffer that is not needed.
    fn follow(&mut self, part: Part) -> Vec<u8> {
        let Part { mut buffer, end } = part;
        let left = &self.buffer[self.start..self.end];
        if let Some(start) = WINDOW.checked_sub(left.len()) {
            buffer[start..WINDOW].copy_from_slice(left);
            self.passed = self.passed.wrapping_add(self.start).wrapping_sub(start);
            (self.start, self.end) = (start, end);
            std::mem::swap(&mut self.buffer, &mut buffer);
        } else {
            // A field that has many parts is put together where it is.
            self.buffer.truncate(self.end);
            self.buffer.drain(..self.start);
            self.buffer.extend_from_slice(&buffer[WINDOW..end]);
            self.passed = self.passed.wrapping_add(self.start);
            (self.start, self.end) = (0, self.buffer.len());
        }
        buffer
    }
}

/// Where a window gets more from.
trait Source {
    /// Reads on, or finds that what is there was the last.
    fn supply(&mut self, window: &mut Window) -> io::Result<()>;
}

impl<R: Read> Source for GzipReader<R> {
    /// With more room if what is there is not even one field.
    fn supply(&mut self, window: &mut Window) -> io::Result<()> {
        // The decompressor looks back further than we do.
        let gone = window.start.min(window.end.saturating_sub(WINDOW));
        window.buffer.copy_within(gone..window.end, 0);
        window.start -= gone;
        window.end -= gone;
        window.passed += gone;
        if !window.has_room() {
            window.buffer.resize(2 * window.buffer.len(), 0);
        }
        let end = self.fill(&mut window.buffer, window.end)?;
        window.is_last = end == window.end;
        window.end = end;
        Ok(())
    }
}

/// `buffer[WINDOW..end]` follows on what went before.
struct Part {
    buffer: Vec<u8>,
    end: usize,
}

/// Another thread, which decompresses meanwhile. It hangs up when it is done, or when nobody listens.
struct Beside {
    parts: Receiver<io::Result<Part>>,
    used: Sender<Vec<u8>>,
}

impl Source for Beside {
    fn supply(&mut self, window: &mut Window) -> io::Result<()> {
        match self.parts.recv() {
            // It may be done by now and not need the buffer.
            Ok(part) => drop(self.used.send(window.follow(part?))),
            Err(RecvError) => window.is_last = true,
        }
        Ok(())
    }
}

fn decompress(
    source: &mut GzipReader<impl Read>,
    mut history: [u8; WINDOW],
    parts: &SyncSender<io::Result<Part>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut buffer = empty.try_recv().unwrap_or_default();
        buffer.resize(WINDOW + PART, 0);
        buffer[..WINDOW].copy_from_slice(&history);
        let part = source.fill(&mut buffer, WINDOW).map(|end| {
            history.copy_from_slice(&buffer[end - WINDOW..end]);
            Part { buffer, end }
        });
        let is_last = part.as_ref().map_or(true, |part| part.end == WINDOW);
        if parts.send(part).is_err() || is_last {
            return;
        }
    }
}
