//! The rows of a table as a profile, for programs to read.

use std::collections::HashMap;
use std::io::{self, Write};

use oxprof_profile::{
    Compression, Function, FunctionIdx, Line, Location, LocationIdx, Profile, Samples, ValueType,
    encode_gzip,
};

use crate::render::Report;
use crate::{Frame, Frames};

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&encode_gzip(&profile(report), Compression::default()))
}

/// A profile with one sample a row: a stack of one frame, cumulative and own cost.
fn profile(report: &Report<'_>) -> Profile {
    let frames = report.frames();
    let (graph, amounts) = report.graph(&frames);
    let mut rows = Rows { profile: Profile::default(), functions: HashMap::new() };
    rows.describe(report.profile, &amounts.to);
    for node in graph.shown() {
        let values = [amounts.whole(node.cum()), amounts.whole(node.flat())];
        rows.add(&frames, frames.get(node.frame), values);
    }
    rows.profile
}

struct Rows {
    profile: Profile,
    functions: HashMap<Frame, FunctionIdx>,
}

impl Rows {
    fn describe(&mut self, of: &Profile, unit: &str) {
        let strings = &mut self.profile.strings;
        let unit = strings.intern(unit);
        let cum = ValueType { kind: strings.intern("cum"), unit };
        let flat = ValueType { kind: strings.intern("flat"), unit };
        let period_type = ValueType {
            kind: strings.intern(of.str(of.period_type.kind)),
            unit: strings.intern(of.str(of.period_type.unit)),
        };
        self.profile = Profile {
            sample_types: vec![cum, flat],
            samples: Samples::new(2),
            time_nanos: of.time_nanos,
            duration_nanos: of.duration_nanos,
            period_type,
            period: of.period,
            ..std::mem::take(&mut self.profile)
        };
    }

    fn add(&mut self, frames: &Frames<'_>, frame: Frame, values: [i64; 2]) {
        let function = self.function(frames, frame);
        let Profile { locations, lines, samples, .. } = &mut self.profile;
        let at = lines.len() as u32;
        lines.push(Line { function, line: frame.line, column: frame.column });
        locations.push(Location {
            id: locations.len() as u64 + 1,
            address: frame.address,
            lines: at..at + 1,
            ..Location::default()
        });
        samples.push(&values, &[LocationIdx::from_index(locations.len() - 1)], &[]);
    }

    fn function(&mut self, frames: &Frames<'_>, frame: Frame) -> FunctionIdx {
        let Profile { strings, functions, .. } = &mut self.profile;
        *self.functions.entry(frame.function().without_object()).or_insert_with(|| {
            functions.push(Function {
                id: functions.len() as u64 + 1,
                name: strings.intern(frames.name(frame)),
                filename: strings.intern(frames.file(frame)),
                start_line: frame.start_line,
                ..Function::default()
            });
            FunctionIdx::from_index(functions.len() - 1)
        })
    }
}
