//! The graph cut into ranks: every edge becomes a chain of segments that are one rank long.

use super::graph::{Edge, Size};

/// Half the width that an edge takes up where it passes a rank.
const EDGE_HALF: i32 = 4;
/// Distance between an edge and the text beside it.
pub(super) const LABEL_GAP: i32 = 4;

/// A place on a rank.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) rank: usize,
    /// Extent to the left of its x.
    pub(super) left: i32,
    /// Extent to the right of its x.
    pub(super) right: i32,
    pub(super) height: i32,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A node.
    Box,
    /// An edge that passes by.
    Bend,
    /// An edge that passes by with its text at its right.
    Label,
}

/// All places and how edges connect them.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers {
    /// The nodes first, in their order, then the bends.
    pub(super) slots: Vec<Slot>,
    /// Slots of each edge from the upper end to the lower one.
    pub(super) chains: Vec<Vec<usize>>,
    /// Slots by rank, from left to right.
    pub(super) ranks: Vec<Vec<usize>>,
    /// Neighbours on the rank above.
    pub(super) above: Vec<Vec<usize>>,
    /// Neighbours on the rank below.
    pub(super) below: Vec<Vec<usize>>,
}

impl Layers {
    /// Cuts edges that all lead downwards.
    pub(super) fn new(nodes: &[Size], edges: &[Edge], ranks: &[usize]) -> Self {
        let mut layers = Self::default();
        for (size, &rank) in nodes.iter().zip(ranks) {
            let width = size.width.ceil() as i32;
            let (left, right) = (width / 2, width - width / 2);
            let height = size.height.ceil() as i32;
            layers.push(Slot { kind: Kind::Box, rank, left, right, height });
        }
        for edge in edges {
            let chain = layers.cut(edge, ranks);
            layers.chains.push(chain);
        }
        layers
    }

    fn push(&mut self, slot: Slot) -> usize {
        let id = self.slots.len();
        if self.ranks.len() <= slot.rank {
            self.ranks.resize(slot.rank + 1, Vec::new());
        }
        self.ranks[slot.rank].push(id);
        self.slots.push(slot);
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        id
    }

    fn cut(&mut self, edge: &Edge, ranks: &[usize]) -> Vec<usize> {
        let (top, bottom) = (ranks[edge.from], ranks[edge.to]);
        // Ranks of even number are those of boxes when there are labels.
        let label_rank = ((top + bottom) / 2) | 1;
        let mut chain = vec![edge.from];
        for rank in top + 1..bottom {
            let slot = match edge.label {
                Some(size) if rank == label_rank => label_slot(rank, size),
                _ => Slot { kind: Kind::Bend, rank, left: EDGE_HALF, right: EDGE_HALF, height: 0 },
            };
            chain.push(self.push(slot));
        }
        chain.push(edge.to);
        for pair in chain.windows(2) {
            self.below[pair[0]].push(pair[1]);
            self.above[pair[1]].push(pair[0]);
        }
        chain
    }

    /// Where each slot is on its rank.
    pub(super) fn positions(&self) -> Vec<usize> {
        let mut positions = vec![0; self.slots.len()];
        for rank in &self.ranks {
            for (i, &slot) in rank.iter().enumerate() {
                positions[slot] = i;
            }
        }
        positions
    }
}

fn label_slot(rank: usize, size: Size) -> Slot {
    let right = size.width.ceil() as i32 + LABEL_GAP;
    Slot { kind: Kind::Label, rank, left: EDGE_HALF, right, height: size.height.ceil() as i32 }
}
