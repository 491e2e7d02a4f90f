//! Names of frames, numbered.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use oxprof_profile::LocationIdx;
use rustc_hash::FxBuildHasher;

use super::color::hue;
use crate::render::Report;
use crate::stacks::Stacks;

/// Names of a report's frames, numbered densely; 0 stands for everything. Finding them takes a while, so whoever
/// looks at a profile again and again keeps them.
#[derive(Clone, Debug)]
pub struct FlameNames {
    pub(super) texts: Vec<String>,
    /// Names of each location's frames from the outside inwards, and where they start.
    pub(super) by_location: Vec<u32>,
    pub(super) starts: Vec<u32>,
}

impl FlameNames {
    /// The names of a report.
    pub fn new(report: &Report<'_>) -> Self {
        Self::of_stacks(&Stacks::new(report))
    }

    pub(super) fn of_stacks(stacks: &Stacks<'_>) -> Self {
        let mut this =
            Self { texts: vec!["all".to_owned()], by_location: Vec::new(), starts: Vec::new() };
        let mut numbers = HashTable::<(u64, u32)>::with_capacity(stacks.frames.len());
        let mut name = |id| {
            let text = stacks.frames.printable(id);
            let hash = FxBuildHasher.hash_one(&text);
            let same = |&(h, number): &(u64, u32)| h == hash && this.texts[number as usize] == text;
            if let Some(&(_, number)) = numbers.find(hash, same) {
                return number;
            }
            let number = this.texts.len() as u32;
            this.texts.push(text);
            numbers.insert_unique(hash, (hash, number), |(hash, _)| *hash);
            number
        };
        let of_frame: Vec<u32> = stacks.frame_ids().map(&mut name).collect();
        for i in 0..stacks.profile.locations.len() {
            this.starts.push(this.by_location.len() as u32);
            let frames = stacks.frames.of(LocationIdx::from_index(i)).iter().rev();
            this.by_location.extend(frames.map(|f| of_frame[f.index()]));
        }
        this.starts.push(this.by_location.len() as u32);
        this
    }

    /// The names by number.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Colour of a name as an angle in degrees.
    pub fn hue(&self, name: u32) -> u16 {
        hue(&self.texts[name as usize])
    }

    /// Names of a stack from the root to the leaf, for a stack of the profile that the names are of.
    pub fn of_stack(&self, stack: &[LocationIdx]) -> impl DoubleEndedIterator<Item = u32> {
        stack.iter().rev().flat_map(|&location| self.of(location).iter().copied())
    }

    pub(super) fn of(&self, location: LocationIdx) -> &[u32] {
        let i = location.index();
        &self.by_location[self.starts[i] as usize..self.starts[i + 1] as usize]
    }
}
