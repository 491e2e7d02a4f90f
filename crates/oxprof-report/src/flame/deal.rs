//! Dealing out samples to frames.
//!
//! The tree grows from the root: the samples of a frame are dealt out to its callees, and those of a callee that
//! is too light to be shown, or that nobody looks at, are dealt out no further. The work is bounded by what is kept, not
//! by how many different stacks there are.

use std::cmp::Reverse;
use std::ops::Range;

use oxprof_profile::LocationIdx;

use super::{FlameNames, Frames};
use crate::render::Report;
use crate::stacks::samples;

/// Which way stacks grow from the first frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From callers to callees.
    #[default]
    Inwards,
    /// From callees to callers.
    Outwards,
}

/// What part of a flame graph is wanted.
#[derive(Clone, Debug)]
pub struct FlameQuery<'a> {
    /// Which way stacks grow.
    pub direction: Direction,
    /// Start at the outermost of these frames, told by the number of their name, instead of at the end of stacks. Samples
    /// without any are left out.
    pub pivot: Option<&'a [bool]>,
    /// Only frames that have a part between these weights, counted from the left edge of the graph.
    pub window: Range<i64>,
    /// Only frames of at least this weight.
    pub min: i64,
}

/// A part of a flame graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlamePart {
    /// The frames, as in a [`FlameTree`](super::FlameTree).
    pub frames: Frames,
    /// The weight to the left of each frame.
    pub starts: Vec<i64>,
    /// How many callees of these frames were too light to be kept.
    pub dropped: usize,
}

impl FlameNames {
    /// Deals out the samples of the report that these names are of.
    pub fn part(&self, report: &Report<'_>, query: &FlameQuery<'_>) -> FlamePart {
        let samples: Vec<Sample<'_>> = samples(report)
            .filter_map(|(stack, value)| match query.pivot {
                None => Some(Sample::new((stack, value))),
                Some(pivot) => Sample::at(pivot, stack, value, query.direction, self),
            })
            .collect();
        let difference = samples.iter().any(|s| s.value < 0);
        let cut =
            Cut { direction: query.direction, window: query.window.clone(), min: query.min.max(1) };
        Dealer::new(self, cut, difference).deal(samples)
    }
}

/// The number of the name of the frame that stands for everything.
const ROOT: u32 = 0;

/// A sample on its way from the root to its leaf.
#[derive(Clone, Copy)]
pub(super) struct Sample<'p> {
    /// Locations that are still ahead, in the order of the stack: the leaf first.
    ahead: &'p [LocationIdx],
    /// How many frames of the next location are done.
    done: u32,
    /// The frame that it is at.
    name: u32,
    pub(super) value: i64,
}

impl<'p> Sample<'p> {
    pub(super) fn new((ahead, value): (&'p [LocationIdx], i64)) -> Self {
        Self { ahead, done: 0, name: ROOT, value }
    }

    /// A sample at the outermost of some frames; `None` if it has none of them.
    fn at(
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
        Some(Self { ahead, done: done as u32, name: ROOT, value })
    }

    pub(super) fn weight(&self) -> i64 {
        self.value.saturating_abs()
    }

    /// Goes on to the next frame. False if there is none.
    #[inline]
    fn step(&mut self, names: &FlameNames, direction: Direction) -> bool {
        let next = match direction {
            Direction::Inwards => self.ahead.split_last(),
            Direction::Outwards => self.ahead.split_first(),
        };
        let Some((&next, rest)) = next else { return false };
        let frames = names.of(next);
        self.name = match direction {
            Direction::Inwards => frames[self.done as usize],
            Direction::Outwards => frames[frames.len() - 1 - self.done as usize],
        };
        self.done += 1;
        if self.done as usize == frames.len() {
            (self.ahead, self.done) = (rest, 0);
        }
        true
    }
}

/// A frame, and where its samples start in the pile. They end where the pile does when it is their turn.
#[derive(Clone, Copy)]
struct Hand {
    name: u32,
    depth: u32,
    share: Share,
    /// The weight to its left.
    at: i64,
    start: usize,
}

/// What a frame gets of its caller's samples.
#[derive(Clone, Copy, Default)]
struct Share {
    weight: i64,
    net: i64,
    /// How many samples; while they are sorted, where the next one goes.
    samples: usize,
}

/// What is kept.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) direction: Direction,
    pub(super) window: Range<i64>,
    pub(super) min: i64,
}

impl Cut {
    fn shows(&self, hand: &Hand) -> bool {
        hand.at < self.window.end && hand.at.saturating_add(hand.share.weight) > self.window.start
    }
}

pub(super) struct Dealer<'a> {
    names: &'a FlameNames,
    cut: Cut,
    difference: bool,
    /// By name, for the callees of the frame at hand; zero otherwise.
    shares: Vec<Share>,
    part: FlamePart,
}

impl<'a> Dealer<'a> {
    pub(super) fn new(names: &'a FlameNames, cut: Cut, difference: bool) -> Self {
        let shares = vec![Share::default(); names.texts.len()];
        Self { names, cut, difference, shares, part: FlamePart::default() }
    }

    /// The frames that are in sight and weigh enough.
    pub(super) fn deal(mut self, mut pile: Vec<Sample<'_>>) -> FlamePart {
        let share = pile.iter().fold(Share::default(), |share, s| share.with(s));
        let mut hands = vec![Hand { name: ROOT, depth: 0, share, at: 0, start: 0 }];
        let mut taken = Vec::new();
        while let Some(hand) = hands.pop() {
            taken.clear();
            taken.extend(pile.drain(hand.start..));
            let own = self.step(&mut taken);
            self.put(hand, own);
            self.sort(hand, &taken, &mut pile, &mut hands);
        }
        self.part
    }

    /// Moves samples on to the callees and adds up what each gets. Gives what samples that end here weigh.
    fn step(&mut self, samples: &mut Vec<Sample<'_>>) -> i64 {
        let mut own = 0_i64;
        samples.retain_mut(|sample| {
            let goes_on = sample.step(self.names, self.cut.direction);
            if goes_on {
                let share = &mut self.shares[sample.name as usize];
                *share = share.with(sample);
            } else {
                own = own.saturating_add(sample.weight());
            }
            goes_on
        });
        own
    }

    fn put(&mut self, hand: Hand, own: i64) {
        let FlamePart { frames, starts, .. } = &mut self.part;
        starts.push(hand.at);
        frames.name.push(hand.name);
        frames.depth.push(hand.depth);
        frames.weight.push(hand.share.weight);
        frames.own.push(own);
        if self.difference {
            frames.net.push(hand.share.net);
        }
    }

    /// Puts the samples of callees that are heavy enough back on the pile, those of the heaviest on top.
    fn sort<'p>(
        &mut self,
        caller: Hand,
        samples: &[Sample<'p>],
        pile: &mut Vec<Sample<'p>>,
        hands: &mut Vec<Hand>,
    ) {
        let Some(&filler) = samples.first() else { return };
        let first = hands.len();
        for sample in samples {
            let share = &mut self.shares[sample.name as usize];
            if share.samples > 0 {
                let (name, depth) = (sample.name, caller.depth + 1);
                hands.push(Hand { name, depth, share: *share, at: caller.at, start: 0 });
                // Once is enough.
                share.samples = 0;
            }
        }
        let callees = hands.len() - first;
        let min = self.cut.min;
        let mut kept: Vec<Hand> =
            hands.drain(first..).filter(|hand| hand.share.weight >= min).collect();
        self.part.dropped += callees - kept.len();
        kept.sort_unstable_by_key(|hand| (hand.share.weight, Reverse(hand.name)));
        self.look(caller.at, &mut kept);
        for hand in &mut kept {
            hand.start = pile.len();
            // The places are filled below.
            pile.resize(hand.start + hand.share.samples, filler);
            self.shares[hand.name as usize].samples = hand.start;
        }
        for sample in samples {
            let share = &mut self.shares[sample.name as usize];
            if share.weight >= min {
                pile[share.samples] = *sample;
                share.samples += 1;
            }
        }
        samples.iter().for_each(|s| self.shares[s.name as usize] = Share::default());
        hands.extend(kept);
    }

    /// Places callees, the heaviest of which is last, side by side, and keeps those in sight.
    fn look(&mut self, mut at: i64, callees: &mut Vec<Hand>) {
        for hand in callees.iter_mut().rev() {
            hand.at = at;
            at = at.saturating_add(hand.share.weight);
        }
        callees.retain(|hand| {
            let shown = self.cut.shows(hand);
            if !shown {
                // As if it were too light.
                self.shares[hand.name as usize].weight = 0;
            }
            shown
        });
    }
}

impl Share {
    fn with(self, sample: &Sample<'_>) -> Self {
        Self {
            weight: self.weight.saturating_add(sample.weight()),
            net: self.net.saturating_add(sample.value),
            samples: self.samples + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deals out stacks of names, outermost first, and shows what becomes of them.
    fn check(stacks: &[(&[u32], i64)], min: i64, expected: &str) {
        let everything = i64::MIN..i64::MAX;
        check_cut(stacks, Cut { direction: Direction::Inwards, window: everything, min }, expected);
    }

    fn check_cut(stacks: &[(&[u32], i64)], cut: Cut, expected: &str) {
        // Every location has one frame, whose name has the location's number.
        let names = FlameNames {
            texts: (0..9).map(|n: u32| n.to_string()).collect(),
            by_location: (0..9).collect(),
            starts: (0..10).collect(),
        };
        let leaf_first = |stack: &[u32]| -> Vec<LocationIdx> {
            stack.iter().rev().map(|&n| LocationIdx::from_index(n as usize)).collect()
        };
        let stacks: Vec<_> = stacks.iter().map(|(s, value)| (leaf_first(s), *value)).collect();
        let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
        let FlamePart { frames, starts, dropped } = Dealer::new(&names, cut, true).deal(samples);
        assert_eq!(starts.len(), frames.len());
        let frame = |i: usize| {
            let indent = " ".repeat(frames.depth[i] as usize);
            let (name, weight, own, net) =
                (frames.name[i], frames.weight[i], frames.own[i], frames.net[i]);
            format!("{indent}{name}: {weight} own {own} net {net}\n")
        };
        let text: String = (0..frames.len()).map(frame).collect();
        assert_eq!(format!("{text}dropped {dropped}"), expected);
    }

    #[test]
    fn stacks_merge_and_the_heaviest_come_first() {
        check(
            &[(&[1, 2], 1), (&[1, 3], 5), (&[1, 3], 2), (&[4], 1)],
            1,
            "0: 9 own 0 net 9\n 1: 8 own 0 net 8\n  3: 7 own 7 net 7\n  2: 1 own 1 net 1\n \
             4: 1 own 1 net 1\ndropped 0",
        );
    }

    #[test]
    fn shares_of_dropped_frames_stay_in_their_callers() {
        check(&[(&[1, 2], 1), (&[1], 5)], 2, "0: 6 own 0 net 6\n 1: 6 own 5 net 6\ndropped 1");
    }

    #[test]
    fn increase_and_decrease_do_not_cancel_out() {
        check(
            &[(&[1, 2], 4), (&[1, 3], -3)],
            1,
            "0: 7 own 0 net 1\n 1: 7 own 0 net 1\n  2: 4 own 4 net 4\n  3: 3 own 3 net -3\n\
             dropped 0",
        );
    }

    #[test]
    fn stacks_grow_either_way() {
        let window = 0..i64::MAX;
        check_cut(
            &[(&[1, 2], 4), (&[3, 2], 3)],
            Cut { direction: Direction::Outwards, window, min: 1 },
            "0: 7 own 0 net 7\n 2: 7 own 0 net 7\n  1: 4 own 4 net 4\n  3: 3 own 3 net 3\n\
             dropped 0",
        );
    }

    #[test]
    fn frames_out_of_sight_are_left_out() {
        #[track_caller]
        fn check_window(window: Range<i64>, expected: &str) {
            let stacks: &[(&[u32], i64)] = &[(&[1, 2], 4), (&[3, 2], 3), (&[4], 2)];
            check_cut(stacks, Cut { direction: Direction::Inwards, window, min: 1 }, expected);
        }
        check_window(4..5, "0: 9 own 0 net 9\n 3: 3 own 0 net 3\n  2: 3 own 3 net 3\ndropped 0");
        check_window(7..9, "0: 9 own 0 net 9\n 4: 2 own 2 net 2\ndropped 0");
    }

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
                found.push(sample.name);
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
