//! `profile.proto` → [`Profile`].
//!
//! Fields are taken in as they come, so the file need not lie in memory. What they refer to comes later
//! (samples name locations, and everything names strings, which come last), so at first ids and string
//! numbers are put where positions belong; [`Assembler::finish`] replaces them.

use super::field::profile as number;
use super::ids::{DuplicateId, IdMap};
use super::wire::{Cursor, Field, WireError, bytes_key, number_key};
use crate::error::DecodeError;
use crate::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, StrId, ValueType,
};

/// Reads an uncompressed profile.
pub(crate) fn decode(file: &[u8]) -> Result<Profile, DecodeError> {
    let mut assembler = Assembler::default();
    let mut cursor = Cursor::new(file);
    while let Some(field) = cursor.field()? {
        match assembler.add(&field) {
            Ok(()) => {}
            Err(Fault::TypesAfterSamples) => return decode_reordered(file),
            Err(Fault::Error(e)) => return Err(e),
        }
    }
    assembler.finish()
}

/// Reads a profile whose fields are not in the order of their numbers.
fn decode_reordered(file: &[u8]) -> Result<Profile, DecodeError> {
    let mut fields = Vec::new();
    let mut cursor = Cursor::new(file);
    while let Some(field) = cursor.field()? {
        fields.push(field);
    }
    if !fields.iter().any(|field| field.number == number::SAMPLE_TYPE) {
        return Err(DecodeError::Invalid("missing sample type information".into()));
    }
    fields.sort_by_key(|field| field.number);
    let mut assembler = Assembler::default();
    let assembled =
        fields.iter().try_for_each(|field| assembler.add(field).map_err(Fault::into_error));
    match assembled.and_then(|()| assembler.finish()) {
        // Two files in one agree about neither ids nor types.
        Err(DecodeError::Invalid(_)) => Err(DecodeError::Concatenated),
        result => result,
    }
}

/// Why a field cannot be taken in.
#[derive(Debug)]
pub(super) enum Fault {
    /// A sample before the sample types, of which there must be one for each of its values. No writer
    /// does that, but the format allows it; it is also the mark of two files in one.
    TypesAfterSamples,
    Error(DecodeError),
}

impl Fault {
    fn into_error(self) -> DecodeError {
        match self {
            Self::TypesAfterSamples => DecodeError::Concatenated,
            Self::Error(e) => e,
        }
    }
}

impl<E: Into<DecodeError>> From<E> for Fault {
    fn from(e: E) -> Self {
        Self::Error(e.into())
    }
}

/// Takes in the fields of a profile.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The profile, with the file's numbers in place of positions.
    profile: Profile,
    /// The file's string table in terms of `profile.strings`.
    names: Vec<StrId>,
    /// The file's id of each location's mapping.
    mapping_ids: Vec<u64>,
    /// The file's id of each line's function.
    function_ids: Vec<u64>,
    noted: NotedFrames,
}

/// What is noted of location ids before locations are known. Nearly always ids are 1, 2, 3, …, so frames are
/// the positions that the ids would then have.
#[derive(Debug, Default)]
struct NotedFrames {
    highest: u32,
    /// Ids for which that does not fit in 32 bits; [`WIDE`] stands in their places.
    wide_ids: Vec<u64>,
}

/// Stands for the next of the ids that do not fit.
const WIDE: u32 = u32::MAX;

impl NotedFrames {
    /// `None` for 0, which is no id.
    fn frame(&mut self, id: u64) -> Option<LocationIdx> {
        let position = u32::try_from(id.checked_sub(1)?).unwrap_or(WIDE);
        if position == WIDE {
            self.wide_ids.push(id);
        }
        self.highest = self.highest.max(position);
        Some(LocationIdx(position))
    }

    /// The same for packed ids; gives their number.
    #[inline(never)] // so that it has all registers for itself
    fn frames(
        &mut self,
        mut ids: Cursor<'_>,
        frames: &mut [LocationIdx],
    ) -> Result<Option<usize>, WireError> {
        let (mut len, wide_before) = (0, self.wide_ids.len());
        while !ids.is_empty() {
            if let Some((two, rest)) = ids.two_short() {
                let two = two.map(|id| LocationIdx((id as u32).wrapping_sub(1)));
                frames[len..len + 2].copy_from_slice(&two);
                (ids, len) = (rest, len + 2);
            } else {
                // A copy, as what is passed on by reference does not stay in registers.
                let mut rest = ids;
                let Some(frame) = self.frame(rest.varint()?) else { return Ok(None) };
                frames[len] = frame;
                (ids, len) = (rest, len + 1);
            }
        }
        let highest = frames[..len].iter().fold(0, |highest, frame| frame.0.max(highest));
        self.highest = self.highest.max(highest);
        // Among the short ones, what looks wide was 0.
        let marked = |&frame: &&LocationIdx| frame.0 == WIDE;
        let has_zero = highest == WIDE
            && frames[..len].iter().filter(marked).count() > self.wide_ids.len() - wide_before;
        Ok((!has_zero).then_some(len))
    }
}

impl Assembler {
    /// Begins in the memory of a profile that is not needed any more.
    pub(super) fn reusing(spent: Profile) -> Self {
        Self { profile: spent.cleared(), ..Self::default() }
    }

    #[inline]
    pub(super) fn add(&mut self, field: &Field<'_>) -> Result<(), Fault> {
        let profile = &mut self.profile;
        match field.number {
            number::SAMPLE => self.sample(field.bytes()?)?,
            number::SAMPLE_TYPE if !profile.samples.is_empty() => {
                return Err(Fault::TypesAfterSamples);
            }
            number::SAMPLE_TYPE => {
                profile.sample_types.push(value_type(field.bytes()?)?);
                profile.samples.widen();
            }
            number::MAPPING => {
                let mapping = mapping(field.bytes()?)?;
                check_id("mapping", mapping.id)?;
                profile.mappings.push(mapping);
            }
            number::LOCATION => self.location(field.bytes()?)?,
            number::FUNCTION => {
                let function = function(field.bytes()?)?;
                check_id("function", function.id)?;
                profile.functions.push(function);
            }
            number::STRING_TABLE => self.string(field)?,
            number::DROP_FRAMES => profile.drop_frames = string_number(field)?,
            number::KEEP_FRAMES => profile.keep_frames = string_number(field)?,
            number::TIME_NANOS if profile.time_nanos != 0 => {
                return Err(DecodeError::Concatenated.into());
            }
            number::TIME_NANOS => profile.time_nanos = field.int()?,
            number::DURATION_NANOS => profile.duration_nanos = field.int()?,
            number::PERIOD_TYPE => profile.period_type = value_type(field.bytes()?)?,
            number::PERIOD => profile.period = field.int()?,
            number::COMMENT => field.numbers(|n| profile.comments.push(narrow(n)))?,
            number::DEFAULT_SAMPLE_TYPE => profile.default_sample_type = string_number(field)?,
            number::DOC_URL => profile.doc_url = string_number(field)?,
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn sample(&mut self, mut message: Cursor<'_>) -> Result<(), DecodeError> {
        // As nearly all writers have it: packed locations, values, labels.
        if let Some(ids) = message.bytes_field(bytes_key(1))? {
            self.frames(ids)?;
        }
        if let Some(mut values) = message.bytes_field(bytes_key(2))? {
            values.varints(|v| self.profile.samples.add_value(v.cast_signed()))?;
        }
        while let Some(value) = message.number_field(number_key(2))? {
            self.profile.samples.add_value(value.cast_signed());
        }
        while let Some(message) = message.bytes_field(bytes_key(3))? {
            self.profile.samples.add_label(label(message)?);
        }
        while let Some(field) = message.field()? {
            match field.number {
                1 => self.unusual_frames(&field)?,
                2 => field.numbers(|v| self.profile.samples.add_value(v.cast_signed()))?,
                3 => self.profile.samples.add_label(label(field.bytes()?)?),
                _ => {}
            }
        }
        let samples = &mut self.profile.samples;
        let width = samples.width();
        samples.end_sample().map_err(|values| {
            let i = self.profile.samples.len();
            DecodeError::Invalid(format!(
                "mismatch: sample {i} has {values} values vs. {width} types"
            ))
        })
    }

    /// Adds packed location ids to the sample at hand.
    #[inline]
    fn frames(&mut self, ids: Cursor<'_>) -> Result<(), DecodeError> {
        let Self { profile: Profile { samples, .. }, noted, .. } = self;
        let sample = samples.len();
        // There are no more of them than bytes.
        samples.add_frames(ids.rest().len(), |frames| {
            noted.frames(ids, frames)?.ok_or_else(|| no_location(sample, 0))
        })
    }

    /// The same for a field that may not be packed.
    #[cold]
    fn unusual_frames(&mut self, field: &Field<'_>) -> Result<(), DecodeError> {
        let samples = &mut self.profile.samples;
        let mut has_zero = false;
        field.numbers(|id| match self.noted.frame(id) {
            Some(frame) => samples.add_frame(frame),
            None => has_zero = true,
        })?;
        if has_zero { Err(no_location(samples.len(), 0)) } else { Ok(()) }
    }

    fn location(&mut self, mut message: Cursor<'_>) -> Result<(), DecodeError> {
        let mut location = Location::default();
        let mut mapping_id = 0;
        let first_line = self.profile.lines.len() as u32;
        while let Some(field) = message.field()? {
            match field.number {
                1 => location.id = field.varint()?,
                2 => mapping_id = field.varint()?,
                3 => location.address = field.varint()?,
                4 => {
                    let (function_id, line) = line(field.bytes()?)?;
                    self.function_ids.push(function_id);
                    self.profile.lines.push(line);
                }
                5 => location.is_folded = field.bool()?,
                _ => {}
            }
        }
        check_id("location", location.id)?;
        location.lines = first_line..self.profile.lines.len() as u32;
        self.mapping_ids.push(mapping_id);
        self.profile.locations.push(location);
        Ok(())
    }

    fn string(&mut self, field: &Field<'_>) -> Result<(), WireError> {
        let bytes = field.bytes()?.rest();
        if self.names.is_empty() && !bytes.is_empty() {
            return Err(field.error("the first entry of the string table is not the empty string"));
        }
        let id = self.profile.strings.try_intern_bytes(bytes);
        self.names.push(id.ok_or_else(|| field.error("the string table exceeds 4 GiB"))?);
        Ok(())
    }

    /// Replaces the file's numbers by positions.
    pub(super) fn finish(mut self) -> Result<Profile, DecodeError> {
        if self.names.is_empty() {
            return Err(DecodeError::Invalid("the profile has no string table".into()));
        }
        let profile = &mut self.profile;
        resolve_strings(profile, &self.names)?;
        resolve_locations(profile, &self.mapping_ids, &self.function_ids)?;
        resolve_stacks(profile, &self.noted)?;
        profile.samples.shrink_to_fit();
        Ok(self.profile)
    }
}

fn resolve_strings(profile: &mut Profile, names: &[StrId]) -> Result<(), DecodeError> {
    let mut unknown = None;
    let mut resolve = |id: &mut StrId| match names.get(id.index()) {
        Some(&name) => *id = name,
        None => unknown = Some(id.0),
    };
    for value_type in profile.sample_types.iter_mut().chain([&mut profile.period_type]) {
        resolve(&mut value_type.kind);
        resolve(&mut value_type.unit);
    }
    for mapping in &mut profile.mappings {
        resolve(&mut mapping.file);
        resolve(&mut mapping.build_id);
    }
    for function in &mut profile.functions {
        resolve(&mut function.name);
        resolve(&mut function.system_name);
        resolve(&mut function.filename);
    }
    for label in profile.samples.all_labels_mut() {
        resolve(&mut label.key);
        match &mut label.value {
            LabelValue::Str(text) => resolve(text),
            LabelValue::Num { unit, .. } => resolve(unit),
        }
    }
    profile.comments.iter_mut().for_each(&mut resolve);
    resolve(&mut profile.drop_frames);
    resolve(&mut profile.keep_frames);
    resolve(&mut profile.default_sample_type);
    resolve(&mut profile.doc_url);
    unknown.map_or(Ok(()), |index| {
        let count = names.len();
        Err(DecodeError::Invalid(format!(
            "string {index} is mentioned, but the table holds {count}"
        )))
    })
}

fn resolve_locations(
    profile: &mut Profile,
    mapping_ids: &[u64],
    function_ids: &[u64],
) -> Result<(), DecodeError> {
    let mappings = id_map("mapping", profile.mappings.iter().map(|m| m.id))?;
    let functions = id_map("function", profile.functions.iter().map(|f| f.id))?;
    for (location, &id) in profile.locations.iter_mut().zip(mapping_ids) {
        location.mapping = mappings.get(id).map(MappingIdx);
    }
    for (i, (line, &id)) in profile.lines.iter_mut().zip(function_ids).enumerate() {
        let Some(function) = functions.get(id) else {
            let location = profile.locations.iter().find(|l| l.lines.contains(&(i as u32)));
            let location = location.map_or(0, |l| l.id);
            let reason =
                format!("location {location} has a line in function {id}, which does not exist");
            return Err(DecodeError::Invalid(reason));
        };
        line.function = FunctionIdx(function);
    }
    Ok(())
}

fn resolve_stacks(profile: &mut Profile, noted: &NotedFrames) -> Result<(), DecodeError> {
    let locations = id_map("location", profile.locations.iter().map(|l| l.id))?;
    if matches!(locations, IdMap::Sequential(count) if u64::from(noted.highest) < count) {
        return Ok(());
    }
    let mut wide_ids = noted.wide_ids.iter().copied();
    let mut unknown = None;
    for (i, frame) in profile.samples.all_frames_mut().iter_mut().enumerate() {
        let id = match frame.0 {
            WIDE => wide_ids.next().unwrap_or_default(),
            position => u64::from(position) + 1,
        };
        match locations.get(id) {
            Some(location) => *frame = LocationIdx(location),
            None => unknown = unknown.or(Some((i, id))),
        }
    }
    let no_location = |(frame, id)| no_location(profile.samples.sample_of_frame(frame), id);
    unknown.map_or(Ok(()), |unknown| Err(no_location(unknown)))
}

fn no_location(sample: usize, id: u64) -> DecodeError {
    DecodeError::Invalid(format!("sample {sample} has location {id}, which does not exist"))
}

fn id_map(
    table: &str,
    ids: impl ExactSizeIterator<Item = u64> + Clone,
) -> Result<IdMap, DecodeError> {
    let twice =
        |DuplicateId(id)| DecodeError::Invalid(format!("multiple {table}s with same id: {id}"));
    IdMap::new(ids).map_err(twice)
}

/// Checked at once, as messages without an id are short and what they become is not.
fn check_id(table: &str, id: u64) -> Result<(), DecodeError> {
    if id == 0 {
        return Err(DecodeError::Invalid(format!("found {table} with reserved id 0")));
    }
    Ok(())
}

/// A number of a string. Tables are smaller than 2^32, so the number that stands for all others is in
/// none.
fn string_number(field: &Field<'_>) -> Result<StrId, WireError> {
    field.varint().map(narrow)
}

fn narrow(n: u64) -> StrId {
    StrId(u32::try_from(n).unwrap_or(u32::MAX))
}

fn value_type(mut message: Cursor<'_>) -> Result<ValueType, WireError> {
    let mut value_type = ValueType::default();
    while let Some(field) = message.field()? {
        match field.number {
            1 => value_type.kind = string_number(&field)?,
            2 => value_type.unit = string_number(&field)?,
            _ => {}
        }
    }
    Ok(value_type)
}

fn mapping(mut message: Cursor<'_>) -> Result<Mapping, WireError> {
    let mut mapping = Mapping::default();
    while let Some(field) = message.field()? {
        match field.number {
            1 => mapping.id = field.varint()?,
            2 => mapping.start = field.varint()?,
            3 => mapping.limit = field.varint()?,
            4 => mapping.offset = field.varint()?,
            5 => mapping.file = string_number(&field)?,
            6 => mapping.build_id = string_number(&field)?,
            7 => mapping.has_functions = field.bool()?,
            8 => mapping.has_filenames = field.bool()?,
            9 => mapping.has_line_numbers = field.bool()?,
            10 => mapping.has_inline_frames = field.bool()?,
            _ => {}
        }
    }
    Ok(mapping)
}

fn function(mut message: Cursor<'_>) -> Result<Function, WireError> {
    let mut function = Function::default();
    while let Some(field) = message.field()? {
        match field.number {
            1 => function.id = field.varint()?,
            2 => function.name = string_number(&field)?,
            3 => function.system_name = string_number(&field)?,
            4 => function.filename = string_number(&field)?,
            5 => function.start_line = field.int()?,
            _ => {}
        }
    }
    Ok(function)
}

/// A line and the id of its function.
fn line(mut message: Cursor<'_>) -> Result<(u64, Line), WireError> {
    let mut function_id = 0;
    let mut line = Line::default();
    while let Some(field) = message.field()? {
        match field.number {
            1 => function_id = field.varint()?,
            2 => line.line = field.int()?,
            3 => line.column = field.int()?,
            _ => {}
        }
    }
    Ok((function_id, line))
}

fn label(mut message: Cursor<'_>) -> Result<Label, WireError> {
    let (mut key, mut text, mut value, mut unit) = (StrId::EMPTY, StrId::EMPTY, 0, StrId::EMPTY);
    if let Some(n) = message.number_field(number_key(1))? {
        key = narrow(n);
    }
    if let Some(n) = message.number_field(number_key(2))? {
        text = narrow(n);
    }
    while let Some(field) = message.field()? {
        match field.number {
            1 => key = string_number(&field)?,
            2 => text = string_number(&field)?,
            3 => value = field.int()?,
            4 => unit = string_number(&field)?,
            _ => {}
        }
    }
    let value =
        if text.is_empty() { LabelValue::Num { value, unit } } else { LabelValue::Str(text) };
    Ok(Label { key, value })
}
