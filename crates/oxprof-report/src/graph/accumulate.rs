//! Adding up samples: the inner loops of every graph.
//!
//! Each frame of each stack is visited here and nowhere else, so these loops touch dense tables only.
//! A stack counts once for each node and edge on it, however often it recurses: tables remember the last
//! sample that touched a row (`seen`).

use hashbrown::HashTable;
use oxprof_profile::{LocationIdx, Profile};
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

use super::Edge;
use crate::values::Sum;
use crate::{FrameId, Frames, ReportOptions, ValueSelector};

/// Marks frames that are not nodes.
pub(super) const NO_NODE: u32 = u32::MAX;

/// What a frame costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    pub(crate) flat: Sum,
    pub(crate) cum: Sum,
}

impl Weight {
    /// Whether a report shows a place of this weight.
    pub(crate) fn is_shown(self, options: &ReportOptions) -> bool {
        let Self { flat: Sum { value: flat, .. }, cum: Sum { value: cum, .. } } = self;
        let negative = flat < 0 || flat == 0 && cum < 0;
        (flat != 0 || cum != 0) && !(options.drop_negative && negative)
    }
}

/// What every frame costs, by [`FrameId`].
pub(crate) fn weigh(profile: &Profile, frames: &Frames<'_>, value: ValueSelector) -> Vec<Weight> {
    let mut weights = vec![Weight::default(); frames.len()];
    let values = column(profile, frames, |values| value.value(values));
    for (weight, (flat, cum)) in weights.iter_mut().zip(values) {
        (weight.flat.value, weight.cum.value) = (flat, cum);
    }
    if value.mean {
        let divisors = column(profile, frames, |values| value.divisor(values));
        for (weight, (flat, cum)) in weights.iter_mut().zip(divisors) {
            (weight.flat.divisor, weight.cum.divisor) = (flat, cum);
        }
    }
    weights
}

/// Flat and cumulative sums of one number per sample.
fn column(
    profile: &Profile,
    frames: &Frames<'_>,
    pick: impl Fn(&[i64]) -> i64,
) -> impl Iterator<Item = (i64, i64)> {
    #[derive(Clone, Copy, Default)]
    struct Row {
        cum: i64,
        seen: u32,
    }
    let mut rows = vec![Row::default(); frames.len()];
    let mut flat = vec![0i64; frames.len()];
    for (i, sample) in profile.samples.iter().enumerate() {
        let value = pick(sample.values);
        let Some(&leaf) = sample.stack.first().filter(|_| value != 0) else { continue };
        let leaf = &mut flat[frames.of(leaf)[0].index()];
        *leaf = leaf.wrapping_add(value);
        let stamp = i as u32 + 1;
        for &location in sample.stack {
            for frame in frames.of(location) {
                let row = &mut rows[frame.index()];
                if row.seen != stamp {
                    row.seen = stamp;
                    row.cum = row.cum.wrapping_add(value);
                }
            }
        }
    }
    flat.into_iter().zip(rows.into_iter().map(|row| row.cum))
}

/// Which edges are worth adding up: those from or to certain nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interest {
    pub(super) as_caller: bool,
    pub(super) as_callee: bool,
}

/// The edges between nodes. `node_of` says which node a frame is, by [`FrameId`], and `interest` has an
/// entry for each node.
pub(super) fn edges(
    profile: &Profile,
    frames: &Frames<'_>,
    value: ValueSelector,
    node_of: &[u32],
    interest: &[Interest],
) -> Vec<Edge> {
    let steps = Steps::new(profile, frames, node_of);
    let mut table = EdgeTable::default();
    for (i, sample) in profile.samples.iter().enumerate() {
        let add = (value.value(sample.values), value.divisor(sample.values));
        if add == (0, 0) {
            continue;
        }
        let mut caller = NO_NODE;
        steps.walk(sample.stack, |node, residual, inline| {
            let from = std::mem::replace(&mut caller, node);
            let wanted = from != NO_NODE
                && from != node
                && (interest[node as usize].as_callee || interest[from as usize].as_caller);
            if wanted {
                table.add(from, node, i as u32 + 1, |row| {
                    row.weight.add(add.0, add.1);
                    row.residual |= residual;
                    row.inline &= inline;
                });
            }
        });
    }
    table.finish()
}

/// What walking over a location means, by [`LocationIdx`].
pub(super) struct Steps<'a> {
    frames: &'a Frames<'a>,
    node_of: &'a [u32],
    steps: Vec<u32>,
}

/// The location has no node.
const NOTHING: u32 = u32::MAX;
/// The location has several frames, one of which is a node at least.
const SEVERAL: u32 = u32::MAX - 1;

impl<'a> Steps<'a> {
    pub(super) fn new(profile: &Profile, frames: &'a Frames<'a>, node_of: &'a [u32]) -> Self {
        let step = |i| match frames.of(LocationIdx::from_index(i)) {
            [frame] => node_of[frame.index()],
            inlined if inlined.iter().all(|f| node_of[f.index()] == NO_NODE) => NOTHING,
            _ => SEVERAL,
        };
        Self { frames, node_of, steps: (0..profile.locations.len()).map(step).collect() }
    }

    /// Calls `visit(node, residual, inline)` for each node of a stack from root to leaf: whether frames
    /// that are not nodes lie before it, and whether it is inlined. Says whether such frames follow the
    /// last.
    #[inline]
    pub(super) fn walk(
        &self,
        stack: &[LocationIdx],
        mut visit: impl FnMut(u32, bool, bool),
    ) -> bool {
        let mut residual = false;
        for &location in stack.iter().rev() {
            match self.steps[location.index()] {
                NOTHING => residual = true,
                SEVERAL => {
                    let frames = self.frames.of(location);
                    for (i, frame) in frames.iter().enumerate().rev() {
                        let node = self.node_of[frame.index()];
                        if node != NO_NODE {
                            visit(node, residual, i + 1 != frames.len());
                        }
                        residual = node == NO_NODE;
                    }
                }
                node => {
                    visit(node, residual, false);
                    residual = false;
                }
            }
        }
        residual
    }
}

/// Edges by their ends, each in one place in memory.
#[derive(Default)]
struct EdgeTable(HashTable<EdgeRow>);

/// An edge, and the last sample that had it. Half a cache line.
struct EdgeRow {
    weight: Sum,
    from: u32,
    to: u32,
    seen: u32,
    residual: bool,
    inline: bool,
}

impl EdgeRow {
    fn hash(from: u32, to: u32) -> u64 {
        FxBuildHasher.hash_one(u64::from(from) << 32 | u64::from(to))
    }

    fn edge(self) -> Edge {
        let Self { weight, from, to, residual, inline, .. } = self;
        Edge { weight, from, to, residual, inline }
    }
}

impl EdgeTable {
    /// Changes an edge, once per sample `stamp`.
    #[inline]
    fn add(&mut self, from: u32, to: u32, stamp: u32, change: impl FnOnce(&mut EdgeRow)) {
        let same = |row: &EdgeRow| row.from == from && row.to == to;
        let rehash = |row: &EdgeRow| EdgeRow::hash(row.from, row.to);
        let entry = self.0.entry(EdgeRow::hash(from, to), same, rehash);
        let row = entry.or_insert_with(|| EdgeRow {
            weight: Sum::default(),
            from,
            to,
            seen: 0,
            residual: false,
            inline: true,
        });
        let row = row.into_mut();
        if row.seen != stamp {
            row.seen = stamp;
            change(row);
        }
    }

    fn finish(self) -> Vec<Edge> {
        self.0.into_iter().map(EdgeRow::edge).collect()
    }
}

/// Which node each frame is, given the frame of each node.
pub(super) fn nodes_of_frames(
    frames: &Frames<'_>,
    nodes: impl Iterator<Item = FrameId>,
) -> Vec<u32> {
    let mut node_of = vec![NO_NODE; frames.len()];
    for (node, frame) in nodes.enumerate() {
        node_of[frame.index()] = node as u32;
    }
    node_of
}
