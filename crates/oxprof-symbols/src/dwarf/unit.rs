//! Units: the part of the debug information that comes from one source file, and its first entry.

use std::borrow::Cow;
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

    /// What all of it is in.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.end
    }

    /// The same unit as if it ended after `size` bytes, which is enough to read its first entry.
    pub(crate) fn start(self, size: usize) -> Self {
        Self { end: self.end.min(self.offset.saturating_add(size)), ..self }
    }

    /// The kind of its first entry.
    fn first_code(&self, sections: &Sections<'_>) -> Option<u64> {
        const LONGEST: usize = 10;
        let end = self.end.min(self.entries.checked_add(LONGEST)?);
        sections.part(Section::Info, self.entries..end)?.uleb()
    }

    /// What tells tables of abbreviations apart.
    pub(crate) fn abbrevs_key(&self) -> (u64, Widths) {
        (self.abbrevs, self.widths)
    }
}

/// Where the code of an entry is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Code {
    low: Option<Value>,
    high: Option<Value>,
    ranges: Option<Value>,
}

impl Code {
    /// Whether `name` is about that.
    #[inline]
    pub(crate) fn take(&mut self, name: DwAt, value: Value) -> bool {
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
    /// What is in `.debug_info` for it.
    info: Cow<'d, [u8]>,
    pub(crate) directory: Cow<'d, [u8]>,
    /// Where its line table is in `.debug_line`.
    pub(crate) lines: Option<u64>,
    pub(crate) code: Code,
    bases: Bases,
    split: Option<Split<'d>>,
}

/// Where the rest of a unit is.
#[derive(Clone, Debug)]
pub(crate) struct Split<'d> {
    pub(crate) id: u64,
    pub(crate) path: Option<Cow<'d, [u8]>>,
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
struct Root {
    directory: Option<Value>,
    split_path: Option<Value>,
}

impl<'d> Unit<'d> {
    /// Reads the first entry of the unit with `header`, of which `info` is what is there.
    pub(crate) fn read(
        sections: &Arc<Sections<'d>>,
        header: Header,
        abbrevs: Arc<Abbrevs>,
        info: Cow<'d, [u8]>,
    ) -> Option<Self> {
        let mut unit = Self {
            sections: Arc::clone(sections),
            main: Arc::clone(sections),
            header,
            abbrevs,
            info,
            directory: Cow::default(),
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
        info: Cow<'d, [u8]>,
    ) -> Option<Self> {
        let is_wide = header.widths.offset == 8;
        let lists = &skeleton.bases;
        let mut unit = Self {
            sections: Arc::clone(sections),
            main: Arc::clone(&skeleton.sections),
            header,
            abbrevs,
            info,
            directory: Cow::default(),
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
        let kind = self.abbrevs.get(cursor.uleb()?)?;
        let mut values = Vec::new();
        self.attributes(&mut cursor, kind, |name, value| values.push((name, value)))?;
        let mut root = Root::default();
        let mut id = self.header.split_id;
        for (name, value) in values {
            if name == dw::DW_AT_GNU_dwo_id {
                id = value.number();
            } else if !self.code.take(name, value) {
                self.take_root(&mut root, name, value);
            }
        }
        let text = |value: Option<Value>| value.and_then(|v| self.text(v));
        let (directory, path) = (text(root.directory), text(root.split_path));
        self.directory = directory.unwrap_or_default();
        self.split = id.map(|id| Split { id, path });
        self.bases.code = self.code.low.and_then(|low| self.address(low)).unwrap_or(0);
        Some(())
    }

    fn take_root(&mut self, root: &mut Root, name: DwAt, value: Value) {
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
    pub(crate) fn split(&self) -> Option<&Split<'d>> {
        self.split.as_ref().filter(|_| !self.sections.is_split())
    }

    /// What identifies a unit that was split off.
    pub(crate) fn split_id(&self) -> Option<u64> {
        self.split.as_ref().map(|s| s.id)
    }

    /// From the first entry to the end of the unit.
    pub(crate) fn entries(&self) -> Option<Cursor<'_>> {
        self.entry(self.header.entries)
    }

    /// From the entry at a place in `.debug_info` to the end of the unit.
    pub(crate) fn entry(&self, at: usize) -> Option<Cursor<'_>> {
        let unit = self.sections.cursor_over(&self.info, self.header.offset);
        unit.at(at as u64).filter(|_| at >= self.header.entries)
    }

    /// The memory that its content took, to be used again.
    pub(crate) fn into_spare(self) -> Vec<u8> {
        match self.info {
            Cow::Owned(info) => info,
            Cow::Borrowed(_) => Vec::new(),
        }
    }

    /// Reads the attributes of an entry.
    #[inline]
    pub(crate) fn attributes(
        &self,
        cursor: &mut Cursor<'_>,
        kind: &Abbrev,
        mut with: impl FnMut(DwAt, Value),
    ) -> Option<()> {
        for &attribute in self.abbrevs.attributes(kind) {
            with(attribute.name, value::read(cursor, attribute, self.header.widths)?);
        }
        Some(())
    }

    /// Passes over the attributes of an entry.
    #[inline]
    pub(crate) fn skip(&self, cursor: &mut Cursor<'_>, kind: &Abbrev) -> Option<()> {
        self.abbrevs.skip(cursor, kind, self.header.widths)
    }

    pub(crate) fn text(&self, value: Value) -> Option<Cow<'d, [u8]>> {
        let Value::Text(at) = value else { return self.text_elsewhere(value).map(Cow::Borrowed) };
        let start = at.checked_sub(self.header.offset)?;
        match &self.info {
            Cow::Borrowed(info) => Cursor::new(info.get(start..)?, false).text().map(Cow::Borrowed),
            Cow::Owned(info) => {
                let text = Cursor::new(info.get(start..)?, false).text()?;
                Some(Cow::Owned(text.to_vec()))
            }
        }
    }

    /// Text that is in a section of its own.
    pub(crate) fn text_elsewhere(&self, value: Value) -> Option<&'d [u8]> {
        let width = self.header.widths.offset;
        match value {
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

    fn address(&self, value: Value) -> Option<u64> {
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
        code: &Code,
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
        list: Value,
        last: u64,
        with: &mut dyn FnMut(Range<u64>) -> Option<()>,
    ) -> Option<()> {
        let width = self.header.widths.address;
        let base = if self.sections.is_split() { self.bases.range_lists } else { 0 };
        let mut at = usize::try_from(offset(list)?.checked_add(base)?).ok()?;
        let mut base = self.bases.code;
        loop {
            // Lists are short, and few of many are asked for.
            let end = at.checked_add(2 * usize::from(width))?;
            let mut pair = self.main.part(Section::Ranges, at..end)?;
            at = end;
            match (pair.uint(width)?, pair.uint(width)?) {
                (0, 0) => return Some(()),
                (start, end) if start == last => base = end,
                (start, end) => with(base.wrapping_add(start)..base.wrapping_add(end))?,
            }
        }
    }

    /// A list of `.debug_rnglists`.
    fn each_listed(
        &self,
        list: Value,
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
fn offset(value: Value) -> Option<u64> {
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
    let table = sections.cursor(Section::Abbrev).at(header.abbrevs)?;
    let first = if only_first { Some(header.first_code(sections)?) } else { None };
    Abbrevs::read(table, header.widths, first)
}
