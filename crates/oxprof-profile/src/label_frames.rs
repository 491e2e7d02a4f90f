//! Labels as frames: for each of some keys a pseudo function at the root or the leaf of every stack.

use std::collections::HashMap;

use crate::units::scaled_label;
use crate::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Profile, Samples, StrId,
};

/// Where [`Profile::add_label_frames`] found labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelFrames {
    /// A sample had a label for the root side.
    pub root: bool,
    /// A sample had one for the leaf side.
    pub leaf: bool,
}

impl Profile {
    /// Extends every stack by one frame per key, the first key of `root` outermost and the last key of
    /// `leaf` innermost.
    ///
    /// The frame's function is named after the label's values, joined by commas, and its file after the
    /// key. Numbers are scaled to `unit` (or `auto`, `minimum`) as in
    /// [`units::scaled_label`](crate::units::scaled_label). A sample without the label gets a frame
    /// without name.
    pub fn add_label_frames(&mut self, root: &[&str], leaf: &[&str], unit: &str) -> LabelFrames {
        let mut found = LabelFrames::default();
        let root: Vec<_> = root.iter().rev().map(|key| self.strings.intern(key)).collect();
        let leaf: Vec<_> = leaf.iter().rev().map(|key| self.strings.intern(key)).collect();
        let old = std::mem::take(&mut self.samples);
        let mut samples = Samples::with_capacity(old.width(), old.len());
        let mut frames = Frames::new(self, unit);
        let mut stack = Vec::new();
        for sample in old.iter() {
            let roots = frames.of(&root, sample.labels, &mut found.root);
            stack.clear();
            stack.extend(frames.of(&leaf, sample.labels, &mut found.leaf));
            stack.extend_from_slice(sample.stack);
            stack.extend(roots);
            samples.push(sample.values, &stack, sample.labels);
        }
        self.samples = samples;
        found
    }
}

/// The pseudo frames made so far.
struct Frames<'a> {
    profile: &'a mut Profile,
    unit: &'a str,
    /// Location by text and key.
    known: HashMap<(StrId, StrId), LocationIdx>,
    next_location_id: u64,
    next_function_id: u64,
}

impl<'a> Frames<'a> {
    fn new(profile: &'a mut Profile, unit: &'a str) -> Self {
        let (next_location_id, next_function_id) = profile.next_ids();
        Self { profile, unit, known: HashMap::new(), next_location_id, next_function_id }
    }

    fn of(&mut self, keys: &[StrId], labels: &[Label], found: &mut bool) -> Vec<LocationIdx> {
        let mut frames = Vec::with_capacity(keys.len());
        for &key in keys {
            let text = self.text(key, labels);
            *found |= !text.is_empty();
            let text = self.profile.strings.intern(&text);
            frames.push(self.frame(text, key));
        }
        frames
    }

    /// Values of `key`, text first.
    fn text(&self, key: StrId, labels: &[Label]) -> String {
        let own = labels.iter().filter(|l| l.key == key);
        let words = own.clone().filter_map(|l| match l.value {
            LabelValue::Str(value) => Some(self.profile.str(value).to_owned()),
            LabelValue::Num { .. } => None,
        });
        let numbers = own.filter_map(|l| match l.value {
            LabelValue::Str(_) => None,
            LabelValue::Num { value, unit } => {
                Some(scaled_label(value, self.profile.str(unit), self.unit))
            }
        });
        words.chain(numbers).collect::<Vec<_>>().join(",")
    }

    fn frame(&mut self, text: StrId, key: StrId) -> LocationIdx {
        if let Some(&known) = self.known.get(&(text, key)) {
            return known;
        }
        let location = self.add_frame(text, key);
        self.known.insert((text, key), location);
        location
    }

    fn add_frame(&mut self, text: StrId, key: StrId) -> LocationIdx {
        let profile = &mut *self.profile;
        let function = FunctionIdx::from_index(profile.functions.len());
        profile.functions.push(Function {
            id: self.next_function_id,
            name: text,
            filename: key,
            ..Function::default()
        });
        let line = profile.lines.len() as u32;
        profile.lines.push(Line { function, ..Line::default() });
        let location = LocationIdx::from_index(profile.locations.len());
        profile.locations.push(Location {
            id: self.next_location_id,
            lines: line..line + 1,
            ..Location::default()
        });
        self.next_location_id += 1;
        self.next_function_id += 1;
        location
    }
}

impl Profile {
    /// An id above all of locations and one above all of functions.
    fn next_ids(&mut self) -> (u64, u64) {
        let highest = |ids: &mut dyn Iterator<Item = u64>| ids.max().unwrap_or(0);
        let location = highest(&mut self.locations.iter().map(|l| l.id));
        let function = highest(&mut self.functions.iter().map(|f| f.id));
        if location.max(function) < u64::MAX / 2 {
            return (location + 1, function + 1);
        }
        self.locations.iter_mut().zip(1..).for_each(|(l, id)| l.id = id);
        self.functions.iter_mut().zip(1..).for_each(|(f, id)| f.id = id);
        (self.locations.len() as u64 + 1, self.functions.len() as u64 + 1)
    }
}
