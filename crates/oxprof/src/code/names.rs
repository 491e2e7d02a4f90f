//! Functions at addresses of this process, from the files that are mapped.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;
use oxprof_symbols::{Avma, Demangle, FileOffset, MappedRange, Object, Svma};

use super::known::{self, Known};
use super::maps::{Maps, Row, program};
#[cfg(feature = "http")]
use super::modules::Binaries;

/// A function at an address; text is empty and numbers are zero where unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) system_name: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) start_line: u32,
}

/// Names of the functions whose code is at `addresses` now; of functions inlined there, the one they are
/// inlined into.
#[cfg(feature = "http")]
pub(crate) fn symbols(addresses: &[u64]) -> Vec<Option<String>> {
    let mut maps = Maps::default();
    maps.update(&Binaries::default());
    let mut names = Names::new(&maps);
    let mut name =
        |&address: &u64| Some(names.at(maps.find(address)?, address).frames.last()?.name.clone());
    addresses.iter().map(&mut name).collect()
}

/// Looks names up that are not known yet, opening each file when it is first asked for.
pub(crate) struct Names<'a> {
    maps: &'a Maps,
    /// By path. `None` for what cannot be read: such addresses stay without names.
    binaries: HashMap<&'a str, Option<Binary>>,
}

/// The bytes of a binary and their meaning, which borrows from them.
struct Binary {
    /// Declared before what it borrows from: dropped first.
    object: Object<'static>,
    /// Its symbols, where distributions put them apart. Opened when the binary itself has no answer.
    debug: OnceCell<Option<Box<Self>>>,
    _bytes: Bytes,
}

enum Bytes {
    Mapped(Mmap),
    /// Not a box, which may not move while something refers to what it holds.
    Copied(Vec<u8>),
}

impl<'a> Names<'a> {
    pub(crate) fn new(maps: &'a Maps) -> Self {
        Self { maps, binaries: HashMap::new() }
    }

    /// The functions at `address`, which the mapping number `row` holds.
    pub(crate) fn at(&mut self, row: usize, address: u64) -> Known {
        if let Some(known) = known::get(&self.maps.rows()[row], address) {
            return known;
        }
        let (row, binary) = self.binary(row);
        let Some(binary) = binary else { return Known::default() };
        let frames = binary.frames(row, address).into();
        let known = Known { frames, offset: binary.offset(row, address) };
        known::put(row, address, &known);
        known
    }

    fn binary(&mut self, row: usize) -> (&'a Row, Option<&Binary>) {
        let row = &self.maps.rows()[row];
        let binary = self.binaries.entry(&row.file).or_insert_with(|| Binary::open(row));
        (row, binary.as_ref())
    }
}

impl Binary {
    /// The binary of `row`, unless the file is another one by now.
    fn open(row: &Row) -> Option<Self> {
        let binary = Self::new(Bytes::of(row).ok()?)?;
        // Nothing to compare where the loader did not tell.
        (row.build_id.is_empty() || binary.build_id() == row.build_id).then_some(binary)
    }

    /// The debug file of a build, if it is installed.
    fn open_debug(build_id: &str) -> Option<Self> {
        let (directory, name) = build_id.split_at_checked(2)?;
        let path = format!("/usr/lib/debug/.build-id/{directory}/{name}.debug");
        Self::new(Bytes::map(Path::new(&path)).ok()?).filter(|debug| debug.build_id() == build_id)
    }

    fn build_id(&self) -> String {
        self.object.build_id().map(|id| id.to_string()).unwrap_or_default()
    }

    fn new(bytes: Bytes) -> Option<Self> {
        // SAFETY: the bytes of a mapping or a vector stay where they are when `Bytes` moves, nobody writes to
        // them, and they are freed after `object` (order of fields).
        let data: &'static [u8] = unsafe { &*std::ptr::from_ref(bytes.as_slice()) };
        Some(Self { object: Object::parse(data).ok()?, debug: OnceCell::new(), _bytes: bytes })
    }

    fn frames(&self, row: &Row, address: u64) -> Vec<Frame> {
        let Some(address) = self.svma(row, address) else { return Vec::new() };
        let frames = self.frames_at(address);
        if !frames.is_empty() {
            return frames;
        }
        let open = || Self::open_debug(&self.build_id()).map(Box::new);
        let debug = self.debug.get_or_init(open).as_ref();
        debug.map(|debug| debug.frames_at(address)).unwrap_or_default()
    }

    fn frames_at(&self, address: Svma) -> Vec<Frame> {
        self.object.frames(address).into_iter().filter_map(Frame::new).collect()
    }

    fn offset(&self, row: &Row, address: u64) -> Option<u64> {
        let address = self.svma(row, address)?;
        address.0.checked_sub(self.object.symbol(address)?.start.0)
    }

    fn svma(&self, row: &Row, address: u64) -> Option<Svma> {
        let mapped = MappedRange {
            start: Avma(row.range.start),
            limit: Avma(row.range.end),
            offset: FileOffset(row.offset),
        };
        self.object.svma(Avma(address), &mapped).ok()
    }
}

impl Bytes {
    fn of(row: &Row) -> io::Result<Self> {
        if row.file == "[vdso]" {
            return Ok(Self::Copied(vdso(row)));
        }
        // The program's file can be read even when it has been deleted or replaced.
        let is_program = program().as_ref() == Some(&row.file);
        let path = if is_program { "/proc/self/exe" } else { &row.file };
        Self::map(Path::new(path))
    }

    fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the program or a library that it runs from by such a mapping already: whoever truncates
        // the file kills the process with or without us. Debug files are replaced by renaming, as all
        // that package managers install.
        Ok(Self::Mapped(unsafe { Mmap::map(&file)? }))
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// The kernel's code in this process, which is a whole ELF image.
fn vdso(row: &Row) -> Vec<u8> {
    let (start, length) = (row.range.start, row.range.end - row.range.start);
    // SAFETY: the kernel maps it readable for as long as the process lives, and nobody writes to it.
    unsafe { std::slice::from_raw_parts(start as *const u8, length as usize) }.to_vec()
}

impl Frame {
    /// `None` for a function without a name.
    fn new(frame: oxprof_symbols::Frame<'_>) -> Option<Self> {
        let name = frame.name(Demangle::Default).into_owned();
        if name.is_empty() {
            return None;
        }
        // A name for people that equals the linker's is taken for mangled and cut at its brackets by other
        // tools; one without a linker's name is not.
        let is_plain = !name.contains("::") && !name.contains(['<', '[', '(']);
        let is_mangled = frame.system_name != name;
        let system_name =
            if is_mangled || is_plain { frame.system_name.into_owned() } else { String::new() };
        Some(Self {
            name,
            system_name,
            file: frame.file.map(|f| f.into_owned()).unwrap_or_default(),
            line: frame.line,
            column: frame.column,
            start_line: frame.start_line,
        })
    }
}
