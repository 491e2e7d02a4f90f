//! One mapping of a profile against one binary.

use std::collections::HashMap;

use oxprof_profile::{
    Function, FunctionIdx, Line, LocationIdx, Mapping, MappingIdx, Profile, StrId,
};

use super::batch;
use super::recall::Known;
use super::source::{ObjectFile, ObjectSource, with_object};
use super::{MISMATCH, Need, SymbolizeOptions};
use crate::kallsyms::Kallsyms;
use crate::{Avma, FileOffset, Frame, MappedRange, Object, Svma};

/// A place in the profile and the frames that belong there.
pub(super) type Answer<'a> = (LocationIdx, Vec<Frame<'a>>);

/// Fills in the locations of mapping `index` from `file`, and adds to what is known.
///
/// # Errors
/// When the file is of no use or of another build; the profile is unchanged then.
pub(super) fn mapping(
    profile: &mut Profile,
    index: MappingIdx,
    file: &ObjectFile,
    source: &dyn ObjectSource,
    options: &SymbolizeOptions,
    need: Need,
    known: Option<&mut Known>,
) -> Result<(), String> {
    if file.path.starts_with('[') && file.data.data().get(0..4) != Some(b"\x7fELF") {
        return kernel(profile, index, file.data.data().all().unwrap_or_default());
    }
    let build_id = profile.str(profile.mappings[index.index()].build_id).to_owned();
    with_object(source, file, &build_id, |object| {
        if need == Need::Lines && object.build_id().is_none() {
            return Err(MISMATCH.to_owned());
        }
        let wanted = addresses(profile, index, object)?;
        let answers = look_up(object, &wanted, options);
        // Names alone may become more when debug information is installed.
        if let Some(known) = known.filter(|_| object.knows_lines()) {
            for (location, frames) in &answers {
                known.add(key(profile, index, *location), frames);
            }
        }
        apply(profile, index, answers, need);
        Ok(())
    })
}

/// Fills in the locations of mapping `index` from what is known. Unless that is all, it changes nothing and
/// returns false.
pub(super) fn from_memory(
    profile: &mut Profile,
    index: MappingIdx,
    known: &Known,
    need: Need,
) -> bool {
    let mut answers = Vec::new();
    for (i, location) in profile.locations.iter().enumerate() {
        if location.mapping == Some(index) && location.address != 0 {
            let at = LocationIdx::from_index(i);
            let Some(frames) = known.get(key(profile, index, at)) else { return false };
            answers.push((at, frames.to_vec()));
        }
    }
    apply(profile, index, answers, need);
    true
}

/// Where a location is in the file, whatever the object says of it.
fn key(profile: &Profile, index: MappingIdx, location: LocationIdx) -> u64 {
    const STATED: u64 = 1 << 63;
    let range = range(&profile.mappings[index.index()]);
    let address = profile.locations[location.index()].address;
    let offset = range.file_offset(Avma(address)).map_or(address, |offset| offset.0);
    if range.is_identity() { offset | STATED } else { offset }
}

fn range(mapping: &Mapping) -> MappedRange {
    MappedRange {
        start: Avma(mapping.start),
        limit: Avma(mapping.limit),
        offset: FileOffset(mapping.offset),
    }
}

/// Where the locations of the mapping are in the object, by address.
fn addresses(
    profile: &Profile,
    index: MappingIdx,
    object: &Object<'_>,
) -> Result<Vec<(Svma, LocationIdx)>, String> {
    let range = range(&profile.mappings[index.index()]);
    let mut found = Vec::new();
    let mut refused = None;
    for (i, location) in profile.locations.iter().enumerate() {
        if location.mapping == Some(index) && location.address != 0 {
            match object.svma(Avma(location.address), &range) {
                Ok(svma) => found.push((svma, LocationIdx::from_index(i))),
                Err(e) => refused = Some(e),
            }
        }
    }
    found.sort_unstable();
    match refused {
        Some(e) if found.is_empty() => Err(e.to_string()),
        _ => Ok(found),
    }
}

fn look_up<'d>(
    object: &Object<'d>,
    wanted: &[(Svma, LocationIdx)],
    options: &SymbolizeOptions,
) -> Vec<Answer<'d>> {
    if options.names_only {
        return wanted.iter().map(|&(svma, at)| (at, object.symbol_frame(svma))).collect();
    }
    batch::frames(object, wanted, options.threads)
}

fn kernel(profile: &mut Profile, index: MappingIdx, text: &[u8]) -> Result<(), String> {
    let symbols = Kallsyms::parse(text);
    if symbols.is_empty() {
        return Err("/proc/kallsyms hides its addresses from this user".to_owned());
    }
    let answers = profile
        .locations
        .iter()
        .enumerate()
        .filter(|(_, l)| l.mapping == Some(index))
        .map(|(i, l)| {
            let name = symbols.find(Avma(l.address));
            let frame = name.map(|n| Frame { system_name: n.into(), ..Frame::default() });
            (LocationIdx::from_index(i), frame.into_iter().collect())
        })
        .collect();
    apply(profile, index, answers, Need::Everything);
    Ok(())
}

/// Writes the answers into the profile.
fn apply(profile: &mut Profile, index: MappingIdx, answers: Vec<Answer<'_>>, need: Need) {
    let mut functions = Functions::new(profile);
    for (location, frames) in answers {
        let has_places = frames.iter().any(|f| f.line != 0);
        if frames.is_empty() || need == Need::Lines && !has_places {
            continue;
        }
        let start = profile.lines.len() as u32;
        for frame in &frames {
            let function = functions.intern(profile, frame);
            let (line, column) = (i64::from(frame.line), i64::from(frame.column));
            profile.lines.push(Line { function, line, column });
        }
        profile.locations[location.index()].lines = start..profile.lines.len() as u32;
        let mapping = &mut profile.mappings[index.index()];
        mapping.has_functions |= frames.iter().any(|f| !f.system_name.is_empty());
        mapping.has_filenames |= frames.iter().any(|f| f.file.is_some());
        mapping.has_line_numbers |= has_places;
        mapping.has_inline_frames |= has_places;
    }
}

/// Functions that this symbolization added, by what tells them apart.
struct Functions {
    known: HashMap<(StrId, StrId, i64), FunctionIdx>,
    last_id: u64,
}

impl Functions {
    fn new(profile: &Profile) -> Self {
        let known =
            profile.functions.iter().enumerate().map(|(i, f)| {
                ((f.system_name, f.filename, f.start_line), FunctionIdx::from_index(i))
            });
        let last_id = profile.functions.iter().map(|f| f.id).max().unwrap_or(0);
        Self { known: known.collect(), last_id }
    }

    fn intern(&mut self, profile: &mut Profile, frame: &Frame<'_>) -> FunctionIdx {
        let system_name = profile.strings.intern(&frame.system_name);
        let filename = profile.strings.intern(frame.file.as_deref().unwrap_or_default());
        let start_line = i64::from(frame.start_line);
        *self.known.entry((system_name, filename, start_line)).or_insert_with(|| {
            self.last_id += 1;
            let (id, name) = (self.last_id, system_name);
            profile.functions.push(Function { id, name, system_name, filename, start_line });
            FunctionIdx::from_index(profile.functions.len() - 1)
        })
    }
}
