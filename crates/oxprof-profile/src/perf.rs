//! What Linux perf records: its binary files, and the text of `perf script`.

pub(crate) mod data;
mod maps;
pub(crate) mod script;

use std::collections::HashMap;

use crate::{Builder, Label, LabelValue, LocationIdx, Profile, Samples, ValueType};

/// Collects samples of several events: sample type `samples/count` and one for each event, which for
/// clocks is their time and for others the number of events that a sample stands for.
#[derive(Debug)]
struct Recorder {
    builder: Builder,
    events: HashMap<String, usize>,
    names: Vec<String>,
    rows: Vec<Row>,
    frames: Vec<LocationIdx>,
    first_nanos: u64,
    last_nanos: u64,
}

/// A sample whose width is not known yet.
#[derive(Debug)]
struct Row {
    event: u32,
    amount: i64,
    frames_end: u32,
    comm: Option<crate::StrId>,
    pid: i64,
    tid: i64,
}

/// One sample.
#[derive(Debug, Default)]
struct Event<'a> {
    name: &'a str,
    /// Events that it stands for; 1 if unknown.
    amount: i64,
    comm: &'a [u8],
    pid: i64,
    tid: i64,
    nanos: u64,
}

impl Recorder {
    fn new() -> Self {
        Self {
            builder: Builder::default(),
            events: HashMap::new(),
            names: Vec::new(),
            rows: Vec::new(),
            frames: Vec::new(),
            first_nanos: u64::MAX,
            last_nanos: 0,
        }
    }

    /// Adds a sample; its stack is what was pushed to `frames` since the last one, leaf first.
    fn sample(&mut self, event: &Event<'_>) {
        // `cycles:u` and `cpu-clock:ppp` are the event with modifiers.
        let name =
            event.name.split(':').next().filter(|name| !name.is_empty()).unwrap_or(event.name);
        let column = match self.events.get(name) {
            Some(&column) => column,
            None => {
                self.names.push(name.to_owned());
                self.events.insert(name.to_owned(), self.names.len() - 1);
                self.names.len() - 1
            }
        };
        if event.nanos > 0 {
            self.first_nanos = self.first_nanos.min(event.nanos);
            self.last_nanos = self.last_nanos.max(event.nanos);
        }
        let comm =
            (!event.comm.is_empty()).then(|| self.builder.profile.strings.intern_bytes(event.comm));
        self.rows.push(Row {
            event: column as u32,
            amount: event.amount,
            frames_end: self.frames.len() as u32,
            comm,
            pid: event.pid,
            tid: event.tid,
        });
    }

    fn finish(mut self) -> Profile {
        let mut types = vec![self.builder.value_type("samples", "count")];
        for name in &self.names {
            types.push(event_type(&mut self.builder, name));
        }
        let strings = &mut self.builder.profile.strings;
        let keys = [strings.intern("comm"), strings.intern("pid"), strings.intern("tid")];
        let mut samples = Samples::new(types.len());
        let mut values = vec![0; types.len()];
        let (mut labels, mut start) = (Vec::new(), 0);
        for row in &self.rows {
            values.fill(0);
            (values[0], values[row.event as usize + 1]) = (1, row.amount);
            labels.clear();
            row.labels(keys, &mut labels);
            samples.push(&values, &self.frames[start..row.frames_end as usize], &labels);
            start = row.frames_end as usize;
        }
        let mut profile = self.builder.finish();
        profile.period_type = types.last().copied().unwrap_or_default();
        profile.default_sample_type = profile.period_type.kind;
        (profile.sample_types, profile.samples) = (types, samples);
        profile.duration_nanos = self.last_nanos.saturating_sub(self.first_nanos) as i64;
        profile
    }
}

impl Row {
    fn labels(&self, [comm, pid, tid]: [crate::StrId; 3], out: &mut Vec<Label>) {
        out.extend(self.comm.map(|text| Label { key: comm, value: LabelValue::Str(text) }));
        for (key, id) in [(pid, self.pid), (tid, self.tid)] {
            if id > 0 {
                out.push(Label { key, value: LabelValue::Num { value: id, unit: key } });
            }
        }
    }
}

fn event_type(builder: &mut Builder, name: &str) -> ValueType {
    match name {
        "cpu-clock" | "task-clock" => builder.value_type("cpu", "nanoseconds"),
        name => builder.value_type(name, "count"),
    }
}
