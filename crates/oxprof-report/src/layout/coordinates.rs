//! Where the slots of each rank are from left to right, and the ranks from top to bottom.

use super::graph::Edge;
use super::layers::{Kind, Layers};
use super::simplex::{self, Constraint};

/// Distance between boxes that are neighbours.
const BOX_GAP: i32 = 18;
/// Distance between an edge and its neighbour.
const EDGE_GAP: i32 = 8;

/// x of every slot. Edges pull their slots together by their weights, those between bends most, so that long
/// edges are straight.
pub(super) fn columns(layers: &Layers, edges: &[Edge], max_pivots: usize) -> Vec<i32> {
    let slots = layers.slots.len();
    let mut constraints = Vec::new();
    for rank in &layers.ranks {
        constraints.extend(rank.windows(2).map(|pair| beside(layers, pair[0], pair[1])));
    }
    let mut middles = slots;
    for (chain, edge) in layers.chains.iter().zip(edges) {
        for pair in chain.windows(2) {
            let weight = edge.weight.clamp(1, 1000) as i32 * straightness(layers, pair[0], pair[1]);
            for &to in pair {
                constraints.push(Constraint { from: middles, to, length: 0, weight });
            }
            middles += 1;
        }
    }
    let mut columns = simplex::solve_centered(middles, &constraints, max_pivots);
    columns.truncate(slots);
    columns
}

fn beside(layers: &Layers, left: usize, right: usize) -> Constraint {
    let (l, r) = (&layers.slots[left], &layers.slots[right]);
    let gap = if l.kind == Kind::Box && r.kind == Kind::Box { BOX_GAP } else { EDGE_GAP };
    Constraint { from: left, to: right, length: l.right + gap + r.left, weight: 0 }
}

fn straightness(layers: &Layers, upper: usize, lower: usize) -> i32 {
    let is_box = |slot: usize| layers.slots[slot].kind == Kind::Box;
    match (is_box(upper), is_box(lower)) {
        (true, true) => 1,
        (false, false) => 8,
        _ => 2,
    }
}

/// Top and bottom of a rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Band {
    pub(super) fn middle(self) -> f64 {
        (self.top + self.bottom) / 2.0
    }
}

/// Where each rank is, `gap` apart.
pub(super) fn bands(layers: &Layers, gap: f64) -> Vec<Band> {
    let mut top = 0.0;
    let band = |rank: &Vec<usize>| {
        let height = rank.iter().map(|&s| layers.slots[s].height).max().unwrap_or(0);
        let band = Band { top, bottom: top + f64::from(height) };
        top = band.bottom + gap;
        band
    };
    layers.ranks.iter().map(band).collect()
}
