//! The profile of a finished capture, with names.

use std::time::UNIX_EPOCH;

use oxprof_profile::{Label, LocationIdx, Profile};

use super::recording::Recorded;
use super::stacks::{Ending, EndingKind};
use crate::code::builder::Builder;
use crate::code::maps::Maps;
use crate::labels::LabelsId;

/// Makes the profile, looking names up in the files of `maps`.
pub(super) fn build(recorded: &Recorded, maps: &Maps) -> Profile {
    let mut samples = Samples::new(recorded, maps);
    for (frames, ending, labels, count) in recorded.stacks.iter() {
        samples.add(frames, ending, labels, count);
    }
    samples.bookkeeping("[before attach]", recorded.before_attach);
    samples.bookkeeping("[lost]", recorded.lost);
    samples.bookkeeping("[unattributed]", recorded.unattributed);
    samples.builder.finish()
}

struct Samples<'a> {
    builder: Builder<'a>,
    period: i64,
    stack: Vec<LocationIdx>,
}

impl<'a> Samples<'a> {
    fn new(recorded: &Recorded, maps: &'a Maps) -> Self {
        let mut builder = Builder::new(maps, &[("samples", "count"), ("cpu", "nanoseconds")]);
        let profile = &mut builder.profile;
        profile.period_type = profile.sample_types[1];
        profile.period = i64::from(recorded.period);
        let since_epoch = recorded.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        profile.time_nanos = saturating(since_epoch.as_nanos());
        profile.duration_nanos = saturating(recorded.duration.as_nanos());
        Self { builder, period: i64::from(recorded.period), stack: Vec::new() }
    }

    fn add(&mut self, frames: &[u64], ending: Ending, labels: LabelsId, count: u64) {
        self.stack.clear();
        for &address in frames {
            let location = self.builder.location(address);
            self.stack.push(location);
        }
        match ending.kind {
            EndingKind::Root => {}
            EndingKind::Truncated => self.stack.push(self.builder.pseudo("[truncated]")),
            EndingKind::Incomplete => self.stack.push(self.builder.pseudo("[incomplete]")),
        }
        let labels = self.builder.labels(labels, ending.guessed);
        self.push(count, &labels);
    }

    /// A sample of time that has no stack.
    fn bookkeeping(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            self.stack.clear();
            self.stack.push(self.builder.pseudo(name));
            self.push(count, &[]);
        }
    }

    fn push(&mut self, count: u64, labels: &[Label]) {
        let count = saturating(u128::from(count));
        let values = [count, count.saturating_mul(self.period)];
        self.builder.profile.samples.push(&values, &self.stack, labels);
    }
}

fn saturating(value: u128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
