//! Building a graph of the nodes that matter.
//!
//! 1. Weigh every place; drop those below the node fraction of the total.
//! 2. Sort, and keep the first `node_count`.
//! 3. Add up edges between the survivors; drop the light and, in drawings, the redundant ones.

use oxprof_profile::Profile;

use super::accumulate::{self, Interest};
use super::{Edge, Graph, Node, nodelets, order};
use crate::{Format, FrameId, Frames, ReportOptions};

/// Tags that a drawing shows at a node at most.
pub(crate) const MAX_NODELETS: usize = 4;

/// The thresholds of a report, in the profile's unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cutoffs {
    pub(super) node: i64,
    pub(super) edge: i64,
}

impl Cutoffs {
    pub(super) fn new(total: i64, options: &ReportOptions) -> Self {
        let part = |fraction: f64| ((total as f64 * fraction) as i64).wrapping_abs();
        Self { node: part(options.node_fraction), edge: part(options.edge_fraction) }
    }
}

/// The trimmed graph of places.
pub(super) fn trimmed(profile: &Profile, frames: &Frames<'_>, options: &ReportOptions) -> Graph {
    let builder = Builder { profile, frames, options };
    let (mut graph, cutoffs) = builder.survivors();
    if options.format == Format::Dot {
        builder.limit_drawing(&mut graph, cutoffs);
        finish_drawing(&mut graph, cutoffs);
    } else {
        order::sort_nodes(&mut graph, frames, options.sort);
        builder.limit_table(&mut graph);
        builder.add_edges(&mut graph);
        drop_light_edges(&mut graph, cutoffs.edge);
    }
    graph
}

/// Last steps of a drawing: light tags and edges go, then the edges that only clutter.
pub(super) fn finish_drawing(graph: &mut Graph, cutoffs: Cutoffs) {
    drop_light_tags(graph, cutoffs.node);
    drop_light_edges(graph, cutoffs.edge);
    drop_redundant_edges(graph);
}

struct Builder<'a> {
    profile: &'a Profile,
    frames: &'a Frames<'a>,
    options: &'a ReportOptions,
}

impl Builder<'_> {
    /// The nodes above the cutoff, without edges. Only when all are do nodes that are not shown stay.
    fn survivors(&self) -> (Graph, Cutoffs) {
        let weights = accumulate::weigh(self.profile, self.frames, self.options.value);
        let all = || (0..weights.len() as u32).map(FrameId);
        let weight = |id: &FrameId| weights[id.index()];
        let (mut kept, rest): (Vec<_>, Vec<_>) =
            all().partition(|id| weight(id).is_shown(self.options));
        let total = kept.iter().fold(0i64, |sum, id| sum.wrapping_add(weight(id).flat.value));
        let cutoffs = Cutoffs::new(total, self.options);
        let shown = kept.len();
        if cutoffs.node > 0 {
            kept.retain(|id| weight(id).cum.value.wrapping_abs() >= cutoffs.node);
        }
        let candidates = kept.len();
        if candidates == shown {
            kept.extend(rest);
        }
        let nodes = kept.iter().map(|id| Node::new(*id, weight(id), self.frames)).collect();
        let dropped_nodes = shown - candidates;
        let graph =
            Graph { nodes, shown: candidates, candidates, dropped_nodes, ..Graph::default() };
        (graph, cutoffs)
    }

    fn limit_table(&self, graph: &mut Graph) {
        let limit = self.options.node_count;
        if limit > 0 && limit < graph.shown {
            graph.keep_first(limit);
        }
    }

    /// Drawings are sorted by what their edges tell, and labels count as nodes.
    fn limit_drawing(&self, graph: &mut Graph, cutoffs: Cutoffs) {
        self.add_edges(graph);
        self.add_tags(graph);
        order::sort_by_entropy(graph, self.frames);
        if self.options.node_count == 0 {
            return;
        }
        drop_light_tags(graph, cutoffs.node);
        drop_light_edges(graph, cutoffs.edge);
        let limit = drawing_limit(graph, self.options.node_count);
        if limit < graph.shown {
            graph.keep_first(limit);
            self.add_edges(graph);
            order::sort_by_entropy(graph, self.frames);
        }
    }

    fn add_edges(&self, graph: &mut Graph) {
        let interest = self.interest(graph);
        if interest.iter().any(|i| i.as_caller || i.as_callee) {
            let Self { profile, frames, options } = self;
            let node_of = self.node_of(graph);
            graph.edges = accumulate::edges(profile, frames, options.value, &node_of, &interest);
        }
    }

    /// Tables only tell whether their nodes were inlined, and peeking shows matching nodes only.
    fn interest(&self, graph: &Graph) -> Vec<Interest> {
        let both = |yes| Interest { as_caller: yes, as_callee: yes };
        let nodes = graph.nodes.iter();
        match (self.options.format, &self.options.pattern) {
            (Format::TopProto, _) => vec![Interest::default(); graph.nodes.len()],
            (Format::Top, _) => {
                let inlined = self.frames.inlined();
                let callee = |node: &Node| Interest {
                    as_caller: false,
                    as_callee: inlined[node.frame.index()],
                };
                nodes.map(callee).collect()
            }
            (Format::Peek, Some(pattern)) => {
                nodes.map(|node| both((pattern.matches)(&node.name))).collect()
            }
            _ => vec![both(true); graph.nodes.len()],
        }
    }

    fn add_tags(&self, graph: &mut Graph) {
        let node_of = self.node_of(graph);
        let tags =
            nodelets::collect(self.profile, self.frames, self.options, &node_of, graph.nodes.len());
        for (node, tags) in graph.nodes.iter_mut().zip(tags) {
            node.tags = tags;
        }
    }

    fn node_of(&self, graph: &Graph) -> Vec<u32> {
        accumulate::nodes_of_frames(self.frames, graph.nodes.iter().map(|n| n.frame))
    }
}

impl Graph {
    /// Keeps the first nodes and no edges.
    fn keep_first(&mut self, count: usize) {
        self.nodes.truncate(count);
        self.shown = count;
        self.edges.clear();
    }
}

/// How many nodes, taken with their labels, make up `node_count`.
pub(super) fn drawing_limit(graph: &Graph, node_count: usize) -> usize {
    let mut count = 0;
    let full = graph.shown().iter().position(|node| {
        count += 1 + node.tags.flat_count().min(MAX_NODELETS);
        count >= node_count
    });
    full.map_or(node_count, |last| last + 1).min(graph.shown)
}

pub(super) fn drop_light_tags(graph: &mut Graph, cutoff: i64) {
    for node in &mut graph.nodes[..graph.shown] {
        node.tags.drop_light(cutoff);
    }
}

/// Drops edges to shown nodes that weigh less than `cutoff`.
pub(super) fn drop_light_edges(graph: &mut Graph, cutoff: i64) {
    let before = graph.edges.len();
    let shown = graph.shown;
    let is_light = |e: &Edge| e.weight.value.wrapping_abs() < cutoff && (e.to as usize) < shown;
    graph.edges.retain(|e| !is_light(e));
    graph.dropped_edges = before - graph.edges.len();
}

/// Drops residual edges whose callee is reachable from the caller another way: last nodes first, lightest
/// edges first, until an edge of a node is not residual.
fn drop_redundant_edges(graph: &mut Graph) {
    let ins = graph.incoming();
    let mut gone = vec![false; graph.edges.len()];
    for node in (0..graph.shown).rev() {
        for edge in order::sorted_edges(graph, &ins, node).into_iter().rev() {
            if !graph.edges[edge as usize].residual {
                break;
            }
            gone[edge as usize] = is_redundant(graph, &ins, &gone, edge);
        }
    }
    let mut gone = gone.into_iter();
    graph.edges.retain(|_| gone.next() != Some(true));
}

fn is_redundant(graph: &Graph, ins: &super::Adjacency, gone: &[bool], edge: u32) -> bool {
    let Edge { from, to, .. } = graph.edges[edge as usize];
    let mut seen = vec![false; graph.nodes.len()];
    seen[to as usize] = true;
    let mut queue = vec![to];
    while let Some(node) = queue.pop() {
        let callers = ins.of(node as usize).iter().filter(|&&e| e != edge && !gone[e as usize]);
        for caller in callers.map(|&e| graph.edges[e as usize].from) {
            if caller == from {
                return true;
            }
            if !std::mem::replace(&mut seen[caller as usize], true) {
                queue.push(caller);
            }
        }
    }
    false
}
