//! A fast DEFLATE decompressor (RFC 1951).
//!
//! Encoded stacks are mostly literals, few of which repeat. So what counts is the time per literal: two of
//! them are found at one look into a table where their codes are short, and up to eight are written at once.
//! On profiles that takes two thirds of the time of zlib-rs.
//!
//! ```text
//! source ──bits──▶ codes ──code──▶ literals and repetitions ──▶ window of the caller
//! ```

mod bits;
mod code;

use std::io::{self, ErrorKind, Read};

use bits::BitReader;
use code::{Code, Entry};

/// How far back a repetition can lie.
pub(crate) const WINDOW: usize = 32 << 10;

/// Room that must be left in a window for [`Inflater::fill`] to go on.
pub(crate) const ROOM: usize = 512;

/// The longest repetition, and what is written beyond its end.
const LONGEST: usize = 258 + CHUNK;
/// How much of a repetition is copied at once.
const CHUNK: usize = 16;
/// Literals that are written at once.
const LITERALS: usize = 8;

const END_OF_BLOCK: usize = 256;
/// The most symbols of a block's two codes.
const MAX_LITERALS: usize = 286;
const MAX_DISTANCES: usize = 30;
/// The order in which the format lists the lengths of the code for code lengths.
const LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Decompresses a stream, and whatever lies around it is read by bytes.
#[derive(Debug)]
pub(crate) struct Inflater<R> {
    input: BitReader<R>,
    state: State,
    is_last_block: bool,
    literals: Code<4096>,
    distances: Code<1024>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A block.
    Block,
    /// So many bytes as they are.
    Stored(usize),
    /// Codes.
    Coded,
    /// Nothing of this stream.
    End,
}

/// Why decoding codes stops.
enum Pause {
    InputUsed,
    OutputFull,
    BlockEnd,
    Corrupt(&'static str),
}

impl<R: Read> Inflater<R> {
    /// For a source of which bytes can be read; [`start`](Self::start) comes before the stream.
    pub(crate) fn new(source: R) -> Self {
        Self {
            input: BitReader::new(source),
            state: State::End,
            is_last_block: false,
            literals: Code::new(),
            distances: Code::new(),
        }
    }

    /// Begins with a stream.
    pub(crate) fn start(&mut self) {
        (self.state, self.is_last_block) = (State::Block, false);
    }

    /// Takes a byte from around streams.
    ///
    /// # Errors
    /// Those of the source, and that it has come to its end.
    pub(crate) fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read(&mut byte)?;
        Ok(byte[0])
    }

    /// Skips zeros around streams, and says whether nothing follows.
    ///
    /// # Errors
    /// Those of the source.
    pub(crate) fn skip_zeros(&mut self) -> io::Result<bool> {
        self.input.skip_zeros()
    }

    /// Whether the stream has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// Decompresses into `window[at..]` until there is less than [`ROOM`] or the stream ends; gives where it
    /// stopped. Of the stream, `window[start..at]` is what went before, at least [`WINDOW`] bytes if there were
    /// as many.
    ///
    /// # Errors
    /// Those of the source; that the stream is damaged, or that it is cut short.
    pub(crate) fn fill(
        &mut self,
        window: &mut [u8],
        start: usize,
        mut at: usize,
    ) -> io::Result<usize> {
        loop {
            match self.state {
                State::Block if self.is_last_block => {
                    self.input.align();
                    self.state = State::End;
                }
                State::Block => self.block()?,
                State::Stored(0) => self.state = State::Block,
                State::Stored(_) | State::Coded if window.len() - at < ROOM => break,
                State::Stored(left) => {
                    let room = left.min(window.len() - at);
                    let read = self.input.read(&mut window[at..at + room])?;
                    at += read;
                    self.state = State::Stored(left - read);
                }
                State::Coded => at = self.coded(window, start, at)?,
                State::End => break,
            }
        }
        if self.input.is_overrun() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(at)
    }

    /// Reads the header of a block.
    fn block(&mut self) -> io::Result<()> {
        self.is_last_block = self.input.take(1)? == 1;
        self.state = match self.input.take(2)? {
            0 => {
                self.input.align();
                let (len, complement) = (self.input.take(16)?, self.input.take(16)?);
                if len != complement ^ 0xffff {
                    return Err(self.corrupt("a block's two lengths differ"));
                }
                self.input.align();
                State::Stored(len as usize)
            }
            1 => {
                self.set_codes(&fixed_lengths(), &[5; 32])?;
                State::Coded
            }
            2 => {
                self.own_codes()?;
                State::Coded
            }
            _ => return Err(self.corrupt("a block is of no known kind")),
        };
        Ok(())
    }

    /// Reads the codes of a block.
    fn own_codes(&mut self) -> io::Result<()> {
        let literals = self.input.take(5)? as usize + 257;
        let distances = self.input.take(5)? as usize + 1;
        let listed = self.input.take(4)? as usize + 4;
        if literals > MAX_LITERALS || distances > MAX_DISTANCES {
            return Err(self.corrupt("a block has too many codes"));
        }
        let mut lengths = [0; LENGTH_ORDER.len()];
        for &symbol in &LENGTH_ORDER[..listed] {
            lengths[symbol] = self.input.take(3)? as u8;
        }
        let mut code = Code::<128>::new();
        let symbols: [Entry; 19] = std::array::from_fn(|n| Entry::base(n as u16, 0));
        if !code.set(&lengths, &symbols) || !code.is_complete() {
            return Err(self.corrupt("a block's code of code lengths is no code"));
        }
        let mut lengths = [0; MAX_LITERALS + MAX_DISTANCES];
        self.code_lengths(&code, &mut lengths[..literals + distances])?;
        if lengths[END_OF_BLOCK] == 0 {
            return Err(self.corrupt("a block has no end"));
        }
        let (literals, rest) = lengths.split_at(literals);
        self.set_codes(literals, &rest[..distances])
    }

    fn code_lengths(&mut self, code: &Code<128>, lengths: &mut [u8]) -> io::Result<()> {
        let mut at = 0;
        while at < lengths.len() {
            self.input.refill()?;
            let entry = code.look_up(self.input.ahead.bits());
            if entry.is_special() {
                return Err(self.corrupt("a code length has an invalid code"));
            }
            self.input.ahead.skip(entry.to_skip());
            let (len, count) = match entry.value() {
                16 if at == 0 => return Err(self.corrupt("no code length to repeat")),
                16 => (lengths[at - 1], 3 + self.input.ahead.take(2)),
                17 => (0, 3 + self.input.ahead.take(3)),
                18 => (0, 11 + self.input.ahead.take(7)),
                len => (len as u8, 1),
            };
            let Some(run) = lengths.get_mut(at..at + count as usize) else {
                return Err(self.corrupt("code lengths are repeated too often"));
            };
            run.fill(len);
            at += count as usize;
        }
        Ok(())
    }

    fn set_codes(&mut self, literals: &[u8], distances: &[u8]) -> io::Result<()> {
        if !self.literals.set(literals, &LITERALS_AND_LENGTHS) {
            return Err(self.corrupt("a block's code of literals is no code"));
        }
        if !self.distances.set(distances, &DISTANCES) {
            return Err(self.corrupt("a block's code of distances is no code"));
        }
        self.literals.pair_literals();
        Ok(())
    }

    /// Decodes until the block ends or the window is full.
    fn coded(&mut self, window: &mut [u8], start: usize, mut at: usize) -> io::Result<usize> {
        loop {
            match self.steps(window, start, &mut at) {
                Pause::InputUsed => self.input.more()?,
                Pause::OutputFull => return Ok(at),
                Pause::BlockEnd => {
                    self.state = State::Block;
                    return Ok(at);
                }
                Pause::Corrupt(what) => return Err(self.corrupt(what)),
            }
        }
    }

    /// The loop in which nearly all of the time goes.
    fn steps(&mut self, window: &mut [u8], start: usize, end: &mut usize) -> Pause {
        let Self { input, literals, distances, .. } = self;
        let (buffer, limit) = (input.buffer(), input.limit());
        let mut ahead = input.ahead;
        let mut at = *end;
        if ahead.at >= limit {
            return Pause::InputUsed;
        }
        ahead.refill(buffer);
        let mut entry = literals.look_up(ahead.bits());
        let pause = loop {
            if ahead.at >= limit {
                break Pause::InputUsed;
            }
            if window.len() - at < LITERALS + LONGEST {
                break Pause::OutputFull;
            }
            // This adds bits behind those that `entry` was found by.
            ahead.refill(buffer);
            // Of the 64 bits that there are, four looks take 48 at most, and the fifth only looks.
            let (mut word, mut count) = (0, 0);
            for _ in 0..4 {
                if entry.literals() == 0 {
                    break;
                }
                word |= u64::from(entry.value()) << (8 * count);
                count += entry.literals();
                ahead.skip(entry.to_skip());
                entry = literals.look_up(ahead.bits());
            }
            window[at..at + LITERALS].copy_from_slice(&word.to_le_bytes());
            at += count as usize;
            if entry.literals() > 0 {
                continue;
            }
            // Two codes and what follows them take 48 bits at most.
            ahead.refill(buffer);
            if entry.is_special() {
                if entry == Entry::LONG {
                    entry = literals.look_up_long(ahead.bits());
                }
                ahead.skip(entry.to_skip());
                match entry.special() {
                    Entry::END => break Pause::BlockEnd,
                    Entry::INVALID => break Pause::Corrupt("a literal has an invalid code"),
                    _ if entry.literals() > 0 => {
                        window[at] = entry.value() as u8;
                        at += 1;
                        entry = literals.look_up(ahead.bits());
                        continue;
                    }
                    _ => {}
                }
            } else {
                ahead.skip(entry.to_skip());
            }
            let len = entry.value() as usize + ahead.take(entry.extra_bits()) as usize;
            let mut far = distances.look_up(ahead.bits());
            if far == Entry::LONG {
                far = distances.look_up_long(ahead.bits());
            }
            if far.is_special() {
                break Pause::Corrupt("a distance has an invalid code");
            }
            ahead.skip(far.to_skip());
            let distance = far.value() as usize + ahead.take(far.extra_bits()) as usize;
            if distance > at - start {
                break Pause::Corrupt("a distance reaches back too far");
            }
            repeat(window, at, distance, len);
            at += len;
            entry = literals.look_up(ahead.bits());
        };
        self.input.ahead = ahead;
        *end = at;
        pause
    }

    /// What follows the end of the data is no damage but absent.
    fn corrupt(&self, what: &'static str) -> io::Error {
        if self.input.is_overrun() {
            return ErrorKind::UnexpectedEof.into();
        }
        io::Error::new(ErrorKind::InvalidData, what)
    }
}

/// Writes the `len` bytes from `distance` before `at` at `at`, and up to [`CHUNK`] of anything behind.
#[inline(always)]
fn repeat(window: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    if distance >= CHUNK {
        for i in (0..len).step_by(CHUNK) {
            let chunk: [u8; CHUNK] =
                window[from + i..from + i + CHUNK].try_into().expect("a chunk");
            window[at + i..at + i + CHUNK].copy_from_slice(&chunk);
        }
    } else if distance == 1 {
        let byte = window[from];
        window[at..at + len].fill(byte);
    } else {
        for i in 0..len {
            window[at + i] = window[from + i];
        }
    }
}

/// The lengths of the format's own code.
fn fixed_lengths() -> [u8; 288] {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    lengths
}

/// 256 literals, the end, and lengths 3–258, four of which share a number of extra bits from 11 on.
const LITERALS_AND_LENGTHS: [Entry; 288] = {
    let mut entries = [Entry::INVALID; 288];
    let mut n = 0;
    while n < 256 {
        entries[n] = Entry::literal(n as u8);
        n += 1;
    }
    entries[END_OF_BLOCK] = Entry::END;
    let (mut symbol, mut base) = (257, 3);
    while symbol < 285 {
        let extra_bits = if symbol < 265 { 0 } else { (symbol as u32 - 261) / 4 };
        entries[symbol] = Entry::base(base, extra_bits);
        base += 1 << extra_bits;
        symbol += 1;
    }
    entries[285] = Entry::base(258, 0);
    entries
};

/// Distances 1–32768, two of which share a number of extra bits from 5 on.
const DISTANCES: [Entry; 32] = {
    let mut entries = [Entry::INVALID; 32];
    let (mut symbol, mut base) = (0, 1);
    while symbol < 30 {
        let extra_bits = if symbol < 4 { 0 } else { symbol as u32 / 2 - 1 };
        entries[symbol] = Entry::base(base as u16, extra_bits);
        base += 1 << extra_bits;
        symbol += 1;
    }
    entries
};

#[cfg(test)]
mod tests;
