//! Debug sections: plain, compressed, shared between objects, and split off unit by unit.

use std::borrow::Cow;
use std::sync::Arc;

use ::object::read::{CompressedData, CompressionFormat, Object as _, ObjectSection as _};
use gimli::{DwarfPackage, EndianSlice, RunTimeEndian, SectionId};

use crate::store::{DebugFile, Store};

pub(crate) type Reader<'d> = EndianSlice<'d, RunTimeEndian>;
pub(crate) type Sections<'d> = gimli::Dwarf<Reader<'d>>;

type File<'d> = ::object::File<'d>;

/// A compressed section that claims to be larger than this many times its compressed size is not
/// believed: it would take the memory before it is found out.
const MAX_INFLATION: u64 = 128;

/// The debug sections of `file`, with those that it shares with other files; `None` if it has none.
pub(crate) fn load<'d>(file: &File<'d>, store: Option<&'d Store<'d>>) -> Option<Sections<'d>> {
    let mut sections = load_named(file, store, |id| Some(id.name()))?;
    if let Some(shared) = store.and_then(|s| shared_file(file, s)) {
        sections.load_sup(|id| section(&shared, store, Some(id.name()))).ok()?;
    }
    Some(sections)
}

fn load_named<'d>(
    file: &File<'d>,
    store: Option<&'d Store<'d>>,
    name: impl Fn(SectionId) -> Option<&'static str>,
) -> Option<Sections<'d>> {
    gimli::Dwarf::load(|id| section(file, store, name(id))).ok()
}

/// What dwz moved into a file for several objects.
fn shared_file<'d>(file: &File<'d>, store: &'d Store<'d>) -> Option<File<'d>> {
    let (path, build_id) = file.gnu_debugaltlink().ok()??;
    let path = std::str::from_utf8(path).ok()?;
    let shared = File::parse(store.open(DebugFile::Shared { path, build_id })?).ok()?;
    (shared.build_id().ok()?? == build_id).then_some(shared)
}

/// Finds the split units of an object.
pub(crate) struct SplitUnits<'d> {
    store: Option<&'d Store<'d>>,
    package: Option<DwarfPackage<Reader<'d>>>,
}

impl<'d> SplitUnits<'d> {
    pub(crate) fn new(store: Option<&'d Store<'d>>) -> Self {
        Self { store, package: store.and_then(package) }
    }

    /// The debug information of one unit; `None` if its file is missing or is of another build.
    pub(crate) fn load(
        &self,
        wanted: &addr2line::SplitDwarfLoad<Reader<'d>>,
    ) -> Option<Arc<Sections<'d>>> {
        let packed =
            self.package.as_ref().and_then(|p| p.find_cu(wanted.dwo_id, &wanted.parent).ok()?);
        packed.or_else(|| self.load_file(wanted)).map(Arc::new)
    }

    fn load_file(&self, wanted: &addr2line::SplitDwarfLoad<Reader<'d>>) -> Option<Sections<'d>> {
        let directory = wanted.comp_dir.map_or("", |d| d.to_string().unwrap_or_default());
        let path = wanted.path.as_ref()?.to_string().ok()?;
        let data = self.store?.open(DebugFile::Split { directory, path })?;
        let mut sections = load_named(&File::parse(data).ok()?, self.store, SectionId::dwo_name)?;
        let header = sections.units().next().ok()??;
        if sections.unit(header).ok()?.dwo_id != Some(wanted.dwo_id) {
            return None;
        }
        sections.make_dwo(&wanted.parent);
        Some(sections)
    }
}

fn package<'d>(store: &'d Store<'d>) -> Option<DwarfPackage<Reader<'d>>> {
    let file = File::parse(store.open(DebugFile::Package)?).ok()?;
    let empty = EndianSlice::new(&[], endian(&file));
    DwarfPackage::load(|id| section(&file, Some(store), id.dwo_name()), empty).ok()
}

fn section<'d>(
    file: &File<'d>,
    store: Option<&'d Store<'d>>,
    name: Option<&str>,
) -> Result<Reader<'d>, gimli::Error> {
    let found = name.and_then(|name| {
        let compressed = || file.section_by_name(&name.replace(".debug_", ".zdebug_"));
        file.section_by_name(name).or_else(compressed)
    });
    let data = found.and_then(|s| content(&s, store)).unwrap_or_default();
    Ok(EndianSlice::new(data, endian(file)))
}

fn content<'d>(
    section: &::object::Section<'d, '_>,
    store: Option<&'d Store<'d>>,
) -> Option<&'d [u8]> {
    let mut data = section.compressed_data().ok()?;
    if data.format == CompressionFormat::None
        && section.name().is_ok_and(|name| name.starts_with(".zdebug_"))
    {
        data = gnu_compressed(data.data)?;
    }
    if data.uncompressed_size / MAX_INFLATION > data.data.len() as u64 {
        return None;
    }
    match data.decompress().ok()? {
        Cow::Borrowed(data) => Some(data),
        Cow::Owned(data) => store?.keep(data),
    }
}

/// The older way to compress, which the reader knows only in ELF files: a magic, the size, a zlib stream.
fn gnu_compressed(data: &[u8]) -> Option<CompressedData<'_>> {
    let (size, data) = data.strip_prefix(b"ZLIB")?.split_first_chunk()?;
    let uncompressed_size = u64::from_be_bytes(*size);
    Some(CompressedData { format: CompressionFormat::Zlib, data, uncompressed_size })
}

fn endian(file: &File<'_>) -> RunTimeEndian {
    if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}
