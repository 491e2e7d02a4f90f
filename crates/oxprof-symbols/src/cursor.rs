//! A place in a section, and the ways to read on from there. What lies beyond the end reads as `None`.

/// Reads a section from front to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'d> {
    data: &'d [u8],
    at: usize,
    /// Where in the section the data starts.
    base: usize,
    big: bool,
}

impl<'d> Cursor<'d> {
    pub(crate) fn new(data: &'d [u8], big: bool) -> Self {
        Self { data, at: 0, base: 0, big }
    }

    /// At the start of a part of a section, which is at `base`.
    pub(crate) fn of_part(data: &'d [u8], base: usize, big: bool) -> Self {
        Self { data, at: 0, base, big }
    }

    /// The same section from `at` on.
    pub(crate) fn at(mut self, at: u64) -> Option<Self> {
        self.seek(usize::try_from(at).ok()?)?;
        Some(self)
    }

    pub(crate) fn seek(&mut self, at: usize) -> Option<()> {
        self.at = at.checked_sub(self.base).filter(|&at| at <= self.data.len())?;
        Some(())
    }

    pub(crate) fn position(&self) -> usize {
        self.base + self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The same place in a section that ends at `end`.
    pub(crate) fn until(mut self, end: usize) -> Option<Self> {
        self.data = self.data.get(..end.checked_sub(self.base)?)?;
        Some(self)
    }

    #[inline]
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|&at| at <= self.data.len())?;
        Some(())
    }

    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'d [u8]> {
        let bytes = self.data.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// A number of at most eight bytes.
    #[inline]
    pub(crate) fn uint(&mut self, size: u8) -> Option<u64> {
        let bytes = self.bytes(usize::from(size.min(8)))?;
        let mut wide = [0; 8];
        if self.big {
            wide[8 - bytes.len()..].copy_from_slice(bytes);
            Some(u64::from_be_bytes(wide))
        } else {
            wide[..bytes.len()].copy_from_slice(bytes);
            Some(u64::from_le_bytes(wide))
        }
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.uint(2).map(|n| n as u16)
    }

    /// A length that also says how wide offsets are: four bytes, or eight after a mark.
    pub(crate) fn initial_length(&mut self) -> Option<(u64, u8)> {
        match self.uint(4)? {
            0xffff_ffff => Some((self.uint(8)?, 8)),
            length => Some((length, 4)).filter(|_| length < 0xffff_fff0),
        }
    }

    #[inline]
    pub(crate) fn uleb(&mut self) -> Option<u64> {
        // Most numbers are small.
        let byte = self.u8()?;
        if byte < 0x80 { Some(u64::from(byte)) } else { self.uleb_after(byte) }
    }

    fn uleb_after(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    pub(crate) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= i64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                let sign = if byte & 0x40 != 0 && shift < 64 { -1 << shift } else { 0 };
                return Some(value | sign);
            }
        }
    }

    #[inline]
    pub(crate) fn skip_leb(&mut self) -> Option<()> {
        while self.u8()? & 0x80 != 0 {}
        Some(())
    }

    /// Text up to a zero, which is passed over.
    pub(crate) fn text(&mut self) -> Option<&'d [u8]> {
        let rest = self.data.get(self.at..)?;
        let end = rest.iter().position(|&b| b == 0)?;
        self.at += end + 1;
        Some(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_byte_orders() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(Cursor::new(&bytes, false).uint(3), Some(0x03_02_01));
        assert_eq!(Cursor::new(&bytes, true).uint(3), Some(0x01_02_03));
        assert_eq!(Cursor::new(&bytes, true).uint(8), None);
    }

    #[test]
    fn numbers_of_variable_length() {
        let uleb = |bytes: &[u8]| Cursor::new(bytes, false).uleb();
        let sleb = |bytes: &[u8]| Cursor::new(bytes, false).sleb();
        assert_eq!(uleb(&[0xe5, 0x8e, 0x26]), Some(624_485));
        assert_eq!(uleb(&[0xff; 12]), None);
        assert_eq!(sleb(&[0xc0, 0xbb, 0x78]), Some(-123_456));
        assert_eq!(sleb(&[0x3f]), Some(63));
        assert_eq!(sleb(&[0x40]), Some(-64));
    }

    #[test]
    fn text_needs_its_end() {
        let mut cursor = Cursor::new(b"ab\0c", false);
        assert_eq!(cursor.text(), Some(&b"ab"[..]));
        assert_eq!(cursor.text(), None);
        assert_eq!(cursor.skip(2), None);
        assert_eq!(cursor.position(), 3);
    }
}
