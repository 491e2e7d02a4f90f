//! Units: the part of the debug information that comes from one source file, and its first entry.

use std::ops::Range;
use std::sync::Arc;

use gimli::DwAt;
use gimli::constants as dw;

use super::abbrev::{Abbrev, Abbrevs, Widths};
use super::value::{self, Value};
use crate::cursor::Cursor;
use crate::sections::{Section, Sections};

/// What is before the entries of a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Where it is in `.debug_info`.
    pub(crate) offset: usize,
    pub(crate) end: usize,
    pub(crate) widths: Widths,
    /// Where the first entry is.
    entries: usize,
    abbrevs: u64,
    /// Whether there may be functions in it.
    has_code: bool,
    /// What identifies the rest of it, which was split off.
    split_id: Option<u64>,
}

impl Header {
    /// Reads the header of the unit at `offset`.
    pub(crate) fn at(sections: &Sections<'_>, offset: usize) -> Option<Self> {
        const LONGEST: usize = 40;
        let size = sections.size(Section::Info);
        let part = offset..size.min(offset.checked_add(LONGEST)?);
        let mut inside = sections.part(Section::Info, part).filter(|part| !part.is_at_end())?;
        let (length, width) = inside.initial_length()?;
        let end = inside.position().checked_add(usize::try_from(length).ok()?)?;
        if end > size {
            return None;
        }
        let version = inside.u16()?;
        let mut header = Self {
            offset,
            end,
            widths: Widths { version, address: 0, offset: width },
            entries: 0,
            abbrevs: 0,
            has_code: true,
            split_id: None,
        };
        match version {
            2..=4 => {
                header.abbrevs = inside.uint(width)?;
                header.widths.address = inside.u8()?;
            }
            5 => header.read_newer(&mut inside)?,
            // What no reader knows is passed over.
            _ => header.has_code = false,
        }
        header.entries = inside.position();
        Some(header)
    }

    fn read_newer(&mut self, inside: &mut Cursor<'_>) -> Option<()> {
        let kind = gimli::DwUt(inside.u8()?);
        self.widths.address = inside.u8()?;
        self.abbrevs = inside.uint(self.widths.offset)?;
        match kind {
            dw::DW_UT_skeleton | dw::DW_UT_split_compile => self.split_id = Some(inside.uint(8)?),
            dw::DW_UT_compile => {}
            _ => self.has_code = false,
        }
        Some(())
    }

    pub(crate) fn has_code(&self) -> bool {
        self.has_code
    }

    /// What tells tables of abbreviations apart.
    pub(crate) fn abbrevs_key(&self) -> (u64, Widths) {
        (self.abbrevs, self.widths)
    }
}

/// Where the code of an entry is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Code<'d> {
    low: Option<Value<'d>>,
    high: Option<Value<'d>>,
    ranges: Option<Value<'d>>,
}

impl<'d> Code<'d> {
    /// Whether `name` is about that.
    #[inline]
    pub(crate) fn take(&mut self, name: DwAt, value: Value<'d>) -> bool {
        match name {
            dw::DW_AT_low_pc => self.low = Some(value),
            dw::DW_AT_high_pc => self.high = Some(value),
            dw::DW_AT_ranges => self.ranges = Some(value),
            _ => return false,
        }
        true
    }
}

/// A unit that can be read.
pub(crate) struct Unit<'d> {
    pub(crate) sections: Arc<Sections<'d>>,
    /// Where addresses of a split unit are: they stay in the main file.
    main: Arc<Sections<'d>>,
    pub(crate) header: Header,
    pub(crate) abbrevs: Arc<Abbrevs>,
    pub(crate) directory: &'d [u8],
    /// Where its line table is in `.debug_line`.
    pub(crate) lines: Option<u64>,
    pub(crate) code: Code<'d>,
    bases: Bases,
    split: Option<Split<'d>>,
}

/// Where the rest of a unit is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split<'d> {
    pub(crate) id: u64,
    pub(crate) path: Option<&'d [u8]>,
}

/// Where a unit's parts of the tables are that all units share.
#[derive(Clone, Copy, Debug, Default)]
struct Bases {
    text_offsets: u64,
    addresses: u64,
    range_lists: u64,
    /// What ranges without a base are relative to.
    code: u64,
}

/// Attributes of a unit's first entry whose meaning depends on each other.
#[derive(Default)]
struct Root<'d> {
    directory: Option<Value<'d>>,
    split_path: Option<Value<'d>>,
}

impl<'d> Unit<'d> {
    /// Reads the first entry of the unit with `header`.
    pub(crate) fn read(
        sections: &Arc<Sections<'d>>,
        header: Header,
        abbrevs: Arc<Abbrevs>,
    ) -> Option<Self> {
        let mut unit = Self {
            sections: Arc::clone(sections),
            main: Arc::clone(sections),
            header,
            abbrevs,
            directory: &[],
            lines: None,
            code: Code::default(),
            bases: Bases::default(),
            split: None,
        };
        unit.read_root()?;
        Some(unit)
    }

    /// Reads the first entry of the unit that was split off from `skeleton` into `sections`.
    pub(crate) fn read_split(
        skeleton: &Self,
        sections: &Arc<Sections<'d>>,
        header: Header,
        abbrevs: Arc<Abbrevs>,
    ) -> Option<Self> {
        let is_wide = header.widths.offset == 8;
        let lists = &skeleton.bases;
        let mut unit = Self {
            sections: Arc::clone(sections),
            main: Arc::clone(&skeleton.sections),
            header,
            abbrevs,
            directory: &[],
            lines: None,
            code: Code::default(),
            bases: match header.widths.version {
                // Tables of split units have one part, which begins after their header.
                5 => Bases {
                    text_offsets: if is_wide { 16 } else { 8 },
                    range_lists: if is_wide { 20 } else { 12 },
                    ..*lists
                },
                _ => Bases { text_offsets: 0, ..*lists },
            },
            split: None,
        };
        let code = unit.bases.code;
        unit.read_root()?;
        unit.bases.code = code;
        Some(unit)
    }

    fn read_root(&mut self) -> Option<()> {
        let mut cursor = self.entries()?;
        let kind = self.abbrevs.get(cursor.uleb()?)?.clone();
        let mut root = Root::default();
        let mut id = self.header.split_id;
        let abbrevs = Arc::clone(&self.abbrevs);
        for &attribute in abbrevs.attributes(&kind) {
            let value = value::read(&mut cursor, attribute, self.header.widths)?;
            if attribute.name == dw::DW_AT_GNU_dwo_id {
                id = value.number();
            } else if !self.code.take(attribute.name, value) {
                self.take_root(&mut root, attribute.name, value);
            }
        }
        let text = |value: Option<Value<'d>>| value.and_then(|v| self.text(v));
        let (directory, path) = (text(root.directory), text(root.split_path));
        self.directory = directory.unwrap_or_default();
        self.split = id.map(|id| Split { id, path });
        self.bases.code = self.code.low.and_then(|low| self.address(low)).unwrap_or(0);
        Some(())
    }

    fn take_root(&mut self, root: &mut Root<'d>, name: DwAt, value: Value<'d>) {
        let base = |to: &mut u64| *to = offset(value).unwrap_or(*to);
        match name {
            dw::DW_AT_comp_dir => root.directory = Some(value),
            dw::DW_AT_dwo_name | dw::DW_AT_GNU_dwo_name => root.split_path = Some(value),
            dw::DW_AT_stmt_list => self.lines = offset(value),
            dw::DW_AT_str_offsets_base => base(&mut self.bases.text_offsets),
            dw::DW_AT_addr_base | dw::DW_AT_GNU_addr_base => base(&mut self.bases.addresses),
            dw::DW_AT_rnglists_base | dw::DW_AT_GNU_ranges_base => {
                base(&mut self.bases.range_lists);
            }
            _ => {}
        }
    }

    /// The rest of this unit, if it was split off.
    pub(crate) fn split(&self) -> Option<Split<'d>> {
        self.split.filter(|_| !self.sections.is_split())
    }

    /// What identifies a unit that was split off.
    pub(crate) fn split_id(&self) -> Option<u64> {
        self.split.map(|s| s.id)
    }

    /// From the first entry to the end of the unit.
    pub(crate) fn entries(&self) -> Option<Cursor<'d>> {
        self.entry(self.header.entries)
    }

    /// From the entry at a place in `.debug_info` to the end of the unit.
    pub(crate) fn entry(&self, at: usize) -> Option<Cursor<'d>> {
        let unit = self.sections.part(Section::Info, self.header.offset..self.header.end)?;
        unit.at(at as u64).filter(|_| at >= self.header.entries)
    }

    /// Reads the attributes of an entry.
    #[inline]
    pub(crate) fn attributes(
        &self,
        cursor: &mut Cursor<'d>,
        kind: &Abbrev,
        mut with: impl FnMut(DwAt, Value<'d>),
    ) -> Option<()> {
        for &attribute in self.abbrevs.attributes(kind) {
            with(attribute.name, value::read(cursor, attribute, self.header.widths)?);
        }
        Some(())
    }

    /// Passes over the attributes of an entry.
    #[inline]
    pub(crate) fn skip(&self, cursor: &mut Cursor<'d>, kind: &Abbrev) -> Option<()> {
        let mut skips = self.abbrevs.skips(kind).iter();
        skips.try_for_each(|&step| value::skip(cursor, step, self.header.widths))
    }

    pub(crate) fn text(&self, value: Value<'d>) -> Option<&'d [u8]> {
        let width = self.header.widths.offset;
        match value {
            Value::Text(text) => Some(text),
            Value::TextAt(at) => self.sections.text(Section::Str, at),
            Value::LineTextAt(at) => self.sections.text(Section::LineStr, at),
            Value::SharedTextAt(at) => self.sections.shared()?.text(Section::Str, at),
            Value::TextIndex(index) => {
                let at = element(self.bases.text_offsets, index, width)?;
                let at = self.sections.cursor(Section::StrOffsets).at(at)?.uint(width)?;
                self.sections.text(Section::Str, at)
            }
            _ => None,
        }
    }

    fn address(&self, value: Value<'d>) -> Option<u64> {
        match value {
            Value::Address(address) => Some(address),
            Value::AddressIndex(index) => self.indexed_address(index),
            _ => None,
        }
    }

    fn indexed_address(&self, index: u64) -> Option<u64> {
        let width = self.header.widths.address;
        let at = element(self.bases.addresses, index, width)?;
        self.main.cursor(Section::Addr).at(at)?.uint(width)
    }

    /// Hands the ranges of `code` that hold something to `with`, until that returns `None`.
    pub(crate) fn each_range(
        &self,
        code: &Code<'d>,
        mut with: impl FnMut(Range<u64>) -> Option<()>,
    ) -> Option<()> {
        let last = u64::MAX >> (64 - 8 * u32::from(self.header.widths.address.clamp(1, 8)));
        // Linkers put the end of memory where they have dropped the code.
        let mut with = |range: Range<u64>| match range.start < range.end && range.start < last - 1 {
            true => with(range),
            false => Some(()),
        };
        if let Some(list) = code.ranges {
            return match self.header.widths.version {
                5 => self.each_listed(list, &mut with),
                _ => self.each_older(list, last, &mut with),
            };
        }
        let Some(low) = code.low.and_then(|low| self.address(low)) else { return Some(()) };
        let end = match code.high {
            Some(Value::Number(size)) => low.wrapping_add(size),
            Some(high) => self.address(high).unwrap_or(low),
            None => low,
        };
        with(low..end)
    }

    /// A list of `.debug_ranges`.
    fn each_older(
        &self,
        list: Value<'d>,
        last: u64,
        with: &mut dyn FnMut(Range<u64>) -> Option<()>,
    ) -> Option<()> {
        let width = self.header.widths.address;
        let base = if self.sections.is_split() { self.bases.range_lists } else { 0 };
        let at = offset(list)?.checked_add(base)?;
        let mut cursor = self.main.cursor(Section::Ranges).at(at)?;
        let mut base = self.bases.code;
        loop {
            match (cursor.uint(width)?, cursor.uint(width)?) {
                (0, 0) => return Some(()),
                (start, end) if start == last => base = end,
                (start, end) => with(base.wrapping_add(start)..base.wrapping_add(end))?,
            }
        }
    }

    /// A list of `.debug_rnglists`.
    fn each_listed(
        &self,
        list: Value<'d>,
        with: &mut dyn FnMut(Range<u64>) -> Option<()>,
    ) -> Option<()> {
        let Widths { address, offset: width, .. } = self.header.widths;
        let lists = self.sections.cursor(Section::RngLists);
        let at = match list {
            Value::ListIndex(index) => {
                let base = self.bases.range_lists;
                base.checked_add(lists.at(element(base, index, width)?)?.uint(width)?)?
            }
            list => offset(list)?,
        };
        let mut cursor = lists.at(at)?;
        let mut base = self.bases.code;
        loop {
            let range = match gimli::DwRle(cursor.u8()?) {
                dw::DW_RLE_end_of_list => return Some(()),
                dw::DW_RLE_base_addressx => {
                    base = self.indexed_address(cursor.uleb()?)?;
                    continue;
                }
                dw::DW_RLE_base_address => {
                    base = cursor.uint(address)?;
                    continue;
                }
                dw::DW_RLE_startx_endx => {
                    let start = self.indexed_address(cursor.uleb()?)?;
                    start..self.indexed_address(cursor.uleb()?)?
                }
                dw::DW_RLE_startx_length => {
                    let start = self.indexed_address(cursor.uleb()?)?;
                    start..start.wrapping_add(cursor.uleb()?)
                }
                dw::DW_RLE_offset_pair => {
                    let start = base.wrapping_add(cursor.uleb()?);
                    start..base.wrapping_add(cursor.uleb()?)
                }
                dw::DW_RLE_start_end => cursor.uint(address)?..cursor.uint(address)?,
                dw::DW_RLE_start_length => {
                    let start = cursor.uint(address)?;
                    start..start.wrapping_add(cursor.uleb()?)
                }
                _ => return None,
            };
            with(range)?;
        }
    }
}

/// Where element `index` of a table is.
fn element(base: u64, index: u64, width: u8) -> Option<u64> {
    base.checked_add(index.checked_mul(u64::from(width))?)
}

/// Before version 4, offsets were numbers like others.
fn offset(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Offset(at) | Value::Number(at) => Some(at),
        _ => None,
    }
}

/// Reads the abbreviations of the unit with `header`, or only as far as those of its first entry.
pub(crate) fn read_abbrevs(
    sections: &Sections<'_>,
    header: &Header,
    only_first: bool,
) -> Option<Abbrevs> {
    let unit = sections.part(Section::Info, header.offset..header.end)?;
    let first = unit.at(header.entries as u64)?.uleb()?;
    let table = sections.cursor(Section::Abbrev).at(header.abbrevs)?;
    Abbrevs::read(table, header.widths, only_first.then_some(first))
}
