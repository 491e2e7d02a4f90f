//! Bits of a stream, least significant first.

use std::io::{self, ErrorKind, Read};

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// Zeros behind the last byte, so that looking ahead needs no care.
const PADDING: usize = 64;

/// The most bytes that one step of decoding takes or looks at; see [`BitReader::limit`].
const STEP: usize = 32;

/// Reads bits from a source.
#[derive(Debug)]
pub(super) struct BitReader<R> {
    source: R,
    buffer: Box<[u8]>,
    /// End of what was read from the source; zeros follow if that was all.
    end: usize,
    is_last: bool,
    pub(super) ahead: Lookahead,
}

/// The next bits. A value of its own, so that a loop can keep it in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookahead {
    bits: u64,
    /// How many of `bits` count, modulo 64; those above are the next ones or zero.
    count: u32,
    /// The first byte of the buffer that `bits` do not hold completely.
    pub(super) at: usize,
}

impl Lookahead {
    /// Makes 56 bits available.
    #[inline(always)]
    pub(super) fn refill(&mut self, buffer: &[u8]) {
        let word = buffer[self.at..self.at + 8].first_chunk().expect("eight bytes");
        self.bits |= u64::from_le_bytes(*word) << (self.count & 63);
        self.at += ((!self.count & 63) >> 3) as usize;
        self.count |= 56;
    }

    /// The next 56 bits at most, and anything above.
    #[inline(always)]
    pub(super) fn bits(&self) -> u64 {
        self.bits
    }

    /// Goes on by `count` modulo 64 bits, of which there must be as many. What is above those six bits does
    /// no harm, so nothing delays the shift.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.bits >>= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// Takes `count` bits, of which there must be as many.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u64 {
        let bits = self.bits & ((1 << count) - 1);
        self.skip(count);
        bits
    }
}

impl<R: Read> BitReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK + PADDING].into(),
            end: 0,
            is_last: false,
            ahead: Lookahead { bits: 0, count: 0, at: 0 },
        }
    }

    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// While `ahead.at` is below this, a step may refill twice.
    #[inline]
    pub(super) fn limit(&self) -> usize {
        if self.is_last { self.end + STEP / 2 } else { self.end.saturating_sub(STEP) }
    }

    /// Reads on.
    ///
    /// # Errors
    /// Those of the source, and that it has come to its end.
    pub(super) fn more(&mut self) -> io::Result<()> {
        if self.is_last {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // Whole bytes in `ahead` stay, too: it may yet go back to where nothing was taken.
        let gone = self.position();
        self.buffer.copy_within(gone..self.end, 0);
        self.end -= gone;
        self.ahead.at -= gone;
        while self.end < CHUNK && !self.is_last {
            match self.source.read(&mut self.buffer[self.end..CHUNK]) {
                Ok(read) => {
                    self.end += read;
                    self.is_last = read == 0;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.buffer[self.end..].fill(0);
        Ok(())
    }

    /// Makes 56 bits available, be they behind the end.
    pub(super) fn refill(&mut self) -> io::Result<()> {
        if self.ahead.at >= self.limit() {
            self.more()?;
        }
        self.ahead.refill(&self.buffer);
        Ok(())
    }

    /// The next `count` bits, up to 32.
    pub(super) fn take(&mut self, count: u32) -> io::Result<u32> {
        self.refill()?;
        Ok(self.ahead.take(count) as u32)
    }

    /// Whether more was taken than there is.
    pub(super) fn is_overrun(&self) -> bool {
        self.position() > self.end
    }

    /// First byte of the buffer of which nothing was taken.
    fn position(&self) -> usize {
        self.ahead.at - ((self.ahead.count & 63) / 8) as usize
    }

    /// Goes on to the next whole byte.
    pub(super) fn align(&mut self) {
        let at = self.position();
        self.ahead = Lookahead { bits: 0, count: 0, at };
    }

    /// Takes whole bytes, at least one unless none is wanted; the position must be [`align`](Self::align)ed.
    ///
    /// # Errors
    /// As [`more`](Self::more).
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead.at >= self.end {
            self.more()?;
        }
        let at = self.ahead.at;
        let len = out.len().min(self.end.saturating_sub(at));
        if len == 0 && !out.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        out[..len].copy_from_slice(&self.buffer[at..at + len]);
        self.ahead.at += len;
        Ok(len)
    }

    /// Skips zero bytes, and says whether nothing follows. The position must be [`align`](Self::align)ed.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn skip_zeros(&mut self) -> io::Result<bool> {
        loop {
            let rest = &self.buffer[self.ahead.at.min(self.end)..self.end];
            let zeros = rest.iter().take_while(|&&b| b == 0).count();
            self.ahead.at += zeros;
            if zeros < rest.len() || self.is_last {
                return Ok(zeros == rest.len());
            }
            self.more()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_bits_wherever_those_end() {
        let source: Vec<u8> = (0..CHUNK + 100).map(|i| (i % 251) as u8).collect();
        for taken in CHUNK - 50..CHUNK + 50 {
            let mut reader = BitReader::new(&source[..]);
            reader.read(&mut vec![0; CHUNK - 60]).unwrap();
            for &byte in &source[CHUNK - 60..taken] {
                assert_eq!(reader.take(8).unwrap(), byte.into());
            }
            assert_eq!(reader.take(3).unwrap(), u32::from(source[taken]) & 7);
            assert!(!reader.is_overrun(), "{taken}");
            reader.align();
            let mut next = [0];
            assert_eq!((reader.read(&mut next).unwrap(), next[0]), (1, source[taken + 1]));
        }
    }
}
