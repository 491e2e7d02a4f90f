//! From samples to a tree.
//!
//! The tree grows from the root: the samples of a frame are dealt out to its callees, and those of a callee that
//! is too light to be shown are dealt out no further. The work is bounded by what is kept, not by how many
//! different stacks there are.

use std::cmp::Reverse;

use oxprof_profile::{LocationIdx, units};
use rustc_hash::FxHashMap;

use super::color::hue;
use super::{FlameTree, Frames};
use crate::amounts::value_name;
use crate::header;
use crate::render::Report;
use crate::stacks::Stacks;

impl FlameTree {
    /// The tree of a report, without frames of less than `min_share` of the whole.
    pub(crate) fn new(report: &Report<'_>, min_share: f64) -> Self {
        let stacks = Stacks::new(report);
        let names = Names::new(&stacks);
        let samples: Vec<Sample<'_>> = stacks.samples().map(Sample::new).collect();
        let whole: i64 = samples.iter().fold(0, |sum, s| sum.saturating_add(s.weight()));
        let difference = samples.iter().any(|s| s.value < 0);
        let min = ((whole as f64 * min_share).ceil() as i64).max(1);
        let (frames, dropped) = Dealer::new(&names, min, difference).deal(samples);
        let kind = value_name(report.profile, report.options);
        let total = stacks.amounts.shown(stacks.amounts.total).saturating_abs();
        Self {
            title: format!("{} {kind}", header::title(report.profile)).trim().to_owned(),
            legend: header::profile_labels(report.profile, report.options, &stacks.amounts),
            units: units_of(&stacks.amounts.from),
            total: if total == 0 { whole } else { total },
            difference,
            hues: names.texts.iter().map(|name| hue(name)).collect(),
            names: names.texts,
            frames,
            dropped,
        }
    }
}

/// The name of the frame that stands for everything.
const ROOT: u32 = 0;

/// Units of the family of `unit`, the smallest first.
fn units_of(unit: &str) -> Vec<(f64, &'static str)> {
    let known = ["B", "kB", "MB", "GB", "TB", "ns", "us", "ms", "s", "hrs"];
    let factor = |name| Some((1.0 / units::ratio(unit, name)?, name));
    known.into_iter().filter_map(factor).collect()
}

/// Names of frames, numbered; 0 is the root's.
struct Names {
    texts: Vec<String>,
    /// Names of each location's frames from the outside inwards, and where they start.
    by_location: Vec<u32>,
    starts: Vec<u32>,
}

impl Names {
    fn new(stacks: &Stacks<'_>) -> Self {
        let mut this =
            Self { texts: vec!["all".to_owned()], by_location: Vec::new(), starts: Vec::new() };
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let mut name = |id| {
            let text = stacks.frames.printable(id);
            *numbers.entry(text).or_insert_with_key(|text| {
                this.texts.push(text.clone());
                this.texts.len() as u32 - 1
            })
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

    fn of(&self, location: LocationIdx) -> &[u32] {
        let i = location.index();
        &self.by_location[self.starts[i] as usize..self.starts[i + 1] as usize]
    }
}

/// A sample on its way from the root to its leaf.
#[derive(Clone, Copy)]
struct Sample<'p> {
    /// Locations that are still ahead, the leaf first.
    ahead: &'p [LocationIdx],
    /// How many frames of the next location are done.
    done: u32,
    /// The frame that it is at.
    name: u32,
    value: i64,
}

impl<'p> Sample<'p> {
    fn new((ahead, value): (&'p [LocationIdx], i64)) -> Self {
        Self { ahead, done: 0, name: ROOT, value }
    }

    fn weight(&self) -> i64 {
        self.value.saturating_abs()
    }

    /// Goes on to the next frame. False if there is none.
    fn step(&mut self, names: &Names) -> bool {
        let Some((&next, rest)) = self.ahead.split_last() else { return false };
        let frames = names.of(next);
        self.name = frames[self.done as usize];
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

struct Dealer<'a> {
    names: &'a Names,
    min: i64,
    difference: bool,
    /// By name, for the callees of the frame at hand; zero otherwise.
    shares: Vec<Share>,
    frames: Frames,
    dropped: usize,
}

impl<'a> Dealer<'a> {
    fn new(names: &'a Names, min: i64, difference: bool) -> Self {
        let shares = vec![Share::default(); names.texts.len()];
        Self { names, min, difference, shares, frames: Frames::default(), dropped: 0 }
    }

    /// The frames that weigh enough, and how many callees of these do not.
    fn deal(mut self, mut pile: Vec<Sample<'_>>) -> (Frames, usize) {
        let share = pile.iter().fold(Share::default(), |share, s| share.with(s));
        let mut hands = vec![Hand { name: ROOT, depth: 0, share, start: 0 }];
        let mut taken = Vec::new();
        while let Some(hand) = hands.pop() {
            taken.clear();
            taken.extend(pile.drain(hand.start..));
            let own = self.step(&mut taken);
            self.put(hand, own);
            self.sort(hand, &taken, &mut pile, &mut hands);
        }
        (self.frames, self.dropped)
    }

    /// Moves samples on to the callees and adds up what each gets. Gives what samples that end here weigh.
    fn step(&mut self, samples: &mut Vec<Sample<'_>>) -> i64 {
        let mut own = 0_i64;
        samples.retain_mut(|sample| {
            let goes_on = sample.step(self.names);
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
        self.frames.name.push(hand.name);
        self.frames.depth.push(hand.depth);
        self.frames.weight.push(hand.share.weight);
        self.frames.own.push(own);
        if self.difference {
            self.frames.net.push(hand.share.net);
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
                hands.push(Hand { name, depth, share: *share, start: 0 });
                // Once is enough.
                share.samples = 0;
            }
        }
        let callees = hands.len() - first;
        let min = self.min;
        let mut kept: Vec<Hand> =
            hands.drain(first..).filter(|hand| hand.share.weight >= min).collect();
        self.dropped += callees - kept.len();
        kept.sort_unstable_by_key(|hand| (hand.share.weight, Reverse(hand.name)));
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
        // Every location has one frame, whose name has the location's number.
        let names = Names {
            texts: (0..9).map(|n: u32| n.to_string()).collect(),
            by_location: (0..9).collect(),
            starts: (0..10).collect(),
        };
        let leaf_first = |stack: &[u32]| -> Vec<LocationIdx> {
            stack.iter().rev().map(|&n| LocationIdx::from_index(n as usize)).collect()
        };
        let stacks: Vec<_> = stacks.iter().map(|(s, value)| (leaf_first(s), *value)).collect();
        let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
        let (frames, dropped) = Dealer::new(&names, min, true).deal(samples);
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
    fn units_are_those_of_the_family() {
        let names = |unit| units_of(unit).iter().map(|u| u.1).collect::<Vec<_>>().join(" ");
        assert_eq!(names("bytes"), "B kB MB GB TB");
        assert_eq!(names("nanoseconds"), "ns us ms s hrs");
        assert_eq!(names("count"), "");
        assert_eq!(units_of("milliseconds")[3], (1000.0, "s"));
    }
}
