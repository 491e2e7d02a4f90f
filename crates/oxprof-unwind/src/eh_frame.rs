//! The `.eh_frame` section: common entries (CIE) and an entry per function (FDE).

use crate::cursor::Cursor;

/// Bytes of an `.eh_frame` section and where they are.
#[derive(Clone, Copy, Debug)]
pub struct EhFrame<'a> {
    /// The section; a zero length ends it early.
    pub bytes: &'a [u8],
    /// Address of the first byte, in the address space in which tables will be used.
    pub address: u64,
}

/// Where an FDE is, and the code it describes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FdeRange {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Of the FDE in the section.
    pub(crate) offset: u32,
}

/// An FDE with its CIE.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fde<'a> {
    pub(crate) cie: Cie<'a>,
    pub(crate) range: FdeRange,
    pub(crate) instructions: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cie<'a> {
    pub(crate) code_align: u64,
    pub(crate) data_align: i64,
    pub(crate) return_register: u64,
    pub(crate) signal: bool,
    pub(crate) instructions: &'a [u8],
    pub(crate) pointer_encoding: u8,
    has_augmentation: bool,
}

/// An entry's header and contents.
struct Entry<'a> {
    offset: usize,
    /// Distance back to the CIE; 0 in a CIE.
    cie_distance: u32,
    body: Cursor<'a>,
    body_offset: usize,
    next: usize,
}

/// Longest augmentation string and CIE program that are believed. Both are parsed once per FDE, so an
/// unlimited length would let a small section cost quadratic time. Real ones have 4 and 30 bytes.
const MAX_AUGMENTATION: usize = 16;
const MAX_CIE_INSTRUCTIONS: usize = 256;

const PE_OMIT: u8 = 0xff;

impl EhFrame<'_> {
    /// How many of `bytes` belong to an `.eh_frame` section that starts with them, its end mark included.
    ///
    /// Programs in memory say where the section starts, but not how long it is.
    pub fn length_within(bytes: &[u8]) -> usize {
        let section = EhFrame { bytes, address: 0 };
        let mut at = 0;
        while let Some(entry) = section.entry(at) {
            at = entry.next;
        }
        (at + 4).min(bytes.len())
    }

    /// Address of the `.eh_frame` section to which an `.eh_frame_hdr` section of these bytes at `address`
    /// points.
    pub fn address_in_header(header: &[u8], address: u64) -> Option<u64> {
        let mut cursor = Cursor::new(header);
        let [1, encoding, _, _] = *cursor.bytes(4)? else { return None };
        let value = encoded(&mut cursor, encoding)?;
        match encoding & 0x70 {
            0x00 => Some(value),
            0x10 => Some(value.wrapping_add(address + 4)),
            0x30 => Some(value.wrapping_add(address)),
            _ => None,
        }
    }
}

impl<'a> EhFrame<'a> {
    /// Calls `found` for every FDE; returns how many entries could not be read.
    pub(crate) fn for_each_fde(&self, mut found: impl FnMut(FdeRange)) -> u32 {
        let (mut at, mut bad) = (0, 0);
        while let Some(entry) = self.entry(at) {
            at = entry.next;
            if entry.cie_distance != 0 {
                match self.fde_of(&entry) {
                    Some(fde) => found(fde.range),
                    None => bad += 1,
                }
            }
        }
        bad
    }

    /// The FDE at an offset that [`for_each_fde`](Self::for_each_fde) gave.
    pub(crate) fn fde(&self, offset: u32) -> Option<Fde<'a>> {
        self.fde_of(&self.entry(offset as usize)?)
    }

    /// The entry at `offset`; `None` at the end and where the lengths make no sense.
    fn entry(&self, offset: usize) -> Option<Entry<'a>> {
        let mut cursor = Cursor::new(self.bytes.get(offset..)?);
        let short = cursor.u32()?;
        let (length, header) = match short {
            0 => return None,
            u32::MAX => (cursor.u64()?, 12),
            length => (u64::from(length), 4),
        };
        let mut body = Cursor::new(cursor.bytes(length)?);
        let cie_distance = body.u32()?;
        let next = offset.checked_add(header)?.checked_add(usize::try_from(length).ok()?)?;
        Some(Entry { offset, cie_distance, body, body_offset: offset + header + 4, next })
    }

    fn fde_of(&self, entry: &Entry<'a>) -> Option<Fde<'a>> {
        let cie_at = (entry.body_offset - 4).checked_sub(entry.cie_distance as usize)?;
        let cie = self.cie(cie_at)?;
        let mut body = entry.body;
        let start = self.pointer(&mut body, entry, cie.pointer_encoding)?;
        let length = self.pointer(&mut body, entry, cie.pointer_encoding & 0x0f)?;
        if cie.has_augmentation {
            let length = body.uleb()?;
            body.bytes(length)?;
        }
        let offset = u32::try_from(entry.offset).ok()?;
        let range = FdeRange { start, end: start.checked_add(length)?, offset };
        Some(Fde { cie, range, instructions: body.rest() })
    }

    fn cie(&self, offset: usize) -> Option<Cie<'a>> {
        let entry = self.entry(offset)?;
        if entry.cie_distance != 0 {
            return None;
        }
        let mut body = entry.body;
        let version = body.u8()?;
        let augmentation = body.c_str(MAX_AUGMENTATION)?;
        if version == 4 {
            body.u16()?; // Sizes of an address and of a segment selector.
        }
        let mut cie = Cie {
            code_align: body.uleb()?,
            data_align: body.sleb()?,
            return_register: if version == 1 { u64::from(body.u8()?) } else { body.uleb()? },
            signal: false,
            instructions: &[],
            pointer_encoding: 0,
            has_augmentation: false,
        };
        match augmentation.split_first() {
            None => {}
            Some((b'z', letters)) => {
                let length = body.uleb()?;
                cie.augment(letters, Cursor::new(body.bytes(length)?))?;
            }
            Some(_) => return None,
        }
        cie.instructions = body.rest();
        (cie.instructions.len() <= MAX_CIE_INSTRUCTIONS).then_some(cie)
    }

    /// A pointer inside `entry`, whose body `cursor` is reading.
    fn pointer(&self, cursor: &mut Cursor<'a>, entry: &Entry<'a>, encoding: u8) -> Option<u64> {
        let consumed = entry.body.rest().len() - cursor.rest().len();
        let here = self.address.wrapping_add((entry.body_offset + consumed) as u64);
        let value = encoded(cursor, encoding)?;
        match encoding & 0x70 {
            0x00 => Some(value),
            0x10 => Some(value.wrapping_add(here)),
            _ => None, // Relative to text, data or function: not in `.eh_frame` on the platforms we know.
        }
    }
}

impl Cie<'_> {
    fn augment(&mut self, letters: &[u8], mut data: Cursor<'_>) -> Option<()> {
        self.has_augmentation = true;
        for letter in letters {
            match letter {
                b'R' => self.pointer_encoding = data.u8()?,
                b'L' => _ = data.u8()?,
                b'P' => {
                    let encoding = data.u8()?;
                    encoded(&mut data, encoding)?;
                }
                b'S' => self.signal = true,
                b'B' => {} // aarch64: return addresses signed with the B key.
                _ => return None,
            }
        }
        Some(())
    }
}

/// The number of an encoded pointer, before its base is added.
fn encoded(cursor: &mut Cursor<'_>, encoding: u8) -> Option<u64> {
    if encoding == PE_OMIT {
        return None;
    }
    Some(match encoding & 0x0f {
        0x00 | 0x04 | 0x0c => cursor.u64()?,
        0x01 => cursor.uleb()?,
        0x02 => u64::from(cursor.u16()?),
        0x03 => u64::from(cursor.u32()?),
        0x09 => cursor.sleb()?.cast_unsigned(),
        0x0a => i64::from(cursor.u16()?.cast_signed()).cast_unsigned(),
        0x0b => i64::from(cursor.u32()?.cast_signed()).cast_unsigned(),
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A section of one common entry (code factor 1, data factor -8, return address in column 16) and one
    /// function with absolute addresses.
    pub(crate) fn section(common: &[u8], program: &[u8], start: u64, length: u64) -> Vec<u8> {
        let cie = [&[0, 0, 0, 0, 1, 0, 1, 0x78, 16][..], common].concat();
        let mut bytes = (cie.len() as u32).to_le_bytes().to_vec();
        bytes.extend(cie);
        let distance = bytes.len() as u32 + 4;
        bytes.extend((20 + program.len() as u32).to_le_bytes());
        bytes.extend(distance.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(program);
        bytes.extend([0; 4]);
        bytes
    }

    /// Start, end and program of the first function.
    fn check(bytes: &[u8], address: u64, expected: Option<(u64, u64, &[u8])>) {
        let section = EhFrame { bytes, address };
        let mut found = None;
        section.for_each_fde(|fde| found = found.or(Some(fde.offset)));
        let fde = found.and_then(|offset| section.fde(offset));
        let fde = fde.map(|f| (f.range.start, f.range.end, f.instructions));
        assert_eq!(fde, expected);
    }

    #[test]
    fn absolute_addresses() {
        check(&section(&[], &[1, 2], 0x1000, 0x10), 7, Some((0x1000, 0x1010, &[1, 2])));
    }

    #[test]
    fn addresses_relative_to_where_they_are() {
        let cie = [0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b];
        let fde =
            [&21u32.to_le_bytes()[..], &(-0x100i32).to_le_bytes(), &16u32.to_le_bytes(), &[0, 9]];
        let bytes = [&[13, 0, 0, 0][..], &cie, &[14, 0, 0, 0], &fde.concat(), &[0; 4]].concat();
        // The pointer is 25 bytes into the section.
        check(&bytes, 0x8000, Some((0x8000 + 25 - 0x100, 0x8000 + 25 - 0x100 + 16, &[9])));
    }

    #[test]
    fn lengths_that_leave_the_section_end_it() {
        let whole = section(&[], &[1, 2], 0x1000, 0x10);
        check(&whole[..whole.len() - 5], 7, None);
        check(&[0xff; 12], 7, None);
        check(&[], 7, None);
        assert_eq!(EhFrame::length_within(&whole), whole.len());
        assert_eq!(EhFrame::length_within(&[&whole[..], &[1; 50]].concat()), whole.len());
    }

    #[test]
    fn the_header_points_to_the_section() {
        let header = |encoding: u8, value: i32| {
            let bytes = [&[1, encoding, 0, 0][..], &value.to_le_bytes()].concat();
            EhFrame::address_in_header(&bytes, 0x1000)
        };
        assert_eq!(header(0x1b, 0x20), Some(0x1024));
        assert_eq!(header(0x1b, -0x20), Some(0x0fe4));
        assert_eq!(header(0x3b, 0x20), Some(0x1020));
        assert_eq!([header(0xff, 0), header(0x2b, 0)], [None, None]);
    }
}
