//! `perf.data` files, as the kernel and `perf record` write them.
//!
//! ```text
//! header │ event attributes with their ids │ records: mmap, comm, fork, sample, … │ feature sections
//! ```
//!
//! Stacks come from frame pointers or from hardware (`perf record -g`, `--call-graph lbr`); stacks that
//! were copied to be unwound later (`--call-graph dwarf`) are not walked here, only their leaf is known.

use std::collections::HashMap;

use super::maps::{KERNEL, Spaces};
use super::{Event, Recorder};
use crate::Profile;
use crate::error::DecodeError;

const MAGIC: &[u8] = b"PERFILE2";
/// The same, written on a machine of the other byte order.
const SWAPPED_MAGIC: &[u8] = b"2ELIFREP";

pub(crate) fn looks_like(file: &[u8]) -> bool {
    file.starts_with(MAGIC) || file.starts_with(SWAPPED_MAGIC)
}

pub(crate) fn decode(file: &[u8]) -> Result<Profile, DecodeError> {
    if file.starts_with(SWAPPED_MAGIC) {
        return Err(malformed(0, "it was recorded on a big-endian machine; convert it there"));
    }
    let mut header = Bytes { file, pos: MAGIC.len(), end: file.len() };
    let parts = Parts::read(&mut header).ok_or_else(|| {
        malformed(header.pos, "the header, or a part that it names, is cut short")
    })?;
    if parts.is_piped {
        return Err(malformed(
            8,
            "it was piped; record to a file, or convert it with `perf inject -o FILE`",
        ));
    }
    let attributes = Attributes::read(file, &parts)
        .ok_or_else(|| malformed(parts.attributes.start, "the list of events is cut short"))?;
    let mut reader = Reader {
        attributes,
        recorder: Recorder::new(),
        spaces: Spaces::default(),
        names: HashMap::new(),
    };
    // A list of build ids that is damaged does no harm to the rest.
    let _ = reader.build_ids(file, &parts);
    reader.records(Bytes { file, pos: parts.data.start, end: parts.data.end })?;
    Ok(reader.recorder.finish())
}

fn malformed(offset: usize, reason: &str) -> DecodeError {
    DecodeError::Malformed { format: "perf.data", offset, reason: reason.to_owned() }
}

/// A part of the file, read from its front. `None` where it ends.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    file: &'a [u8],
    pos: usize,
    end: usize,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.pos.checked_add(len).filter(|&end| end <= self.end)?;
        let taken = &self.file[self.pos..end];
        self.pos = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(*self.take(2)?.first_chunk()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.first_chunk()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }

    /// Text up to a zero byte or the end.
    fn text(&mut self) -> &'a [u8] {
        let rest = &self.file[self.pos..self.end];
        &rest[..rest.iter().position(|&b| b == 0).unwrap_or(rest.len())]
    }

    fn section(&mut self) -> Option<Section> {
        let (start, len) = (self.u64()?, self.u64()?);
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.file.len()).then_some(Section { start, end })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Section {
    start: usize,
    end: usize,
}

impl Section {
    fn of<'a>(&self, file: &'a [u8]) -> Bytes<'a> {
        Bytes { file, pos: self.start, end: self.end }
    }
}

/// Where things are.
struct Parts {
    attribute_size: usize,
    attributes: Section,
    data: Section,
    build_ids: Option<Section>,
    descriptions: Option<Section>,
    is_piped: bool,
}

const FEATURE_BUILD_ID: u32 = 2;
const FEATURE_EVENT_DESC: u32 = 12;

impl Parts {
    fn read(header: &mut Bytes<'_>) -> Option<Self> {
        const PIPED: u64 = 16;
        let is_piped = header.u64()? == PIPED;
        if is_piped {
            let none = Section::default();
            let parts = Self {
                attribute_size: 0,
                attributes: none,
                data: none,
                build_ids: None,
                descriptions: None,
                is_piped,
            };
            return Some(parts);
        }
        let attribute_size = usize::try_from(header.u64()?).ok()?;
        let (attributes, data) = (header.section()?, header.section()?);
        let _event_types = header.section()?;
        let flags = [header.u64()?, header.u64()?, header.u64()?, header.u64()?];
        // The sections of the features that are present follow the data.
        let mut table = Bytes { file: header.file, pos: data.end, end: header.file.len() };
        let (mut build_ids, mut descriptions) = (None, None);
        for feature in (0..256_u32).filter(|f| flags[*f as usize / 64] >> (f % 64) & 1 == 1) {
            let Some(section) = table.section() else { break };
            match feature {
                FEATURE_BUILD_ID => build_ids = Some(section),
                FEATURE_EVENT_DESC => descriptions = Some(section),
                _ => {}
            }
        }
        Some(Self { attribute_size, attributes, data, build_ids, descriptions, is_piped })
    }
}

/// How the samples of one event are laid out.
#[derive(Clone, Debug)]
struct Attribute {
    sample_type: u64,
    read_format: u64,
    period: i64,
    name: String,
}

#[derive(Debug)]
struct Attributes {
    list: Vec<Attribute>,
    by_id: HashMap<u64, usize>,
}

// Bits of `sample_type`, in the order in which the fields lie in a sample.
const IDENTIFIER: u64 = 1 << 16;
const IP: u64 = 1;
const TID: u64 = 1 << 1;
const TIME: u64 = 1 << 2;
const ADDR: u64 = 1 << 3;
const ID: u64 = 1 << 6;
const STREAM_ID: u64 = 1 << 9;
const CPU: u64 = 1 << 7;
const PERIOD: u64 = 1 << 8;
const READ: u64 = 1 << 4;
const CALLCHAIN: u64 = 1 << 5;

impl Attributes {
    fn read(file: &[u8], parts: &Parts) -> Option<Self> {
        const IDS_SECTION: usize = 16;
        const SMALLEST: usize = 64;
        let mut attributes = Self { list: Vec::new(), by_id: HashMap::new() };
        let size = parts.attribute_size.checked_sub(IDS_SECTION).filter(|&s| s >= SMALLEST)?;
        let mut list = parts.attributes.of(file);
        while list.pos < list.end {
            let mut attribute = list;
            list.take(size)?;
            let mut ids = list.section()?.of(file);
            let position = attributes.list.len();
            attributes.list.push(Attribute::read(&mut attribute)?);
            while let Some(id) = ids.u64() {
                attributes.by_id.insert(id, position);
            }
        }
        if let Some(section) = parts.descriptions {
            let _ = attributes.read_names(section.of(file));
        }
        (!attributes.list.is_empty()).then_some(attributes)
    }

    /// The names by which the user asked for the events.
    fn read_names(&mut self, mut section: Bytes<'_>) -> Option<()> {
        let (count, size) = (section.u32()?, section.u32()?);
        for i in 0..count as usize {
            section.take(size as usize)?;
            let ids = section.u32()?;
            let len = section.u32()? as usize;
            let mut name = section;
            section.take(len)?;
            name.end = section.pos;
            section.take((ids as usize).checked_mul(8)?)?;
            self.list.get_mut(i)?.name = String::from_utf8_lossy(name.text()).into_owned();
        }
        Some(())
    }

    /// The event of a sample: by the id at a place that all layouts share, or the only one there is.
    fn of_sample(&self, mut sample: Bytes<'_>) -> Option<&Attribute> {
        let first = &self.list[0];
        if self.list.len() == 1 {
            return Some(first);
        }
        if first.sample_type & IDENTIFIER == 0 {
            let before =
                [IP, TID, TIME, ADDR].iter().filter(|&&f| first.sample_type & f != 0).count();
            sample.take(8 * before)?;
            (first.sample_type & ID != 0).then_some(())?;
        }
        self.list.get(*self.by_id.get(&sample.u64()?)?)
    }
}

impl Attribute {
    fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (kind, _size) = (bytes.u32()?, bytes.u32()?);
        let config = bytes.u64()?;
        let period_or_frequency = bytes.u64()?;
        let (sample_type, read_format, flags) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
        let is_frequency = flags >> 10 & 1 == 1;
        let period = if is_frequency { 1 } else { i64::try_from(period_or_frequency).ok()?.max(1) };
        let name = default_name(kind, config);
        Some(Self { sample_type, read_format, period, name })
    }
}

/// The names of the commonest events, for files that do not say.
fn default_name(kind: u32, config: u64) -> String {
    match (kind, config) {
        (0, 0) => "cycles".to_owned(),
        (0, 1) => "instructions".to_owned(),
        (1, 0) => "cpu-clock".to_owned(),
        (1, 1) => "task-clock".to_owned(),
        (1, 2) => "page-faults".to_owned(),
        (1, 3) => "context-switches".to_owned(),
        _ => format!("event-{kind}-{config:#x}"),
    }
}

struct Reader {
    attributes: Attributes,
    recorder: Recorder,
    spaces: Spaces,
    /// Names of threads.
    names: HashMap<u32, Vec<u8>>,
}

// Kinds of records.
const MMAP: u32 = 1;
const COMM: u32 = 3;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
const MMAP2: u32 = 10;
const COMPRESSED: u32 = 81;
const COMPRESSED2: u32 = 83;

/// Set in `misc` of an mmap record for data rather than code, and of a comm record for a new program.
const MISC_DATA_OR_EXEC: u16 = 1 << 13;

impl Reader {
    fn build_ids(&mut self, file: &[u8], parts: &Parts) -> Option<()> {
        const BYTES: usize = 20;
        let mut section = parts.build_ids?.of(file);
        while section.pos < section.end {
            let start = section;
            let (_kind, misc, size) = (section.u32()?, section.u16()?, section.u16()?);
            let _pid = section.u32()?;
            let id = section.take(BYTES)?;
            let len = section.take(4)?[0] as usize;
            let mut name = section;
            section = start;
            section.take((size as usize).max(1))?;
            name.end = section.pos;
            // The flag says that the byte after the id is its length.
            let has_len = misc & 1 << 15 != 0 && len <= BYTES;
            self.spaces.set_build_id(name.text(), &id[..if has_len { len } else { BYTES }]);
        }
        Some(())
    }

    fn records(&mut self, mut data: Bytes<'_>) -> Result<(), DecodeError> {
        while data.pos < data.end {
            let start = data.pos;
            let broken = |reason| malformed(start, reason);
            let header = (|| Some((data.u32()?, data.u16()?, data.u16()?)))();
            let (kind, misc, size) = header.ok_or_else(|| broken("a record is cut short"))?;
            let len =
                (size as usize).checked_sub(8).ok_or_else(|| broken("a record without a size"))?;
            let mut body = data;
            data.take(len)
                .ok_or_else(|| broken("a record is cut short; was the recording killed?"))?;
            body.end = data.pos;
            if matches!(kind, COMPRESSED | COMPRESSED2) {
                return Err(broken("its records are compressed; record without -z"));
            }
            self.record(kind, misc, body)
                .ok_or_else(|| broken("a record is shorter than its fields"))?;
        }
        Ok(())
    }

    fn record(&mut self, kind: u32, misc: u16, mut body: Bytes<'_>) -> Option<()> {
        match kind {
            MMAP | MMAP2 => self.mmap(kind, misc, body),
            COMM => {
                let (pid, tid) = (body.u32()?, body.u32()?);
                self.names.insert(tid, body.text().to_vec());
                if misc & MISC_DATA_OR_EXEC != 0 {
                    self.spaces.exec(pid);
                }
                Some(())
            }
            FORK => {
                let (pid, parent, tid, parent_tid) =
                    (body.u32()?, body.u32()?, body.u32()?, body.u32()?);
                if pid != parent {
                    self.spaces.fork(parent, pid);
                }
                if let Some(name) = self.names.get(&parent_tid).cloned() {
                    self.names.entry(tid).or_insert(name);
                }
                Some(())
            }
            SAMPLE => self.sample(body),
            _ => Some(()),
        }
    }

    fn mmap(&mut self, kind: u32, misc: u16, mut body: Bytes<'_>) -> Option<()> {
        const EXECUTABLE: u32 = 4;
        let (pid, _tid) = (body.u32()?, body.u32()?);
        let (start, len, offset) = (body.u64()?, body.u64()?, body.u64()?);
        let mut is_code = misc & MISC_DATA_OR_EXEC == 0;
        if kind == MMAP2 {
            const FILE_IDENTITY: usize = 24;
            body.take(FILE_IDENTITY)?;
            let (protection, _flags) = (body.u32()?, body.u32()?);
            is_code &= protection & EXECUTABLE != 0;
        }
        if is_code {
            self.spaces.map(&mut self.recorder.builder, pid, start, len, offset, body.text());
        }
        Some(())
    }

    fn sample(&mut self, mut body: Bytes<'_>) -> Option<()> {
        let attribute = self.attributes.of_sample(body)?.clone();
        let has = |field| attribute.sample_type & field != 0;
        let mut optional = |field| if has(field) { body.u64().map(Some) } else { Some(None) };
        optional(IDENTIFIER)?;
        let ip = optional(IP)?;
        let ids = optional(TID)?.unwrap_or(0);
        let nanos = optional(TIME)?.unwrap_or(0);
        for field in [ADDR, ID, STREAM_ID, CPU] {
            optional(field)?;
        }
        let amount =
            optional(PERIOD)?.and_then(|p| i64::try_from(p).ok()).unwrap_or(attribute.period);
        if has(READ) {
            skip_read(&mut body, attribute.read_format)?;
        }
        let (pid, tid) = (ids as u32, (ids >> 32) as u32);
        if has(CALLCHAIN) {
            self.call_chain(&mut body, pid, ip)?;
        } else if let Some(ip) = ip {
            self.frame(pid, ip);
        }
        let comm = self.names.get(&tid).map_or(&b""[..], Vec::as_slice);
        let event =
            Event { name: &attribute.name, amount, comm, pid: pid.into(), tid: tid.into(), nanos };
        self.recorder.sample(&event);
        Some(())
    }

    /// Addresses from the leaf on, with marks between those of the kernel and those of the program.
    fn call_chain(&mut self, body: &mut Bytes<'_>, pid: u32, ip: Option<u64>) -> Option<()> {
        const MARKS: u64 = u64::MAX - 4095;
        let count = usize::try_from(body.u64()?).ok()?;
        let mut addresses = *body;
        body.take(count.checked_mul(8)?)?;
        addresses.end = body.pos;
        let mut is_first = true;
        while let Some(address) = addresses.u64() {
            if address >= MARKS {
                continue;
            }
            // Callers' addresses are where they go on; the call is before that. The interrupted
            // instruction is an address of its own, also below a mark.
            let is_leaf = is_first || Some(address) == ip;
            self.frame(pid, if is_leaf { address } else { address.saturating_sub(1) });
            is_first = false;
        }
        if let Some(ip) = ip.filter(|_| is_first) {
            self.frame(pid, ip);
        }
        Some(())
    }

    fn frame(&mut self, pid: u32, address: u64) {
        let mapping = self.spaces.find(pid, address).or_else(|| self.spaces.find(KERNEL, address));
        let location = self.recorder.builder.address(mapping, address);
        self.recorder.frames.push(location);
    }
}

/// Values of counters, which nothing is made of.
fn skip_read(body: &mut Bytes<'_>, format: u64) -> Option<()> {
    const GROUP: u64 = 1 << 3;
    let times = (format & 3).count_ones() as usize;
    let per_value = 1 + (format >> 2 & 1) as usize + (format >> 4 & 1) as usize;
    let values = if format & GROUP == 0 { 1 } else { usize::try_from(body.u64()?).ok()? };
    body.take(values.checked_mul(per_value)?.checked_add(times)?.checked_mul(8)?).map(drop)
}
