//! The order of slots on each rank, with few crossings.
//!
//! Ranks are sorted by the medians of their slots' neighbours, sweeping down and up, and after each sweep
//! neighbours change places where that saves crossings. On alternate pairs of sweeps they also change places
//! when it makes no difference: walking over plateaus finds the way out of orders that no single exchange
//! improves. The best order of several starts wins.

use super::layers::Layers;

/// Sweeps from each start.
const SWEEPS: usize = 100;
/// Sweeps without progress after which a start is given up.
const PATIENCE: usize = 30;
/// Rounds of exchanges after a sweep.
const ROUNDS: usize = 20;

/// Sorts the ranks of `layers`, trying from `starts` different orders.
pub(super) fn sort(layers: &mut Layers, starts: usize) {
    let mut best: Option<(usize, Vec<Vec<usize>>)> = None;
    for start in 0..starts.max(1) {
        let mut order = Order::new(layers, start);
        let found = order.improve();
        if best.as_ref().is_none_or(|(crossings, _)| found.0 < *crossings) {
            let done = found.0 == 0;
            best = Some(found);
            if done {
                break;
            }
        }
    }
    if let Some((_, ranks)) = best {
        layers.ranks = ranks;
    }
}

/// How many pairs of segments cross.
#[cfg(test)]
pub(super) fn crossings(layers: &Layers) -> usize {
    let mut order = Order::new(layers, 0);
    order.ranks.clone_from(&layers.ranks);
    order.number_all();
    order.crossings()
}

struct Order<'a> {
    layers: &'a Layers,
    ranks: Vec<Vec<usize>>,
    position: Vec<usize>,
    /// Positions of neighbours above and below for the rank at hand.
    neighbors: [Lists; 2],
    /// Ranks where something has changed, there or on a neighbouring rank, since exchanges were tried.
    is_stale: Vec<bool>,
    counts: Vec<usize>,
}

/// Sorted lists, one after the other.
#[derive(Default)]
struct Lists {
    items: Vec<usize>,
    /// Where each list ends.
    ends: Vec<usize>,
}

impl Lists {
    fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    fn push(&mut self, items: impl Iterator<Item = usize>) {
        let start = self.items.len();
        self.items.extend(items);
        if self.items.len() > start + 1 {
            self.items[start..].sort_unstable();
        }
        self.ends.push(self.items.len());
    }

    fn get(&self, index: usize) -> &[usize] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.items[start..self.ends[index]]
    }
}

impl<'a> Order<'a> {
    fn new(layers: &'a Layers, start: usize) -> Self {
        let mut this = Self {
            layers,
            ranks: first_order(layers, start),
            position: vec![0; layers.slots.len()],
            neighbors: Default::default(),
            is_stale: vec![true; layers.ranks.len()],
            counts: Vec::new(),
        };
        this.number_all();
        this
    }

    fn number_all(&mut self) {
        (0..self.ranks.len()).for_each(|r| self.number(r));
    }

    fn number(&mut self, rank: usize) {
        for (i, &slot) in self.ranks[rank].iter().enumerate() {
            self.position[slot] = i;
        }
    }

    /// The fewest crossings found, and the order that has them.
    fn improve(&mut self) -> (usize, Vec<Vec<usize>>) {
        let mut best = (self.crossings(), self.ranks.clone());
        let mut last_progress = 0;
        for sweep in 0..SWEEPS {
            if best.0 == 0 || sweep - last_progress > PATIENCE {
                break;
            }
            let plateaus = sweep % 4 < 2;
            self.sweep(sweep.is_multiple_of(2), plateaus);
            self.transpose(plateaus);
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.ranks.clone());
                last_progress = sweep;
            }
        }
        best
    }

    /// Sorts every rank by the one before it, from above (`down`) or from below.
    fn sweep(&mut self, down: bool, turn_equals: bool) {
        let last = self.ranks.len() - 1;
        for step in 1..=last {
            let rank = if down { step } else { last - step };
            self.sort_rank(rank, down, turn_equals);
        }
    }

    fn sort_rank(&mut self, rank: usize, down: bool, turn_equals: bool) {
        let layers = self.layers;
        let sides = if down { &layers.above } else { &layers.below };
        let mut places = Vec::new();
        let mut movable = Vec::new();
        for (i, &slot) in self.ranks[rank].iter().enumerate() {
            if let Some(median) = median(&sides[slot], &self.position) {
                places.push(i);
                movable.push((median, slot));
            }
        }
        if turn_equals {
            movable.reverse();
        }
        movable.sort_by(|l, r| l.0.total_cmp(&r.0));
        for (place, (_, slot)) in places.into_iter().zip(movable) {
            self.ranks[rank][place] = slot;
        }
        self.number(rank);
    }

    /// Exchanges neighbours until that saves no more crossings.
    fn transpose(&mut self, plateaus: bool) {
        self.is_stale.fill(true);
        for _ in 0..ROUNDS {
            let mut saved = false;
            for rank in 0..self.ranks.len() {
                saved |=
                    std::mem::take(&mut self.is_stale[rank]) && self.transpose_rank(rank, plateaus);
            }
            if !saved {
                return;
            }
        }
    }

    /// Whether that saved crossings.
    fn transpose_rank(&mut self, rank: usize, plateaus: bool) -> bool {
        self.gather(rank);
        let [above, below] = &self.neighbors;
        let slots = &mut self.ranks[rank];
        let (mut changed, mut saved) = (false, false);
        // The one at the left, which exchanges may take along, and where it was.
        let mut left = 0;
        for right in 1..slots.len() {
            let (a, b) = pair_crossings(above.get(left), above.get(right));
            let (c, d) = pair_crossings(below.get(left), below.get(right));
            let (now, then) = (a + c, b + d);
            if then < now || (plateaus && then == now) {
                slots.swap(right - 1, right);
                changed = true;
                saved |= then < now;
            } else {
                left = right;
            }
        }
        if changed {
            self.number(rank);
            let last = self.ranks.len() - 1;
            self.is_stale[rank.saturating_sub(1)..=last.min(rank + 1)].fill(true);
        }
        saved
    }

    fn gather(&mut self, rank: usize) {
        let layers = self.layers;
        for (side, adjacent) in self.neighbors.iter_mut().zip([&layers.above, &layers.below]) {
            side.clear();
            for &slot in &self.ranks[rank] {
                side.push(adjacent[slot].iter().map(|&n| self.position[n]));
            }
        }
    }

    fn crossings(&mut self) -> usize {
        (1..self.ranks.len()).map(|r| self.crossings_above(r)).sum()
    }

    /// Crossings between `rank` and the one above, counted with a tree of sums.
    fn crossings_above(&mut self, rank: usize) -> usize {
        let width = self.ranks[rank - 1].len();
        self.counts.clear();
        self.counts.resize(width + 1, 0);
        let (mut crossings, mut seen) = (0, 0);
        let mut ends = Vec::new();
        for &slot in &self.ranks[rank] {
            ends.clear();
            ends.extend(self.layers.above[slot].iter().map(|&n| self.position[n]));
            for &end in &ends {
                crossings += seen - prefix(&self.counts, end + 1);
            }
            for &end in &ends {
                add(&mut self.counts, end);
                seen += 1;
            }
        }
        crossings
    }
}

/// Sum of the counts before `end`.
fn prefix(counts: &[usize], mut end: usize) -> usize {
    let mut sum = 0;
    while end > 0 {
        sum += counts[end];
        end &= end - 1;
    }
    sum
}

fn add(counts: &mut [usize], at: usize) {
    let mut i = at + 1;
    while i < counts.len() {
        counts[i] += 1;
        i += i & i.wrapping_neg();
    }
}

/// Crossings between the segments of two neighbours as they are, and after an exchange.
fn pair_crossings(left: &[usize], right: &[usize]) -> (usize, usize) {
    if let ([l], [r]) = (left, right) {
        return (usize::from(r < l), usize::from(l < r));
    }
    let (mut now, mut then) = (0, 0);
    let (mut below, mut upto) = (0, 0);
    for &l in left {
        while right.get(below).is_some_and(|&r| r < l) {
            below += 1;
        }
        upto = upto.max(below);
        while right.get(upto).is_some_and(|&r| r <= l) {
            upto += 1;
        }
        now += below;
        then += right.len() - upto;
    }
    (now, then)
}

/// The median of the neighbours' positions; of an even number of neighbours, a place between the middle
/// two that is nearer to the side where they are denser.
fn median(neighbors: &[usize], position: &[usize]) -> Option<f64> {
    if let [only] = neighbors {
        return Some(position[*only] as f64);
    }
    let mut at: Vec<usize> = neighbors.iter().map(|&n| position[n]).collect();
    at.sort_unstable();
    let middle = at.len() / 2;
    match at.as_slice() {
        [] => None,
        [l, r] => Some((l + r) as f64 / 2.0),
        all if all.len() % 2 == 1 => Some(all[middle] as f64),
        all => {
            let (l, r) = (all[middle - 1], all[middle]);
            let (dense_left, dense_right) = (l - all[0], all[all.len() - 1] - r);
            let spread = dense_left + dense_right;
            if spread == 0 {
                return Some((l + r) as f64 / 2.0);
            }
            Some((l * dense_right + r * dense_left) as f64 / spread as f64)
        }
    }
}

/// An order to start from: slots as a search from the top (even starts) or the bottom reaches them. After the
/// first four, searches take neighbours in a shuffled order.
fn first_order(layers: &Layers, start: usize) -> Vec<Vec<usize>> {
    let from_top = start.is_multiple_of(2);
    let breadth_first = start % 4 < 2;
    let mut random = Random(start as u64 + 1);
    let shuffled = start >= 4;
    let onward = if from_top { &layers.below } else { &layers.above };
    let back = if from_top { &layers.above } else { &layers.below };
    let mut starts: Vec<usize> = (0..layers.slots.len()).filter(|&s| back[s].is_empty()).collect();
    if shuffled {
        random.shuffle(&mut starts);
    }
    let mut ranks = vec![Vec::new(); layers.ranks.len()];
    let mut seen = vec![false; layers.slots.len()];
    let mut queue = std::collections::VecDeque::new();
    for first in starts {
        queue.push_back(first);
        while let Some(slot) = if breadth_first { queue.pop_front() } else { queue.pop_back() } {
            if std::mem::replace(&mut seen[slot], true) {
                continue;
            }
            ranks[layers.slots[slot].rank].push(slot);
            let mut next = onward[slot].clone();
            if shuffled {
                random.shuffle(&mut next);
            }
            if !breadth_first {
                next.reverse();
            }
            queue.extend(next);
        }
    }
    ranks
}

/// A small generator of numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for i in (1..items.len()).rev() {
            let other = self.below(i + 1);
            items.swap(i, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Edge, Size};
    use super::*;

    fn check(edges: &[(usize, usize)], ranks: &[usize], expected: usize) {
        let edges: Vec<Edge> = edges.iter().map(|&(from, to)| Edge::new(from, to)).collect();
        let mut layers = Layers::new(&vec![Size::default(); ranks.len()], &edges, ranks);
        sort(&mut layers, 6);
        assert_eq!(crossings(&layers), expected);
    }

    #[test]
    fn planar_graphs_get_no_crossings() {
        check(&[(0, 3), (1, 2), (0, 2)], &[0, 0, 1, 1], 0);
        check(&[(0, 5), (1, 4), (2, 3), (3, 8), (4, 7), (5, 6)], &[0, 0, 0, 1, 1, 1, 2, 2, 2], 0);
    }

    #[test]
    fn crossings_that_must_be_are_counted() {
        let all = [(0, 3), (0, 4), (0, 5), (1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)];
        check(&all, &[0, 0, 0, 1, 1, 1], 9);
    }

    #[test]
    fn pairs_are_counted_both_ways() {
        assert_eq!(pair_crossings(&[1, 3], &[0, 2, 3]), (3, 2));
        assert_eq!(pair_crossings(&[1], &[1]), (0, 0));
    }
}
