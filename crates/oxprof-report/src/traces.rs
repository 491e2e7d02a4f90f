//! Every sample with its stack, in the order of the profile. Written as it is read, so that memory does
//! not grow with the output.

use std::io::{self, Write};

use oxprof_profile::{Label, LabelValue, LocationIdx, Profile, Sample, units};

use crate::amounts::Amounts;
use crate::frames::FrameOptions;
use crate::render::Report;
use crate::values::Sum;
use crate::{FrameId, Frames, header};

const SEPARATOR: &str = "-----------+-------------------------------------------------------";

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let amounts = report.amounts();
    let labels = header::profile_labels(report.profile, report.options, &amounts);
    writeln!(out, "{}", labels.join("\n"))?;
    let lines = StackLines::new(report.profile);
    let mut text = Vec::new();
    for sample in report.profile.samples.iter().filter(|s| !s.stack.is_empty()) {
        text.clear();
        writeln!(text, "{SEPARATOR}")?;
        write_labels(report, &sample, &mut text)?;
        lines.write(&value_text(report, &amounts, &sample), sample.stack, &mut text)?;
        out.write_all(&text)?;
    }
    writeln!(out, "{SEPARATOR}")
}

fn value_text(report: &Report<'_>, amounts: &Amounts, sample: &Sample<'_>) -> String {
    let selector = report.options.value;
    let mut sum = Sum::default();
    sum.add(selector.value(sample.values), selector.divisor(sample.values));
    amounts.text(sum.mean())
}

/// Text labels in order, then numbers in order.
fn write_labels(report: &Report<'_>, sample: &Sample<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    if sample.labels.is_empty() {
        return Ok(());
    }
    let Report { profile, options } = report;
    let text = |label: &Label| match label.value {
        LabelValue::Str(value) => Some(profile.str(value).to_owned()),
        LabelValue::Num { .. } => None,
    };
    let number = |label: &Label| match label.value {
        LabelValue::Num { value, .. } => {
            Some(units::label(value, options.label_unit(profile.str(label.key))))
        }
        LabelValue::Str(_) => None,
    };
    for line in label_lines(profile, sample.labels, text) {
        out.write_all(line.as_bytes())?;
    }
    for line in label_lines(profile, sample.labels, number) {
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// A line for each key, with all its values, sorted.
fn label_lines(
    profile: &Profile,
    labels: &[Label],
    value: impl Fn(&Label) -> Option<String>,
) -> Vec<String> {
    let mut keys: Vec<(oxprof_profile::StrId, Vec<String>)> = Vec::new();
    for label in labels {
        let Some(value) = value(label) else { continue };
        match keys.iter_mut().find(|(key, _)| *key == label.key) {
            Some((_, values)) => values.push(value),
            None => keys.push((label.key, vec![value])),
        }
    }
    let line = |(key, values): (_, Vec<String>)| {
        format!("{:>10}:  {}\n", profile.str(key), values.join(" "))
    };
    let mut lines: Vec<String> = keys.into_iter().map(line).collect();
    lines.sort_unstable();
    lines
}

/// The lines of stacks, ready to be written.
struct StackLines<'p> {
    frames: Frames<'p>,
    names: Vec<Box<str>>,
}

impl<'p> StackLines<'p> {
    fn new(profile: &'p Profile) -> Self {
        let options = FrameOptions { keep_paths: true, ..FrameOptions::default() };
        let frames = Frames::new(profile, options);
        let names = (0..frames.len() as u32).map(|i| frames.printable(FrameId(i)).into()).collect();
        Self { frames, names }
    }

    fn write(&self, value: &str, stack: &[LocationIdx], out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "{value:>10}")?;
        for (i, &location) in stack.iter().enumerate() {
            let frames = self.frames.of(location);
            for (line, frame) in frames.iter().enumerate() {
                if (i, line) != (0, 0) {
                    out.extend_from_slice(b"          ");
                }
                out.extend_from_slice(b"   ");
                out.extend_from_slice(self.names[frame.index()].as_bytes());
                if line + 1 != frames.len() {
                    out.extend_from_slice(b" (inline)");
                }
                out.push(b'\n');
            }
        }
        Ok(())
    }
}
