//! Object files: what is in them and where it was loaded.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

#[cfg(feature = "disasm")]
use ::object::SectionKind;
#[cfg(any(feature = "disasm", feature = "packed"))]
use ::object::read::ObjectSection as _;
use ::object::read::{Object as _, ObjectSegment as _, ObjectSymbol as _};
use ::object::{Architecture, BinaryFormat, ObjectKind};

use crate::data::{Data, File};
use crate::symtab::{Named, SymbolTable};
use crate::{Avma, Demangle, Error, FileOffset, MappedRange, Svma, Symbol, demangle};

/// A parsed object file.
///
/// Borrows the bytes of the file, and decodes of them what it is asked for.
pub struct Object<'d> {
    file: Arc<File<'d>>,
    #[cfg(feature = "lines")]
    data: Data<'d>,
    segments: Vec<Segment>,
    /// Where the code was that is not in this file, which has only what was split off.
    absent_code: Option<Svma>,
    symbols: OnceLock<SymbolTable>,
    /// What the file has compressed: symbols that are in no table of its own.
    hidden: OnceLock<Option<Box<File<'d>>>>,
    /// Where a kernel has `_stext`.
    first_function: OnceLock<Option<Svma>>,
    /// Symbols and debug information that were split off into a file of their own.
    debug: Option<Box<Self>>,
    #[cfg(feature = "lines")]
    dwarf: OnceLock<Option<crate::dwarf::Dwarf<'d>>>,
    #[cfg(feature = "lines")]
    go: OnceLock<Option<crate::go::GoTables<'d>>>,
    #[cfg(feature = "pdb")]
    image: Option<crate::pdb::Image<'d>>,
    #[cfg(feature = "lines")]
    store: Option<&'d crate::Store<'d>>,
}

/// A part of the file that is loaded into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First address.
    pub start: Svma,
    /// First address beyond the part that comes from the file.
    pub end: Svma,
    /// Where in the file `start` is.
    pub offset: FileOffset,
    /// Whether it may be executed.
    pub is_executable: bool,
}

/// What identifies a build of a binary; [`Display`](std::fmt::Display) is lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BuildId<'d>(pub &'d [u8]);

/// A function at an address, with the place in its source if that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Name as the binary has it, mangled; empty if unknown.
    pub system_name: Cow<'a, str>,
    /// Source file, as the compiler was told.
    pub file: Option<Cow<'a, str>>,
    /// Line of the address, or of the call to the next inner frame; 0 if unknown.
    pub line: u32,
    /// Column; 0 if unknown.
    pub column: u32,
    /// Line where the function starts; 0 if unknown.
    pub start_line: u32,
    /// Whether this function is inlined into the next frame.
    pub inlined: bool,
}

impl Frame<'_> {
    /// Name for people.
    pub fn name(&self, style: Demangle) -> Cow<'_, str> {
        demangle(&self.system_name, style)
    }
}

impl<'a> From<Symbol<'a>> for Frame<'a> {
    fn from(symbol: Symbol<'a>) -> Self {
        Self { system_name: symbol.name, ..Self::default() }
    }
}

impl std::fmt::Display for BuildId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("format", &self.file.format())
            .field("architecture", &self.architecture())
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

impl<'d> Object<'d> {
    /// Reads the headers of an object file.
    ///
    /// # Errors
    /// When `data` is not an object file that this build reads, or its headers point outside of it.
    pub fn parse(data: impl Into<Data<'d>>) -> Result<Self, Error> {
        let data = data.into();
        #[cfg(feature = "macho")]
        let data = crate::macho::thin(data)?;
        let file = File::parse(data)?;
        let segments = file.segments().filter_map(|s| Segment::of(&s)).collect();
        let absent_code = file.segments().find(is_absent_code).map(|s| Svma(s.address()));
        Ok(Self {
            file: Arc::new(file),
            #[cfg(feature = "lines")]
            data,
            segments,
            absent_code,
            symbols: OnceLock::new(),
            hidden: OnceLock::new(),
            first_function: OnceLock::new(),
            debug: None,
            #[cfg(feature = "lines")]
            dwarf: OnceLock::new(),
            #[cfg(feature = "lines")]
            go: OnceLock::new(),
            #[cfg(feature = "pdb")]
            image: None,
            #[cfg(feature = "lines")]
            store: None,
        })
    }

    /// Reads the headers of an object file whose debug sections may be compressed or lie in further
    /// files, which `store` provides and keeps. Files that are not linked, kernel modules for one, are laid
    /// out as the kernel would; `store` keeps that, too.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    #[cfg(feature = "lines")]
    pub fn parse_with(
        data: impl Into<Data<'d>>,
        store: &'d crate::Store<'d>,
    ) -> Result<Self, Error> {
        let data = data.into();
        let laid_out = crate::relocatable::lay_out(data).and_then(|image| store.keep(image));
        let data = laid_out.map_or(data, Data::from);
        Ok(Self { store: Some(store), ..Self::parse(data)? })
    }

    /// Takes symbols and lines from `debug`, the file that they were split off into, where this one
    /// has none.
    pub fn with_debug_file(mut self, debug: Self) -> Self {
        self.debug = Some(Box::new(debug));
        self
    }

    /// Takes symbols and lines from the file that Windows keeps them in.
    #[cfg(feature = "pdb")]
    pub(crate) fn with_image_lines(mut self, lines: &'d dyn crate::pdb::ImageLines) -> Self {
        self.image = Some(crate::pdb::Image { lines, base: self.file.relative_address_base() });
        self
    }

    /// Which file Windows keeps symbols and lines of this one in.
    #[cfg(feature = "pdb")]
    pub(crate) fn pdb_link(&self) -> Option<crate::pdb::PdbLink> {
        let info = self.file.pdb_info().ok()??;
        let path = String::from_utf8_lossy(info.path()).into_owned();
        Some(crate::pdb::PdbLink { path, guid: info.guid() })
    }

    /// The build id, if the file has one.
    pub fn build_id(&self) -> Option<BuildId<'d>> {
        self.file.build_id().ok().flatten().filter(|id| !id.is_empty()).map(BuildId)
    }

    /// Build id or, for macOS, UUID in lower-case hexadecimal; whatever tells builds apart.
    pub fn identity(&self) -> Option<String> {
        let uuid = || self.file.mach_uuid().ok()?.map(|uuid| BuildId(&uuid).to_string());
        self.build_id().map(|id| id.to_string()).or_else(uuid)
    }

    /// The processor it is for.
    pub fn architecture(&self) -> Architecture {
        self.file.architecture()
    }

    /// The parts that are loaded into memory.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Where the file says that the instruction at run-time `address` is, given what was mapped there.
    ///
    /// # Errors
    /// When the mapping shows that the address is in no segment of this file.
    pub fn svma(&self, address: Avma, mapping: &MappedRange) -> Result<Svma, Error> {
        if mapping.is_identity() {
            return Ok(Svma(address.0));
        }
        if self.file.kind() == ObjectKind::Relocatable {
            return address.0.checked_sub(mapping.start.0).map(Svma).ok_or(outside(address));
        }
        if let Some(start) = self.kernel_start(mapping) {
            let from_start = address.0.wrapping_sub(mapping.start.0);
            return Ok(Svma(start.0.wrapping_add(from_start)));
        }
        let offset = mapping.file_offset(address).ok_or(outside(address))?;
        if self.file.format() == BinaryFormat::Pe {
            // Windows maps an image as its headers say, not page by page of the file.
            return Ok(Svma(self.file.relative_address_base().wrapping_add(offset.0)));
        }
        if let Some(code) = self.absent_code {
            // Offsets are of the file that has the code; loaders map whole pages.
            let page = Svma(code.0 & !(SMALL_PAGE - 1));
            return Ok(Svma(page.0.wrapping_add(address.0 - mapping.start.0)));
        }
        let segment = self.segment_at(offset).ok_or(outside(address))?;
        Ok(Svma(segment.start.0.wrapping_add(offset.0).wrapping_sub(segment.offset.0)))
    }

    /// What is at the start of a mapping of the kernel, which is loaded anywhere, and whose mappings do not
    /// speak of its file: their offset is 0 or repeats the address.
    fn kernel_start(&self, mapping: &MappedRange) -> Option<Svma> {
        const KERNEL: u64 = 1 << 63;
        // Where PowerPC has it.
        const POWER_PC: u64 = 0xc000_0000_0000_0000;
        let start = mapping.start.0;
        let code = self.segments.iter().find(|s| s.is_executable).map(|s| s.start);
        let code = code.or(self.absent_code).filter(|code| code.0 >= KERNEL && start >= KERNEL)?;
        if code.0 == start.wrapping_sub(mapping.offset.0) {
            return Some(code);
        }
        if ![0, start, POWER_PC].contains(&mapping.offset.0) {
            return None;
        }
        let in_page = |address: u64| address & (SMALL_PAGE - 1);
        if in_page(code.0) == in_page(start) {
            return Some(code);
        }
        // A mapping may begin at the first function instead.
        let first = *self.first_function.get_or_init(|| {
            let named = self.with_symbols();
            let first = named.file.symbols().find(|s| s.name_bytes() == Ok(b"_stext"));
            first.map(|s| Svma(s.address()))
        });
        first.filter(|first| in_page(first.0) == in_page(start)).or(Some(code))
    }

    /// The function that holds `address`.
    pub fn symbol(&self, address: Svma) -> Option<Symbol<'d>> {
        let symbol = self.listed_symbol(address);
        #[cfg(feature = "lines")]
        let symbol = symbol.or_else(|| self.go_tables()?.symbol(address));
        #[cfg(feature = "pdb")]
        let symbol = self.image.and_then(|image| image.symbol(address)).or(symbol);
        symbol
    }

    /// The same from symbol tables alone.
    fn listed_symbol(&self, address: Svma) -> Option<Symbol<'d>> {
        let named = self.with_symbols();
        named.symbol_table().find(named.named(), address)
    }

    /// All functions of the symbol table, by address. Of several with the same extent, one.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'d>> {
        let named = self.with_symbols();
        let symbols = named.symbol_table().iter(named.named());
        #[cfg(feature = "lines")]
        let symbols = {
            let has_symbols = self.symbol_table().has_full_table();
            let go = if has_symbols { None } else { self.go_tables() };
            symbols.chain(go.into_iter().flat_map(|tables| tables.symbols()))
        };
        symbols
    }

    /// All names of the functions that start at `starts`, by start and name.
    pub fn names_at(&self, starts: &[Svma]) -> Vec<(Svma, Cow<'d, str>)> {
        let mut sorted = starts.to_vec();
        sorted.sort_unstable();
        SymbolTable::aliases(self.with_symbols().named(), &sorted)
    }

    /// What the file has for the `size` bytes from `address` on, or for as many of them as it has.
    #[cfg(feature = "disasm")]
    pub(crate) fn loaded_bytes(&self, address: Svma, size: u64) -> Option<&'d [u8]> {
        let part = |start: u64, data: ::object::Result<&'d [u8]>| {
            let offset = address.0.checked_sub(start)?;
            let rest = data.ok()?.get(usize::try_from(offset).ok()?..)?;
            let size = rest.len().min(usize::try_from(size).unwrap_or(usize::MAX));
            rest.get(..size).filter(|bytes| !bytes.is_empty())
        };
        if self.file.kind() == ObjectKind::Relocatable {
            let mut code = self.file.sections().filter(|s| s.kind() == SectionKind::Text);
            return code.find_map(|section| part(section.address(), section.data()));
        }
        self.file.segments().find_map(|segment| part(segment.address(), segment.data()))
    }

    /// The functions at `address`, innermost inlined one first; empty if nothing is known.
    ///
    /// A caller's return address belongs to the instruction after the call: subtract one first.
    pub fn frames(&self, address: Svma) -> Vec<Frame<'d>> {
        #[cfg(feature = "lines")]
        if let Some(frames) = self.go_frames(address) {
            return frames;
        }
        let symbol = self.symbol(address);
        #[cfg(feature = "lines")]
        if let Some(frames) = self.with_lines().and_then(|d| d.frames(address, symbol.as_ref())) {
            return frames;
        }
        self.frames_without_lines(address, symbol)
    }

    fn frames_without_lines(&self, address: Svma, symbol: Option<Symbol<'d>>) -> Vec<Frame<'d>> {
        #[cfg(feature = "pdb")]
        if let Some(frames) = self.image.and_then(|image| image.frames(address)) {
            return frames;
        }
        let _ = address;
        symbol.map(Frame::from).into_iter().collect()
    }

    /// The same with a walker of one's own, for many addresses on several threads.
    #[cfg(feature = "symbolize")]
    pub(crate) fn frames_with(
        &self,
        walker: &mut crate::dwarf::Walker<'d>,
        address: Svma,
    ) -> Vec<Frame<'d>> {
        if let Some(frames) = self.go_frames(address) {
            return frames;
        }
        let symbol = self.symbol(address);
        let lines = self.with_lines();
        let frames = lines.and_then(|d| d.frames_with(walker, address, symbol.as_ref()));
        frames.unwrap_or_else(|| self.frames_without_lines(address, symbol))
    }

    /// What a Go program says of its own code. It says the same in its debug information, which is larger and
    /// compressed, except that the tables shorten the type arguments of generic functions to `[...]`.
    #[cfg(feature = "lines")]
    fn go_frames(&self, address: Svma) -> Option<Vec<Frame<'d>>> {
        let mut frames = self.go_tables()?.frames(address)?;
        let outermost = frames.last_mut()?;
        if outermost.system_name.contains("[...]")
            && let Some(symbol) = self.listed_symbol(address)
        {
            outermost.system_name = symbol.name;
        }
        Some(frames)
    }

    /// Which part of the debug information to read for `address`, and how large it is.
    #[cfg(feature = "symbolize")]
    pub(crate) fn part_of(&self, address: Svma) -> Option<(usize, usize)> {
        if self.go_tables().is_some_and(|tables| tables.covers(address)) {
            return None;
        }
        self.with_lines()?.first_claim(address)
    }

    /// Reads what any address needs.
    #[cfg(feature = "symbolize")]
    pub(crate) fn warm(&self) {
        if self.go_tables().is_some() {
            return;
        }
        self.with_symbols().symbol_table();
        if let Some(lines) = self.with_lines() {
            lines.warm();
        }
    }

    /// The function at `address` from the symbol table alone.
    #[cfg(feature = "symbolize")]
    pub(crate) fn symbol_frame(&self, address: Svma) -> Vec<Frame<'d>> {
        self.symbol(address).map(Frame::from).into_iter().collect()
    }

    /// Whether this file has debug information of its own.
    #[cfg(feature = "lines")]
    pub fn has_lines(&self) -> bool {
        let names = [".debug_info", ".zdebug_info"];
        names.iter().any(|name| self.file.section_by_name(name).is_some())
    }

    /// Whether this file, or the debug file that goes with it, says anything about lines.
    #[cfg(feature = "symbolize")]
    pub(crate) fn knows_lines(&self) -> bool {
        #[cfg(feature = "pdb")]
        if self.image.is_some() {
            return true;
        }
        self.go_tables().is_some() || self.with_lines().is_some()
    }

    /// Name and CRC-32 of the file that debug information was split off into.
    pub fn debug_link(&self) -> Option<(&'d str, u32)> {
        let (name, crc) = self.file.gnu_debuglink().ok()??;
        Some((std::str::from_utf8(name).ok()?, crc))
    }

    /// What a Go program knows of itself.
    #[cfg(feature = "lines")]
    fn go_tables(&self) -> Option<&crate::go::GoTables<'d>> {
        self.go.get_or_init(|| crate::go::GoTables::find(&self.file, self.data)).as_ref()
    }

    /// This file's debug information, or else that of the debug file.
    #[cfg(feature = "lines")]
    fn with_lines(&self) -> Option<&crate::dwarf::Dwarf<'d>> {
        let own = self.dwarf.get_or_init(|| {
            let code = self.segments.iter().filter(|s| s.is_executable);
            let lowest = code.map(|s| s.start).chain(self.absent_code).min().unwrap_or_default().0;
            crate::dwarf::Dwarf::load(&self.file, self.data, self.store, lowest)
        });
        own.as_ref().or_else(|| self.debug.as_ref()?.with_lines())
    }

    /// Whichever of the file and its debug file has the fuller symbol table.
    fn with_symbols(&self) -> &Self {
        match &self.debug {
            Some(debug) if self.symbol_table().is_dynamic() => debug,
            _ => self,
        }
    }

    fn symbol_table(&self) -> &SymbolTable {
        self.symbols.get_or_init(|| SymbolTable::build(self.named()))
    }

    fn named(&self) -> Named<'_, 'd> {
        // Whoever has a debug file needs nothing else.
        let hidden = if self.debug.is_none() { self.hidden() } else { None };
        Named { file: &self.file, hidden }
    }

    /// What `.gnu_debugdata` holds.
    fn hidden(&self) -> Option<&File<'d>> {
        let unpacked = || {
            #[cfg(feature = "packed")]
            {
                let section = self.file.section_by_name(".gnu_debugdata")?;
                let packed = section.data().ok()?;
                let bytes = self.store?.keep(crate::packed::unpack_xz(packed).ok()?)?;
                File::parse(Data::from(bytes)).ok().map(Box::new)
            }
            #[cfg(not(feature = "packed"))]
            None
        };
        self.hidden.get_or_init(unpacked).as_deref()
    }

    /// Pages at the seam of two segments are mapped twice, so an offset in the seam may be in reach of
    /// both: prefer code, and the segment that states the offset over one that has it only by rounding.
    fn segment_at(&self, offset: FileOffset) -> Option<&Segment> {
        let best = |slack| {
            let reach = self.segments.iter().filter(move |s| s.reaches(offset, slack));
            reach.max_by_key(|s| s.is_executable)
        };
        best(0).or_else(|| best(PAGE))
    }
}

/// Code that takes room in memory, but none in the file.
fn is_absent_code<'d>(segment: &::object::read::Segment<'d, '_, Data<'d>>) -> bool {
    segment.permissions().executable() && segment.file_range().1 == 0 && segment.size() > 0
}

const SMALL_PAGE: u64 = 0x1000;

/// Largest page size in use; segments are loaded in whole pages.
const PAGE: u64 = 0x1_0000;

impl Segment {
    /// `None` for segments that take nothing from the file.
    fn of<'d>(segment: &::object::read::Segment<'d, '_, Data<'d>>) -> Option<Self> {
        let (offset, size) = segment.file_range();
        let start = segment.address();
        let permissions = segment.permissions();
        Some(Self {
            start: Svma(start),
            end: Svma(start.checked_add(size).filter(|_| size > 0)?),
            offset: FileOffset(offset),
            is_executable: permissions.executable(),
        })
    }

    fn reaches(&self, offset: FileOffset, slack: u64) -> bool {
        let end = self.offset.0.saturating_add(self.end.0 - self.start.0);
        offset.0 >= self.offset.0.saturating_sub(slack) && offset.0 < end.saturating_add(slack)
    }
}

fn outside(address: Avma) -> Error {
    Error::AddressNotInFile { address }
}
