//! The line table of a unit.

use std::borrow::Cow;
use std::ops::Range;

use gimli::constants as dw;
use gimli::{DwForm, DwLne, DwLns};

use super::abbrev::{Attribute, Widths};
use super::ranges::RangeMap;
use super::unit::Unit;
use super::value;
use crate::cursor::Cursor;
use crate::data::text;
use crate::sections::Section;

/// Which place in the source each instruction comes from.
#[derive(Debug, Default)]
pub(crate) struct Lines<'d> {
    rows: Vec<Row>,
    /// Runs of rows, by the addresses that they cover.
    sequences: RangeMap<(u32, u32)>,
    directories: Vec<&'d [u8]>,
    files: Vec<SourceFile<'d>>,
    /// Number of the first of `files`.
    first_file: u64,
    /// What relative paths are relative to.
    root: Cow<'d, [u8]>,
    /// What the program was read into.
    program: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SourceFile<'d> {
    name: &'d [u8],
    directory: u64,
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    address: u64,
    pub(crate) file: u32,
    /// 0 if the instruction comes from nowhere.
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl<'d> Lines<'d> {
    /// Reads the line table of `unit` into the memory of `old`; of its rows only those of the addresses in `wanted`, in
    /// their order, unless there are none.
    pub(crate) fn read(unit: &Unit<'d>, lowest: u64, wanted: &[u64], old: Self) -> Option<Self> {
        let (place, width) = place(unit)?;
        let root = unit.directory.clone();
        let mut lines = Self { rows: old.rows, root, ..Self::default() };
        lines.rows.clear();
        let start = program_start(unit, &place, width)?;
        let mut header = unit.sections.part(Section::Line, place.start..start)?;
        let program = lines.read_header(unit, &mut header, width)?;
        let bytes = unit.sections.passing(Section::Line, start..place.end, old.program)?;
        let (rows, sequences) = (&mut lines.rows, Vec::new());
        let mut machine = Machine { program, rows, sequences, lowest, wanted };
        // What comes before damage is still true.
        let _ = machine.run(unit.sections.cursor_over(&bytes, start));
        lines.sequences = machine.sequences.into_iter().collect();
        if let Cow::Owned(bytes) = bytes {
            lines.program = bytes;
        }
        Some(lines)
    }

    /// The row of the instruction at `address`.
    pub(crate) fn find(&self, address: u64) -> Option<Row> {
        self.sequences.covering(address).find_map(|(start, end)| {
            let rows = &self.rows[start as usize..end as usize];
            rows.get(rows.partition_point(|r| r.address <= address).checked_sub(1)?).copied()
        })
    }

    /// The addresses that it has rows for.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.sequences.ranges()
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The path of a file.
    pub(crate) fn path(&self, file: u64) -> Option<String> {
        let index = usize::try_from(file.checked_sub(self.first_file)?).ok()?;
        let file = self.files.get(index)?;
        let mut path = text(&self.root).into_owned();
        // Directory 0 is that of the unit.
        if file.directory > 0 {
            let index = file.directory.checked_sub(self.first_file)?;
            push(&mut path, self.directories.get(usize::try_from(index).ok()?)?);
        }
        push(&mut path, file.name);
        Some(path)
    }

    /// Reads what is before the program.
    fn read_header(
        &mut self,
        unit: &Unit<'d>,
        cursor: &mut Cursor<'d>,
        width: u8,
    ) -> Option<Program<'d>> {
        let version = cursor.u16()?;
        let mut address = unit.header.widths.address;
        if version >= 5 {
            address = cursor.u8()?;
            cursor.u8()?;
        }
        cursor.uint(width)?;
        let program = Program::read(cursor, version)?;
        let widths = Widths { version, address, offset: width };
        match version {
            2..=4 => self.read_older_files(cursor)?,
            5 => self.read_files(unit, cursor, widths)?,
            _ => return None,
        }
        Some(program)
    }

    fn read_older_files(&mut self, cursor: &mut Cursor<'d>) -> Option<()> {
        self.first_file = 1;
        loop {
            match cursor.text()? {
                [] => break,
                directory => self.directories.push(directory),
            }
        }
        loop {
            match cursor.text()? {
                [] => return Some(()),
                name => self.files.push(read_older_file(name, cursor)?),
            }
        }
    }

    fn read_files(
        &mut self,
        unit: &Unit<'d>,
        cursor: &mut Cursor<'d>,
        widths: Widths,
    ) -> Option<()> {
        read_entries(unit, cursor, widths, |file| self.directories.push(file.name))?;
        read_entries(unit, cursor, widths, |file| self.files.push(file))
    }
}

/// Where the line table of a unit is, after its length, and how wide offsets are in it. `None` if no reader knows its
/// version.
pub(crate) fn place(unit: &Unit<'_>) -> Option<(Range<usize>, u8)> {
    const LONGEST: usize = 14;
    let start = usize::try_from(unit.lines?).ok()?;
    let head = start..unit.sections.size(Section::Line).min(start.checked_add(LONGEST)?);
    let mut head = unit.sections.part(Section::Line, head)?;
    let (size, width) = head.initial_length()?;
    let start = head.position();
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    matches!(head.u16()?, 2..=5).then_some((start..end, width))
}

/// Where the program is in such a place, after the lists of files.
fn program_start(unit: &Unit<'_>, place: &Range<usize>, width: u8) -> Option<usize> {
    const LONGEST: usize = 12;
    let head = place.start..place.end.min(place.start.checked_add(LONGEST)?);
    let mut head = unit.sections.part(Section::Line, head)?;
    if head.u16()? >= 5 {
        // How wide addresses are.
        head.skip(2)?;
    }
    let size = usize::try_from(head.uint(width)?).ok()?;
    head.position().checked_add(size).filter(|&start| start <= place.end)
}

fn read_older_file<'d>(name: &'d [u8], cursor: &mut Cursor<'d>) -> Option<SourceFile<'d>> {
    let directory = cursor.uleb()?;
    // Time and size of the file.
    cursor.skip_leb()?;
    cursor.skip_leb()?;
    Some(SourceFile { name, directory })
}

/// A table of directories or files: what each entry consists of, then the entries.
fn read_entries<'d>(
    unit: &Unit<'d>,
    cursor: &mut Cursor<'d>,
    widths: Widths,
    mut with: impl FnMut(SourceFile<'d>),
) -> Option<()> {
    let mut format = Vec::new();
    for _ in 0..cursor.u8()? {
        let (content, form) = (cursor.uleb()?, DwForm(u16::try_from(cursor.uleb()?).ok()?));
        let attribute = Attribute { name: gimli::DwAt(0), form, implicit: 0 };
        format.push((gimli::DwLnct(u16::try_from(content).ok()?), attribute));
    }
    let count = cursor.uleb()?;
    for _ in 0..count {
        let before = cursor.position();
        let mut file = SourceFile::default();
        for &(content, attribute) in &format {
            if attribute.form == dw::DW_FORM_string && content == dw::DW_LNCT_path {
                file.name = cursor.text()?;
                continue;
            }
            let value = value::read(cursor, attribute, widths)?;
            match content {
                dw::DW_LNCT_path => file.name = unit.text_elsewhere(value).unwrap_or_default(),
                dw::DW_LNCT_directory_index => file.directory = value.number().unwrap_or(0),
                _ => {}
            }
        }
        with(file);
        // Entries of nothing may be as many as a number can say.
        if cursor.position() == before {
            return None;
        }
    }
    Some(())
}

/// How to read the program.
#[derive(Debug)]
struct Program<'d> {
    address_step: u8,
    operations_per_instruction: u8,
    opcode_base: u8,
    argument_counts: &'d [u8],
    /// By how many operations and lines the opcodes without a meaning of their own advance.
    advances: [(u8, i16); 256],
}

impl<'d> Program<'d> {
    fn read(cursor: &mut Cursor<'d>, version: u16) -> Option<Self> {
        let address_step = cursor.u8()?;
        let operations_per_instruction = if version >= 4 { cursor.u8()? } else { 1 };
        // Whether a debugger should stop there says nothing about where it is.
        cursor.u8()?;
        let line_base = cursor.u8()? as i8;
        let line_range = cursor.u8()?;
        let opcode_base = cursor.u8()?;
        let argument_counts = cursor.bytes(usize::from(opcode_base.checked_sub(1)?))?;
        let mut advances = [(0, 0); 256];
        for (advance, to) in (0..=u8::MAX - opcode_base).zip(&mut advances[opcode_base.into()..]) {
            let line = i16::from(line_base) + i16::from(advance.checked_rem(line_range)?);
            *to = (advance / line_range, line);
        }
        Some(Self {
            address_step,
            operations_per_instruction: operations_per_instruction.max(1),
            opcode_base,
            argument_counts,
            advances,
        })
    }
}

/// What the program works on.
struct Machine<'d, 'r> {
    program: Program<'d>,
    rows: &'r mut Vec<Row>,
    sequences: Vec<(Range<u64>, (u32, u32))>,
    /// Code below is not in the file any more.
    lowest: u64,
    wanted: &'r [u64],
}

/// The row to be.
#[derive(Clone, Copy, Debug)]
struct State {
    address: u64,
    operation: u64,
    file: u64,
    line: u64,
    column: u64,
    /// Where the rows of the sequence are.
    start: usize,
    /// Address of its first row.
    first: u64,
    /// Its last row, which is kept if there is another after the address that is wanted next.
    last: Option<Row>,
    wanted: u64,
}

impl State {
    fn new(start: usize) -> Self {
        let (address, operation, file, line, column) = (0, 0, 1, 1, 0);
        let (first, last, wanted) = (0, None, 0);
        Self { address, operation, file, line, column, start, first, last, wanted }
    }

    #[inline]
    fn row(&self) -> Row {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(0);
        Row {
            address: self.address,
            file: narrow(self.file),
            line: narrow(self.line),
            column: narrow(self.column),
        }
    }
}

impl Machine<'_, '_> {
    fn run(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        let mut state = State::new(0);
        while !cursor.is_at_end() {
            let opcode = cursor.u8()?;
            if opcode >= self.program.opcode_base {
                let (operations, lines) = self.program.advances[usize::from(opcode)];
                self.advance(&mut state, u64::from(operations));
                state.line = state.line.wrapping_add_signed(i64::from(lines));
                self.add(&mut state);
            } else if opcode == 0 {
                self.extended(&mut state, &mut cursor)?;
            } else {
                self.standard(&mut state, DwLns(opcode), &mut cursor)?;
            }
        }
        Some(())
    }

    fn standard(
        &mut self,
        state: &mut State,
        opcode: DwLns,
        cursor: &mut Cursor<'_>,
    ) -> Option<()> {
        match opcode {
            dw::DW_LNS_copy => self.add(state),
            dw::DW_LNS_advance_pc => self.advance(state, cursor.uleb()?),
            dw::DW_LNS_advance_line => state.line = state.line.wrapping_add_signed(cursor.sleb()?),
            dw::DW_LNS_set_file => state.file = cursor.uleb()?,
            dw::DW_LNS_set_column => state.column = cursor.uleb()?,
            dw::DW_LNS_const_add_pc => {
                self.advance(state, u64::from(self.program.advances[255].0));
            }
            dw::DW_LNS_fixed_advance_pc => {
                state.address = state.address.wrapping_add(u64::from(cursor.u16()?));
                state.operation = 0;
            }
            dw::DW_LNS_negate_stmt
            | dw::DW_LNS_set_basic_block
            | dw::DW_LNS_set_prologue_end
            | dw::DW_LNS_set_epilogue_begin => {}
            DwLns(other) => {
                let count = self.program.argument_counts.get(usize::from(other) - 1)?;
                (0..*count).try_for_each(|_| cursor.skip_leb())?;
            }
        }
        Some(())
    }

    fn extended(&mut self, state: &mut State, cursor: &mut Cursor<'_>) -> Option<()> {
        let size = usize::try_from(cursor.uleb()?).ok()?;
        let end = cursor.position().checked_add(size)?;
        if size == 0 {
            return Some(());
        }
        match DwLne(cursor.u8()?) {
            dw::DW_LNE_end_sequence => {
                self.end(state);
                *state = State::new(self.rows.len());
            }
            dw::DW_LNE_set_address => {
                state.address = cursor.uint(u8::try_from(size - 1).ok()?)?;
                state.operation = 0;
            }
            _ => {}
        }
        cursor.seek(end)
    }

    #[inline]
    fn advance(&self, state: &mut State, operations: u64) {
        let step = u64::from(self.program.address_step);
        let per = u64::from(self.program.operations_per_instruction);
        if per == 1 {
            state.address = state.address.wrapping_add(step.wrapping_mul(operations));
        } else {
            let operation = state.operation.wrapping_add(operations);
            state.address = state.address.wrapping_add(step.wrapping_mul(operation / per));
            state.operation = operation % per;
        }
    }

    #[inline]
    fn add(&mut self, state: &mut State) {
        let row = state.row();
        match state.last.replace(row) {
            None => {
                state.first = row.address;
                state.wanted = self.next_wanted(row.address);
            }
            // Of several rows for one instruction the last counts.
            Some(last) if last.address == row.address => {}
            Some(last) => {
                if state.wanted < row.address || row.address < last.address {
                    self.rows.push(last);
                    state.wanted = self.next_wanted(row.address);
                }
            }
        }
    }

    /// The first address from `address` on that rows are wanted of.
    fn next_wanted(&self, address: u64) -> u64 {
        if self.wanted.is_empty() {
            return address;
        }
        let next = self.wanted.partition_point(|&wanted| wanted < address);
        self.wanted.get(next).copied().unwrap_or(u64::MAX)
    }

    fn end(&mut self, state: &State) {
        let Some(last) = state.last else { return };
        let range = state.first..state.address;
        let is_wanted = self.next_wanted(range.start) < range.end;
        if range.start < self.lowest || !is_wanted {
            self.rows.truncate(state.start);
        } else {
            self.rows.push(last);
            let rows = (state.start as u32, self.rows.len() as u32);
            self.sequences.push((range, rows));
        }
    }
}

/// Appends a path, which may be absolute, of either system.
fn push(path: &mut String, part: &[u8]) {
    let part = text(part);
    let drive = part.get(1..3);
    if part.starts_with(['/', '\\']) || matches!(drive, Some(":/" | ":\\")) {
        path.clear();
    }
    let backward = path.starts_with('\\') || path.get(1..3) == Some(":\\");
    let separator = if backward { '\\' } else { '/' };
    if !path.is_empty() && !path.ends_with(separator) {
        path.push(separator);
    }
    path.push_str(&part);
}
