//! A fast DEFLATE compressor (RFC 1951).
//!
//! General compressors spend most of their time looking for repetitions, of which encoded stacks have
//! either long ones or none. This one looks at one earlier place for each position, in larger and larger
//! steps while nothing is found, and otherwise relies on Huffman codes, which are where most of the gain
//! on stacks comes from. Against zlib-rs at level 6 it takes a fifth to a half of the time, for 4 % to 5 %
//! more bytes where stacks are all different and up to 30 % more where they are alike.
//!
//! ```text
//! bytes ──matches──▶ literals and matches ──huffman──▶ codes ──bits──▶ block
//! ```

mod bits;
mod block;
mod huffman;
mod matches;

use std::io::{self, Write};

use bits::BitWriter;
use block::Codes;
use matches::Matcher;

/// Bytes that make a block. Smaller ones adapt sooner, larger ones have fewer headers.
const BLOCK: usize = 64 << 10;

/// How far back a repetition can lie.
const WINDOW: usize = 32 << 10;

/// Compresses what is written to it.
#[derive(Debug)]
pub(crate) struct Deflater {
    /// Up to [`WINDOW`] bytes that are compressed already, then the ones that are not.
    buffer: Vec<u8>,
    /// Where those begin that are not.
    pending: usize,
    matcher: Matcher,
    fixed: Codes,
    bits: BitWriter,
}

impl Deflater {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(WINDOW + BLOCK),
            pending: 0,
            matcher: Matcher::new(),
            fixed: Codes::fixed(),
            bits: BitWriter::default(),
        }
    }

    /// Compresses `bytes`; whole blocks go to `out`.
    pub(crate) fn write(&mut self, mut bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = BLOCK - (self.buffer.len() - self.pending);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() - self.pending == BLOCK {
                self.block(false);
                self.bits.drain(out)?;
            }
        }
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.block(true);
        self.bits.align();
        self.bits.drain(out)
    }

    fn block(&mut self, is_last: bool) {
        let found = self.matcher.find(&self.buffer, self.pending);
        let data = &self.buffer[self.pending..];
        block::write(&mut self.bits, data, found, &self.fixed, is_last);
        self.slide();
    }

    /// Keeps the window and makes room for the next block.
    fn slide(&mut self) {
        let gone = self.buffer.len().saturating_sub(WINDOW);
        self.buffer.drain(..gone);
        self.pending = self.buffer.len();
        self.matcher.slide(gone);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[track_caller]
    fn check(data: &[u8]) -> usize {
        for pieces in [data.len().max(1), 100, 65_537] {
            let mut deflater = Deflater::new();
            let mut compressed = Vec::new();
            data.chunks(pieces).for_each(|piece| deflater.write(piece, &mut compressed).unwrap());
            deflater.finish(&mut compressed).unwrap();
            let mut plain = Vec::new();
            flate2::read::DeflateDecoder::new(&compressed[..]).read_to_end(&mut plain).unwrap();
            assert!(plain == data, "{} bytes in pieces of {pieces}", data.len());
            if pieces != 100 {
                return compressed.len();
            }
        }
        unreachable!("there are pieces of another size")
    }

    fn noise(len: usize, alphabet: u64) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % alphabet
        };
        (0..len).map(|_| next() as u8).collect()
    }

    #[test]
    fn any_length_survives() {
        for len in [0, 1, 2, 3, 7, 8, 9, 100, 258, 259, 65_535, 65_536, 65_537, 131_072, 200_000] {
            for alphabet in [1, 2, 100, 256] {
                check(&noise(len, alphabet));
            }
        }
    }

    #[test]
    fn noise_hardly_grows() {
        let data = noise(1 << 20, 256);
        assert!(check(&data) < data.len() + data.len() / 1000 + 100);
    }

    #[test]
    fn repetition_and_skew_shrink() {
        assert!(check(&vec![7; 1 << 20]) < 8000);
        assert!(check(&noise(100_000, 256).repeat(2)) > 190_000, "out of the window");
        assert!(check(&noise(20_000, 256).repeat(5)) < 22_000, "within the window");
        assert!(check(&noise(1 << 20, 16)) < 540_000, "four bits per byte and a little");
    }

    #[test]
    fn distances_up_to_the_window_are_found() {
        for distance in [1, 2, 8, 100, 1000, WINDOW - 1, WINDOW] {
            check(&noise(distance, 256).repeat(3 * BLOCK / distance + 2));
        }
    }
}
