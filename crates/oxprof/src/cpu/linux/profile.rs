//! The profile of a finished capture, with names.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use oxprof_profile::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Samples, StrId, ValueType,
};

use super::maps::{Maps, Row};
use super::names::{Frame, Names};
use super::recording::Recorded;
use super::stacks::{Ending, EndingKind};

/// Makes the profile, looking names up in the files of `maps`.
pub(super) fn build(recorded: &Recorded, maps: &Maps) -> Profile {
    let mut builder = Builder::new(recorded, maps);
    for (frames, ending, count) in recorded.stacks.iter() {
        builder.sample(frames, ending, count);
    }
    builder.bookkeeping("[before attach]", recorded.before_attach);
    builder.bookkeeping("[lost]", recorded.lost);
    builder.bookkeeping("[unattributed]", recorded.unattributed);
    builder.finish()
}

struct Builder<'a> {
    maps: &'a Maps,
    names: Names<'a>,
    profile: Profile,
    period: i64,
    locations: HashMap<u64, LocationIdx>,
    /// Frames in brackets, by name.
    pseudo: HashMap<&'static str, LocationIdx>,
    functions: HashMap<(StrId, StrId, StrId), FunctionIdx>,
    /// What the locations of each mapping have in common.
    known: Vec<Known>,
    stack: Vec<LocationIdx>,
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
    fn new(recorded: &Recorded, maps: &'a Maps) -> Self {
        let mut profile = Profile { samples: Samples::new(2), ..Profile::default() };
        let mut value = |kind, unit| ValueType {
            kind: profile.strings.intern(kind),
            unit: profile.strings.intern(unit),
        };
        let types = [value("samples", "count"), value("cpu", "nanoseconds")];
        profile.sample_types = types.to_vec();
        profile.period_type = types[1];
        profile.period = i64::from(recorded.period);
        let since_epoch = recorded.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        profile.time_nanos = saturating(since_epoch.as_nanos());
        profile.duration_nanos = saturating(recorded.duration.as_nanos());
        for (i, row) in maps.rows().iter().enumerate() {
            let mapping = mapping(&mut profile, i, row);
            profile.mappings.push(mapping);
        }
        let unused = Known { used: false, functions: true, files: true, lines: true };
        Self {
            maps,
            names: Names::new(maps),
            period: profile.period,
            profile,
            locations: HashMap::new(),
            pseudo: HashMap::new(),
            functions: HashMap::new(),
            known: vec![unused; maps.rows().len()],
            stack: Vec::new(),
        }
    }

    fn sample(&mut self, frames: &[u64], ending: Ending, count: u64) {
        self.stack.clear();
        for &address in frames {
            let location = self.location(address);
            self.stack.push(location);
        }
        match ending.kind {
            EndingKind::Root => {}
            EndingKind::Truncated => self.push_pseudo("[truncated]"),
            EndingKind::Incomplete => self.push_pseudo("[incomplete]"),
        }
        let guessed = ending.guessed.then(|| self.guessed_label());
        self.push(count, guessed.as_slice());
    }

    /// A sample of time that has no stack.
    fn bookkeeping(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            self.stack.clear();
            self.push_pseudo(name);
            self.push(count, &[]);
        }
    }

    fn push(&mut self, count: u64, labels: &[Label]) {
        let count = saturating(u128::from(count));
        let values = [count, count.saturating_mul(self.period)];
        self.profile.samples.push(&values, &self.stack, labels);
    }

    fn guessed_label(&mut self) -> Label {
        let strings = &mut self.profile.strings;
        Label { key: strings.intern("unwind"), value: LabelValue::Str(strings.intern("guessed")) }
    }

    fn push_pseudo(&mut self, name: &'static str) {
        let location = match self.pseudo.get(name) {
            Some(&location) => location,
            None => {
                // Consumers expect distinct addresses; no mapping holds these.
                let address = 1 + self.pseudo.len() as u64;
                let frame = Frame { name: name.into(), ..Frame::default() };
                let location = self.push_location(address, None, &[frame]);
                self.pseudo.insert(name, location);
                location
            }
        };
        self.stack.push(location);
    }

    fn location(&mut self, address: u64) -> LocationIdx {
        if let Some(&location) = self.locations.get(&address) {
            return location;
        }
        let row = self.maps.find(address);
        let frames = row.map(|row| self.names.frames(row, address)).unwrap_or_default();
        if let Some(known) = row.and_then(|row| self.known.get_mut(row)) {
            known.note(&frames);
        }
        let location = self.push_location(address, row.map(MappingIdx::from_index), &frames);
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

    fn finish(mut self) -> Profile {
        for (mapping, known) in self.profile.mappings.iter_mut().zip(&self.known) {
            mapping.has_functions = known.used && known.functions;
            mapping.has_filenames = known.used && known.files;
            mapping.has_line_numbers = known.used && known.lines;
            mapping.has_inline_frames = known.used && known.lines;
        }
        self.profile
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

fn saturating(value: u128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
