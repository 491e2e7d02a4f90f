//! Functions, lines and inlined calls from the tables that every Go program carries for its own tracebacks.
//! They stay when symbols and debug information are stripped.
//!
//! The layout is that of Go 1.16 and later, whose three versions a magic number tells apart. Some tables are
//! found through the header, what is inlined only through the program's `moduledata`, a list of addresses
//! that begins with that of the header.

use std::borrow::Cow;

use ::object::SectionKind;
use ::object::read::{Object as _, ObjectSection as _, ObjectSegment as _};

use crate::cursor::Cursor;
use crate::data::{Data, File, Section, text};
use crate::{Frame, Svma, Symbol};

/// Version of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Go16,
    Go18,
    Go20,
}

/// The tables of one program.
pub(crate) struct GoTables<'d> {
    version: Version,
    is_big_endian: bool,
    pointer: u8,
    /// Addresses advance by this.
    quantum: u64,
    /// Start of the program's code: later versions state addresses relative to it.
    text: u64,
    /// How far after the header the names are.
    names_at: u64,
    names: &'d [u8],
    units: &'d [u8],
    files: &'d [u8],
    values: &'d [u8],
    functions: &'d [u8],
    count: usize,
    /// What functions refer to by offset, trees of inlined calls among it.
    data: &'d [u8],
    /// For addresses of such trees, which older versions have.
    image: Image<'d>,
}

/// A function, as its entry says.
#[derive(Clone, Copy, Debug)]
struct Function<'d> {
    start: u64,
    end: u64,
    name: u32,
    files: u32,
    lines: u32,
    unit: u32,
    start_line: u32,
    /// Which inlined call each address is in; 0 if there are none.
    inlined: u32,
    tree: &'d [u8],
}

/// Calls inlined one into the other, beyond so many, are not believed.
const MAX_DEPTH: usize = 1000;

/// In an entry's list of tables by address, the one of inlined calls.
const PCDATA_INLINED: usize = 2;

/// In an entry's list of other data, the tree of inlined calls.
const FUNCDATA_TREE: usize = 3;

impl<'d> GoTables<'d> {
    /// `None` if the file is not of a Go program, or of one older than Go 1.16.
    pub(crate) fn find(file: &File<'d>, data: Data<'d>) -> Option<Self> {
        let (address, table) = locate(file)?;
        let mut tables = Self::parse(table, Image::of(file, data))?;
        // The last entry has only the end of the one before.
        let room = tables.functions.len() / (2 * usize::from(tables.width()));
        tables.count = tables.count.min(room.saturating_sub(1));
        let text = tables.module(address).or_else(|| tables.stated_text(table));
        tables.text = match text {
            Some(text) => text,
            None => file.section_by_name(".text").map_or(0, |section| section.address()),
        };
        (tables.count > 0).then_some(tables)
    }

    fn parse(table: &'d [u8], image: Image<'d>) -> Option<Self> {
        let mut cursor = Cursor::new(table, image.is_big_endian);
        let version = match cursor.uint(4)? {
            0xffff_fffa => Version::Go16,
            0xffff_fff0 => Version::Go18,
            0xffff_fff1 => Version::Go20,
            _ => return None,
        };
        cursor.u16()?;
        let quantum = u64::from(cursor.u8()?);
        let pointer = cursor.u8().filter(|size| matches!(size, 4 | 8))?;
        let mut word = || cursor.uint(pointer);
        let count = usize::try_from(word()?).ok()?;
        word()?;
        if version >= Version::Go18 {
            word()?;
        }
        let parts = [word()?, word()?, word()?, word()?, word()?];
        let part = |index: usize| table.get(usize::try_from(parts[index]).ok()?..);
        Some(Self {
            version,
            is_big_endian: image.is_big_endian,
            pointer,
            quantum,
            text: 0,
            names_at: parts[0],
            names: part(0)?,
            units: part(1)?,
            files: part(2)?,
            values: part(3)?,
            functions: part(4)?,
            count,
            data: &[],
            image,
        })
    }

    /// Where the header says that the code starts; later versions leave that to the module.
    fn stated_text(&self, table: &[u8]) -> Option<u64> {
        let at = 8 + 2 * u64::from(self.pointer);
        let stated = Cursor::new(table, self.is_big_endian).at(at)?.uint(self.pointer)?;
        (self.version >= Version::Go18 && stated != 0).then_some(stated)
    }

    /// Finds the module of the table at `address`, takes from it where the other data is, and returns where
    /// the code starts.
    fn module(&mut self, address: u64) -> Option<u64> {
        const TEXT: usize = 22;
        const AFTER_TEXT: std::ops::Range<usize> = 24..64;
        let names = address.checked_add(self.names_at)?;
        let module = self.image.find_pointers(self.pointer, [address, names])?;
        let word = |index: usize| {
            let at = module.checked_add(index as u64 * u64::from(self.pointer))?;
            self.image.pointer(self.pointer, at)
        };
        let text = word(TEXT)?;
        self.text = text;
        // Its place differs between versions, so take the address that makes sense.
        let sensible = AFTER_TEXT.filter_map(word).find(|&address| {
            let data = self.image.bytes(address).unwrap_or_default();
            self.makes_sense_of(data)
        });
        self.data = sensible.and_then(|address| self.image.bytes(address)).unwrap_or_default();
        Some(text)
    }

    /// Whether `data` has trees where functions say that they are.
    fn makes_sense_of(&self, data: &'d [u8]) -> bool {
        const ENOUGH: usize = 32;
        if self.version == Version::Go16 || data.is_empty() {
            return false;
        }
        let candidate = GoTables { data, image: self.image.clone(), ..*self };
        let with_tree = (0..self.count)
            .filter_map(|index| candidate.function(index))
            .filter(|function| function.inlined != 0)
            .take(ENOUGH);
        let mut seen = 0;
        for function in with_tree {
            let Some(root) = candidate.inlined(&function, 0) else { return false };
            let size = function.end - function.start;
            let name = candidate.text_in(candidate.names, root.name);
            let is_name = name.is_some_and(|name| std::str::from_utf8(name).is_ok_and(is_go_name));
            if u64::from(root.call) > size || !is_name {
                return false;
            }
            seen += 1;
        }
        seen > 0
    }

    /// The functions at `address`, innermost inlined one first.
    pub(crate) fn frames(&self, address: Svma) -> Option<Vec<Frame<'d>>> {
        let function = self.function_at(address.0)?;
        let mut frames = Vec::new();
        let mut at = address.0;
        while frames.len() < MAX_DEPTH {
            let inlined = self
                .value(&function, function.inlined, at)
                .and_then(|index| self.inlined(&function, u32::try_from(index).ok()?));
            let Some(call) = inlined else { break };
            frames.push(self.frame(&function, at, call.name, call.start_line, true));
            at = function.start.wrapping_add(u64::from(call.call));
        }
        frames.push(self.frame(&function, at, function.name, function.start_line, false));
        Some(frames)
    }

    /// Whether there is a function at `address`.
    #[cfg(feature = "symbolize")]
    pub(crate) fn covers(&self, address: Svma) -> bool {
        self.index_of(address.0).is_some()
    }

    /// The function at `address`, without what is inlined into it.
    pub(crate) fn symbol(&self, address: Svma) -> Option<Symbol<'d>> {
        self.function_at(address.0).map(|function| self.to_symbol(&function))
    }

    /// All functions.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = Symbol<'d>> + '_ {
        (0..self.count).filter_map(|index| Some(self.to_symbol(&self.function(index)?)))
    }

    fn to_symbol(&self, function: &Function<'d>) -> Symbol<'d> {
        Symbol {
            name: self.name(function.name),
            start: Svma(function.start),
            end: Svma(function.end),
        }
    }

    fn frame(
        &self,
        function: &Function<'d>,
        at: u64,
        name: u32,
        start_line: u32,
        inlined: bool,
    ) -> Frame<'d> {
        let line = self.value(function, function.lines, at).and_then(|n| u32::try_from(n).ok());
        Frame {
            system_name: self.name(name),
            file: self.file(function, at).map(text),
            line: line.unwrap_or(0),
            column: 0,
            start_line,
            inlined,
        }
    }

    fn name(&self, at: u32) -> Cow<'d, str> {
        text(self.text_in(self.names, at).unwrap_or_default())
    }

    fn file(&self, function: &Function<'d>, at: u64) -> Option<&'d [u8]> {
        let number = u64::try_from(self.value(function, function.files, at)?).ok()?;
        let index = number.checked_add(u64::from(function.unit))?.checked_mul(4)?;
        let offset = Cursor::new(self.units, self.is_big_endian).at(index)?.uint(4)?;
        self.text_in(self.files, u32::try_from(offset).ok().filter(|&o| o != u32::MAX)?)
    }

    fn text_in(&self, table: &'d [u8], at: u32) -> Option<&'d [u8]> {
        Cursor::new(table, self.is_big_endian).at(u64::from(at))?.text()
    }

    fn function_at(&self, address: u64) -> Option<Function<'d>> {
        self.function(self.index_of(address)?).filter(|f| address < f.end)
    }

    fn index_of(&self, address: u64) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(middle)? <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1).filter(|_| low < self.count || self.start(low) > Some(address))
    }

    /// Width of an element of the table of functions.
    fn width(&self) -> u8 {
        if self.version == Version::Go16 { self.pointer } else { 4 }
    }

    fn start(&self, index: usize) -> Option<u64> {
        let at = (index as u64).checked_mul(2 * u64::from(self.width()))?;
        let start = Cursor::new(self.functions, self.is_big_endian).at(at)?.uint(self.width())?;
        Some(if self.version == Version::Go16 { start } else { self.text.wrapping_add(start) })
    }

    /// Reads the entry of a function.
    fn function(&self, index: usize) -> Option<Function<'d>> {
        let width = self.width();
        let at = (index as u64).checked_mul(2 * u64::from(width))? + u64::from(width);
        let table = Cursor::new(self.functions, self.is_big_endian);
        let mut entry = table.at(table.at(at)?.uint(width)?)?;
        let (start, end) = (self.start(index)?, self.start(index + 1)?);
        entry.uint(width)?;
        let mut number = || entry.uint(4).map(|n| n as u32);
        let name = number()?;
        // Arguments, deferred calls, stack sizes.
        for _ in 0..3 {
            number()?;
        }
        let (files, lines, tables, unit) = (number()?, number()?, number()?, number()?);
        let start_line = if self.version >= Version::Go20 { number()? } else { 0 };
        // What kind it is.
        entry.skip(3)?;
        let others = usize::from(entry.u8()?);
        let tables = usize::try_from(tables).ok()?;
        let after_tables = entry.position().checked_add(tables.checked_mul(4)?)?;
        let mut inlined = 0;
        if tables > PCDATA_INLINED {
            entry.skip(4 * PCDATA_INLINED)?;
            inlined = entry.uint(4)? as u32;
        }
        entry.seek(after_tables)?;
        let tree = if others > FUNCDATA_TREE { self.tree(entry) } else { None };
        let inlined = if tree.is_some() { inlined } else { 0 };
        let tree = tree.unwrap_or_default();
        let end = end.max(start);
        Some(Function { start, end, name, files, lines, unit, start_line, inlined, tree })
    }

    /// The tree of inlined calls, given the entry's list of other data.
    fn tree(&self, mut list: Cursor<'d>) -> Option<&'d [u8]> {
        if self.version >= Version::Go18 {
            list.skip(4 * FUNCDATA_TREE)?;
            let offset = list.uint(4)?;
            return self.data.get(usize::try_from(offset).ok()?..).filter(|d| !d.is_empty());
        }
        let pointer = usize::from(self.pointer);
        list.seek(list.position().next_multiple_of(pointer))?;
        list.skip(pointer * FUNCDATA_TREE)?;
        self.image.bytes(list.uint(self.pointer).filter(|&address| address != 0)?)
    }

    /// Call `index` of the function's tree.
    fn inlined(&self, function: &Function<'d>, index: u32) -> Option<InlinedCall> {
        let is_older = self.version < Version::Go20;
        let size = if is_older { 20 } else { 16 };
        let mut call = Cursor::new(function.tree, self.is_big_endian).at(u64::from(index) * size)?;
        call.skip(if is_older { 12 } else { 4 })?;
        let mut number = || call.uint(4).map(|n| n as u32);
        let (name, from) = (number()?, number()?);
        let start_line = if is_older { 0 } else { number()? };
        Some(InlinedCall { name, call: from, start_line })
    }

    /// What the table at `table` has for the instruction at `address`; nothing if it has -1.
    fn value(&self, function: &Function<'d>, table: u32, address: u64) -> Option<i64> {
        let mut steps = Cursor::new(self.values, self.is_big_endian).at(u64::from(table))?;
        if table == 0 {
            return None;
        }
        let mut value = -1_i64;
        let mut at = function.start;
        loop {
            let delta = steps.uleb()?;
            if delta == 0 && at != function.start {
                return None;
            }
            // The lowest bit is the sign.
            let delta = (delta >> 1) as i64 ^ -((delta & 1) as i64);
            value = value.wrapping_add(delta);
            at = at.checked_add(steps.uleb()?.checked_mul(self.quantum)?)?;
            if address < at {
                return (value >= 0).then_some(value);
            }
        }
    }
}

/// One function inlined into another.
#[derive(Clone, Copy, Debug)]
struct InlinedCall {
    name: u32,
    /// How far from the start of the outermost function the call is.
    call: u32,
    start_line: u32,
}

/// `package.function`; closures and generated functions have more, but none less.
fn is_go_name(name: &str) -> bool {
    name.contains('.') && !name.chars().any(char::is_control)
}

/// The memory of the program, as the file has it, but for its code.
#[derive(Clone, Debug)]
struct Image<'d> {
    data: Data<'d>,
    /// Those that are written to first.
    areas: Vec<Area>,
    is_big_endian: bool,
    /// Addresses that the loader writes: where, and what the file states.
    relocations: Vec<(u64, u64)>,
}

/// A section, or a segment of a file without sections.
#[derive(Clone, Copy, Debug)]
struct Area {
    start: u64,
    offset: u64,
    size: u64,
}

impl<'d> Image<'d> {
    fn of(file: &File<'d>, data: Data<'d>) -> Self {
        let area = |start, range: (u64, u64)| Area { start, offset: range.0, size: range.1 };
        let has_content = |section: &Section<'d, '_>| {
            section.address() != 0 && section.kind() != SectionKind::Text
        };
        let mut sections: Vec<_> = file.sections().filter(has_content).collect();
        sections.sort_by_key(|section| section.kind() != SectionKind::Data);
        let mut areas: Vec<Area> =
            sections.iter().filter_map(|s| Some(area(s.address(), s.file_range()?))).collect();
        if areas.is_empty() {
            areas.extend(file.segments().map(|s| area(s.address(), s.file_range())));
        }
        let relocations = file.dynamic_relocations().into_iter().flatten();
        let mut relocations: Vec<_> = relocations
            .filter_map(|(at, relocation)| Some((at, u64::try_from(relocation.addend()).ok()?)))
            .collect();
        relocations.sort_unstable();
        Self { data, areas, is_big_endian: !file.is_little_endian(), relocations }
    }

    fn content(&self, area: Area) -> &'d [u8] {
        self.data.get(area.offset..area.offset.saturating_add(area.size)).unwrap_or_default()
    }

    /// From `address` to the end of its area.
    fn bytes(&self, address: u64) -> Option<&'d [u8]> {
        let holds = |area: &&Area| address.checked_sub(area.start).is_some_and(|at| at < area.size);
        let area = self.areas.iter().find(holds)?;
        self.content(*area).get(usize::try_from(address - area.start).ok()?..)
    }

    fn pointer(&self, width: u8, at: u64) -> Option<u64> {
        let written = self.relocations.binary_search_by_key(&at, |(at, _)| *at);
        match written {
            Ok(index) => Some(self.relocations[index].1),
            Err(_) => Cursor::new(self.bytes(at)?, self.is_big_endian).uint(width),
        }
    }

    /// Where these addresses are one after the other.
    fn find_pointers(&self, width: u8, wanted: [u64; 2]) -> Option<u64> {
        let follows = |at: &u64| self.pointer(width, at + u64::from(width)) == Some(wanted[1]);
        let relocated = self.relocations.iter().filter(|(_, to)| *to == wanted[0]);
        if let Some(at) = relocated.map(|(at, _)| *at).find(follows) {
            return Some(at);
        }
        let mut pattern = wanted[0].to_le_bytes();
        if self.is_big_endian {
            pattern = (wanted[0] << (64 - 8 * u32::from(width))).to_be_bytes();
        }
        let pattern = &pattern[..usize::from(width)];
        let aligned = |area: &Area| {
            let (start, step) = (area.start, usize::from(width));
            let data = self.content(*area);
            let skip = (start.wrapping_neg() % u64::from(width)) as usize;
            let words = data.get(skip..).unwrap_or_default().chunks_exact(step).enumerate();
            let found: Vec<u64> = words
                .filter(|(_, word)| *word == pattern)
                .map(|(i, _)| start + (skip + i * step) as u64)
                .collect();
            found
        };
        self.areas.iter().flat_map(aligned).find(follows)
    }
}

/// The table and its address: in a section of its own, or, where sections have no such names, wherever the
/// beginning of one is.
fn locate<'d>(file: &File<'d>) -> Option<(u64, &'d [u8])> {
    const NAMES: [&str; 3] = [".gopclntab", "__gopclntab", ".data.rel.ro.gopclntab"];
    let named = NAMES.iter().find_map(|name| {
        let section = file.section_by_name(name)?;
        Some((section.address(), section.data().ok()?))
    });
    named.or_else(|| {
        let is_candidate = file.section_by_name(".go.buildinfo").is_some()
            || file.format() == ::object::BinaryFormat::Pe;
        let mut segments = file.segments().filter(|_| is_candidate);
        segments.find_map(|segment| {
            let data = segment.data().ok()?;
            let at = beginning(data, !file.is_little_endian())?;
            Some((segment.address() + at as u64, &data[at..]))
        })
    })
}

/// Where in `data` a header is.
fn beginning(data: &[u8], is_big_endian: bool) -> Option<usize> {
    (0..data.len().saturating_sub(64)).step_by(4).find(|&at| {
        let head = &data[at..at + 8];
        let (magic, middle) =
            if is_big_endian { (&head[..3], head[3]) } else { (&head[1..4], head[0]) };
        magic == [0xff; 3]
            && matches!(middle, 0xfa | 0xf0 | 0xf1)
            && head[4..6] == [0, 0]
            && matches!(head[6], 1 | 2 | 4)
            && matches!(head[7], 4 | 8)
    })
}
