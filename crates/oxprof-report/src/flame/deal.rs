//! Dealing out samples to frames.
//!
//! The tree grows from the root: the samples of a frame are dealt out to its callees, and those of a callee that
//! is too light to be shown, or that nobody looks at, are dealt out no further. The work is bounded by what is kept, not
//! by how many different stacks there are.

use std::cmp::Reverse;
use std::iter;
use std::mem;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;

use oxprof_profile::LocationIdx;

use super::sample::Sample;
use super::{FlameNames, Frames};
use crate::render::Report;
use crate::stacks::samples_of;

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
    /// Only frames that weigh at least one of so many parts of the window.
    pub pixels: i64,
}

impl FlameQuery<'_> {
    /// The window, as far as there is anything in a graph of this weight.
    pub fn seen(&self, whole: i64) -> Range<i64> {
        within(&self.window, whole)
    }
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

/// From so many samples one can tell how heavy frames are that are heavy enough to be seen.
const TELLING: usize = 4096;

impl FlameNames {
    /// Deals out the samples of the report that these names are of.
    pub fn part(&self, report: &Report<'_>, query: &FlameQuery<'_>) -> FlamePart {
        self.deal(query, query.window.clone(), self.gather(report, query, 1))
    }

    /// An estimate of [`part`](Self::part) that is made of each `every`th sample. `None` if those are too few to tell.
    pub fn draft(
        &self,
        report: &Report<'_>,
        query: &FlameQuery<'_>,
        every: usize,
    ) -> Option<FlamePart> {
        let samples = self.gather(report, query, every.max(1));
        if samples.len() < TELLING {
            return None;
        }
        let rows = 0..report.profile.samples.len();
        let weigh = |rows| samples_of(report, rows).fold(0, add_weight);
        let (all, counted) = (weigh(rows.clone().step_by(1)), weigh(rows.step_by(every.max(1))));
        let window =
            scaled(query.window.start, all, counted)..scaled(query.window.end, all, counted);
        let mut part = self.deal(query, window, samples);
        part.scale(counted, all);
        Some(part)
    }

    /// Each `every`th sample of the report, where the query lets it begin.
    fn gather<'p>(
        &self,
        report: &Report<'p>,
        query: &FlameQuery<'_>,
        every: usize,
    ) -> Vec<Sample<'p>> {
        let FlameQuery { direction, pivot, .. } = *query;
        let pick = |(stack, value)| {
            let mut sample = match pivot {
                None => Sample::new((stack, value)),
                Some(pivot) => Sample::at(pivot, stack, value, direction, self)?,
            };
            sample.look_ahead(self, direction);
            Some(sample)
        };
        let rows = report.profile.samples.len().div_ceil(every);
        let workers = workers(rows);
        let part = &|i: usize| {
            let rows = rows * i / workers..rows * (i + 1) / workers;
            samples_of(report, rows.map(move |row| row * every)).filter_map(pick)
        };
        thread::scope(|scope| {
            let others = (1..workers).map(|i| scope.spawn(move || part(i).collect::<Vec<_>>()));
            let others: Vec<_> = others.collect();
            let mut all = Vec::with_capacity(rows);
            all.extend(part(0));
            for other in others {
                all.extend(other.join().expect("no worker panics"));
            }
            all
        })
    }

    fn deal(
        &self,
        query: &FlameQuery<'_>,
        window: Range<i64>,
        samples: Vec<Sample<'_>>,
    ) -> FlamePart {
        let whole = samples.iter().fold(0_i64, |sum, s| sum.saturating_add(s.weight()));
        let window = within(&window, whole);
        let min = ((window.end - window.start) / query.pixels.max(1)).max(1);
        deal(self, &Cut { direction: query.direction, window, min }, samples)
    }
}

fn add_weight(sum: i64, (_, value): (&[LocationIdx], i64)) -> i64 {
    sum.saturating_add(value.saturating_abs())
}

/// A weight of something that weighs `from` when it weighs `to`.
fn scaled(weight: i64, from: i64, to: i64) -> i64 {
    let scaled = i128::from(weight) * i128::from(to) / i128::from(from.max(1));
    scaled.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The part of a window in which there is anything of a graph of this weight.
fn within(window: &Range<i64>, whole: i64) -> Range<i64> {
    let start = window.start.clamp(0, whole);
    start..window.end.clamp(start, whole)
}

/// Fewer samples are not worth a thread.
const WORTH: usize = 100_000;

/// How many threads to share the work on so many samples.
fn workers(samples: usize) -> usize {
    let most = (samples / WORTH).clamp(1, 8);
    thread::available_parallelism().map_or(1, |n| n.get().min(most))
}

/// Deals out samples: what is near the root here, and what grows from there by as many threads as are worth it.
pub(super) fn deal(names: &FlameNames, cut: &Cut, samples: Vec<Sample<'_>>) -> FlamePart {
    let workers = workers(samples.len());
    let split = if workers > 1 { samples.len() / (2 * workers) } else { 0 };
    deal_split(names, cut, samples, split, workers)
}

/// The same, where frames of fewer than `split` samples are somebody else's.
fn deal_split(
    names: &FlameNames,
    cut: &Cut,
    samples: Vec<Sample<'_>>,
    split: usize,
    workers: usize,
) -> FlamePart {
    let difference = samples.iter().any(|s| s.value < 0);
    let mut trunk = Dealer { split, ..Dealer::new(names, cut, difference) };
    trunk.deal(Hand::root(&samples), samples);
    let Dealer { part: trunk, aside, .. } = trunk;
    let places: Vec<usize> = aside.iter().map(|branch| branch.place).collect();
    let branches = share_out(aside, workers, || {
        let mut dealer = Dealer::new(names, cut, difference);
        move |branch: Branch<'_>| {
            dealer.deal(branch.hand, branch.samples);
            mem::take(&mut dealer.part)
        }
    });
    trunk.with_branches(&places, branches.into_iter())
}

/// What workers make of items, in the order of these. As many work at a time; each is made where it works, and takes the next
/// item when it has done one.
fn share_out<T: Send, R: Send, W: FnMut(T) -> R>(
    items: Vec<T>,
    workers: usize,
    worker: impl Fn() -> W + Sync,
) -> Vec<R> {
    let queue = Mutex::new(items.into_iter().enumerate());
    // A function of its own, so that the queue is not held while an item is worked on.
    let next = || queue.lock().expect("no worker panics").next();
    let work = || {
        let mut worker = worker();
        iter::from_fn(next).map(|(i, item)| (i, worker(item))).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().expect("no worker panics"));
        }
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The number of the name of the frame that stands for everything.
const ROOT: u32 = 0;

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

impl Hand {
    /// The frame of all samples.
    fn root(samples: &[Sample<'_>]) -> Self {
        let share = samples.iter().fold(Share::default(), |share, s| share.with(s));
        Self { name: ROOT, depth: 0, share, at: 0, start: 0 }
    }
}

/// A frame with few samples, and where its part belongs.
struct Branch<'p> {
    /// Frames of the trunk that come before it.
    place: usize,
    hand: Hand,
    samples: Vec<Sample<'p>>,
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

struct Dealer<'a, 'p> {
    names: &'a FlameNames,
    cut: &'a Cut,
    difference: bool,
    /// By name, for the callees of the frame at hand; zero otherwise.
    shares: Vec<Share>,
    /// Frames of fewer samples are put aside.
    split: usize,
    part: FlamePart,
    aside: Vec<Branch<'p>>,
}

impl<'a, 'p> Dealer<'a, 'p> {
    /// A dealer who puts nothing aside.
    fn new(names: &'a FlameNames, cut: &'a Cut, difference: bool) -> Self {
        let shares = vec![Share::default(); names.texts.len()];
        let (part, aside) = (FlamePart::default(), Vec::new());
        Self { names, cut, difference, shares, split: 0, part, aside }
    }

    /// Adds a frame of these samples, and what grows from it as far as it is in sight and weighs enough.
    fn deal(&mut self, root: Hand, mut pile: Vec<Sample<'p>>) {
        let mut hands = vec![Hand { start: 0, ..root }];
        let mut taken = Vec::new();
        while let Some(hand) = hands.pop() {
            if hand.share.samples < self.split {
                let samples = pile.drain(hand.start..).collect();
                self.aside.push(Branch { place: self.part.frames.len(), hand, samples });
                continue;
            }
            taken.clear();
            taken.extend(pile.drain(hand.start..));
            let own = self.step(&mut taken);
            self.put(hand, own);
            self.sort(hand, &taken, &mut pile, &mut hands);
        }
    }

    /// Moves samples on to the callees and adds up what each gets. Gives what samples that end here weigh.
    fn step(&mut self, samples: &mut Vec<Sample<'p>>) -> i64 {
        let mut own = 0_i64;
        samples.retain_mut(|sample| {
            let goes_on = sample.step(self.names, self.cut.direction);
            if goes_on {
                let share = &mut self.shares[sample.name() as usize];
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
    fn sort(
        &mut self,
        caller: Hand,
        samples: &[Sample<'p>],
        pile: &mut Vec<Sample<'p>>,
        hands: &mut Vec<Hand>,
    ) {
        let Some(&filler) = samples.first() else { return };
        let first = hands.len();
        for sample in samples {
            let share = &mut self.shares[sample.name() as usize];
            if share.samples > 0 {
                let (name, depth) = (sample.name(), caller.depth + 1);
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
            let share = &mut self.shares[sample.name() as usize];
            if share.weight >= min {
                pile[share.samples] = *sample;
                share.samples += 1;
            }
        }
        samples.iter().for_each(|s| self.shares[s.name() as usize] = Share::default());
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

impl FlamePart {
    /// Makes what weighs `from` weigh `to`. Frames still lie side by side and within their callers.
    fn scale(&mut self, from: i64, to: i64) {
        let Frames { weight, own, net, .. } = &mut self.frames;
        for (start, weight) in self.starts.iter_mut().zip(weight) {
            let end = scaled(start.saturating_add(*weight), from, to);
            *start = scaled(*start, from, to);
            *weight = end - *start;
        }
        own.iter_mut().chain(net).for_each(|value| *value = scaled(*value, from, to));
    }

    /// These frames with others between them: each part comes after so many of these.
    fn with_branches(self, places: &[usize], parts: impl Iterator<Item = Self>) -> Self {
        if places.is_empty() {
            return self;
        }
        let mut whole = Self { dropped: self.dropped, ..Self::default() };
        let mut from = 0;
        for (&place, part) in places.iter().zip(parts) {
            whole.append(&self, from..place);
            whole.append(&part, 0..part.starts.len());
            whole.dropped += part.dropped;
            from = place;
        }
        whole.append(&self, from..self.starts.len());
        whole
    }

    fn append(&mut self, other: &Self, range: Range<usize>) {
        let (frames, from) = (&mut self.frames, &other.frames);
        self.starts.extend_from_slice(&other.starts[range.clone()]);
        frames.name.extend_from_slice(&from.name[range.clone()]);
        frames.depth.extend_from_slice(&from.depth[range.clone()]);
        frames.weight.extend_from_slice(&from.weight[range.clone()]);
        frames.own.extend_from_slice(&from.own[range.clone()]);
        frames.net.extend_from_slice(from.net.get(range).unwrap_or_default());
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
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Deals out stacks of names, outermost first, and shows what becomes of them.
    fn check(stacks: &[(&[u32], i64)], min: i64, expected: &str) {
        let everything = i64::MIN..i64::MAX;
        check_cut(stacks, Cut { direction: Direction::Inwards, window: everything, min }, expected);
    }

    /// Every location has one frame, whose name has the location's number.
    fn names() -> FlameNames {
        FlameNames {
            texts: (0..9).map(|n: u32| n.to_string()).collect(),
            by_location: (0..9).collect(),
            starts: (0..10).collect(),
        }
    }

    fn check_cut(stacks: &[(&[u32], i64)], cut: Cut, expected: &str) {
        let names = names();
        let leaf_first = |stack: &[u32]| -> Vec<LocationIdx> {
            stack.iter().rev().map(|&n| LocationIdx::from_index(n as usize)).collect()
        };
        let stacks: Vec<_> = stacks.iter().map(|(s, value)| (leaf_first(s), *value)).collect();
        let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
        let part = deal(&names, &cut, samples);
        check_split(&names, &cut, &stacks, &part);
        let FlamePart { frames, starts, dropped } = part;
        assert_eq!(starts.len(), frames.len());
        let frame = |i: usize| {
            let indent = " ".repeat(frames.depth[i] as usize);
            let (name, weight, own) = (frames.name[i], frames.weight[i], frames.own[i]);
            // What are no differences are all increase.
            let net = frames.net.get(i).unwrap_or(&weight);
            format!("{indent}{name}: {weight} own {own} net {net}\n")
        };
        let text: String = (0..frames.len()).map(frame).collect();
        assert_eq!(format!("{text}dropped {dropped}"), expected);
    }

    /// However much is done by others, it comes out the same.
    #[track_caller]
    fn check_split(
        names: &FlameNames,
        cut: &Cut,
        stacks: &[(Vec<LocationIdx>, i64)],
        expected: &FlamePart,
    ) {
        for split in 0..=stacks.len() + 1 {
            let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
            assert_eq!(deal_split(names, cut, samples, split, 3), *expected, "{split}");
        }
    }

    #[test]
    fn many_samples_are_dealt_out_by_many() {
        let mut state = 7_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        let stacks: Vec<(Vec<LocationIdx>, i64)> = (0..300)
            .map(|_| {
                let stack = (0..random(12)).map(|_| LocationIdx::from_index(random(4) as usize));
                (stack.collect(), i64::from(random(9)) - 4)
            })
            .collect();
        let names = names();
        for direction in [Direction::Inwards, Direction::Outwards] {
            let cut = Cut { direction, window: 100..700, min: 3 };
            let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
            let alone = deal_split(&names, &cut, samples, 0, 1);
            assert!(alone.frames.len() > 50);
            check_split(&names, &cut, &stacks, &alone);
        }
    }

    #[test]
    fn scaled_frames_lie_within_their_callers() {
        let stacks: [(&[u32], i64); 5] =
            [(&[1, 2], 3), (&[1, 3], 2), (&[1], 1), (&[4, 5], 1), (&[4, 6], 1)];
        let leaf_first = |stack: &[u32]| -> Vec<LocationIdx> {
            stack.iter().rev().map(|&n| LocationIdx::from_index(n as usize)).collect()
        };
        let stacks = stacks.map(|(stack, value)| (leaf_first(stack), value));
        let samples = stacks.iter().map(|(s, value)| Sample::new((s, *value))).collect();
        let cut = Cut { direction: Direction::Inwards, window: 0..i64::MAX, min: 1 };
        let mut part = deal(&names(), &cut, samples);
        part.scale(8, 21);
        // all; 1, 2, 3; 4, 5, 6.
        assert_eq!(part.starts, [0, 0, 0, 7, 15, 15, 18]);
        assert_eq!(part.frames.weight, [21, 15, 7, 6, 6, 3, 3]);
    }

    #[test]
    fn workers_work_at_the_same_time() {
        // Each item is done once the other has been begun.
        let (tell, hear): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel()).unzip();
        let [a, b]: [_; 2] = hear.try_into().unwrap();
        let items = vec![(0, tell[1].clone(), a), (1, tell[0].clone(), b)];
        let worker = || {
            |(number, tell, hear): (i32, mpsc::Sender<i32>, mpsc::Receiver<i32>)| {
                tell.send(number).unwrap();
                hear.recv_timeout(Duration::from_secs(60))
            }
        };
        assert_eq!(share_out(items, 2, worker), [Ok(1), Ok(0)]);
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
}
