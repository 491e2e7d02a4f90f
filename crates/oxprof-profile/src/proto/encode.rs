//! [`Profile`] → `profile.proto`, in the order and with the defaults that Go's writer uses.
//!
//! Fields go out by number, submessages in table order, strings in the order of their first mention, so
//! equal profiles give equal bytes. Labels of a sample are written by key, text before numbers. Only
//! strings that are mentioned are written.

use super::wire::{put_bytes, put_nonzero, put_number, varint_len};
use crate::{Label, LabelValue, Location, Profile, Sample, StrId, Strings, ValueType};

/// The profile as an uncompressed `profile.proto` message.
pub fn encode(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    let Ok(()) = encode_to(profile, |chunk| {
        out.extend_from_slice(chunk);
        Ok::<_, std::convert::Infallible>(())
    });
    out
}

/// Passes the message to `sink` piece by piece, so that it never lies in memory as a whole.
pub(crate) fn encode_to<E>(
    profile: &Profile,
    sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    Encoder {
        profile,
        table: StringTable::new(profile.strings.len()),
        location_ids: Ids::of(profile),
        buffer: Vec::with_capacity(CHUNK + CHUNK / 4),
        scratch: Vec::new(),
        packed: Packed::default(),
        sink,
    }
    .run()
}

/// Bytes that gather before the sink sees them.
const CHUNK: usize = 64 << 10;

struct Encoder<'a, S> {
    profile: &'a Profile,
    table: StringTable,
    location_ids: Ids,
    buffer: Vec<u8>,
    /// The submessage at hand, whose length must go first.
    scratch: Vec<u8>,
    packed: Packed,
    sink: S,
}

impl<E, S: FnMut(&[u8]) -> Result<(), E>> Encoder<'_, S> {
    fn run(mut self) -> Result<(), E> {
        self.sample_types();
        self.samples()?;
        self.mappings()?;
        self.locations()?;
        self.functions()?;
        let tail = self.tail();
        self.strings()?;
        self.buffer.extend_from_slice(&tail);
        (self.sink)(&self.buffer)
    }

    /// Ends a top-level message.
    #[inline]
    fn message(&mut self, field: u8) -> Result<(), E> {
        put_bytes(&mut self.buffer, field, &self.scratch);
        self.flush()
    }

    #[inline]
    fn flush(&mut self) -> Result<(), E> {
        if self.buffer.len() >= CHUNK {
            (self.sink)(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn sample_types(&mut self) {
        for &value_type in &self.profile.sample_types {
            let message = self.table.value_type(value_type);
            put_bytes(&mut self.buffer, 1, &message);
        }
    }

    fn samples(&mut self) -> Result<(), E> {
        let profile = self.profile;
        let mut labels = Vec::new();
        for sample in profile.samples.iter() {
            self.scratch.clear();
            self.stack_and_values(&sample);
            if !sample.labels.is_empty() {
                labels.clear();
                labels.extend_from_slice(sample.labels);
                sort_labels(&mut labels, &profile.strings);
                for &label in &labels {
                    let message = self.table.label(label);
                    put_bytes(&mut self.scratch, 3, &message);
                }
            }
            self.message(2)?;
        }
        Ok(())
    }

    #[inline]
    fn stack_and_values(&mut self, sample: &Sample<'_>) {
        let Self { scratch, packed, location_ids, .. } = self;
        match location_ids {
            Ids::Sequential => {
                put_numbers(scratch, packed, 1, sample.stack.iter().map(|l| u64::from(l.0) + 1));
            }
            Ids::Table(ids) => {
                put_numbers(scratch, packed, 1, sample.stack.iter().map(|l| ids[l.index()]));
            }
        }
        put_numbers(scratch, packed, 2, sample.values.iter().map(|v| v.cast_unsigned()));
    }

    fn mappings(&mut self) -> Result<(), E> {
        for mapping in &self.profile.mappings {
            let out = &mut self.scratch;
            out.clear();
            put_nonzero(out, 1, mapping.id);
            put_nonzero(out, 2, mapping.start);
            put_nonzero(out, 3, mapping.limit);
            put_nonzero(out, 4, mapping.offset);
            put_nonzero(out, 5, self.table.index(mapping.file));
            put_nonzero(out, 6, self.table.index(mapping.build_id));
            put_nonzero(out, 7, mapping.has_functions.into());
            put_nonzero(out, 8, mapping.has_filenames.into());
            put_nonzero(out, 9, mapping.has_line_numbers.into());
            put_nonzero(out, 10, mapping.has_inline_frames.into());
            self.message(3)?;
        }
        Ok(())
    }

    fn locations(&mut self) -> Result<(), E> {
        let mut line = Vec::new();
        for location in &self.profile.locations {
            self.scratch.clear();
            self.location(location, &mut line);
            self.message(4)?;
        }
        Ok(())
    }

    fn location(&mut self, location: &Location, scratch: &mut Vec<u8>) {
        let out = &mut self.scratch;
        put_nonzero(out, 1, location.id);
        put_nonzero(out, 2, location.mapping.map_or(0, |m| self.profile.mappings[m.index()].id));
        put_nonzero(out, 3, location.address);
        for line in &self.profile.lines[location.lines.start as usize..location.lines.end as usize]
        {
            scratch.clear();
            put_nonzero(scratch, 1, self.profile.functions[line.function.index()].id);
            put_nonzero(scratch, 2, line.line.cast_unsigned());
            put_nonzero(scratch, 3, line.column.cast_unsigned());
            put_bytes(out, 4, scratch);
        }
        put_nonzero(out, 5, location.is_folded.into());
    }

    fn functions(&mut self) -> Result<(), E> {
        for function in &self.profile.functions {
            let out = &mut self.scratch;
            out.clear();
            put_nonzero(out, 1, function.id);
            put_nonzero(out, 2, self.table.index(function.name));
            put_nonzero(out, 3, self.table.index(function.system_name));
            put_nonzero(out, 4, self.table.index(function.filename));
            put_nonzero(out, 5, function.start_line.cast_unsigned());
            self.message(5)?;
        }
        Ok(())
    }

    /// The fields behind the string table, which mention the last strings of it.
    fn tail(&mut self) -> Vec<u8> {
        let (profile, table) = (self.profile, &mut self.table);
        let drop_frames = table.index(profile.drop_frames);
        let keep_frames = table.index(profile.keep_frames);
        let period_type = table.value_type(profile.period_type);
        let comments: Vec<_> = profile.comments.iter().map(|&c| table.index(c)).collect();
        let default_sample_type = table.index(profile.default_sample_type);
        let doc_url = table.index(profile.doc_url);

        let mut out = Vec::new();
        put_nonzero(&mut out, 7, drop_frames);
        put_nonzero(&mut out, 8, keep_frames);
        put_nonzero(&mut out, 9, profile.time_nanos.cast_unsigned());
        put_nonzero(&mut out, 10, profile.duration_nanos.cast_unsigned());
        if profile.period_type != ValueType::default() {
            put_bytes(&mut out, 11, &period_type);
        }
        put_nonzero(&mut out, 12, profile.period.cast_unsigned());
        put_numbers(&mut out, &mut self.packed, 13, comments.iter().copied());
        put_number(&mut out, 14, default_sample_type);
        put_nonzero(&mut out, 15, doc_url);
        out
    }

    fn strings(&mut self) -> Result<(), E> {
        for &id in &std::mem::take(&mut self.table.order) {
            put_bytes(&mut self.buffer, 6, self.profile.strings.bytes(id));
            self.flush()?;
        }
        Ok(())
    }
}

/// Ids of locations.
enum Ids {
    /// 1, 2, 3, …, which spares a look into memory for every frame.
    Sequential,
    Table(Vec<u64>),
}

impl Ids {
    fn of(profile: &Profile) -> Self {
        let ids = profile.locations.iter().map(|l| l.id);
        if ids.clone().eq(1..=profile.locations.len() as u64) {
            Self::Sequential
        } else {
            Self::Table(ids.collect())
        }
    }
}

/// Numbers strings in the order of their first mention.
struct StringTable {
    order: Vec<StrId>,
    /// Index in `order` by id; 0 for strings not mentioned yet.
    indexes: Vec<u32>,
}

impl StringTable {
    fn new(strings: usize) -> Self {
        Self { order: vec![StrId::EMPTY], indexes: vec![0; strings] }
    }

    #[inline]
    fn index(&mut self, id: StrId) -> u64 {
        let index = &mut self.indexes[id.index()];
        if *index == 0 && !id.is_empty() {
            *index = self.order.len() as u32;
            self.order.push(id);
        }
        u64::from(*index)
    }

    fn value_type(&mut self, value_type: ValueType) -> Vec<u8> {
        let mut message = Vec::new();
        put_nonzero(&mut message, 1, self.index(value_type.kind));
        put_nonzero(&mut message, 2, self.index(value_type.unit));
        message
    }

    fn label(&mut self, label: Label) -> Vec<u8> {
        let mut message = Vec::with_capacity(16);
        put_nonzero(&mut message, 1, self.index(label.key));
        match label.value {
            LabelValue::Str(text) => put_nonzero(&mut message, 2, self.index(text)),
            LabelValue::Num { value, unit } => {
                put_nonzero(&mut message, 3, value.cast_unsigned());
                put_nonzero(&mut message, 4, self.index(unit));
            }
        }
        message
    }
}

/// Text by key, then numbers by key; values of one key keep their order.
fn sort_labels(labels: &mut [Label], strings: &Strings) {
    if labels.len() > 1 {
        let is_number = |label: &Label| matches!(label.value, LabelValue::Num { .. });
        labels.sort_by(|a, b| {
            is_number(a)
                .cmp(&is_number(b))
                .then_with(|| strings.bytes(a.key).cmp(strings.bytes(b.key)))
        });
    }
}

/// A repeated number field; packed where that is shorter, as Go's writer decides it.
#[inline]
fn put_numbers(
    out: &mut Vec<u8>,
    packed: &mut Packed,
    field: u8,
    numbers: impl ExactSizeIterator<Item = u64>,
) {
    if numbers.len() <= 2 {
        numbers.for_each(|n| put_number(out, field, n));
    } else {
        put_bytes(out, field, packed.fill(numbers));
    }
}

/// Room for varints back to back. It only ever grows, so that it is not cleared for every sample.
#[derive(Default)]
struct Packed(Vec<u8>);

impl Packed {
    #[inline]
    fn fill(&mut self, numbers: impl ExactSizeIterator<Item = u64>) -> &[u8] {
        const LONGEST: usize = 10;
        let room = (numbers.len() + 1) * LONGEST;
        if self.0.len() < room {
            self.0.resize(room, 0);
        }
        let mut end = 0;
        for n in numbers {
            end = if n < 1 << 28 { self.put_short(end, n) } else { self.put_long(end, n) };
        }
        &self.0[..end]
    }

    /// Four bytes at most, without a branch on the length.
    #[inline]
    fn put_short(&mut self, end: usize, n: u64) -> usize {
        let spread = (n & 0x7f) | (n & 0x3f80) << 1 | (n & 0x1f_c000) << 2 | (n & 0xfe0_0000) << 3;
        let len = varint_len(n);
        let more = 0x8080_8080 & ((1_u64 << (8 * (len - 1))) - 1);
        self.0[end..end + 8].copy_from_slice(&(spread | more).to_le_bytes());
        end + len
    }

    #[cold]
    fn put_long(&mut self, mut end: usize, mut n: u64) -> usize {
        while n >= 0x80 {
            self.0[end] = n as u8 | 0x80;
            n >>= 7;
            end += 1;
        }
        self.0[end] = n as u8;
        end + 1
    }
}
