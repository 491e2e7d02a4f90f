//! JSON for <https://www.speedscope.app>.

use std::io::{self, Write};

use oxprof_profile::units;
use serde::Serialize;

use crate::amounts::value_name;
use crate::header;
use crate::render::Report;
use crate::stacks::{Stacks, Streamed};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<S, P> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    shared: S,
    profiles: [P; 1],
    name: String,
    active_profile_index: u32,
    exporter: &'static str,
}

#[derive(Serialize)]
struct Shared<F> {
    frames: F,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    line: i64,
    #[serde(skip_serializing_if = "is_zero")]
    col: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled<S, W> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    start_value: i64,
    end_value: i64,
    samples: S,
    weights: W,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let stacks = Stacks::new(report);
    let frames = stacks.frame_ids().map(|id| {
        let (name, file) = stacks.name_and_file(id);
        let frame = stacks.frames.get(id);
        Frame { name, file, line: frame.line, col: frame.column }
    });
    let samples = stacks.samples().map(|(stack, _)| {
        let ids = stacks.root_first(stack).map(|id| id.0);
        ids.collect::<Vec<u32>>()
    });
    let weights = stacks.samples().map(|(_, value)| value);
    let name = value_name(report.profile, report.options);
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        shared: Shared { frames: Streamed(frames) },
        profiles: [Sampled {
            kind: "sampled",
            unit: unit(&stacks.amounts.from),
            start_value: 0,
            end_value: weights.clone().fold(0i64, i64::saturating_add),
            samples: Streamed(samples),
            weights: Streamed(weights),
            name: name.clone(),
        }],
        name: match header::title(report.profile) {
            title if title.is_empty() => name,
            title => format!("{title} {name}"),
        },
        active_profile_index: 0,
        exporter: concat!("oxprof ", env!("CARGO_PKG_VERSION")),
    };
    serde_json::to_writer(&mut *out, &file)?;
    writeln!(out)
}

/// The viewer's name of a unit; it has a few only.
fn unit(unit: &str) -> &'static str {
    let one = |of: &str| units::ratio(unit, of) == Some(1.0);
    let known = ["nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"];
    known.into_iter().find(|of| one(of)).unwrap_or("none")
}
