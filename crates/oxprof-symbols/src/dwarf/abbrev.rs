//! Abbreviations: what kinds of entries a unit has, and how to pass over one quickly.

use std::ops::Range;

use super::value;
use crate::cursor::Cursor;
use gimli::constants as dw;
use gimli::{DwAt, DwForm, DwTag};

/// Widths that a unit uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Widths {
    pub(crate) version: u16,
    pub(crate) address: u8,
    pub(crate) offset: u8,
}

impl Widths {
    /// References to other units were as wide as addresses once.
    pub(crate) fn global_reference(self) -> u8 {
        if self.version < 3 { self.address } else { self.offset }
    }
}

/// One table of `.debug_abbrev`.
#[derive(Debug, Default)]
pub(crate) struct Abbrevs {
    /// By ascending code.
    kinds: Vec<Abbrev>,
    attributes: Vec<Attribute>,
    skips: Vec<Skip>,
}

/// One kind of entry.
#[derive(Clone, Debug)]
pub(crate) struct Abbrev {
    code: u64,
    pub(crate) tag: DwTag,
    pub(crate) has_children: bool,
    /// Whether it says where its code is.
    pub(crate) has_code: bool,
    /// Whether it says where the entry after its children is.
    pub(crate) has_sibling: bool,
    shape: Shape,
    attributes: Range<u32>,
    skips: Range<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: DwAt,
    pub(crate) form: DwForm,
    /// The value of an attribute that is the same in all entries.
    pub(crate) implicit: i64,
}

/// What most entries look like after their code.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// All are as long.
    Fixed(u32),
    /// So many bytes, a block whose size is a number of variable length, and so many bytes.
    Block(u32, u32),
    /// So many bytes, so many numbers of variable length, and so many bytes.
    Numbers(u32, u32, u32),
    Other,
}

impl Shape {
    fn of(skips: &[Skip]) -> Self {
        let (before, rest) = match skips {
            [Skip::Bytes(before), rest @ ..] => (*before, rest),
            rest => (0, rest),
        };
        let (rest, after) = match rest {
            [rest @ .., Skip::Bytes(after)] => (rest, *after),
            rest => (rest, 0),
        };
        match rest {
            [] => Self::Fixed(before),
            [Skip::BlockLeb] => Self::Block(before, after),
            _ if rest.iter().all(|skip| *skip == Skip::Leb) => {
                Self::Numbers(before, rest.len() as u32, after)
            }
            _ => Self::Other,
        }
    }
}

/// A step on the way to the end of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    Bytes(u32),
    Leb,
    Text,
    /// A block whose size is in so many bytes before it.
    Block(u8),
    /// A block whose size is a number of variable length.
    BlockLeb,
    /// The form is in the entry.
    Indirect,
}

impl Abbrevs {
    /// Reads a table up to its end, or only as far as the kind with code `until`.
    pub(crate) fn read(mut cursor: Cursor<'_>, widths: Widths, until: Option<u64>) -> Option<Self> {
        let mut table = Self::default();
        loop {
            let code = cursor.uleb()?;
            if code == 0 {
                break;
            }
            table.read_kind(code, &mut cursor, widths)?;
            if until == Some(code) {
                break;
            }
        }
        if !table.kinds.is_sorted_by_key(|kind| kind.code) {
            table.kinds.sort_by_key(|kind| kind.code);
        }
        Some(table)
    }

    #[inline]
    pub(crate) fn get(&self, code: u64) -> Option<&Abbrev> {
        let guess = self.kinds.get(usize::try_from(code).ok()?.wrapping_sub(1));
        guess.filter(|kind| kind.code == code).or_else(|| {
            let at = self.kinds.binary_search_by_key(&code, |kind| kind.code).ok()?;
            Some(&self.kinds[at])
        })
    }

    pub(crate) fn attributes(&self, kind: &Abbrev) -> &[Attribute] {
        &self.attributes[kind.attributes.start as usize..kind.attributes.end as usize]
    }

    /// Passes over the attributes of an entry.
    #[inline(always)]
    pub(crate) fn skip(
        &self,
        cursor: &mut Cursor<'_>,
        kind: &Abbrev,
        widths: Widths,
    ) -> Option<()> {
        match kind.shape {
            Shape::Fixed(size) => cursor.skip(size as usize),
            Shape::Block(before, after) => {
                cursor.skip(before as usize)?;
                let size = usize::try_from(cursor.uleb()?).ok()?;
                cursor.skip(size.checked_add(after as usize)?)
            }
            Shape::Numbers(before, count, after) => {
                cursor.skip(before as usize)?;
                (0..count).try_for_each(|_| cursor.skip_leb())?;
                cursor.skip(after as usize)
            }
            Shape::Other => {
                *cursor = self.skip_steps(*cursor, kind, widths)?;
                Some(())
            }
        }
    }

    fn skip_steps<'d>(
        &self,
        mut cursor: Cursor<'d>,
        kind: &Abbrev,
        widths: Widths,
    ) -> Option<Cursor<'d>> {
        let mut skips = self.skips[kind.skips.start as usize..kind.skips.end as usize].iter();
        skips.try_for_each(|&step| value::skip(&mut cursor, step, widths))?;
        Some(cursor)
    }

    /// How much there is of it.
    pub(crate) fn size(&self) -> usize {
        self.kinds.len() + self.attributes.len()
    }

    fn read_kind(&mut self, code: u64, cursor: &mut Cursor<'_>, widths: Widths) -> Option<()> {
        let tag = DwTag(u16::try_from(cursor.uleb()?).ok()?);
        let has_children = cursor.u8()? != 0;
        let (first, first_skip) = (self.attributes.len() as u32, self.skips.len());
        let (mut has_code, mut has_sibling) = (false, false);
        loop {
            let (name, form) = (cursor.uleb()?, cursor.uleb()?);
            if name == 0 && form == 0 {
                break;
            }
            let form = DwForm(u16::try_from(form).ok()?);
            let implicit = if form == dw::DW_FORM_implicit_const { cursor.sleb()? } else { 0 };
            let name = DwAt(u16::try_from(name).ok()?);
            has_code |= matches!(name, dw::DW_AT_low_pc | dw::DW_AT_ranges);
            has_sibling |= name == dw::DW_AT_sibling;
            self.attributes.push(Attribute { name, form, implicit });
            self.add_skip(first_skip, skip_of(form, widths)?);
        }
        let attributes = first..self.attributes.len() as u32;
        let shape = Shape::of(&self.skips[first_skip..]);
        let skips = first_skip as u32..self.skips.len() as u32;
        self.kinds.push(Abbrev {
            code,
            tag,
            has_children,
            has_code,
            has_sibling,
            shape,
            attributes,
            skips,
        });
        Some(())
    }

    /// Neighbours of fixed size are passed over in one step.
    fn add_skip(&mut self, first: usize, skip: Skip) {
        if let (Skip::Bytes(more), Some(Skip::Bytes(bytes))) =
            (skip, self.skips[first..].last_mut())
        {
            *bytes = bytes.saturating_add(more);
        } else if skip != Skip::Bytes(0) {
            self.skips.push(skip);
        }
    }
}

/// How to pass over a value; `None` for forms that nobody knows.
pub(crate) fn skip_of(form: DwForm, widths: Widths) -> Option<Skip> {
    let bytes = |count: u8| Some(Skip::Bytes(u32::from(count)));
    match form {
        dw::DW_FORM_flag_present | dw::DW_FORM_implicit_const => bytes(0),
        dw::DW_FORM_data1
        | dw::DW_FORM_ref1
        | dw::DW_FORM_flag
        | dw::DW_FORM_strx1
        | dw::DW_FORM_addrx1 => bytes(1),
        dw::DW_FORM_data2 | dw::DW_FORM_ref2 | dw::DW_FORM_strx2 | dw::DW_FORM_addrx2 => bytes(2),
        dw::DW_FORM_strx3 | dw::DW_FORM_addrx3 => bytes(3),
        dw::DW_FORM_data4
        | dw::DW_FORM_ref4
        | dw::DW_FORM_strx4
        | dw::DW_FORM_addrx4
        | dw::DW_FORM_ref_sup4 => bytes(4),
        dw::DW_FORM_data8 | dw::DW_FORM_ref8 | dw::DW_FORM_ref_sig8 | dw::DW_FORM_ref_sup8 => {
            bytes(8)
        }
        dw::DW_FORM_data16 => bytes(16),
        dw::DW_FORM_addr => bytes(widths.address),
        dw::DW_FORM_ref_addr => bytes(widths.global_reference()),
        dw::DW_FORM_sec_offset
        | dw::DW_FORM_strp
        | dw::DW_FORM_line_strp
        | dw::DW_FORM_strp_sup
        | dw::DW_FORM_GNU_ref_alt
        | dw::DW_FORM_GNU_strp_alt => bytes(widths.offset),
        dw::DW_FORM_sdata
        | dw::DW_FORM_udata
        | dw::DW_FORM_ref_udata
        | dw::DW_FORM_strx
        | dw::DW_FORM_addrx
        | dw::DW_FORM_loclistx
        | dw::DW_FORM_rnglistx
        | dw::DW_FORM_GNU_addr_index
        | dw::DW_FORM_GNU_str_index => Some(Skip::Leb),
        dw::DW_FORM_string => Some(Skip::Text),
        dw::DW_FORM_block1 => Some(Skip::Block(1)),
        dw::DW_FORM_block2 => Some(Skip::Block(2)),
        dw::DW_FORM_block4 => Some(Skip::Block(4)),
        dw::DW_FORM_block | dw::DW_FORM_exprloc => Some(Skip::BlockLeb),
        dw::DW_FORM_indirect => Some(Skip::Indirect),
        _ => None,
    }
}
