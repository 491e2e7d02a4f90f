//! Answers from one unit after another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use gimli::constants as dw;

use super::Dwarf;
use super::abbrev::{Abbrevs, Widths};
use super::functions::{Call, Inlines, Walk, functions};
use super::lines::Lines;
use super::ranges::RangeMap;
use super::unit::{Header, Unit, read_abbrevs};
use super::value::Value;
use crate::Frame;
use crate::data::text;
use crate::sections::{Section, Sections};

/// How many units to have at hand; more than one where units share an address.
const MAX_OPEN: usize = 4;

/// How many kinds of entries to have at hand for units to come.
const MAX_ABBREVS: usize = 1 << 18;

/// To find a function's name and declaration, follow at most so many references.
const MAX_REFERENCES: usize = 16;

/// Answers questions about one object's debug information, and has what it read last at hand.
#[derive(Default)]
pub(crate) struct Walker<'d> {
    /// The last used first.
    open: Vec<Open<'d>>,
    tables: Tables<'d>,
    /// What it will be asked about, in ascending order; anything if that is empty.
    wanted: Vec<u64>,
}

/// Tables of abbreviations, and units that others refer to.
#[derive(Default)]
struct Tables<'d> {
    abbrevs: HashMap<(usize, u64, Widths), Arc<Abbrevs>>,
    size: usize,
    units: HashMap<(usize, usize), Option<Arc<Unit<'d>>>>,
}

/// What has been read of a unit.
struct Open<'d> {
    index: usize,
    /// The unit with the entries, which may have been split off.
    entries: Arc<Unit<'d>>,
    functions: RangeMap<usize>,
    walk: Walk,
    /// The last function asked for.
    inlines: Option<(usize, Inlines)>,
    lines: Option<Lines<'d>>,
}

/// Memory of a unit that is not at hand any more.
#[derive(Default)]
struct Spare<'d> {
    info: Vec<u8>,
    lines: Lines<'d>,
}

impl<'d> Walker<'d> {
    /// For questions about these addresses only, which are in ascending order.
    #[cfg(feature = "symbolize")]
    pub(crate) fn of(wanted: Vec<u64>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The inlined chain at `address`, innermost first, as the unit at `at` says; `None` if it says nothing.
    pub(crate) fn frames(
        &mut self,
        dwarf: &Dwarf<'d>,
        index: usize,
        address: u64,
    ) -> Option<Vec<Frame<'d>>> {
        let mut open = self.take(dwarf, index)?;
        let frames = open.frames(dwarf, &mut self.tables, address);
        self.open.insert(0, open);
        frames
    }

    fn take(&mut self, dwarf: &Dwarf<'d>, index: usize) -> Option<Open<'d>> {
        if let Some(at) = self.open.iter().position(|open| open.index == index) {
            return Some(self.open.remove(at));
        }
        let spare = if self.open.len() >= MAX_OPEN { self.open.pop() } else { None };
        let spare = spare.map(Open::into_spare).unwrap_or_default();
        Open::new(dwarf, &mut self.tables, index, &self.wanted, spare)
    }
}

impl<'d> Open<'d> {
    fn new(
        dwarf: &Dwarf<'d>,
        tables: &mut Tables<'d>,
        index: usize,
        wanted: &[u64],
        spare: Spare<'d>,
    ) -> Option<Self> {
        let header = Header::at(&dwarf.sections, index)?;
        let info = dwarf.sections.passing(Section::Info, header.range(), spare.info)?;
        let main = tables.read(&dwarf.sections, header, info)?;
        let lines = Lines::read(&main, dwarf.lowest, wanted, spare.lines);
        let entries = Arc::new(tables.split(dwarf, &main).unwrap_or(main));
        let walk = Walk::Quick;
        let functions = functions(&entries, walk, dwarf.lowest);
        Some(Self { index, entries, functions, walk, inlines: None, lines })
    }

    fn into_spare(self) -> Spare<'d> {
        let info = Arc::into_inner(self.entries).map(Unit::into_spare).unwrap_or_default();
        Spare { info, lines: self.lines.unwrap_or_default() }
    }

    fn frames(
        &mut self,
        dwarf: &Dwarf<'d>,
        tables: &mut Tables<'d>,
        address: u64,
    ) -> Option<Vec<Frame<'d>>> {
        let place = self.lines.as_ref().and_then(|lines| lines.find(address)).map(|row| Call {
            file: Some(u64::from(row.file)),
            line: row.line,
            column: row.column,
        });
        let Some(function) = self.function(dwarf, address) else {
            return Some(vec![self.frame(dwarf, tables, None, place?)]);
        };
        let mut place = place.unwrap_or_default();
        let mut frames = Vec::new();
        for inline in self.inlines(function).at(address).iter().rev() {
            frames.push(self.frame(dwarf, tables, Some(inline.at), place));
            place = inline.call;
        }
        frames.push(self.frame(dwarf, tables, Some(function), place));
        Some(frames)
    }

    /// Where the entry of the function at `address` is.
    fn function(&mut self, dwarf: &Dwarf<'d>, address: u64) -> Option<usize> {
        let found = self.functions.covering(address).next();
        if found.is_none() && self.walk == Walk::Quick {
            self.walk = Walk::Thorough;
            self.functions = functions(&self.entries, self.walk, dwarf.lowest);
            return self.functions.covering(address).next();
        }
        found
    }

    fn inlines(&mut self, function: usize) -> &Inlines {
        if self.inlines.as_ref().is_none_or(|(at, _)| *at != function) {
            self.inlines = None;
        }
        &self.inlines.get_or_insert_with(|| (function, Inlines::read(&self.entries, function))).1
    }

    fn frame(
        &self,
        dwarf: &Dwarf<'d>,
        tables: &mut Tables<'d>,
        entry: Option<usize>,
        place: Call,
    ) -> Frame<'d> {
        let described = entry.map(|at| tables.describe(dwarf, &self.entries, at));
        let (name, start_line) = described.unwrap_or_default();
        // A place without a line is no place.
        let place = if place.line == 0 { Call { column: 0, ..place } } else { place };
        let path = || self.lines.as_ref()?.path(place.file?);
        Frame {
            system_name: match name {
                Cow::Borrowed(name) => text(name),
                Cow::Owned(name) => Cow::Owned(text(&name).into_owned()),
            },
            file: path().map(Cow::Owned),
            line: place.line,
            column: place.column,
            start_line,
            inlined: true,
        }
    }
}

impl<'d> Tables<'d> {
    /// Reads the first entry of the unit with `header`.
    fn read(
        &mut self,
        sections: &Arc<Sections<'d>>,
        header: Header,
        info: Cow<'d, [u8]>,
    ) -> Option<Unit<'d>> {
        Unit::read(sections, header, self.abbrevs(sections, &header)?, info)
    }

    /// The unit that was split off from `skeleton`.
    fn split(&mut self, dwarf: &Dwarf<'d>, skeleton: &Unit<'d>) -> Option<Unit<'d>> {
        let split = skeleton.split()?;
        let packed = dwarf.split.packed(split.id);
        let file = || dwarf.split.file(&skeleton.directory, split.path.as_deref()?);
        let sections = packed.or_else(file)?;
        let sections = Arc::new(sections);
        let header = Header::at(&sections, 0)?;
        // Not among the tables: its sections may be gone before them, and others be in their place.
        let abbrevs = Arc::new(read_abbrevs(&sections, &header, false)?);
        let info = sections.passing(Section::Info, header.range(), Vec::new())?;
        let unit = Unit::read_split(skeleton, &sections, header, abbrevs, info)?;
        (unit.split_id() == Some(split.id)).then_some(unit)
    }

    fn abbrevs(&mut self, sections: &Arc<Sections<'d>>, header: &Header) -> Option<Arc<Abbrevs>> {
        let (at, widths) = header.abbrevs_key();
        let key = (identity(sections), at, widths);
        if let Some(abbrevs) = self.abbrevs.get(&key) {
            return Some(Arc::clone(abbrevs));
        }
        if self.size > MAX_ABBREVS {
            self.abbrevs.clear();
            self.size = 0;
        }
        let abbrevs = Arc::new(read_abbrevs(sections, header, false)?);
        self.size += abbrevs.size();
        self.abbrevs.insert(key, Arc::clone(&abbrevs));
        Some(abbrevs)
    }

    /// Name and line of declaration of the function whose entry is at `at`; instances refer to what they
    /// are instances of.
    fn describe(
        &mut self,
        dwarf: &Dwarf<'d>,
        unit: &Arc<Unit<'d>>,
        at: usize,
    ) -> (Cow<'d, [u8]>, u32) {
        let mut found = Description::default();
        let mut place = Some((Arc::clone(unit), at));
        for _ in 0..MAX_REFERENCES {
            let Some((unit, at)) = place else { break };
            let Some(next) = found.read(&unit, at).filter(|_| !found.is_complete()) else { break };
            place = self.follow(dwarf, unit, next);
        }
        (found.name.unwrap_or_default(), found.line)
    }

    fn follow(
        &mut self,
        dwarf: &Dwarf<'d>,
        unit: Arc<Unit<'d>>,
        reference: Value,
    ) -> Option<(Arc<Unit<'d>>, usize)> {
        match reference {
            Value::Local(at) => {
                let at = unit.header.offset.checked_add(usize::try_from(at).ok()?)?;
                Some((unit, at))
            }
            Value::Global(at) => {
                let at = usize::try_from(at).ok()?;
                if (unit.header.offset..unit.header.end).contains(&at) {
                    return Some((unit, at));
                }
                let sections = Arc::clone(&unit.sections);
                Some((self.unit_at(dwarf, &sections, at)?, at))
            }
            Value::Shared(at) => {
                let at = usize::try_from(at).ok()?;
                let shared = Arc::clone(dwarf.sections.shared()?);
                Some((self.unit_at(dwarf, &shared, at)?, at))
            }
            _ => None,
        }
    }

    /// The unit of `sections` that holds the entry at `at`.
    fn unit_at(
        &mut self,
        dwarf: &Dwarf<'d>,
        sections: &Arc<Sections<'d>>,
        at: usize,
    ) -> Option<Arc<Unit<'d>>> {
        let index = match sections {
            sections if Arc::ptr_eq(sections, &dwarf.sections) => dwarf.index(),
            sections if !sections.is_split() => dwarf.shared_index(sections),
            _ => return None,
        };
        let header = *index.unit_at(sections, at)?;
        let key = (identity(sections), header.offset);
        if let Some(unit) = self.units.get(&key) {
            return unit.clone();
        }
        // Others may refer to it as well, so what is read of it stays.
        let info = sections.bytes(Section::Info, header.range()).map(Cow::Borrowed);
        let unit = info.and_then(|info| self.read(sections, header, info)).map(Arc::new);
        self.units.insert(key, unit.clone());
        unit
    }
}

/// Tells the main file from the shared one; both live as long as the object.
fn identity(sections: &Arc<Sections<'_>>) -> usize {
    Arc::as_ptr(sections).addr()
}

/// What is known of a function.
#[derive(Default)]
struct Description<'d> {
    name: Option<Cow<'d, [u8]>>,
    line: u32,
}

impl<'d> Description<'d> {
    fn is_complete(&self) -> bool {
        self.name.is_some() && self.line != 0
    }

    /// Adds what the entry at `at` says, and returns what it refers to.
    fn read(&mut self, unit: &Unit<'d>, at: usize) -> Option<Value> {
        let mut cursor = unit.entry(at)?;
        let kind = unit.abbrevs.get(cursor.uleb()?)?;
        let (mut linkage, mut plain, mut line, mut next) = (None, None, 0, None);
        unit.attributes(&mut cursor, kind, |name, value| match name {
            dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => linkage = Some(value),
            dw::DW_AT_name => plain = Some(value),
            dw::DW_AT_decl_line => line = value.small(),
            dw::DW_AT_abstract_origin => next = Some(value),
            dw::DW_AT_specification => next = next.or(Some(value)),
            _ => {}
        })?;
        let text = |value: Option<Value>| value.and_then(|v| unit.text(v));
        self.name = self.name.take().or_else(|| text(linkage)).or_else(|| text(plain));
        if self.line == 0 {
            self.line = line;
        }
        next
    }
}
