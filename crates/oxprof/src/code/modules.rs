//! The binaries in this process: where their code is, their call-frame information and build ids.
//!
//! The dynamic loader lists them under its own lock. Nothing is allocated while it holds it: an
//! allocator may be waiting for that lock with its own taken.

use std::ffi::c_void;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use oxprof_unwind::{EhFrame, Module, Modules, Table};

use super::arch::ARCH;

/// A binary and its compiled table.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    found: Found,
    /// Of its call-frame information.
    fingerprint: u64,
    table: Option<Arc<Table>>,
}

/// The binaries of this process, compiled once each.
#[derive(Debug, Default)]
pub(crate) struct Binaries {
    version: Option<Version>,
    list: Vec<Binary>,
}

/// How often binaries were loaded and unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    loads: u64,
    unloads: u64,
}

/// What the loader says about a binary, without memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    text: Range<u64>,
    /// Where its `.eh_frame` is; empty if it has none.
    eh_frame: Range<u64>,
    build_id: BuildId,
}

/// A build id of at most 32 bytes, which is longer than linkers make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct BuildId {
    bytes: [u8; 32],
    length: u8,
}

impl Binary {
    /// Addresses of its code.
    pub(crate) fn text(&self) -> &Range<u64> {
        &self.found.text
    }

    /// Its build id in hexadecimal; empty if it has none.
    pub(crate) fn build_id(&self) -> String {
        let id = &self.found.build_id;
        id.bytes[..usize::from(id.length)].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Binaries {
    /// All binaries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Binary> {
        self.list.iter()
    }

    /// The map for handlers.
    pub(crate) fn modules(&self) -> Modules {
        let module = |b: &Binary| Module { text: b.found.text.clone(), table: b.table.clone() };
        Modules::new(self.list.iter().map(module).collect())
    }

    /// Looks at the binaries again if any was loaded or unloaded. Returns whether that was so.
    pub(crate) fn refresh(&mut self) -> bool {
        if self.version.is_some() && self.version == current_version() {
            return false;
        }
        while !self.try_refresh() {}
        true
    }

    /// Fails when binaries come and go meanwhile.
    fn try_refresh(&mut self) -> bool {
        let (version, found) = find();
        let (mut list, new) = self.split_known(version, found);
        let mut sections: Vec<Vec<u8>> =
            new.iter().map(|f| Vec::with_capacity(length(&f.eh_frame))).collect();
        if !copy(version, &new, &mut sections) {
            return false;
        }
        list.extend(new.into_iter().zip(&sections).map(|(f, bytes)| compile(f, bytes, &self.list)));
        self.list = list;
        self.version = Some(version);
        true
    }

    /// Those of `found` that need not be looked at again, and the others. What is where something was
    /// before is the same only if nothing was unloaded since.
    fn split_known(&self, version: Version, found: Vec<Found>) -> (Vec<Binary>, Vec<Found>) {
        let only_loads = self.version.is_some_and(|v| v.unloads == version.unloads);
        let known = if only_loads { &*self.list } else { &[] };
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for found in found {
            match known.iter().find(|b| b.found == found) {
                Some(binary) => old.push(binary.clone()),
                None => new.push(found),
            }
        }
        (old, new)
    }
}

/// The binary with its table, taken from `old` if it was there already.
fn compile(found: Found, section: &[u8], old: &[Binary]) -> Binary {
    let mut hasher = DefaultHasher::new();
    hasher.write(section);
    let fingerprint = hasher.finish();
    if let Some(same) = old.iter().find(|b| b.found == found && b.fingerprint == fingerprint) {
        return same.clone();
    }
    let eh_frame = EhFrame { bytes: section, address: found.eh_frame.start };
    // Code too large to be described is walked by guessing, as if it had no call-frame information.
    let compiled = Table::compile(&ARCH, &eh_frame, found.text.clone()).ok();
    let table = compiled.filter(|_| !section.is_empty()).map(|(table, _)| Arc::new(table));
    Binary { found, fingerprint, table }
}

fn length(range: &Range<u64>) -> usize {
    range.end.saturating_sub(range.start) as usize
}

/// Calls `each` for every binary, under the loader's lock, until it returns false.
fn iterate<F: FnMut(&libc::dl_phdr_info) -> bool>(mut each: F) {
    unsafe extern "C" fn callback<F: FnMut(&libc::dl_phdr_info) -> bool>(
        info: *mut libc::dl_phdr_info,
        _: usize,
        each: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: `each` is the closure below, and the loader passes a valid info.
        let (each, info) = unsafe { (&mut *each.cast::<F>(), &*info) };
        libc::c_int::from(!each(info))
    }
    // SAFETY: the callback gets the closure it expects, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(callback::<F>), (&raw mut each).cast()) };
}

fn version_of(info: &libc::dl_phdr_info) -> Version {
    Version { loads: info.dlpi_adds, unloads: info.dlpi_subs }
}

fn current_version() -> Option<Version> {
    let mut version = None;
    iterate(|info| {
        version = Some(version_of(info));
        false
    });
    version
}

/// The binaries there are, and the version that holds for.
fn find() -> (Version, Vec<Found>) {
    let mut found = Vec::with_capacity(64);
    loop {
        let (mut version, mut missing) = (Version { loads: 0, unloads: 0 }, 0);
        found.clear();
        iterate(|info| {
            version = version_of(info);
            if let Some(binary) = Found::new(info.dlpi_addr, headers(info)) {
                if found.len() < found.capacity() {
                    found.push(binary);
                } else {
                    missing += 1;
                }
            }
            true
        });
        if missing == 0 {
            found.extend(Found::vdso(&found));
            return (version, found);
        }
        found.reserve(found.capacity() + missing);
    }
}

fn headers(info: &libc::dl_phdr_info) -> &[libc::Elf64_Phdr] {
    if info.dlpi_phdr.is_null() {
        return &[];
    }
    // SAFETY: the loader's description of a binary it has mapped.
    unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) }
}

/// Copies the sections of all `found`, unless binaries came or went since. `into` has the room.
fn copy(version: Version, found: &[Found], into: &mut [Vec<u8>]) -> bool {
    let mut copied = false;
    iterate(|info| {
        if version_of(info) == version {
            for (binary, bytes) in found.iter().zip(&mut *into) {
                // SAFETY: nothing was unloaded since `find` saw the section, and nothing can be while
                // the loader is in this callback.
                bytes.extend_from_slice(unsafe { mapped(&binary.eh_frame) });
            }
            copied = true;
        }
        false
    });
    copied
}

/// The memory at `range`.
///
/// # Safety
/// It is mapped, and remains so and unchanged for as long as the result is used.
unsafe fn mapped<'a>(range: &Range<u64>) -> &'a [u8] {
    if range.is_empty() {
        return &[];
    }
    // SAFETY: see above.
    unsafe { slice::from_raw_parts(range.start as *const u8, length(range)) }
}

impl Found {
    /// The binary at `base` with these program headers, if it has code.
    fn new(base: u64, headers: &[libc::Elf64_Phdr]) -> Option<Self> {
        let image = Image { base, headers };
        let text = image.text()?;
        Some(Self { text, eh_frame: image.eh_frame().unwrap_or(0..0), build_id: image.build_id() })
    }

    /// The kernel's code in every process, which static programs' loaders do not list.
    fn vdso(found: &[Self]) -> Option<Self> {
        // SAFETY: has no preconditions.
        let address = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        if address == 0 || found.iter().any(|f| f.text.contains(&address)) {
            return None;
        }
        // SAFETY: the kernel mapped an ELF image there, for as long as the process lives.
        let header = unsafe { &*(address as *const libc::Elf64_Ehdr) };
        let headers = (address + header.e_phoff) as *const libc::Elf64_Phdr;
        // SAFETY: as above, its program headers are in the image.
        let headers = unsafe { slice::from_raw_parts(headers, usize::from(header.e_phnum)) };
        let linked = headers.iter().find(|h| h.p_type == libc::PT_LOAD)?.p_vaddr;
        Self::new(address.wrapping_sub(linked), headers)
    }
}

/// A binary in memory.
struct Image<'a> {
    base: u64,
    headers: &'a [libc::Elf64_Phdr],
}

impl Image<'_> {
    /// From the first byte of code to the last.
    fn text(&self) -> Option<Range<u64>> {
        let code = self.loads().filter(|h| h.p_flags & libc::PF_X != 0).map(|h| self.range(h));
        code.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
    }

    fn loads(&self) -> impl Iterator<Item = &libc::Elf64_Phdr> {
        self.headers.iter().filter(|h| h.p_type == libc::PT_LOAD)
    }

    fn of_type(&self, kind: u32) -> impl Iterator<Item = Range<u64>> {
        self.headers.iter().filter(move |h| h.p_type == kind).map(|h| self.range(h))
    }

    fn range(&self, header: &libc::Elf64_Phdr) -> Range<u64> {
        let start = self.base.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    }

    /// The part of `range` that is readable memory of this binary, given that its start is.
    fn within_load(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let readable = self.loads().filter(|h| h.p_flags & libc::PF_R != 0);
        let load = readable.map(|h| self.range(h)).find(|load| load.contains(&range.start))?;
        Some(range.start..range.end.min(load.end))
    }

    fn eh_frame(&self) -> Option<Range<u64>> {
        let header = self.of_type(libc::PT_GNU_EH_FRAME).next()?;
        let header = self.within_load(&header)?;
        // SAFETY: part of the binary, which is mapped while the loader lists it, and never written.
        let bytes = unsafe { mapped(&header) };
        let start = EhFrame::address_in_header(bytes, header.start)?;
        let most = self.within_load(&(start..u64::MAX))?;
        // SAFETY: as above.
        let length = EhFrame::length_within(unsafe { mapped(&most) });
        Some(start..start + length as u64)
    }

    fn build_id(&self) -> BuildId {
        let notes = self.of_type(libc::PT_NOTE).filter_map(|range| self.within_load(&range));
        // SAFETY: as above.
        notes
            .filter_map(|range| BuildId::in_notes(unsafe { mapped(&range) }))
            .next()
            .unwrap_or_default()
    }
}

impl BuildId {
    /// The build id among ELF notes: name size, contents size, type, name, contents, padded to 4 bytes.
    fn in_notes(mut notes: &[u8]) -> Option<Self> {
        const NT_GNU_BUILD_ID: u32 = 3;
        loop {
            let (header, rest) = notes.split_first_chunk::<12>()?;
            let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| header[at + i]));
            let (name, contents) = (word(0) as usize, word(4) as usize);
            let (name, rest) = rest.split_at_checked(name.checked_next_multiple_of(4)?)?;
            let contents_bytes = rest.get(..contents)?;
            if word(8) == NT_GNU_BUILD_ID && name == b"GNU\0" {
                return Self::new(contents_bytes);
            }
            notes = rest.get(contents.checked_next_multiple_of(4)?..)?;
        }
    }

    fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, length: id.len() as u8 })
    }
}
