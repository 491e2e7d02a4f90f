//! Small profiles written down as text.
//!
//! ```text
//! main;outer@a.c:3>inner@b.c:9 1,10 key=text bytes:512:kb
//! ```
//! A line is a sample: a stack from root to leaf, `-` for none, one value per sample type, labels. A place
//! may start with its address (`40f!main`), and `>` leads to a function inlined there.

use std::collections::HashMap;

use oxprof_profile::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Samples, ValueType,
};

/// A profile of `samples` and `cpu`, of a program called `prog`.
pub(crate) fn profile(samples: &str) -> Profile {
    profile_of(&[("samples", "count"), ("cpu", "nanoseconds")], samples)
}

/// A profile of these sample types, each a name and a unit.
pub(crate) fn profile_of(types: &[(&str, &str)], samples: &str) -> Profile {
    let mut profile = Profile { samples: Samples::new(types.len()), ..Profile::default() };
    for (kind, unit) in types {
        let (kind, unit) = (profile.strings.intern(kind), profile.strings.intern(unit));
        profile.sample_types.push(ValueType { kind, unit });
    }
    let file = profile.strings.intern("/bin/prog");
    profile.mappings.push(Mapping { id: 1, limit: 0x10000, file, ..Mapping::default() });
    let mut reader = Reader { profile, locations: HashMap::new(), functions: HashMap::new() };
    samples.lines().map(str::trim).filter(|l| !l.is_empty()).for_each(|line| reader.sample(line));
    reader.profile
}

struct Reader {
    profile: Profile,
    locations: HashMap<String, LocationIdx>,
    functions: HashMap<(String, String), FunctionIdx>,
}

impl Reader {
    fn sample(&mut self, line: &str) {
        let mut words = line.split(' ');
        let stack = words.next().unwrap().split(';').filter(|place| *place != "-");
        let stack: Vec<_> = stack.rev().map(|place| self.location(place)).collect();
        let values: Vec<i64> =
            words.next().unwrap().split(',').map(|v| v.parse().unwrap()).collect();
        let labels: Vec<_> = words.map(|word| self.label(word)).collect();
        self.profile.samples.push(&values, &stack, &labels);
    }

    fn location(&mut self, text: &str) -> LocationIdx {
        if let Some(&known) = self.locations.get(text) {
            return known;
        }
        let (address, frames) = text.split_once('!').unwrap_or(("0", text));
        let start = self.profile.lines.len() as u32;
        for frame in frames.split('>').rev().filter(|frame| !frame.is_empty()) {
            let line = self.line(frame);
            self.profile.lines.push(line);
        }
        let index = LocationIdx::from_index(self.profile.locations.len());
        self.profile.locations.push(Location {
            id: u64::from(index.0) + 1,
            mapping: Some(MappingIdx(0)),
            address: u64::from_str_radix(address, 16).unwrap(),
            lines: start..self.profile.lines.len() as u32,
            is_folded: false,
        });
        self.locations.insert(text.to_owned(), index);
        index
    }

    fn line(&mut self, frame: &str) -> Line {
        let (name, place) = frame.split_once('@').unwrap_or((frame, ""));
        let (file, line) = place.split_once(':').unwrap_or((place, "0"));
        let Profile { strings, functions, .. } = &mut self.profile;
        let key = (name.to_owned(), file.to_owned());
        let function = *self.functions.entry(key).or_insert_with(|| {
            let (name, filename) = (strings.intern(name), strings.intern(file));
            let id = functions.len() as u64 + 1;
            functions.push(Function {
                id,
                name,
                system_name: name,
                filename,
                ..Function::default()
            });
            FunctionIdx::from_index(functions.len() - 1)
        });
        Line { function, line: line.parse().unwrap(), column: 0 }
    }

    fn label(&mut self, word: &str) -> Label {
        let strings = &mut self.profile.strings;
        if let Some((key, value)) = word.split_once('=') {
            let key = strings.intern(key);
            return Label { key, value: LabelValue::Str(strings.intern(value)) };
        }
        let mut parts = word.split(':');
        let key = strings.intern(parts.next().unwrap());
        let value = parts.next().unwrap().parse().unwrap();
        let unit = strings.intern(parts.next().unwrap_or(""));
        Label { key, value: LabelValue::Num { value, unit } }
    }
}
