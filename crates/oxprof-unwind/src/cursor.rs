//! Reading little-endian numbers from bytes, never past their end.

/// The rest of some bytes. Every method returns `None` when too few are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, n: u64) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(usize::try_from(n).ok()?)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// An unsigned LEB128 number; bits beyond the 64th are dropped.
    pub(crate) fn uleb(&mut self) -> Option<u64> {
        self.leb().map(|(value, _, _)| value)
    }

    /// A signed LEB128 number.
    pub(crate) fn sleb(&mut self) -> Option<i64> {
        let (value, bits, last) = self.leb()?;
        let negative = last & 0x40 != 0 && bits < 64;
        Some(if negative { value | (u64::MAX << bits) } else { value }.cast_signed())
    }

    /// The number, how many bits it has and its last byte.
    fn leb(&mut self) -> Option<(u64, u32, u8)> {
        let (mut value, mut bits) = (0u64, 0u32);
        loop {
            let byte = self.u8()?;
            if bits < 64 {
                value |= u64::from(byte & 0x7f) << bits;
            }
            bits = (bits + 7).min(70);
            if byte & 0x80 == 0 {
                return Some((value, bits, byte));
            }
        }
    }

    /// Bytes up to a zero, which is skipped, if one is among the next `limit`.
    pub(crate) fn c_str(&mut self, limit: usize) -> Option<&'a [u8]> {
        let end = self.rest.iter().take(limit).position(|&b| b == 0)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128() {
        let sleb = |bytes: &[u8]| Cursor::new(bytes).sleb();
        let uleb = |bytes: &[u8]| Cursor::new(bytes).uleb();
        assert_eq!(
            [sleb(&[0x78]), sleb(&[0x80, 0x7f]), sleb(&[2])],
            [Some(-8), Some(-128), Some(2)]
        );
        assert_eq!([uleb(&[0x78]), uleb(&[0xe5, 0x8e, 0x26])], [Some(120), Some(624_485)]);
        assert_eq!([uleb(&[0x80]), uleb(&[])], [None, None]);
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(uleb(&longest), Some(u64::MAX));
        assert_eq!(sleb(&[&[0xff; 30][..], &[0x7f]].concat()), Some(-1));
    }
}
