//! Call graphs: who called whom, at what cost.
//!
//! ```text
//! samples ──accumulate──▶ weights ──trim──▶ survivors ──accumulate──▶ edges ──order──▶ Graph
//! ```
//!
//! Frames are dense integers, so adding up a million stacks is a walk over tables. Edges are only added
//! up between the nodes that survive trimming; a stack that leaves and re-enters them makes a
//! *residual* edge. With [`call_tree`](crate::ReportOptions::call_tree) each calling context is a node of its own
//! (see `context`).

mod accumulate;
mod adjacency;
mod context;
mod nodelets;
mod order;
mod trim;

use oxprof_profile::Profile;

pub(crate) use self::accumulate::{Weight, weigh};
pub use self::adjacency::Adjacency;
pub use self::nodelets::{NodeTags, NumericTag, Tag};
pub(crate) use self::order::compare_edges;
pub(crate) use self::trim::MAX_NODELETS;
use crate::values::Sum;
use crate::{Format, FrameId, Frames, ReportOptions};

/// A trimmed call graph, nodes in report order.
#[derive(Debug, Default)]
pub struct Graph {
    /// The nodes of the report in its order, followed by nodes that are not shown because they are zero
    /// or negative, yet have edges from or to nodes that are.
    pub nodes: Vec<Node>,
    /// How many of `nodes` are shown.
    pub shown: usize,
    /// Calls between nodes.
    pub edges: Vec<Edge>,
    /// Nodes that were too light to be shown.
    pub dropped_nodes: usize,
    /// Edges that were too light to be shown.
    pub dropped_edges: usize,
    /// Nodes that remained before their number was limited.
    pub candidates: usize,
}

/// A place, or a place in a calling context, with what it costs.
#[derive(Clone, Debug)]
pub struct Node {
    /// The place.
    pub frame: FrameId,
    /// Its printable name.
    pub name: Box<str>,
    /// The calling context that the node is in, in a call tree; 0 otherwise.
    pub context: u32,
    /// Labels of its samples, for drawn graphs.
    pub tags: NodeTags,
    pub(crate) flat: Sum,
    pub(crate) cum: Sum,
}

/// Calls from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub(crate) weight: Sum,
    /// Caller, an index of [`Graph::nodes`].
    pub from: u32,
    /// Callee.
    pub to: u32,
    /// Whether some calls went through nodes that are not in the graph.
    pub residual: bool,
    /// Whether all calls were inlined.
    pub inline: bool,
}

impl Node {
    fn new(frame: FrameId, weight: Weight, frames: &Frames<'_>) -> Self {
        Self {
            frame,
            name: frames.printable(frame).into(),
            context: 0,
            tags: NodeTags::default(),
            flat: weight.flat,
            cum: weight.cum,
        }
    }

    /// What the place itself costs.
    pub fn flat(&self) -> i64 {
        self.flat.mean()
    }

    /// What it costs together with all that it calls.
    pub fn cum(&self) -> i64 {
        self.cum.mean()
    }
}

impl Edge {
    /// What the calls cost.
    pub fn weight(&self) -> i64 {
        self.weight.mean()
    }

    /// What the calls cost, not averaged even in a report of means.
    pub fn total_weight(&self) -> i64 {
        self.weight.value
    }
}

impl Graph {
    /// The graph of a report, trimmed as its options say.
    pub fn new(profile: &Profile, frames: &Frames<'_>, options: &ReportOptions) -> Self {
        if options.call_tree && matches!(options.format, Format::Dot | Format::Callgrind) {
            context::trimmed(profile, frames, options)
        } else {
            trim::trimmed(profile, frames, options)
        }
    }

    /// The shown nodes, in report order.
    pub fn shown(&self) -> &[Node] {
        &self.nodes[..self.shown]
    }

    /// Edges by caller.
    pub fn outgoing(&self) -> Adjacency {
        Adjacency::new(self.nodes.len(), self.edges.iter().map(|e| e.from))
    }

    /// Edges by callee.
    pub fn incoming(&self) -> Adjacency {
        Adjacency::new(self.nodes.len(), self.edges.iter().map(|e| e.to))
    }

    /// What the shown nodes themselves cost together.
    pub fn total(&self) -> i64 {
        self.shown().iter().fold(0, |sum, n| sum.wrapping_add(n.flat()))
    }

    /// Puts node `order[i]` at position `i`.
    fn permute(&mut self, order: &[u32]) {
        let mut position = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            position[from as usize] = to as u32;
        }
        for edge in &mut self.edges {
            edge.from = position[edge.from as usize];
            edge.to = position[edge.to as usize];
        }
        let mut old: Vec<Option<Node>> =
            std::mem::take(&mut self.nodes).into_iter().map(Some).collect();
        self.nodes = order.iter().filter_map(|&i| old[i as usize].take()).collect();
    }
}
