//! Profiles of stacks of this process: addresses become locations with names.

use std::collections::HashMap;

use oxprof_profile::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Samples, StrId, ValueType,
};

use super::maps::{Maps, Row};
use super::names::{Frame, Names};
use crate::labels::{self, LabelsId, Resolved};

/// A profile in the making. Its samples, types and times are the caller's to fill in.
pub(crate) struct Builder<'a> {
    pub(crate) profile: Profile,
    maps: &'a Maps,
    names: Names<'a>,
    locations: HashMap<u64, LocationIdx>,
    /// Of innermost and outermost frames; `None` for those that are hidden whole.
    ends: HashMap<u64, Option<LocationIdx>>,
    /// Frames in brackets, by name.
    pseudo: HashMap<&'static str, LocationIdx>,
    functions: HashMap<(StrId, StrId, StrId), FunctionIdx>,
    labels: HashMap<LabelsId, Vec<Label>>,
    /// What the locations of each mapping have in common.
    known: Vec<Known>,
}

/// What is known of all locations of a mapping that samples mention.
#[derive(Clone, Copy)]
struct Known {
    used: bool,
    functions: bool,
    files: bool,
    lines: bool,
}

impl<'a> Builder<'a> {
    /// A profile without samples, each to have one value of every type in `types`.
    pub(crate) fn new(maps: &'a Maps, types: &[(&str, &str)]) -> Self {
        let mut profile = Profile { samples: Samples::new(types.len()), ..Profile::default() };
        for (kind, unit) in types {
            let value = ValueType {
                kind: profile.strings.intern(kind),
                unit: profile.strings.intern(unit),
            };
            profile.sample_types.push(value);
        }
        for (i, row) in maps.rows().iter().enumerate() {
            let mapping = mapping(&mut profile, i, row);
            profile.mappings.push(mapping);
        }
        let unused = Known { used: false, functions: true, files: true, lines: true };
        Self {
            maps,
            names: Names::new(maps),
            profile,
            locations: HashMap::new(),
            ends: HashMap::new(),
            pseudo: HashMap::new(),
            functions: HashMap::new(),
            labels: HashMap::new(),
            known: vec![unused; maps.rows().len()],
        }
    }

    /// The location of an address: of an instruction, or inside a call.
    pub(crate) fn location(&mut self, address: u64) -> LocationIdx {
        if let Some(&location) = self.locations.get(&address) {
            return location;
        }
        let row = self.maps.find(address);
        let frames = row.map(|row| self.names.at(row, address).frames).unwrap_or_default();
        self.insert(address, row, &frames)
    }

    /// The location of an innermost or outermost frame, without the functions inlined there that `hidden` names, from
    /// either end; `None` if that leaves nothing.
    pub(crate) fn end(
        &mut self,
        address: u64,
        hidden: impl Fn(&str) -> bool,
    ) -> Option<LocationIdx> {
        if let Some(&known) = self.ends.get(&address) {
            return known;
        }
        let end = self.find_end(address, hidden);
        self.ends.insert(address, end);
        end
    }

    fn find_end(&mut self, address: u64, hidden: impl Fn(&str) -> bool) -> Option<LocationIdx> {
        let row = self.maps.find(address);
        let frames = row.map(|row| self.names.at(row, address).frames).unwrap_or_default();
        let is_shown = |frame: &Frame| !hidden(&frame.name);
        let Some(first) = frames.iter().position(is_shown) else {
            return frames.is_empty().then(|| self.location(address));
        };
        let last = frames.iter().rposition(is_shown).unwrap_or(first);
        if last - first + 1 == frames.len() {
            return Some(self.location(address));
        }
        Some(self.insert(address, row, &frames[first..=last]))
    }

    /// How far into its function each location is; `None` where that is unknown.
    pub(crate) fn offsets(&mut self) -> Vec<Option<u64>> {
        let Self { profile, names, maps, .. } = self;
        let addresses = profile.locations.iter().map(|location| location.address);
        addresses.map(|address| names.at(maps.find(address)?, address).offset).collect()
    }

    /// The location of a frame that stands for no code; its name is in brackets by convention.
    pub(crate) fn pseudo(&mut self, name: &'static str) -> LocationIdx {
        if let Some(&location) = self.pseudo.get(name) {
            return location;
        }
        // Consumers expect distinct addresses; no mapping holds these.
        let address = 1 + self.pseudo.len() as u64;
        let frame = Frame { name: name.into(), ..Frame::default() };
        let location = self.push_location(address, None, &[frame]);
        self.pseudo.insert(name, location);
        location
    }

    /// The labels of a sample, and one that says whether a caller was guessed.
    pub(crate) fn labels(&mut self, id: LabelsId, guessed: bool) -> Vec<Label> {
        let strings = &mut self.profile.strings;
        let labels = self.labels.entry(id).or_insert_with(|| {
            let label = |(key, value): (String, Resolved)| Label {
                key: strings.intern(&key),
                value: match value {
                    Resolved::Text(text) => LabelValue::Str(strings.intern(&text)),
                    Resolved::Number(value) => LabelValue::Num { value, unit: strings.intern("") },
                },
            };
            labels::get(id).into_iter().map(label).collect()
        });
        let guess = guessed.then(|| Label {
            key: strings.intern("unwind"),
            value: LabelValue::Str(strings.intern("guessed")),
        });
        labels.iter().copied().chain(guess).collect()
    }

    /// The profile, once all samples are in.
    pub(crate) fn finish(mut self) -> Profile {
        for (mapping, known) in self.profile.mappings.iter_mut().zip(&self.known) {
            mapping.has_functions = known.used && known.functions;
            mapping.has_filenames = known.used && known.files;
            mapping.has_line_numbers = known.used && known.lines;
            mapping.has_inline_frames = known.used && known.lines;
        }
        if let Some(program) = self.maps.program() {
            put_first(&mut self.profile, program);
        }
        self.profile
    }

    fn insert(&mut self, address: u64, row: Option<usize>, frames: &[Frame]) -> LocationIdx {
        if let Some(known) = row.and_then(|row| self.known.get_mut(row)) {
            known.note(frames);
        }
        let location = self.push_location(address, row.map(MappingIdx::from_index), frames);
        self.locations.insert(address, location);
        location
    }

    fn push_location(
        &mut self,
        address: u64,
        mapping: Option<MappingIdx>,
        frames: &[Frame],
    ) -> LocationIdx {
        let start = self.profile.lines.len() as u32;
        for frame in frames {
            let function = self.function(frame);
            let line = Line { function, line: frame.line.into(), column: frame.column.into() };
            self.profile.lines.push(line);
        }
        let lines = start..self.profile.lines.len() as u32;
        let location = LocationIdx::from_index(self.profile.locations.len());
        let id = self.profile.locations.len() as u64 + 1;
        self.profile.locations.push(Location { id, mapping, address, lines, is_folded: false });
        location
    }

    fn function(&mut self, frame: &Frame) -> FunctionIdx {
        let strings = &mut self.profile.strings;
        let name = strings.intern(&frame.name);
        let system_name = strings.intern(&frame.system_name);
        let filename = strings.intern(&frame.file);
        let functions = &mut self.profile.functions;
        *self.functions.entry((name, system_name, filename)).or_insert_with(|| {
            let index = FunctionIdx::from_index(functions.len());
            let (id, start_line) = (functions.len() as u64 + 1, frame.start_line.into());
            functions.push(Function { id, name, system_name, filename, start_line });
            index
        })
    }
}

impl Known {
    fn note(&mut self, frames: &[Frame]) {
        self.used = true;
        self.functions &= !frames.is_empty();
        self.files &= !frames.is_empty() && frames.iter().all(|f| !f.file.is_empty());
        self.lines &= !frames.is_empty() && frames.iter().all(|f| f.line != 0);
    }
}

/// Makes a mapping the first, which is how readers know the program itself. It is at a lower address than the
/// others in most programs anyway.
fn put_first(profile: &mut Profile, program: usize) {
    profile.mappings[..=program].rotate_right(1);
    for (i, mapping) in profile.mappings.iter_mut().enumerate() {
        mapping.id = i as u64 + 1;
    }
    for mapping in profile.locations.iter_mut().filter_map(|l| l.mapping.as_mut()) {
        match mapping.index() {
            index if index == program => *mapping = MappingIdx(0),
            index if index < program => mapping.0 += 1,
            _ => {}
        }
    }
}

fn mapping(profile: &mut Profile, index: usize, row: &Row) -> Mapping {
    Mapping {
        id: index as u64 + 1,
        start: row.range.start,
        limit: row.range.end,
        offset: row.offset,
        file: profile.strings.intern(&row.file),
        build_id: profile.strings.intern(&row.build_id),
        ..Mapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_comes_first() {
        let mut profile = Profile::default();
        for start in [10, 20, 30] {
            profile.mappings.push(Mapping { id: start, start, ..Mapping::default() });
        }
        for mapping in [None, Some(0), Some(1), Some(2)] {
            let mapping = mapping.map(MappingIdx);
            profile.locations.push(Location { mapping, ..Location::default() });
        }
        put_first(&mut profile, 1);
        let mappings: Vec<_> = profile.mappings.iter().map(|m| (m.id, m.start)).collect();
        assert_eq!(mappings, [(1, 20), (2, 10), (3, 30)]);
        let of_locations: Vec<_> =
            profile.locations.iter().map(|l| l.mapping.map(|m| m.0)).collect();
        assert_eq!(of_locations, [None, Some(1), Some(0), Some(2)]);
    }
}
