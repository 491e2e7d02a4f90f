//! Call trees: graphs in which each calling context is a node of its own.
//!
//! Trimming takes nodes out of the tree and hangs what they called onto the nearest caller that stays.

use std::collections::HashMap;

use oxprof_profile::Profile;
use rustc_hash::FxBuildHasher;

use super::accumulate::{NO_NODE, Weight};
use super::nodelets::Collector;
use super::trim::{self, Cutoffs};
use super::{Edge, Graph, Node, NodeTags, order};
use crate::{Format, FrameId, Frames, ReportOptions};

/// The trimmed tree of calling contexts.
pub(super) fn trimmed(profile: &Profile, frames: &Frames<'_>, options: &ReportOptions) -> Graph {
    let mut tree = Tree::new(profile, frames, options);
    let (shown, hidden): (Vec<u32>, Vec<u32>) =
        (0..tree.nodes.len() as u32).partition(|&n| tree.weight(n).is_shown(options));
    let flat = |sum: i64, &n: &u32| sum.wrapping_add(tree.weight(n).flat.value);
    let cutoffs = Cutoffs::new(shown.iter().fold(0, flat), options);
    let heavy = |n: &u32| tree.weight(*n).cum.value.wrapping_abs() >= cutoffs.node;
    let kept: Vec<u32> = shown.iter().copied().filter(heavy).collect();
    tree.remove(&shown, &kept);

    let mut graph = tree.graph(&kept, &hidden, frames);
    let order = sort(&mut graph, frames, options);
    if options.node_count > 0 {
        trim::drop_light_tags(&mut graph, cutoffs.node);
        trim::drop_light_edges(&mut graph, cutoffs.edge);
        tree.cut_light_edges(&kept, cutoffs.edge);
        let limit = trim::drawing_limit(&graph, options.node_count);
        if limit < graph.shown {
            let first: Vec<u32> = order[..limit].iter().map(|&i| kept[i as usize]).collect();
            tree.remove(&kept, &first);
            graph = tree.graph(&first, &hidden, frames);
            sort(&mut graph, frames, options);
        }
    }
    trim::finish_drawing(&mut graph, cutoffs);
    Graph { candidates: kept.len(), dropped_nodes: shown.len() - kept.len(), ..graph }
}

/// Sorts the nodes; says where each came from.
fn sort(graph: &mut Graph, frames: &Frames<'_>, options: &ReportOptions) -> Vec<u32> {
    match options.format {
        Format::Dot => order::sort_by_entropy(graph, frames),
        _ => order::sort_nodes(graph, frames, options.sort),
    }
}

/// Calling contexts, callers before what they call.
struct Tree {
    nodes: Vec<Context>,
    /// Tags by context; contexts without any may be missing at the end.
    tags: Vec<NodeTags>,
}

/// A place in a calling context.
struct Context {
    frame: FrameId,
    weight: Weight,
    /// The context it was called in.
    origin: u32,
    /// The nearest caller that is still in the tree, or [`NO_NODE`].
    caller: u32,
    residual: bool,
    inline: bool,
}

impl Tree {
    fn new(profile: &Profile, frames: &Frames<'_>, options: &ReportOptions) -> Self {
        let mut nodes: Vec<Context> = Vec::new();
        let mut known: HashMap<(u32, FrameId), u32, FxBuildHasher> = HashMap::default();
        let mut collector = match options.format {
            Format::Dot => Collector::new(profile, options),
            _ => None,
        };
        for sample in profile.samples.iter() {
            let amount = (options.value.value(sample.values), options.value.divisor(sample.values));
            if amount == (0, 0) {
                continue;
            }
            let shown = collector.as_mut().map(|c| c.shown(sample.labels));
            let mut collect = |node, flat| {
                if let (Some(collector), Some(shown)) = (&mut collector, &shown) {
                    collector.add(node, shown, amount, flat);
                }
            };
            let mut caller = NO_NODE;
            for &location in sample.stack.iter().rev() {
                let lines = frames.of(location);
                for (i, &frame) in lines.iter().enumerate().rev() {
                    let node = *known.entry((caller, frame)).or_insert_with(|| {
                        nodes.push(Context::new(frame, caller));
                        nodes.len() as u32 - 1
                    });
                    let context = &mut nodes[node as usize];
                    context.weight.cum.add(amount.0, amount.1);
                    context.inline &= i + 1 != lines.len();
                    collect(node, false);
                    caller = node;
                }
            }
            if let Some(leaf) = nodes.get_mut(caller as usize) {
                leaf.weight.flat.add(amount.0, amount.1);
                collect(caller, true);
            }
        }
        Self { nodes, tags: collector.map(Collector::finish).unwrap_or_default() }
    }

    fn weight(&self, node: u32) -> Weight {
        self.nodes[node as usize].weight
    }

    /// Takes the nodes of `all` that are not in `kept` out of the tree.
    fn remove(&mut self, all: &[u32], kept: &[u32]) {
        let mut gone = vec![false; self.nodes.len()];
        all.iter().for_each(|&n| gone[n as usize] = true);
        kept.iter().for_each(|&n| gone[n as usize] = false);
        for i in 0..self.nodes.len() {
            let caller = self.nodes[i].caller;
            if caller != NO_NODE && gone[caller as usize] {
                // Callers come first, so this one already hangs on a node that stays.
                let (above, inline) = self.nodes[caller as usize].in_edge();
                let node = &mut self.nodes[i];
                (node.caller, node.residual, node.inline) = (above, true, node.inline && inline);
            }
        }
    }

    /// Cuts nodes of low weight off their callers.
    fn cut_light_edges(&mut self, nodes: &[u32], cutoff: i64) {
        for &node in nodes {
            let node = &mut self.nodes[node as usize];
            if node.weight.cum.value.wrapping_abs() < cutoff {
                node.caller = NO_NODE;
            }
        }
    }

    fn graph(&self, shown: &[u32], hidden: &[u32], frames: &Frames<'_>) -> Graph {
        let ids = || shown.iter().chain(hidden);
        let mut position = vec![NO_NODE; self.nodes.len()];
        ids().zip(0..).for_each(|(&id, at)| position[id as usize] = at);
        let node = |&id: &u32| {
            let context = &self.nodes[id as usize];
            Node {
                context: context.origin.wrapping_add(1),
                tags: self.tags.get(id as usize).cloned().unwrap_or_default(),
                ..Node::new(context.frame, context.weight, frames)
            }
        };
        let edge = |&id: &u32| {
            let context = &self.nodes[id as usize];
            let from = *position.get(context.caller as usize)?;
            let Context { residual, inline, .. } = *context;
            Some(Edge {
                from,
                to: position[id as usize],
                residual,
                inline,
                weight: context.weight.cum,
            })
        };
        Graph {
            nodes: ids().map(node).collect(),
            shown: shown.len(),
            edges: ids().filter_map(edge).collect(),
            ..Graph::default()
        }
    }
}

impl Context {
    fn new(frame: FrameId, caller: u32) -> Self {
        let weight = Weight::default();
        Self { frame, weight, origin: caller, caller, residual: false, inline: true }
    }

    fn in_edge(&self) -> (u32, bool) {
        (self.caller, self.inline)
    }
}
