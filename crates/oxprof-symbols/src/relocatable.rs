//! Files that are not linked yet, kernel modules above all: each of their sections starts at address 0, and what
//! refers to an address, debug information most of all, has a hole where that goes.
//!
//! [`lay_out`] does for them what a linker does. Code comes first, in the order in which the kernel loads a
//! module, so that an address less that of the loaded module is one of this layout.

use ::object::read::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};
use ::object::{ObjectKind, Relocation, RelocationKind, SectionFlags, SectionIndex, elf};

use crate::data::{Data, File, Section};
use crate::sections::{MAX_INFLATION, inflate};

/// What the kernel loads besides code starts at a page of its own.
const PAGE: u64 = 0x1000;

/// Where things are in the header of a file, of a section, and in a symbol; with 64 bits.
mod at {
    pub(super) const KIND: u64 = 16;
    pub(super) const SECTIONS: usize = 40;
    pub(super) const SECTION_SIZE: usize = 64;
    pub(super) const FLAGS: usize = 8;
    pub(super) const ADDRESS: usize = 16;
    pub(super) const OFFSET: usize = 24;
    pub(super) const SIZE: usize = 32;
    pub(super) const SYMBOL_SIZE: usize = 24;
    pub(super) const VALUE: usize = 8;
}

/// A copy of `data` in which sections and symbols have addresses and references are filled in; `None` if it is
/// no such file.
pub(crate) fn lay_out(data: Data<'_>) -> Option<Vec<u8>> {
    let header = data.get(0..at::KIND + 2).filter(|header| header.starts_with(b"\x7fELF"))?;
    if !header.ends_with(&[1, 0]) && !header.ends_with(&[0, 1]) {
        return None;
    }
    let data = data.all()?;
    let file = File::parse(Data::from(data)).ok()?;
    if file.kind() != ObjectKind::Relocatable || !matches!(file, File::Elf64(_)) {
        return None;
    }
    let mut layout = Layout { addresses: addresses(&file), image: data.to_vec(), file: &file };
    layout.place_sections();
    layout.place_symbols();
    let mut bounds = Bounds::of(data);
    for section in file.sections() {
        // What is wrong with one section is no reason to do without the others.
        let _ = layout.fill(&section, &mut bounds);
    }
    Some(layout.image)
}

/// Sections of a damaged file may all claim the same references, or the same compressed bytes.
struct Bounds {
    /// How many references there may be.
    references: usize,
    /// How many decompressed bytes.
    bytes: usize,
}

impl Bounds {
    fn of(data: &[u8]) -> Self {
        let bytes = data.len().saturating_mul(MAX_INFLATION as usize);
        Self { references: data.len() / size_of::<u64>(), bytes }
    }
}

/// A part of the file that is loaded, in the order in which parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Code,
    Data,
    /// Dropped when it has run once.
    InitialCode,
    InitialData,
}

impl Part {
    fn of(section: &Section<'_, '_>) -> Option<Self> {
        let is_initial = section.name_bytes().is_ok_and(|name| name.starts_with(b".init"));
        match (flags(section) & elf::SHF_EXECINSTR.0 != 0, is_initial) {
            _ if flags(section) & elf::SHF_ALLOC.0 == 0 => None,
            (true, false) => Some(Self::Code),
            (false, false) => Some(Self::Data),
            (true, true) => Some(Self::InitialCode),
            (false, true) => Some(Self::InitialData),
        }
    }
}

fn flags(section: &Section<'_, '_>) -> u64 {
    match section.flags() {
        SectionFlags::Elf { sh_flags, .. } => sh_flags.0,
        _ => 0,
    }
}

/// Where each section goes, by its number.
fn addresses(file: &File<'_>) -> Vec<u64> {
    let loaded = file.sections().filter_map(|s| Some((Part::of(&s)?, s.index().0, s)));
    let mut loaded: Vec<_> = loaded.collect();
    loaded.sort_by_key(|&(part, index, _)| (part, index));
    let (mut addresses, mut next, mut last) = (Vec::new(), 0_u64, Part::Code);
    for (part, index, section) in loaded {
        let align = if part == last { section.align().max(1) } else { section.align().max(PAGE) };
        last = part;
        let Some(address) = next.checked_next_multiple_of(align) else { break };
        let Some(end) = address.checked_add(section.size()) else { break };
        addresses.resize(addresses.len().max(index + 1), 0);
        addresses[index] = address;
        next = end;
    }
    addresses
}

struct Layout<'a, 'd> {
    file: &'a File<'d>,
    addresses: Vec<u64>,
    image: Vec<u8>,
}

impl Layout<'_, '_> {
    fn address(&self, section: SectionIndex) -> u64 {
        self.addresses.get(section.0).copied().unwrap_or(0)
    }

    fn place_sections(&mut self) {
        for (index, &address) in self.addresses.clone().iter().enumerate() {
            let _ = self.set_header(SectionIndex(index), at::ADDRESS, address);
        }
    }

    fn place_symbols(&mut self) -> Option<()> {
        let File::Elf64(elf) = self.file else { return None };
        let table = elf.elf_symbol_table().section();
        let (table, _) = self.file.section_by_index(table).ok()?.file_range()?;
        let table = usize::try_from(table).ok()?;
        for symbol in self.file.symbols() {
            let Some(section) = symbol.section_index() else { continue };
            let value = self.address(section).wrapping_add(symbol.address());
            let entry = symbol.index().0.checked_mul(at::SYMBOL_SIZE)?;
            self.write(table.checked_add(entry)?.checked_add(at::VALUE)?, value, 8)?;
        }
        Some(())
    }

    /// Writes a field of the header of a section.
    fn set_header(&mut self, section: SectionIndex, field: usize, value: u64) -> Option<()> {
        let table = self.image.get(at::SECTIONS..at::SECTIONS + 8)?.try_into().ok()?;
        let little = self.file.is_little_endian();
        let table = if little { u64::from_le_bytes(table) } else { u64::from_be_bytes(table) };
        let header = section.0.checked_mul(at::SECTION_SIZE)?.checked_add(field)?;
        self.write(usize::try_from(table).ok()?.checked_add(header)?, value, 8)
    }

    fn write(&mut self, at: usize, value: u64, size: usize) -> Option<()> {
        let place = self.image.get_mut(at..at.checked_add(size)?)?;
        if self.file.is_little_endian() {
            place.copy_from_slice(&value.to_le_bytes()[..size]);
        } else {
            place.copy_from_slice(&value.to_be_bytes()[8 - size..]);
        }
        Some(())
    }

    /// Fills in what a section of code or debug information refers to.
    fn fill(&mut self, section: &Section<'_, '_>, bounds: &mut Bounds) -> Option<()> {
        let is_debug = section.name_bytes().is_ok_and(|name| name.starts_with(b".debug_"));
        let is_code = flags(section) & elf::SHF_EXECINSTR.0 != 0;
        if !is_debug && !is_code {
            return Some(());
        }
        let start = match flags(section) & elf::SHF_COMPRESSED.0 {
            0 => usize::try_from(section.file_range()?.0).ok()?,
            _ => self.decompress(section, bounds)?,
        };
        for (offset, relocation) in section.relocations() {
            bounds.references = bounds.references.checked_sub(1)?;
            let place = self.address(section.index()).wrapping_add(offset);
            if let Some(value) = self.value(&relocation, place) {
                let at = start.checked_add(usize::try_from(offset).ok()?)?;
                self.write(at, value, usize::from(relocation.size() / 8))?;
            }
        }
        Some(())
    }

    /// Puts the content of a section at the end, and says so in its header.
    fn decompress(&mut self, section: &Section<'_, '_>, bounds: &mut Bounds) -> Option<usize> {
        // What it claims counts before anything is done for it, and if it is damaged, too.
        let claimed = usize::try_from(section.compressed_data().ok()?.uncompressed_size).ok()?;
        bounds.bytes = bounds.bytes.checked_sub(claimed)?;
        let content = inflate(section)?;
        let (start, plain) = (self.image.len(), flags(section) & !elf::SHF_COMPRESSED.0);
        self.image.extend_from_slice(&content);
        self.set_header(section.index(), at::OFFSET, start as u64)?;
        self.set_header(section.index(), at::SIZE, content.len() as u64)?;
        self.set_header(section.index(), at::FLAGS, plain)?;
        Some(start)
    }

    /// What goes to `place`; `None` if that is nothing, or not in this file.
    fn value(&self, relocation: &Relocation, place: u64) -> Option<u64> {
        if !matches!(relocation.size(), 32 | 64) || relocation.has_implicit_addend() {
            return None;
        }
        let target = match relocation.target() {
            RelocationTarget::Symbol(index) => {
                let symbol = self.file.symbol_by_index(index).ok()?;
                self.address(symbol.section_index()?).wrapping_add(symbol.address())
            }
            RelocationTarget::Section(index) => self.address(index),
            _ => return None,
        };
        let target = target.wrapping_add_signed(relocation.addend());
        match relocation.kind() {
            RelocationKind::Absolute => Some(target),
            RelocationKind::Relative | RelocationKind::PltRelative => {
                Some(target.wrapping_sub(place))
            }
            _ => None,
        }
    }
}
