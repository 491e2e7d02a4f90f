//! Bits, least significant first.

use std::io::{self, Write};

/// The most bits that may gather between two calls of [`flush`](BitWriter::flush).
pub(super) const CAPACITY: u32 = 56;

#[derive(Debug, Default)]
pub(super) struct BitWriter {
    /// Longer than what is written, so that it is not cleared for every block.
    out: Vec<u8>,
    /// End of the bytes written.
    end: usize,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Makes room for a block.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let len = self.end + bytes + 16;
        if self.out.len() < len {
            self.out.resize(len, 0);
        }
    }

    /// Adds the low `count` bits of `bits`, which has no others set.
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        debug_assert!(self.count + count <= 64, "flushed too late");
        self.bits |= bits << self.count;
        self.count += count;
    }

    /// Writes whole bytes out; up to 7 bits stay.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.out[self.end..self.end + 8].copy_from_slice(&self.bits.to_le_bytes());
        let bytes = self.count / 8;
        self.end += bytes as usize;
        self.bits >>= bytes * 8;
        self.count &= 7;
    }

    /// [`put`](Self::put) and [`flush`](Self::flush).
    #[inline]
    pub(super) fn write(&mut self, bits: u64, count: u32) {
        self.put(bits, count);
        self.flush();
    }

    /// Fills the byte at hand with zeros.
    pub(super) fn align(&mut self) {
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Adds whole bytes; the position must be [`align`](Self::align)ed.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Passes on the whole bytes.
    pub(super) fn drain(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.out[..self.end])?;
        self.end = 0;
        Ok(())
    }
}
