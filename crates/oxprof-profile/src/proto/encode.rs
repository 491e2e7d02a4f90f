//! [`Profile`] → `profile.proto`, in the order and with the defaults that Go's writer uses.
//!
//! Fields go out by number, submessages in table order, strings in the order of their first mention, so
//! equal profiles give equal bytes. Labels of a sample are written by key, text before numbers. Only
//! strings that are mentioned are written.

use super::wire::{bytes_key, put_bytes, put_nonzero, put_number, put_varint, varint_len};
use crate::{Label, LabelValue, Location, LocationIdx, Profile, StrId, Strings, ValueType};

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
        location_ids: Ids::of(&profile.locations),
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
    location_ids: Ids<'a>,
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
            self.stack(sample.stack);
            put_numbers(&mut self.scratch, 2, sample.values.iter().map(|v| v.cast_unsigned()));
            if !sample.labels.is_empty() {
                labels.clear();
                labels.extend_from_slice(sample.labels);
                sort_labels(&mut labels, &profile.strings);
                labels.iter().for_each(|&label| self.table.label(label, &mut self.scratch));
            }
            self.sample()?;
        }
        Ok(())
    }

    /// Puts a stack into `packed`, or if it is short, in front of the rest of its sample.
    #[inline]
    fn stack(&mut self, stack: &[LocationIdx]) {
        let Self { scratch, packed, location_ids, .. } = self;
        packed.clear();
        if is_packed(stack.len()) {
            packed.stack(stack, location_ids);
        } else {
            stack.iter().for_each(|&l| put_number(scratch, 1, location_ids.get(l)));
        }
    }

    /// Ends a sample. Its stack is copied only here, as that is most of it.
    #[inline]
    fn sample(&mut self) -> Result<(), E> {
        let Self { buffer, scratch, packed, .. } = self;
        let stack = packed.bytes();
        let head = if stack.is_empty() { 0 } else { 1 + varint_len(stack.len() as u64) };
        buffer.push(bytes_key(2));
        put_varint(buffer, (head + stack.len() + scratch.len()) as u64);
        if !stack.is_empty() {
            put_bytes(buffer, 1, stack);
        }
        buffer.extend_from_slice(scratch);
        self.flush()
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
        put_numbers(&mut out, 13, comments.iter().copied());
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
struct Ids<'a> {
    locations: &'a [Location],
    /// The varint of each id, lowest byte first, and in the highest byte how long it is; 0 if it has more than
    /// [`SHORT`] bytes.
    varints: Vec<u32>,
}

/// Bytes of a varint that fit in a word beside their number.
const SHORT: usize = 3;

impl<'a> Ids<'a> {
    fn of(locations: &'a [Location]) -> Self {
        let varint = |location: &Location| {
            let mut bytes = [0; 4];
            let len = varint_len(location.id);
            if len > SHORT {
                return 0;
            }
            put_one(&mut bytes, 0, location.id);
            bytes[SHORT] = len as u8;
            u32::from_le_bytes(bytes)
        };
        Self { locations, varints: locations.iter().map(varint).collect() }
    }

    fn get(&self, location: LocationIdx) -> u64 {
        self.locations[location.index()].id
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

    /// Appends a label, field 3 of a sample.
    #[inline]
    fn label(&mut self, label: Label, out: &mut Vec<u8>) {
        let key = (1, self.index(label.key));
        let fields = match label.value {
            LabelValue::Str(text) => [key, (2, self.index(text)), (0, 0)],
            LabelValue::Num { value, unit } => {
                [key, (3, value.cast_unsigned()), (4, self.index(unit))]
            }
        };
        let len = |&(_, n): &(u8, u64)| if n == 0 { 0 } else { 1 + varint_len(n) };
        out.push(bytes_key(3));
        put_varint(out, fields.iter().map(len).sum::<usize>() as u64);
        fields.into_iter().for_each(|(field, n)| put_nonzero(out, field, n));
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

/// Whether a repeated number field is packed: where that is shorter, as Go's writer decides it.
const fn is_packed(numbers: usize) -> bool {
    numbers > 2
}

/// A repeated number field.
#[inline]
fn put_numbers(out: &mut Vec<u8>, field: u8, numbers: impl ExactSizeIterator<Item = u64>) {
    if is_packed(numbers.len()) {
        let mut packed = Packed::default();
        packed.fill(numbers);
        put_bytes(out, field, packed.bytes());
    } else {
        numbers.for_each(|n| put_number(out, field, n));
    }
}

/// Varints back to back.
#[derive(Default)]
struct Packed {
    /// Only ever grows, so that it is not cleared for every sample.
    room: Vec<u8>,
    end: usize,
}

impl Packed {
    fn clear(&mut self) {
        self.end = 0;
    }

    fn bytes(&self) -> &[u8] {
        &self.room[..self.end]
    }

    fn fill(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        let out = self.room_for(numbers.len());
        self.end = numbers.fold(0, |end, n| put_one(out, end, n));
    }

    #[inline(never)] // so that it has all registers for itself
    fn stack(&mut self, stack: &[LocationIdx], ids: &Ids<'_>) {
        let (out, mut end) = (self.room_for(stack.len()), 0);
        for &location in stack {
            // Without a branch on the length, in which ids vary unpredictably.
            let varint = ids.varints[location.index()];
            out[end..end + 4].copy_from_slice(&varint.to_le_bytes());
            end += (varint >> 24) as usize;
            if varint == 0 {
                end = put_one(out, end, ids.get(location));
            }
        }
        self.end = end;
    }

    fn room_for(&mut self, numbers: usize) -> &mut [u8] {
        const LONGEST: usize = 10;
        let room = (numbers + 1) * LONGEST;
        if self.room.len() < room {
            self.room.resize(room, 0);
        }
        &mut self.room
    }
}

fn put_one(out: &mut [u8], mut end: usize, mut n: u64) -> usize {
    while n >= 0x80 {
        out[end] = n as u8 | 0x80;
        n >>= 7;
        end += 1;
    }
    out[end] = n as u8;
    end + 1
}
