//! A sample of a flame graph.

use oxprof_profile::LocationIdx;

use super::FlameNames;
use super::deal::Direction;

/// Names that are looked up at a time: the frames of a stack lie side by side, far from those of the next one.
const AHEAD: usize = 4;

/// A sample on its way from the root to its leaf.
#[derive(Clone, Copy)]
pub(super) struct Sample<'p> {
    pub(super) value: i64,
    /// Locations whose names are not looked up yet, in the order of the stack: the leaf first.
    ahead: &'p [LocationIdx],
    /// How many frames of the next of them are.
    done: u32,
    /// Names of the next frames,
    names: [u32; AHEAD],
    /// how many of them are known,
    known: u8,
    /// and how many passed.
    at: u8,
}

impl<'p> Sample<'p> {
    pub(super) fn new((ahead, value): (&'p [LocationIdx], i64)) -> Self {
        Self { value, ahead, done: 0, names: [0; AHEAD], known: 0, at: 0 }
    }

    /// A sample at the outermost of some frames; `None` if it has none of them.
    pub(super) fn at(
        pivot: &[bool],
        stack: &'p [LocationIdx],
        value: i64,
        direction: Direction,
        names: &FlameNames,
    ) -> Option<Self> {
        let is_pivot = |name: &u32| pivot[*name as usize];
        let inlined = |location| names.of(location).iter().position(is_pivot);
        let place = |(i, &location)| Some((i, inlined(location)?, names.of(location).len()));
        let (i, frame, frames) = stack.iter().enumerate().rev().find_map(place)?;
        let (ahead, done) = match direction {
            Direction::Inwards if frame + 1 == frames => (&stack[..i], 0),
            Direction::Inwards => (&stack[..=i], frame + 1),
            Direction::Outwards if frame == 0 => (&stack[i + 1..], 0),
            Direction::Outwards => (&stack[i..], frames - frame),
        };
        Some(Self { done: done as u32, ..Self::new((ahead, value)) })
    }

    #[inline]
    pub(super) fn weight(&self) -> i64 {
        self.value.saturating_abs()
    }

    /// The name of the frame that it is at, after the first step.
    #[inline]
    pub(super) fn name(&self) -> u32 {
        self.names[usize::from(self.at) - 1]
    }

    /// Goes on to the next frame. False if there is none.
    #[inline]
    pub(super) fn step(&mut self, names: &FlameNames, direction: Direction) -> bool {
        if self.at == self.known {
            self.look_ahead(names, direction);
        }
        let goes_on = self.at < self.known;
        self.at += u8::from(goes_on);
        goes_on
    }

    /// Looks up the names of the next frames, when all that were known are passed.
    pub(super) fn look_ahead(&mut self, names: &FlameNames, direction: Direction) {
        (self.known, self.at) = (0, 0);
        while usize::from(self.known) < AHEAD {
            let next = match direction {
                Direction::Inwards => self.ahead.split_last(),
                Direction::Outwards => self.ahead.split_first(),
            };
            let Some((&next, rest)) = next else { return };
            let (frames, done) = (names.of(next), self.done as usize);
            self.names[usize::from(self.known)] = match direction {
                Direction::Inwards => frames[done],
                Direction::Outwards => frames[frames.len() - 1 - done],
            };
            self.known += 1;
            self.done += 1;
            if self.done as usize == frames.len() {
                (self.ahead, self.done) = (rest, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pivots_are_the_outermost_of_their_name() {
        // The first location has frames 1 and 2 inlined into it, the second one frame 3.
        let names = FlameNames {
            texts: (0..4).map(|n: u32| n.to_string()).collect(),
            by_location: vec![1, 2, 3],
            starts: vec![0, 2, 3],
        };
        let stack = [0, 1, 0].map(LocationIdx::from_index);
        #[track_caller]
        fn check(
            names: &FlameNames,
            stack: &[LocationIdx],
            pivot: u32,
            direction: Direction,
            expected: &[u32],
        ) {
            let mut is_pivot = [false; 4];
            is_pivot[pivot as usize] = true;
            let mut sample = Sample::at(&is_pivot, stack, 1, direction, names).unwrap();
            let mut found = Vec::new();
            while sample.step(names, direction) {
                found.push(sample.name());
            }
            assert_eq!(found, expected);
        }
        check(&names, &stack, 1, Direction::Inwards, &[2, 3, 1, 2]);
        check(&names, &stack, 1, Direction::Outwards, &[]);
        check(&names, &stack, 2, Direction::Inwards, &[3, 1, 2]);
        check(&names, &stack, 2, Direction::Outwards, &[1]);
        check(&names, &stack, 3, Direction::Inwards, &[1, 2]);
        check(&names, &stack, 3, Direction::Outwards, &[2, 1]);
        assert!(Sample::at(&[false; 4], &stack, 1, Direction::Inwards, &names).is_none());
    }
}
