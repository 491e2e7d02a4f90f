//! Orders of nodes and edges: by weight, then by name, so that equal input gives equal output.

use std::cmp::{Ordering, Reverse};

use super::{Adjacency, Edge, Graph, Node};
use crate::{Frames, Sort};

/// Sorts the shown nodes of a table; says where each came from.
pub(super) fn sort_nodes(graph: &mut Graph, frames: &Frames<'_>, sort: Sort) -> Vec<u32> {
    sort_by_score(graph, frames, |_, node| match sort {
        Sort::Flat => (node.flat.value, node.cum.value),
        Sort::Cum => (node.cum.value, node.flat.value),
    })
}

/// Sorts the shown nodes of a drawing, the ones that tell most first; says where each came from.
pub(super) fn sort_by_entropy(graph: &mut Graph, frames: &Frames<'_>) -> Vec<u32> {
    let (ins, outs) = (graph.incoming(), graph.outgoing());
    let score = |i: usize, node: &Node| node_entropy(node, &graph.edges, ins.of(i), outs.of(i));
    let scores: Vec<i64> = graph.shown().iter().enumerate().map(|(i, n)| score(i, n)).collect();
    sort_by_score(graph, frames, |i, node| (scores[i], node.flat.value))
}

/// Sorts by the size of the first number, then by name, then by the size of the second.
fn sort_by_score(
    graph: &mut Graph,
    frames: &Frames<'_>,
    score: impl Fn(usize, &Node) -> (i64, i64),
) -> Vec<u32> {
    let nodes = &graph.nodes;
    let keys: Vec<_> = graph.shown().iter().enumerate().map(|(i, n)| score(i, n)).collect();
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order[..graph.shown].sort_unstable_by(|&l, &r| {
        let ((l1, l2), (r1, r2)) = (keys[l as usize], keys[r as usize]);
        (Reverse(l1.wrapping_abs()).cmp(&Reverse(r1.wrapping_abs())))
            .then_with(|| compare_names(&nodes[l as usize], &nodes[r as usize], frames))
            .then_with(|| Reverse(l2.wrapping_abs()).cmp(&Reverse(r2.wrapping_abs())))
            .then_with(|| nodes[l as usize].frame.cmp(&nodes[r as usize].frame))
            .then(l.cmp(&r))
    });
    graph.permute(&order);
    order
}

/// By address where both have one, else by printable name.
fn compare_names(l: &Node, r: &Node, frames: &Frames<'_>) -> Ordering {
    if l.frame == r.frame {
        return Ordering::Equal;
    }
    let (a, b) = (frames.get(l.frame).address, frames.get(r.frame).address);
    if a != 0 && b != 0 && a != b { a.cmp(&b) } else { l.name.cmp(&r.name) }
}

/// Heavier edges first, then by the names of their ends.
pub(crate) fn compare_edges(nodes: &[Node], l: &Edge, r: &Edge) -> Ordering {
    let size = |e: &Edge| Reverse(e.weight.value.wrapping_abs());
    let name = |node: u32| &nodes[node as usize].name;
    (size(l).cmp(&size(r)))
        .then_with(|| name(l.from).cmp(name(r.from)))
        .then_with(|| name(l.to).cmp(name(r.to)))
        .then_with(|| (l.from, l.to).cmp(&(r.from, r.to)))
}

/// How much a node tells: its weight times the uncertainty of where calls come from and go to.
fn node_entropy(node: &Node, edges: &[Edge], ins: &[u32], outs: &[u32]) -> i64 {
    let side = |side: &[u32], own: i64| {
        let weights = side.iter().map(|&e| edges[e as usize].weight.value);
        if side.is_empty() { 1.0 } else { entropy(weights, own) }
    };
    let score = side(ins, 0) + side(outs, node.flat.value);
    truncate(score * node.cum.value as f64).wrapping_add(node.flat.value)
}

/// The integer part. An edge without weight makes the entropy undefined; x86-64 converts that, and
/// what does not fit, to the smallest integer, and the order of reports has come to depend on it.
fn truncate(x: f64) -> i64 {
    if x.abs() < i64::MAX as f64 { x as i64 } else { i64::MIN }
}

/// Shannon entropy in bits of the shares that `weights`, and `own` if positive, have of their sum.
fn entropy(weights: impl Iterator<Item = i64> + Clone, own: i64) -> f64 {
    let positive = weights.clone().filter(|&w| w > 0);
    let total = positive.fold(own, i64::wrapping_add);
    if total == 0 {
        return 0.0;
    }
    let shares = weights.map(i64::wrapping_abs).chain((own > 0).then_some(own));
    shares.fold(0.0, |sum, weight| {
        let share = weight as f64 / total as f64;
        sum - share * share.log2()
    })
}

/// Edges of `group`, heaviest first.
pub(super) fn sorted_edges(graph: &Graph, group: &Adjacency, node: usize) -> Vec<u32> {
    let mut edges = group.of(node).to_vec();
    edges.sort_unstable_by(|&l, &r| {
        compare_edges(&graph.nodes, &graph.edges[l as usize], &graph.edges[r as usize])
    });
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_splits_tell_most() {
        assert_eq!(entropy([1, 1].into_iter(), 0), 1.0);
        assert_eq!(entropy([1, 1].into_iter(), 2), 1.5);
        assert_eq!(entropy([7].into_iter(), 0), 0.0);
        assert_eq!(truncate(entropy([7, 0].into_iter(), 0)), i64::MIN);
    }
}
