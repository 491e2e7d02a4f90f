//! Whole stacks, for formats of other tools.

use std::iter;

use oxprof_profile::{LocationIdx, Profile};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::amounts::Amounts;
use crate::render::Report;
use crate::values::Sum;
use crate::{FrameId, Frames};

/// The stacks of a report.
pub(crate) struct Stacks<'p> {
    pub(crate) profile: &'p Profile,
    pub(crate) frames: Frames<'p>,
    pub(crate) amounts: Amounts,
    report: Report<'p>,
}

impl<'p> Stacks<'p> {
    pub(crate) fn new(report: &Report<'p>) -> Self {
        let (frames, amounts) = (report.frames(), report.amounts());
        Self { profile: report.profile, frames, amounts, report: *report }
    }

    /// Samples with a stack and a value that is not zero.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (&'p [LocationIdx], i64)> + Clone {
        samples(&self.report)
    }

    /// The frames of a stack from root to leaf.
    pub(crate) fn root_first(&self, stack: &'p [LocationIdx]) -> impl Iterator<Item = FrameId> {
        stack.iter().rev().flat_map(|&location| self.frames.of(location).iter().rev().copied())
    }

    /// Name and file of a frame for tools that show the file beside the name.
    pub(crate) fn name_and_file(&self, id: FrameId) -> (String, &str) {
        let frame = self.frames.get(id);
        let file = self.frames.file(frame);
        match self.frames.name(frame) {
            "" => (self.frames.printable(id), file),
            name => (name.to_owned(), file),
        }
    }

    /// All frames.
    pub(crate) fn frame_ids(&self) -> impl Iterator<Item = FrameId> + Clone {
        (0..self.frames.len() as u32).map(FrameId)
    }
}

/// Samples with a stack and a value that is not zero.
pub(crate) fn samples<'p>(
    report: &Report<'p>,
) -> impl Iterator<Item = (&'p [LocationIdx], i64)> + Clone + use<'p> {
    samples_of(report, 0..report.profile.samples.len())
}

/// Those among some rows of the profile.
pub(crate) fn samples_of<'p, Rows: Iterator<Item = usize> + Clone>(
    report: &Report<'p>,
    rows: Rows,
) -> impl Iterator<Item = (&'p [LocationIdx], i64)> + Clone + use<'p, Rows> {
    let (selector, amounts) = (report.options.value, report.amounts());
    let value = move |values: &[i64]| {
        let mut sum = Sum::default();
        sum.add(selector.value(values), selector.divisor(values));
        amounts.shown(sum.mean())
    };
    let all = &report.profile.samples;
    let samples = rows.map(move |i| (all.stack(i), value(all.values(i))));
    samples.filter(|(stack, value)| !stack.is_empty() && *value != 0)
}

/// A sequence that is written as it is made.
pub(crate) struct Streamed<I>(pub(crate) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        self.0.clone().try_for_each(|item| sequence.serialize_element(&item))?;
        sequence.end()
    }
}

/// The same value in every row of a column.
pub(crate) fn repeated<T: Serialize + Clone>(value: T, rows: usize) -> impl Serialize {
    Streamed(iter::repeat_n(value, rows))
}
