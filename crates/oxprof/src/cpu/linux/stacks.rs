//! Equal stacks, counted.

use std::collections::HashMap;

use oxprof_unwind::Outcome;

use super::ring::Header;
use crate::labels::LabelsId;

/// Stacks and how many samples each has.
#[derive(Default)]
pub(super) struct Stacks {
    /// The key is the frames, leaf first, then an [`Ending`] and the labels as a word.
    counts: HashMap<Box<[u64]>, u64>,
    scratch: Vec<u64>,
}

/// What is beyond the outermost frame that is known, and how far the frames can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) kind: EndingKind,
    /// Whether a caller was guessed.
    pub(super) guessed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndingKind {
    /// Nothing: the thread's root.
    Root,
    /// More frames than are kept.
    Truncated,
    /// Frames that could not be found.
    Incomplete,
}

impl Stacks {
    /// Adds `count` samples of a stack.
    pub(super) fn add(&mut self, header: &Header, frames: &[u64], count: u64) {
        self.scratch.clear();
        self.scratch.extend_from_slice(frames);
        self.scratch.push(Ending::of(header).to_word() | u64::from(header.labels) << 32);
        match self.counts.get_mut(self.scratch.as_slice()) {
            Some(total) => *total += count,
            None => _ = self.counts.insert(self.scratch.as_slice().into(), count),
        }
    }

    /// Number of samples.
    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// All stacks: frames, leaf first, what is beyond, labels, and the number of samples.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u64], Ending, LabelsId, u64)> {
        self.counts.iter().filter_map(|(key, &count)| {
            let (&ending, frames) = key.split_last()?;
            let labels = LabelsId::from_raw((ending >> 32) as u32);
            Some((frames, Ending::from_word(ending), labels, count))
        })
    }
}

impl Ending {
    fn of(header: &Header) -> Self {
        let kind = match Outcome::from_u8(header.outcome) {
            Some(Outcome::Root) => EndingKind::Root,
            Some(Outcome::TooDeep) => EndingKind::Truncated,
            _ => EndingKind::Incomplete,
        };
        Self { kind, guessed: header.guessed }
    }

    fn to_word(self) -> u64 {
        self.kind as u64 | u64::from(self.guessed) << 8
    }

    fn from_word(word: u64) -> Self {
        let kind = match word & 0xff {
            0 => EndingKind::Root,
            1 => EndingKind::Truncated,
            _ => EndingKind::Incomplete,
        };
        Self { kind, guessed: word >> 8 & 1 != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_one() {
        let mut stacks = Stacks::default();
        let root = Header::default();
        let deep = Header { outcome: Outcome::TooDeep as u8, guessed: true, ..root };
        stacks.add(&root, &[1, 2], 3);
        stacks.add(&root, &[1, 2], 4);
        stacks.add(&deep, &[1, 2], 5);
        stacks.add(&Header { labels: 7, ..root }, &[1, 2], 9);
        let mut all: Vec<_> = stacks.iter().collect();
        all.sort_by_key(|(.., count)| *count);
        let ending = |kind, guessed| Ending { kind, guessed };
        assert_eq!(
            all,
            [
                (&[1, 2][..], ending(EndingKind::Truncated, true), LabelsId::NONE, 5),
                (&[1, 2][..], ending(EndingKind::Root, false), LabelsId::NONE, 7),
                (&[1, 2][..], ending(EndingKind::Root, false), LabelsId::from_raw(7), 9),
            ]
        );
        assert_eq!(stacks.total(), 21);
    }
}
