//! Debug sections: plain, compressed, shared between objects, and split off unit by unit.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use ::object::read::{CompressedData, CompressionFormat, Object as _, ObjectSection as _};
use gimli::{EndianSlice, IndexSectionId, RunTimeEndian, UnitIndex};

use crate::cursor::Cursor;
use crate::data::{Data, File};
use crate::store::{DebugFile, Store};

/// A compressed section that claims to be larger than this many times its compressed size is not
/// believed: it would take the memory before it is found out.
pub(crate) const MAX_INFLATION: u64 = 128;

/// The sections that names and lines are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Abbrev,
    Addr,
    Aranges,
    Info,
    Line,
    LineStr,
    Ranges,
    RngLists,
    Str,
    StrOffsets,
}

impl Section {
    const COUNT: usize = Self::StrOffsets as usize + 1;

    fn name(self) -> &'static str {
        match self {
            Self::Abbrev => ".debug_abbrev",
            Self::Addr => ".debug_addr",
            Self::Aranges => ".debug_aranges",
            Self::Info => ".debug_info",
            Self::Line => ".debug_line",
            Self::LineStr => ".debug_line_str",
            Self::Ranges => ".debug_ranges",
            Self::RngLists => ".debug_rnglists",
            Self::Str => ".debug_str",
            Self::StrOffsets => ".debug_str_offsets",
        }
    }
}

/// The debug sections of one file, each read when it is first asked for.
pub(crate) struct Sections<'d> {
    /// `None` if all that there is has been read.
    file: Option<Arc<File<'d>>>,
    store: Option<&'d Store<'d>>,
    /// Whether these are of units that were split off.
    is_split: bool,
    is_big_endian: bool,
    contents: [OnceLock<&'d [u8]>; Section::COUNT],
    data: Option<Data<'d>>,
    plain: [OnceLock<Option<Range<u64>>>; Section::COUNT],
    shared: OnceLock<Option<Arc<Self>>>,
}

impl<'d> Sections<'d> {
    pub(crate) fn new(
        file: Arc<File<'d>>,
        data: Data<'d>,
        store: Option<&'d Store<'d>>,
        is_split: bool,
    ) -> Self {
        Self {
            store,
            data: Some(data),
            plain: Default::default(),
            is_split,
            is_big_endian: !file.is_little_endian(),
            contents: Default::default(),
            shared: OnceLock::new(),
            file: Some(file),
        }
    }

    /// What is in a section; nothing if it is missing or damaged.
    pub(crate) fn get(&self, section: Section) -> &'d [u8] {
        self.contents[section as usize].get_or_init(|| {
            let Some(file) = &self.file else { return &[] };
            named(file, self.store, &self.name(section))
        })
    }

    pub(crate) fn cursor(&self, section: Section) -> Cursor<'d> {
        Cursor::new(self.get(section), self.is_big_endian)
    }

    /// Part of a section, of which the rest may not have to be read.
    pub(crate) fn part(&self, section: Section, range: Range<usize>) -> Option<Cursor<'d>> {
        let base = range.start;
        Some(self.cursor_over(self.bytes(section, range)?, base))
    }

    /// Over part of a section, which is at `base`.
    pub(crate) fn cursor_over<'a>(&self, part: &'a [u8], base: usize) -> Cursor<'a> {
        Cursor::of_part(part, base, self.is_big_endian)
    }

    /// What is in a part of a section.
    pub(crate) fn bytes(&self, section: Section, range: Range<usize>) -> Option<&'d [u8]> {
        match self.plain(section) {
            Some(whole) => self.data?.get(inside(&whole, &range)?),
            None => self.get(section).get(range),
        }
    }

    /// The same for what is gone over once, in the memory of `spare` if it has to be read.
    pub(crate) fn passing(
        &self,
        section: Section,
        range: Range<usize>,
        spare: Vec<u8>,
    ) -> Option<Cow<'d, [u8]>> {
        match self.plain(section) {
            Some(whole) => self.data?.passing(inside(&whole, &range)?, spare),
            None => self.get(section).get(range).map(Cow::Borrowed),
        }
    }

    /// How long a section is.
    pub(crate) fn size(&self, section: Section) -> usize {
        match self.plain(section) {
            Some(whole) => usize::try_from(whole.end - whole.start).unwrap_or(usize::MAX),
            None => self.get(section).len(),
        }
    }

    /// Text in a section, up to its zero. Few texts of many are asked for, so the section is not read as a whole.
    pub(crate) fn text(&self, section: Section, at: u64) -> Option<&'d [u8]> {
        match self.plain(section) {
            Some(range) => self.data?.until(range.start.checked_add(at)?..range.end, 0),
            None => self.cursor(section).at(at)?.text(),
        }
    }

    /// Reads, and decompresses, what no question does without.
    #[cfg(feature = "symbolize")]
    pub(crate) fn warm(&self) {
        for section in [Section::Abbrev, Section::RngLists] {
            self.get(section);
        }
        for section in [Section::Line, Section::Str, Section::LineStr] {
            if self.plain(section).is_none() {
                self.get(section);
            }
        }
    }

    /// Where a section is in the file, if it is not compressed.
    fn plain(&self, section: Section) -> Option<Range<u64>> {
        let find = || {
            let found = self.file.as_ref()?.section_by_name(&self.name(section))?;
            let range = found.compressed_file_range().ok()?;
            let is_plain = range.format == CompressionFormat::None;
            is_plain.then(|| range.offset..range.offset.saturating_add(range.uncompressed_size))
        };
        self.plain[section as usize].get_or_init(find).clone()
    }

    fn name(&self, section: Section) -> String {
        format!("{}{}", section.name(), if self.is_split { ".dwo" } else { "" })
    }

    pub(crate) fn is_split(&self) -> bool {
        self.is_split
    }

    /// What dwz moved into a file for several objects.
    pub(crate) fn shared(&self) -> Option<&Arc<Self>> {
        let open = || {
            let (file, data) = shared_file(self.file.as_ref()?, self.store?)?;
            Some(Arc::new(Self::new(Arc::new(file), data, self.store, false)))
        };
        self.shared.get_or_init(open).as_ref()
    }
}

/// Where part of a section is in the file; `None` if the section has no such part.
fn inside(section: &Range<u64>, part: &Range<usize>) -> Option<Range<u64>> {
    let place = |at: usize| section.start.checked_add(at as u64).filter(|&at| at <= section.end);
    Some(place(part.start)?..place(part.end)?)
}

fn shared_file<'d>(file: &File<'d>, store: &'d Store<'d>) -> Option<(File<'d>, Data<'d>)> {
    let (path, build_id) = file.gnu_debugaltlink().ok()??;
    let path = std::str::from_utf8(path).ok()?;
    let data = store.open(DebugFile::Shared { path, build_id })?;
    let shared = File::parse(data).ok()?;
    (shared.build_id().ok()?? == build_id).then_some((shared, data))
}

/// Finds the split units of an object.
pub(crate) struct SplitUnits<'d> {
    store: Option<&'d Store<'d>>,
    package: OnceLock<Option<Package<'d>>>,
}

/// All split units of an object in one file, and where each is.
struct Package<'d> {
    sections: Sections<'d>,
    index: UnitIndex<EndianSlice<'d, RunTimeEndian>>,
}

impl<'d> SplitUnits<'d> {
    pub(crate) fn new(store: Option<&'d Store<'d>>) -> Self {
        Self { store, package: OnceLock::new() }
    }

    /// The unit `id` of the package.
    pub(crate) fn packed(&self, id: u64) -> Option<Sections<'d>> {
        self.package.get_or_init(|| Package::open(self.store?)).as_ref()?.unit(id)
    }

    /// The units in the file `path`, relative to `directory`.
    pub(crate) fn file(&self, directory: &[u8], path: &[u8]) -> Option<Sections<'d>> {
        let directory = std::str::from_utf8(directory).unwrap_or_default();
        let path = std::str::from_utf8(path).ok()?;
        let data = self.store?.open(DebugFile::Split { directory, path })?;
        Some(Sections::new(Arc::new(File::parse(data).ok()?), data, self.store, true))
    }
}

impl<'d> Package<'d> {
    fn open(store: &'d Store<'d>) -> Option<Self> {
        let data = store.open(DebugFile::Package)?;
        let file = File::parse(data).ok()?;
        let little = file.is_little_endian();
        let endian = if little { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let index = gimli::DebugCuIndex::new(named(&file, Some(store), ".debug_cu_index"), endian);
        let index = index.index().ok()?;
        Some(Self { sections: Sections::new(Arc::new(file), data, Some(store), true), index })
    }

    fn unit(&self, id: u64) -> Option<Sections<'d>> {
        let row = self.index.find(id)?;
        let contents: [OnceLock<&'d [u8]>; Section::COUNT] = Default::default();
        let set = |section: Section, data| contents[section as usize].set(data);
        set(Section::Str, self.sections.get(Section::Str)).ok()?;
        for part in self.index.sections(row).ok()? {
            let section = match part.section {
                IndexSectionId::DebugAbbrev => Section::Abbrev,
                IndexSectionId::DebugInfo => Section::Info,
                IndexSectionId::DebugRngLists => Section::RngLists,
                IndexSectionId::DebugStrOffsets => Section::StrOffsets,
                _ => continue,
            };
            let start = part.offset as usize;
            let whole = self.sections.get(section);
            set(section, whole.get(start..start.checked_add(part.size as usize)?)?).ok()?;
        }
        let is_big_endian = self.sections.is_big_endian;
        Some(Sections {
            file: None,
            store: None,
            is_split: true,
            is_big_endian,
            contents,
            data: None,
            plain: Default::default(),
            shared: OnceLock::new(),
        })
    }
}

fn named<'d>(file: &File<'d>, store: Option<&'d Store<'d>>, name: &str) -> &'d [u8] {
    let compressed = || file.section_by_name(&name.replace(".debug_", ".zdebug_"));
    let found = file.section_by_name(name).or_else(compressed);
    found.and_then(|s| content(&s, store)).unwrap_or_default()
}

fn content<'d>(
    section: &crate::data::Section<'d, '_>,
    store: Option<&'d Store<'d>>,
) -> Option<&'d [u8]> {
    match inflate(section)? {
        Cow::Borrowed(data) => Some(data),
        Cow::Owned(data) => store?.keep(data),
    }
}

/// What is in a section, decompressed if need be.
pub(crate) fn inflate<'d>(section: &crate::data::Section<'d, '_>) -> Option<Cow<'d, [u8]>> {
    let mut data = section.compressed_data().ok()?;
    if data.format == CompressionFormat::None
        && section.name().is_ok_and(|name| name.starts_with(".zdebug_"))
    {
        data = gnu_compressed(data.data)?;
    }
    if data.uncompressed_size / MAX_INFLATION > data.data.len() as u64 {
        return None;
    }
    data.decompress().ok()
}

/// The older way to compress, which the reader knows only in ELF files: a magic, the size, a zlib stream.
fn gnu_compressed(data: &[u8]) -> Option<CompressedData<'_>> {
    let (size, data) = data.strip_prefix(b"ZLIB")?.split_first_chunk()?;
    let uncompressed_size = u64::from_be_bytes(*size);
    Some(CompressedData { format: CompressionFormat::Zlib, data, uncompressed_size })
}
