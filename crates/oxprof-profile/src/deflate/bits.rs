//! Bits, least significant first.

use std::io::{self, Write};

/// The most bits that may gather between two calls of [`flush`](Pending::flush).
pub(super) const CAPACITY: u32 = 56;

#[derive(Debug, Default)]
pub(super) struct BitWriter {
    /// Longer than what is written, so that it is not cleared for every block.
    out: Vec<u8>,
    pending: Pending,
}

/// Bits that are not written yet. A value of its own, so that a loop can keep it in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    /// End of the bytes written.
    end: usize,
    bits: u64,
    count: u32,
}

impl Pending {
    /// Adds the low `count` bits of `bits`, which has no others set.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        debug_assert!(self.count + count <= 64, "flushed too late");
        self.bits |= bits << self.count;
        self.count += count;
    }

    /// Writes whole bytes out; up to 7 bits stay.
    #[inline(always)]
    pub(super) fn flush(&mut self, out: &mut [u8]) {
        out[self.end..self.end + 8].copy_from_slice(&self.bits.to_le_bytes());
        self.end += self.count as usize / 8;
        self.bits >>= self.count & !7;
        self.count &= 7;
    }
}

impl BitWriter {
    /// Makes room for a block.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let len = self.pending.end + bytes + 16;
        if self.out.len() < len {
            self.out.resize(len, 0);
        }
    }

    /// Lets `write` add to the pending bits, and flush them.
    #[inline(always)]
    pub(super) fn with(&mut self, write: impl FnOnce(&mut Pending, &mut [u8])) {
        let mut pending = self.pending;
        write(&mut pending, &mut self.out);
        self.pending = pending;
    }

    /// [`put`](Pending::put) and [`flush`](Pending::flush).
    pub(super) fn write(&mut self, bits: u64, count: u32) {
        self.pending.put(bits, count);
        self.pending.flush(&mut self.out);
    }

    /// Fills the byte at hand with zeros.
    pub(super) fn align(&mut self) {
        self.pending.count = self.pending.count.next_multiple_of(8);
        self.pending.flush(&mut self.out);
    }

    /// Adds whole bytes; the position must be [`align`](Self::align)ed.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = &mut self.pending.end;
        self.out[*end..*end + bytes.len()].copy_from_slice(bytes);
        *end += bytes.len();
    }

    /// Passes on the whole bytes.
    pub(super) fn drain(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.out[..self.pending.end])?;
        self.pending.end = 0;
        Ok(())
    }
}
