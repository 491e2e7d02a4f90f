//! Protobuf's wire format: a cursor that never leaves its message and a buffer that is appended to.
//!
//! The cursor keeps absolute positions, so that every error can say where in the file it lies.

/// What is wrong with a message, and at which byte of the (decompressed) file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireError {
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
    /// Whether more bytes might mend it.
    pub(crate) is_cut: bool,
}

/// Position in one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    /// The file, beyond the message, too, so that words can be loaded without care.
    buf: &'a [u8],
    pos: usize,
    /// Where the message ends.
    end: usize,
}

/// One field's content, as far as the wire format tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(Cursor<'a>),
    /// Fixed 32 or 64 bits, which no field of a profile uses.
    Fixed,
}

/// A field and its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) value: Value<'a>,
    offset: usize,
}

const TRUNCATED: &str = "the message ends in the middle of a field";
const FOREIGN: &str = "the field has a wire type that profiles do not use";
const TOO_LONG: &str = "a varint exceeds ten bytes";
const BEYOND: &str = "a length reaches beyond the end of its message";

/// Of eight bytes, the bits that say that the varint goes on.
const CONTINUED: u64 = 0x8080_8080_8080_8080;

/// Removes the topmost bit of each byte, in both halves of the word.
#[inline]
fn squeeze(w: u64) -> u64 {
    (w & 0x7f_0000_007f)
        | (w >> 1 & 0x3f80_0000_3f80)
        | (w >> 2 & 0x1f_c000_001f_c000)
        | (w >> 3 & 0xfe0_0000_0fe0_0000)
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(buf: &'a [u8]) -> Self {
        Self::part(buf, 0, buf.len())
    }

    /// For `buf[start..end]`. Positions are those in `buf`.
    pub(crate) fn part(buf: &'a [u8], start: usize, end: usize) -> Self {
        Self { buf, pos: start, end }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.pos == self.end
    }

    /// What is left of the message.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.buf[self.pos..self.end]
    }

    /// Bytes of the file before what is left of the message.
    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    /// The next field; `None` at the end of the message.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.is_empty() {
            return Ok(None);
        }
        let offset = self.pos;
        let tag = match self.buf[offset] {
            tag @ ..0x80 => {
                self.pos += 1;
                u64::from(tag)
            }
            _ => self.varint()?,
        };
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.skip(8)?,
            2 => Value::Bytes(self.message()?),
            5 => self.skip(4)?,
            _ => return Err(WireError { offset, what: FOREIGN, is_cut: false }),
        };
        Ok(Some(Field { number: tag >> 3, value, offset }))
    }

    /// The bytes of the next field if its number and type are in `key`, of one byte: a way around
    /// [`field`](Self::field) for fields of which there are millions.
    #[inline(always)]
    pub(crate) fn bytes_field(&mut self, key: u8) -> Result<Option<Self>, WireError> {
        if self.pos == self.end || self.buf[self.pos] != key {
            return Ok(None);
        }
        self.pos += 1;
        self.message().map(Some)
    }

    /// The same for a number.
    #[inline(always)]
    pub(crate) fn number_field(&mut self, key: u8) -> Result<Option<u64>, WireError> {
        if self.pos == self.end || self.buf[self.pos] != key {
            return Ok(None);
        }
        self.pos += 1;
        self.varint().map(Some)
    }

    /// Reads one varint of at most ten bytes.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        let Some(word) = self.word() else { return self.varint_bytewise() };
        // Up to four bytes, without a branch on the length: numbers vary in it unpredictably.
        let len = (!word & CONTINUED).trailing_zeros() / 8 + 1;
        if len > 4 || self.pos + len as usize > self.end {
            return self.varint_bytewise();
        }
        self.pos += len as usize;
        Ok(squeeze(word & (u64::MAX >> (64 - 8 * len))))
    }

    /// The next eight bytes, be they of the message or not.
    #[inline]
    fn word(&self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.buf.get(self.pos..)?.first_chunk()?))
    }

    #[cold]
    fn varint_bytewise(&mut self) -> Result<u64, WireError> {
        let start = self.pos;
        let mut value = 0;
        for (i, &byte) in self.rest().iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.pos = start + i + 1;
                return Ok(value);
            }
        }
        let too_long = self.end - start >= 10;
        let what = if too_long { TOO_LONG } else { TRUNCATED };
        Err(WireError { offset: start, what, is_cut: !too_long })
    }

    /// Reads varints to the end of the message, two at a time while they are short.
    #[inline]
    pub(crate) fn varints(&mut self, mut each: impl FnMut(u64)) -> Result<(), WireError> {
        while !self.is_empty() {
            match self.two_short() {
                Some(([first, second], rest)) => {
                    each(first);
                    each(second);
                    *self = rest;
                }
                None => each(self.varint()?),
            }
        }
        Ok(())
    }

    /// The next two varints and what follows, if both have four bytes at most.
    #[inline]
    pub(crate) fn two_short(self) -> Option<([u64; 2], Self)> {
        let word = self.word()?;
        // Each varint ends in the first byte that says that none follows.
        let ends = !word & CONTINUED;
        let first = ends.trailing_zeros() + 1;
        let both = (ends & ends.wrapping_sub(1)).trailing_zeros() + 1;
        if both > 64 || first > 32 || both - first > 32 || self.pos + both as usize / 8 > self.end {
            return None;
        }
        let low = word & (u64::MAX >> (64 - first));
        let high = word >> first & (u64::MAX >> (64 - (both - first)));
        let squeezed = squeeze(low | high << 32);
        let rest = Self { pos: self.pos + both as usize / 8, ..self };
        Some(([squeezed & 0xffff_ffff, squeezed >> 32], rest))
    }

    #[inline(always)]
    fn message(&mut self) -> Result<Self, WireError> {
        let offset = self.pos;
        let len = self.varint()?;
        let left = (self.end - self.pos) as u64;
        if len > left {
            return Err(WireError { offset, what: BEYOND, is_cut: true });
        }
        let start = self.pos;
        self.pos += len as usize;
        Ok(Self { buf: self.buf, pos: start, end: self.pos })
    }

    fn skip(&mut self, len: usize) -> Result<Value<'a>, WireError> {
        if self.end - self.pos < len {
            return Err(WireError { offset: self.pos, what: TRUNCATED, is_cut: true });
        }
        self.pos += len;
        Ok(Value::Fixed)
    }
}

impl<'a> Field<'a> {
    #[inline]
    pub(crate) fn varint(&self) -> Result<u64, WireError> {
        match self.value {
            Value::Varint(v) => Ok(v),
            _ => Err(self.error("a number was expected")),
        }
    }

    /// A signed number; negative ones are ten-byte varints.
    #[inline]
    pub(crate) fn int(&self) -> Result<i64, WireError> {
        self.varint().map(u64::cast_signed)
    }

    pub(crate) fn bool(&self) -> Result<bool, WireError> {
        self.varint().map(|v| v != 0)
    }

    #[inline]
    pub(crate) fn bytes(&self) -> Result<Cursor<'a>, WireError> {
        match self.value {
            Value::Bytes(message) => Ok(message),
            _ => Err(self.error("a message or string was expected")),
        }
    }

    /// Calls `each` with the numbers of a repeated field, be it packed or not.
    #[inline]
    pub(crate) fn numbers(&self, mut each: impl FnMut(u64)) -> Result<(), WireError> {
        match self.value {
            Value::Varint(v) => each(v),
            Value::Bytes(mut packed) => packed.varints(each)?,
            Value::Fixed => return Err(self.error("a number was expected")),
        }
        Ok(())
    }

    pub(crate) fn error(&self, what: &'static str) -> WireError {
        WireError { offset: self.offset, what, is_cut: false }
    }
}

/// The byte before a string, a message, or packed numbers.
pub(crate) const fn bytes_key(field: u8) -> u8 {
    field << 3 | 2
}

/// The byte before a number.
pub(crate) const fn number_key(field: u8) -> u8 {
    field << 3
}

/// Appends `v`.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Bytes that [`put_varint`] takes for `v`.
#[inline]
pub(crate) const fn varint_len(v: u64) -> usize {
    ((70 - (v | 1).leading_zeros()) / 7) as usize
}

/// Appends a number field, also when it is zero.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, field: u8, v: u64) {
    out.push(number_key(field));
    put_varint(out, v);
}

/// Appends a number field unless it is zero, protobuf's default.
#[inline]
pub(crate) fn put_nonzero(out: &mut Vec<u8>, field: u8, v: u64) {
    if v != 0 {
        put_number(out, field, v);
    }
}

/// Appends a string or message field.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(bytes_key(field));
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_a_round_trip() {
        for shift in 0..64 {
            for v in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                for padding in [0, 8] {
                    let mut bytes = Vec::new();
                    put_varint(&mut bytes, v);
                    assert_eq!(bytes.len(), varint_len(v));
                    let len = bytes.len();
                    bytes.resize(len + padding, 0xff);
                    let mut cursor = Cursor::new(&bytes);
                    assert_eq!((cursor.varint(), cursor.pos), (Ok(v), len));
                }
            }
        }
    }

    #[track_caller]
    fn check_error(bytes: &[u8], what: &str) {
        let mut cursor = Cursor::new(bytes);
        loop {
            match cursor.field() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error"),
                Err(e) => return assert!(e.what.contains(what), "{}", e.what),
            }
        }
    }

    #[test]
    fn broken_fields_are_errors() {
        check_error(&[0x08], "in the middle");
        check_error(&[0x08, 0x80], "in the middle");
        check_error(
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            "ten bytes",
        );
        check_error(&[0x0a, 5, 1, 2], "beyond the end");
        check_error(&[0x09, 1, 2], "in the middle");
        check_error(&[0x0b], "wire type");
    }
}
