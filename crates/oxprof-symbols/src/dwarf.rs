//! Lines and inlined frames from DWARF.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use addr2line::{Context, Location, LookupContinuation, LookupResult};
use gimli::{AttributeValue, DebugInfoOffset, UnitOffset, UnitRef};

use crate::sections::{self, Reader, Sections, SplitUnits};
use crate::{Frame, Store, Svma, Symbol};

/// The debug information of one object file, decoded unit by unit as addresses are asked for.
pub(crate) struct Dwarf<'d> {
    context: Context<Reader<'d>>,
    sections: Arc<Sections<'d>>,
    /// Offset of every unit in `.debug_info`, ascending.
    units: Arc<[DebugInfoOffset]>,
    store: Option<&'d Store<'d>>,
    split: SplitUnits<'d>,
    /// Units that other units' functions refer to.
    foreign: RefCell<HashMap<DebugInfoOffset, Option<Box<gimli::Unit<Reader<'d>>>>>>,
    start_lines: RefCell<HashMap<DebugInfoOffset, u32>>,
}

/// To find a function's declaration, follow at most so many references.
const MAX_REFERENCES: usize = 8;

impl<'d> Dwarf<'d> {
    /// `None` when the file has no debug information, or none that can be read.
    pub(crate) fn load(file: &::object::File<'d>, store: Option<&'d Store<'d>>) -> Option<Self> {
        let sections = Arc::new(sections::load(file, store)?);
        let mut units = Vec::new();
        let mut headers = sections.units();
        while let Ok(Some(header)) = headers.next() {
            units.extend(header.debug_info_offset());
        }
        if units.is_empty() { None } else { Self::new(sections, units.into(), store) }
    }

    /// The same, decoding on its own from here on.
    pub(crate) fn fork(&self) -> Option<Self> {
        Self::new(Arc::clone(&self.sections), Arc::clone(&self.units), self.store)
    }

    fn new(
        sections: Arc<Sections<'d>>,
        units: Arc<[DebugInfoOffset]>,
        store: Option<&'d Store<'d>>,
    ) -> Option<Self> {
        Some(Self {
            context: Context::from_arc_dwarf(Arc::clone(&sections)).ok()?,
            sections,
            units,
            store,
            split: SplitUnits::new(store),
            foreign: RefCell::default(),
            start_lines: RefCell::default(),
        })
    }

    /// The inlined chain at `address`, innermost first; `None` if debug information says nothing.
    pub(crate) fn frames<'a>(
        &'a self,
        address: Svma,
        symbol: Option<&Symbol<'a>>,
    ) -> Option<Vec<Frame<'a>>> {
        // No instruction ends at the end of memory; the reader adds one to addresses.
        address.0.checked_add(1)?;
        let mut found = self.load_splits(self.context.find_frames(address.0)).ok()?;
        let unit = self.load_splits(self.context.find_dwarf_and_unit(address.0));
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = found.next() {
            let start_line =
                unit.zip(frame.dw_die_offset).map_or(0, |(u, offset)| self.start_line(u, offset));
            frames.push(to_frame(frame, start_line));
        }
        let outermost = frames.last_mut()?;
        outermost.inlined = false;
        name_outermost(outermost, symbol);
        Some(frames).filter(|f| f.iter().any(|f| !f.system_name.is_empty()))
    }

    /// Finishes a look-up, opening the split units that it needs.
    fn load_splits<L: LookupContinuation<Buf = Reader<'d>>>(
        &self,
        mut lookup: LookupResult<L>,
    ) -> L::Output {
        loop {
            lookup = match lookup {
                LookupResult::Output(output) => return output,
                LookupResult::Load { load, continuation } => {
                    continuation.resume(self.split.load(&load))
                }
            };
        }
    }

    /// Line on which the function at `offset` of `unit` is declared; 0 if unknown.
    fn start_line(&self, unit: UnitRef<'_, Reader<'d>>, offset: UnitOffset) -> u32 {
        let Some(key) = offset.to_debug_info_offset(&unit.header) else {
            return self.declared_line(unit, offset).unwrap_or(0);
        };
        if let Some(&line) = self.start_lines.borrow().get(&key) {
            return line;
        }
        let line = self.declared_line(unit, offset).unwrap_or(0);
        self.start_lines.borrow_mut().insert(key, line);
        line
    }

    fn declared_line(&self, unit: UnitRef<'_, Reader<'d>>, offset: UnitOffset) -> Option<u32> {
        match follow(unit, offset)? {
            Declared::Line(line) => Some(line),
            Declared::Elsewhere(target) => self.line_in_other_unit(target),
        }
    }

    /// Link-time optimisation inlines functions of one unit into another; their declaration stays.
    fn line_in_other_unit(&self, target: DebugInfoOffset) -> Option<u32> {
        let at = self.units.partition_point(|&u| u <= target).checked_sub(1)?;
        let dwarf = &self.sections;
        let mut foreign = self.foreign.borrow_mut();
        let unit = foreign.entry(self.units[at]).or_insert_with(|| {
            let header = dwarf.debug_info.header_from_offset(self.units[at]).ok()?;
            dwarf.unit(header).ok().map(Box::new)
        });
        let unit = unit.as_deref()?;
        match follow(UnitRef::new(dwarf, unit), target.to_unit_offset(&unit.header)?)? {
            Declared::Line(line) => Some(line),
            Declared::Elsewhere(_) => None,
        }
    }
}

enum Declared {
    Line(u32),
    Elsewhere(DebugInfoOffset),
}

/// Goes from an instance of a function to its declaration.
fn follow(unit: UnitRef<'_, Reader<'_>>, mut offset: UnitOffset) -> Option<Declared> {
    for _ in 0..MAX_REFERENCES {
        let entry = unit.entry(offset).ok()?;
        if let Some(line) = entry.attr_value(gimli::DW_AT_decl_line).and_then(|v| v.udata_value()) {
            return u32::try_from(line).ok().map(Declared::Line);
        }
        let origin = entry
            .attr_value(gimli::DW_AT_abstract_origin)
            .or_else(|| entry.attr_value(gimli::DW_AT_specification))?;
        match origin {
            AttributeValue::UnitRef(o) => offset = o,
            AttributeValue::DebugInfoRef(o) => return Some(Declared::Elsewhere(o)),
            _ => return None,
        }
    }
    None
}

fn to_frame<'a, 'd: 'a>(frame: addr2line::Frame<'a, Reader<'d>>, start_line: u32) -> Frame<'a> {
    let name = frame.function.map_or(&b""[..], |f| f.name.slice());
    let (file, line, column) = match frame.location {
        Some(Location { file, line, column }) => (file, line, column),
        None => (None, None, None),
    };
    Frame {
        system_name: String::from_utf8_lossy(name),
        file: file.map(Cow::Borrowed),
        line: line.unwrap_or(0),
        column: column.unwrap_or(0),
        start_line,
        inlined: true,
    }
}

/// Compilers leave the linkage name out where it equals the plain one, and do not mention clones
/// (`f.cold`, `f.constprop.0`): there the symbol table knows better.
fn name_outermost<'a>(frame: &mut Frame<'a>, symbol: Option<&Symbol<'a>>) {
    let is_mangled = frame.system_name.starts_with("_R") || frame.system_name.starts_with("_Z");
    if let Some(symbol) = symbol.filter(|_| !is_mangled) {
        frame.system_name = symbol.name.clone();
    }
}
