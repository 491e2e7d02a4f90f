//! `profile.proto` → [`Profile`].
//!
//! Messages refer forward (samples name locations, which come later, and everything names strings, which
//! come last), so a first walk over the top level interns the strings and notes where the other messages
//! lie, and a second one reads them in the order of their references. No message is copied.

use super::field::profile as field;
use super::ids::{IdError, IdMap};
use super::wire::{Cursor, Field, Span, WireError};
use crate::error::DecodeError;
use crate::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Samples, StrId, Strings, ValueType,
};

/// Reads an uncompressed profile of less than 4 GiB.
pub(crate) fn decode(file: &[u8]) -> Result<Profile, DecodeError> {
    let outline = Outline::read(file)?;
    if outline.names.is_empty() {
        return Err(DecodeError::Invalid("the profile has no string table".into()));
    }
    let decoder = Decoder { file, names: &outline.names, profile: Profile::default() };
    match decoder.run(&outline) {
        Ok(profile) => Ok(Profile { strings: outline.strings, ..profile }),
        // Two files in one agree about neither ids nor types.
        Err(DecodeError::Invalid(_)) if outline.types_after_samples => {
            Err(DecodeError::Concatenated)
        }
        Err(e) => Err(e),
    }
}

/// What the first walk finds.
#[derive(Default)]
struct Outline {
    strings: Strings,
    /// The file's string table in terms of `strings`.
    names: Vec<StrId>,
    sample_types: Vec<Span>,
    samples: Vec<Span>,
    mappings: Vec<Span>,
    locations: Vec<Span>,
    functions: Vec<Span>,
    period_type: Option<Span>,
    comments: Vec<u64>,
    drop_frames: u64,
    keep_frames: u64,
    default_sample_type: u64,
    doc_url: u64,
    time_nanos: i64,
    duration_nanos: i64,
    period: i64,
    /// A sample type came after samples: the mark of two files in one.
    types_after_samples: bool,
}

impl Outline {
    fn read(file: &[u8]) -> Result<Self, DecodeError> {
        let mut outline = Self::default();
        let mut cursor = Cursor::new(file);
        while let Some(field) = cursor.field()? {
            outline.add(&field)?;
        }
        Ok(outline)
    }

    #[inline]
    fn add(&mut self, field: &Field<'_>) -> Result<(), DecodeError> {
        match field.number {
            field::SAMPLE_TYPE => {
                self.types_after_samples |= !self.samples.is_empty();
                self.sample_types.push(field.bytes()?.span());
            }
            field::SAMPLE => self.samples.push(field.bytes()?.span()),
            field::MAPPING => self.mappings.push(field.bytes()?.span()),
            field::LOCATION => self.locations.push(field.bytes()?.span()),
            field::FUNCTION => self.functions.push(field.bytes()?.span()),
            field::STRING_TABLE => self.add_string(field)?,
            field::DROP_FRAMES => self.drop_frames = field.varint()?,
            field::KEEP_FRAMES => self.keep_frames = field.varint()?,
            field::TIME_NANOS => {
                if self.time_nanos != 0 {
                    return Err(DecodeError::Concatenated);
                }
                self.time_nanos = field.int()?;
            }
            field::DURATION_NANOS => self.duration_nanos = field.int()?,
            field::PERIOD_TYPE => self.period_type = Some(field.bytes()?.span()),
            field::PERIOD => self.period = field.int()?,
            field::COMMENT => field.numbers(|index| self.comments.push(index))?,
            field::DEFAULT_SAMPLE_TYPE => self.default_sample_type = field.varint()?,
            field::DOC_URL => self.doc_url = field.varint()?,
            _ => {}
        }
        Ok(())
    }

    fn add_string(&mut self, field: &Field<'_>) -> Result<(), DecodeError> {
        let bytes = field.bytes()?.rest();
        if self.names.is_empty() && !bytes.is_empty() {
            return Err(field
                .error("the first entry of the string table is not the empty string")
                .into());
        }
        match self.strings.try_intern_bytes(bytes) {
            Some(id) => self.names.push(id),
            None => return Err(field.error("the string table exceeds 4 GiB").into()),
        }
        Ok(())
    }
}

struct Decoder<'a> {
    file: &'a [u8],
    names: &'a [StrId],
    profile: Profile,
}

impl Decoder<'_> {
    /// Everything but the strings.
    fn run(mut self, outline: &Outline) -> Result<Profile, DecodeError> {
        self.header(outline)?;
        let mappings = self.mappings(&outline.mappings)?;
        let functions = self.functions(&outline.functions)?;
        let locations = self.locations(&outline.locations, &mappings, &functions)?;
        self.samples(&outline.samples, &locations)?;
        Ok(self.profile)
    }

    fn header(&mut self, outline: &Outline) -> Result<(), DecodeError> {
        for &span in &outline.sample_types {
            let value_type = self.value_type(span)?;
            self.profile.sample_types.push(value_type);
        }
        if let Some(span) = outline.period_type {
            self.profile.period_type = self.value_type(span)?;
        }
        for &index in &outline.comments {
            let comment = self.string(index)?;
            self.profile.comments.push(comment);
        }
        self.profile.drop_frames = self.string(outline.drop_frames)?;
        self.profile.keep_frames = self.string(outline.keep_frames)?;
        self.profile.default_sample_type = self.string(outline.default_sample_type)?;
        self.profile.doc_url = self.string(outline.doc_url)?;
        self.profile.time_nanos = outline.time_nanos;
        self.profile.duration_nanos = outline.duration_nanos;
        self.profile.period = outline.period;
        Ok(())
    }

    fn value_type(&self, span: Span) -> Result<ValueType, DecodeError> {
        let mut value_type = ValueType::default();
        let mut message = Cursor::at(self.file, span);
        while let Some(field) = message.field()? {
            match field.number {
                1 => value_type.kind = self.string(field.varint()?)?,
                2 => value_type.unit = self.string(field.varint()?)?,
                _ => {}
            }
        }
        Ok(value_type)
    }

    fn mappings(&mut self, spans: &[Span]) -> Result<IdMap, DecodeError> {
        self.profile.mappings.reserve_exact(spans.len());
        for &span in spans {
            let mapping = self.mapping(span)?;
            self.profile.mappings.push(mapping);
        }
        IdMap::new(self.profile.mappings.iter().map(|m| m.id)).map_err(|e| bad_ids("mapping", &e))
    }

    fn mapping(&self, span: Span) -> Result<Mapping, DecodeError> {
        let mut mapping = Mapping::default();
        let mut message = Cursor::at(self.file, span);
        while let Some(field) = message.field()? {
            match field.number {
                1 => mapping.id = field.varint()?,
                2 => mapping.start = field.varint()?,
                3 => mapping.limit = field.varint()?,
                4 => mapping.offset = field.varint()?,
                5 => mapping.file = self.string(field.varint()?)?,
                6 => mapping.build_id = self.string(field.varint()?)?,
                7 => mapping.has_functions = field.bool()?,
                8 => mapping.has_filenames = field.bool()?,
                9 => mapping.has_line_numbers = field.bool()?,
                10 => mapping.has_inline_frames = field.bool()?,
                _ => {}
            }
        }
        Ok(mapping)
    }

    fn functions(&mut self, spans: &[Span]) -> Result<IdMap, DecodeError> {
        self.profile.functions.reserve_exact(spans.len());
        for &span in spans {
            let function = self.function(span)?;
            self.profile.functions.push(function);
        }
        IdMap::new(self.profile.functions.iter().map(|f| f.id)).map_err(|e| bad_ids("function", &e))
    }

    fn function(&self, span: Span) -> Result<Function, DecodeError> {
        let mut function = Function::default();
        let mut message = Cursor::at(self.file, span);
        while let Some(field) = message.field()? {
            match field.number {
                1 => function.id = field.varint()?,
                2 => function.name = self.string(field.varint()?)?,
                3 => function.system_name = self.string(field.varint()?)?,
                4 => function.filename = self.string(field.varint()?)?,
                5 => function.start_line = field.int()?,
                _ => {}
            }
        }
        Ok(function)
    }

    fn locations(
        &mut self,
        spans: &[Span],
        mappings: &IdMap,
        functions: &IdMap,
    ) -> Result<IdMap, DecodeError> {
        self.profile.locations.reserve_exact(spans.len());
        for &span in spans {
            let location = self.location(span, mappings, functions)?;
            self.profile.locations.push(location);
        }
        IdMap::new(self.profile.locations.iter().map(|l| l.id)).map_err(|e| bad_ids("location", &e))
    }

    fn location(
        &mut self,
        span: Span,
        mappings: &IdMap,
        functions: &IdMap,
    ) -> Result<Location, DecodeError> {
        let mut location = Location::default();
        let first_line = self.profile.lines.len() as u32;
        let mut dangling = None;
        let mut message = Cursor::at(self.file, span);
        while let Some(field) = message.field()? {
            match field.number {
                1 => location.id = field.varint()?,
                2 => location.mapping = mappings.get(field.varint()?).map(MappingIdx),
                3 => location.address = field.varint()?,
                4 => match line(field.bytes()?, functions)? {
                    Ok(line) => self.profile.lines.push(line),
                    Err(function_id) => dangling = Some(function_id),
                },
                5 => location.is_folded = field.bool()?,
                _ => {}
            }
        }
        if let Some(function_id) = dangling {
            return Err(DecodeError::Invalid(format!(
                "location {} has a line in function {function_id}, which does not exist",
                location.id
            )));
        }
        location.lines = first_line..self.profile.lines.len() as u32;
        Ok(location)
    }

    fn samples(&mut self, spans: &[Span], locations: &IdMap) -> Result<(), DecodeError> {
        let width = self.profile.sample_types.len();
        if width == 0 && !spans.is_empty() {
            return Err(DecodeError::Invalid("missing sample type information".into()));
        }
        let mut samples = Samples::with_capacity(width, spans.len());
        for (i, &span) in spans.iter().enumerate() {
            self.sample(span, locations, &mut samples)?
                .map_err(|fault| fault.of_sample(i, width))?;
        }
        samples.shrink_to_fit();
        self.profile.samples = samples;
        Ok(())
    }

    #[inline]
    fn sample(
        &self,
        span: Span,
        locations: &IdMap,
        samples: &mut Samples,
    ) -> Result<Result<(), SampleFault>, DecodeError> {
        let mut dangling = None;
        let mut message = Cursor::at(self.file, span);
        while let Some(field) = message.field()? {
            match field.number {
                1 => field.numbers(|id| match locations.get(id) {
                    Some(location) => samples.add_frame(LocationIdx(location)),
                    None => dangling = Some(id),
                })?,
                2 => field.numbers(|value| samples.add_value(value.cast_signed()))?,
                3 => samples.add_label(self.label(field.bytes()?)?),
                _ => {}
            }
        }
        if let Some(id) = dangling {
            return Ok(Err(SampleFault::Location(id)));
        }
        Ok(samples.end_sample().map_err(SampleFault::Values))
    }

    fn label(&self, mut message: Cursor<'_>) -> Result<Label, DecodeError> {
        let (mut key, mut text, mut value, mut unit) = (StrId::EMPTY, 0, 0, StrId::EMPTY);
        while let Some(field) = message.field()? {
            match field.number {
                1 => key = self.string(field.varint()?)?,
                2 => text = field.varint()?,
                3 => value = field.int()?,
                4 => unit = self.string(field.varint()?)?,
                _ => {}
            }
        }
        let value = match text {
            0 => LabelValue::Num { value, unit },
            index => LabelValue::Str(self.string(index)?),
        };
        Ok(Label { key, value })
    }

    #[inline]
    fn string(&self, index: u64) -> Result<StrId, DecodeError> {
        let known = usize::try_from(index).ok().and_then(|i| self.names.get(i));
        known.copied().ok_or_else(|| {
            let count = self.names.len();
            DecodeError::Invalid(format!(
                "string {index} is mentioned, but the table holds {count}"
            ))
        })
    }
}

/// What makes a sample unusable.
enum SampleFault {
    /// It has this many values.
    Values(usize),
    /// It mentions a location that does not exist.
    Location(u64),
}

impl SampleFault {
    #[cold]
    fn of_sample(&self, i: usize, width: usize) -> DecodeError {
        DecodeError::Invalid(match self {
            Self::Values(n) => format!("mismatch: sample {i} has {n} values vs. {width} types"),
            Self::Location(id) => format!("sample {i} has location {id}, which does not exist"),
        })
    }
}

/// One line, or the id of the function that it lacks.
fn line(mut message: Cursor<'_>, functions: &IdMap) -> Result<Result<Line, u64>, WireError> {
    let (mut function, mut line, mut column) = (0, 0, 0);
    while let Some(field) = message.field()? {
        match field.number {
            1 => function = field.varint()?,
            2 => line = field.int()?,
            3 => column = field.int()?,
            _ => {}
        }
    }
    Ok(match functions.get(function) {
        Some(position) => Ok(Line { function: FunctionIdx(position), line, column }),
        None => Err(function),
    })
}

fn bad_ids(table: &str, error: &IdError) -> DecodeError {
    DecodeError::Invalid(match error {
        IdError::Zero => format!("found {table} with reserved id 0"),
        IdError::Twice(id) => format!("multiple {table}s with same id: {id}"),
    })
}
