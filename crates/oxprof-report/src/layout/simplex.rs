//! Network simplex: integer values that keep minimum distances and make the weighted sum of distances
//! least.
//!
//! Values of nodes are held by a spanning tree whose constraints are tight. Cutting a tree edge splits the
//! nodes in two; moving one part away from the other changes the sum by the edge's *cut value*, which is the
//! net weight of all constraints between the parts. A tree edge of negative cut value is exchanged for the
//! nearest constraint that stops the movement, until there is none.
//!
//! The net weight of all constraints that leave a subtree is the sum of the net weights of its nodes, so a
//! sum per subtree is all that has to be kept up to date. Which of the two parts moves makes no difference, so it
//! is always the smaller one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// `value[to] − value[from] ≥ length`, and the difference costs `weight` per unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constraint {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) length: i32,
    pub(super) weight: i32,
}

/// How many tree edges are compared before one is exchanged.
const SEARCH: usize = 30;

/// Solves acyclic constraints over connected nodes with values from 0. Stops early, with values that keep all constraints, after
/// `max_pivots` exchanges.
pub(super) fn solve(nodes: usize, constraints: &[Constraint], max_pivots: usize) -> Vec<i32> {
    let mut simplex = Simplex::new(nodes, constraints);
    simplex.optimize(max_pivots);
    simplex.values()
}

/// Like [`solve`], then moves parts that may move without cost to the middle of their room.
pub(super) fn solve_centered(
    nodes: usize,
    constraints: &[Constraint],
    max_pivots: usize,
) -> Vec<i32> {
    let mut simplex = Simplex::new(nodes, constraints);
    simplex.optimize(max_pivots);
    simplex.center();
    simplex.values()
}

const NONE: usize = usize::MAX;

struct Simplex<'a> {
    constraints: &'a [Constraint],
    value: Vec<i64>,
    /// Constraints of each node.
    incident: Vec<Vec<usize>>,
    /// Those of them that are in the tree.
    tree: Vec<Vec<usize>>,
    /// Edges of the tree, in no order.
    tree_edges: Vec<usize>,
    /// Tree edge towards the root; [`NONE`] for the root.
    parent: Vec<usize>,
    /// Net weight that leaves the node's subtree.
    sum: Vec<i64>,
    /// Which nodes are in which part, by [round](Self::split).
    mark: Vec<u32>,
    round: u32,
    /// Nodes reached in both parts.
    reached: [Vec<usize>; 2],
    /// Where the search for a negative cut value goes on.
    cursor: usize,
}

impl<'a> Simplex<'a> {
    fn new(nodes: usize, constraints: &'a [Constraint]) -> Self {
        let mut incident = vec![Vec::new(); nodes];
        for (i, c) in constraints.iter().enumerate() {
            incident[c.from].push(i);
            incident[c.to].push(i);
        }
        let mut this = Self {
            constraints,
            value: longest_paths(nodes, constraints, &incident),
            incident,
            tree: vec![Vec::new(); nodes],
            tree_edges: Vec::with_capacity(nodes),
            parent: vec![NONE; nodes],
            sum: vec![0; nodes],
            mark: vec![0; nodes],
            round: 0,
            reached: Default::default(),
            cursor: 0,
        };
        this.grow_tree();
        this
    }

    /// The values, of which the least is 0.
    fn values(self) -> Vec<i32> {
        let least = self.value.iter().copied().min().unwrap_or(0);
        self.value.into_iter().map(|v| i32::try_from(v - least).unwrap_or(i32::MAX)).collect()
    }

    fn slack(&self, edge: usize) -> i64 {
        let c = self.constraints[edge];
        self.value[c.to] - self.value[c.from] - i64::from(c.length)
    }

    /// The end of `edge` that is not `node`.
    fn other(&self, edge: usize, node: usize) -> usize {
        let c = self.constraints[edge];
        if c.from == node { c.to } else { c.from }
    }

    /// Makes a spanning tree of tight constraints from node 0 outwards, moving the tree towards the constraint
    /// that is nearest to being tight.
    fn grow_tree(&mut self) {
        if self.value.is_empty() {
            return;
        }
        let mut frontier = Frontier::default();
        let mut inside = vec![false; self.value.len()];
        // The tree's nodes hold values relative to this, so that moving it is one addition.
        let mut offset = 0;
        let mut order = vec![0];
        inside[0] = true;
        self.add_frontier(0, &inside, &mut frontier);
        while let Some((edge, node, shift)) = self.nearest(&mut frontier, &inside, offset) {
            offset += shift;
            self.value[node] -= offset;
            inside[node] = true;
            self.parent[node] = edge;
            self.link(edge);
            self.tree_edges.push(edge);
            order.push(node);
            self.add_frontier(node, &inside, &mut frontier);
        }
        self.value.iter_mut().for_each(|v| *v += offset);
        self.sum_subtrees(&order);
    }

    fn add_frontier(&self, node: usize, inside: &[bool], frontier: &mut Frontier) {
        for &edge in &self.incident[node] {
            let c = self.constraints[edge];
            let other = self.other(edge, node);
            if inside[other] {
                continue;
            }
            let distance = self.slack(edge);
            let heap = if c.from == node { &mut frontier.up } else { &mut frontier.down };
            heap.push(Reverse((distance, edge)));
        }
    }

    /// The constraint that is nearest to being tight, its node outside the tree, and how to move the tree.
    fn nearest(
        &self,
        frontier: &mut Frontier,
        inside: &[bool],
        offset: i64,
    ) -> Option<(usize, usize, i64)> {
        frontier.drop_inner(self.constraints, inside);
        let slack = |top: Option<&Reverse<(i64, usize)>>, offset: i64| {
            top.map(|&Reverse((distance, edge))| (distance + offset, edge))
        };
        let up = slack(frontier.up.peek(), -offset);
        let down = slack(frontier.down.peek(), offset);
        match (up, down) {
            (Some((shift, edge)), None) => Some((edge, self.constraints[edge].to, shift)),
            (Some((shift, edge)), Some((other, _))) if shift <= other => {
                Some((edge, self.constraints[edge].to, shift))
            }
            (_, Some((shift, edge))) => Some((edge, self.constraints[edge].from, -shift)),
            (None, None) => None,
        }
    }

    fn sum_subtrees(&mut self, order: &[usize]) {
        for c in self.constraints {
            self.sum[c.from] += i64::from(c.weight);
            self.sum[c.to] -= i64::from(c.weight);
        }
        for &node in order.iter().skip(1).rev() {
            let above = self.other(self.parent[node], node);
            self.sum[above] += self.sum[node];
        }
    }

    fn link(&mut self, edge: usize) {
        let c = self.constraints[edge];
        self.tree[c.from].push(edge);
        self.tree[c.to].push(edge);
    }

    fn unlink(&mut self, edge: usize) {
        let c = self.constraints[edge];
        self.tree[c.from].retain(|&e| e != edge);
        self.tree[c.to].retain(|&e| e != edge);
    }

    /// The node on the lower end of a tree edge.
    fn child(&self, edge: usize) -> usize {
        let c = self.constraints[edge];
        if self.parent[c.from] == edge { c.from } else { c.to }
    }

    fn cut_value(&self, edge: usize) -> i64 {
        let child = self.child(edge);
        if self.constraints[edge].from == child { self.sum[child] } else { -self.sum[child] }
    }

    fn optimize(&mut self, max_pivots: usize) {
        for _ in 0..max_pivots {
            let Some(leaving) = self.leaving() else { return };
            if !self.pivot(leaving) {
                return;
            }
        }
    }

    /// Position in the tree of an edge that should leave it.
    fn leaving(&mut self) -> Option<usize> {
        let count = self.tree_edges.len();
        let (mut best, mut found) = (None, 0);
        let mut least = 0;
        for step in 0..count {
            let at = (self.cursor + step) % count;
            let cut = self.cut_value(self.tree_edges[at]);
            if cut < 0 {
                found += 1;
                if cut < least {
                    (least, best) = (cut, Some(at));
                }
                if found == SEARCH {
                    self.cursor = (at + 1) % count;
                    return best;
                }
            }
        }
        best
    }

    /// Exchanges a tree edge for the constraint that stops its parts from moving apart. False if none does,
    /// which happens to no constraints whose weights are not negative.
    fn pivot(&mut self, at: usize) -> bool {
        let leaving = self.tree_edges[at];
        let part = self.split(leaving);
        let Some(entering) = self.stopper(part) else { return false };
        self.pull_apart(part, self.slack(entering));
        self.tree_edges[at] = entering;
        self.exchange(leaving, entering, part);
        true
    }

    /// Marks the smaller one of the two parts that a tree edge holds together.
    fn split(&mut self, edge: usize) -> Part {
        // The lower part and the upper one have marks of their own.
        self.round += 2;
        let child = self.child(edge);
        let roots = [child, self.other(edge, child)];
        let mut reached = std::mem::take(&mut self.reached);
        for (side, root) in roots.into_iter().enumerate() {
            reached[side].clear();
            reached[side].push(root);
            self.mark[root] = self.round + side as u32;
        }
        let mut next = 0;
        let side = 'found: loop {
            for (side, nodes) in reached.iter_mut().enumerate() {
                let Some(&node) = nodes.get(next) else { break 'found side };
                for &e in &self.tree[node] {
                    let other = self.other(e, node);
                    if self.mark[other] < self.round {
                        self.mark[other] = self.round + side as u32;
                        nodes.push(other);
                    }
                }
            }
            next += 1;
        };
        self.reached = reached;
        let is_tail = self.constraints[edge].from == roots[side];
        Part { side, is_tail, child }
    }

    fn is_in(&self, part: Part, node: usize) -> bool {
        self.mark[node] == self.round + part.side as u32
    }

    /// The tightest constraint that stops `part` from moving away from the rest.
    fn stopper(&self, part: Part) -> Option<usize> {
        let mut best = None;
        for &node in &self.reached[part.side] {
            for &edge in &self.incident[node] {
                let leaves = self.constraints[edge].from == node;
                if leaves != part.is_tail && !self.is_in(part, self.other(edge, node)) {
                    let candidate = (self.slack(edge), edge);
                    if best.is_none_or(|best| candidate < best) {
                        best = Some(candidate);
                    }
                }
            }
        }
        best.map(|(_, edge)| edge)
    }

    /// Moves `part` away from the rest.
    fn pull_apart(&mut self, part: Part, by: i64) {
        let shift = if part.is_tail { -by } else { by };
        self.reached[part.side].iter().for_each(|&node| self.value[node] += shift);
    }

    /// Hangs the part below `leaving` on `entering`.
    fn exchange(&mut self, leaving: usize, entering: usize, part: Part) {
        let Part { side, child, .. } = part;
        let total = self.sum[child];
        self.add_upwards(self.other(leaving, child), -total);
        let c = self.constraints[entering];
        let inner = if self.is_in(part, c.from) == (side == LOWER) { c.from } else { c.to };
        // The path from the new root of the part to the old one turns round.
        let (mut node, mut edge, mut below) = (inner, entering, 0);
        loop {
            let (next, old) = (self.parent[node], self.sum[node]);
            self.parent[node] = edge;
            self.sum[node] = total - below;
            if node == child {
                break;
            }
            (node, edge, below) = (self.other(next, node), next, old);
        }
        self.unlink(leaving);
        self.link(entering);
        self.add_upwards(self.other(entering, inner), total);
    }

    fn add_upwards(&mut self, mut node: usize, amount: i64) {
        loop {
            self.sum[node] += amount;
            match self.parent[node] {
                NONE => return,
                edge => node = self.other(edge, node),
            }
        }
    }

    fn center(&mut self) {
        for at in 0..self.tree_edges.len() {
            let edge = self.tree_edges[at];
            if self.cut_value(edge) != 0 {
                continue;
            }
            let part = self.split(edge);
            if let Some(stopper) = self.stopper(part) {
                self.pull_apart(part, self.slack(stopper) / 2);
            }
        }
    }
}

/// The marked part of two.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// [`LOWER`] or the other one.
    side: usize,
    /// Whether the tree edge leads out of it.
    is_tail: bool,
    /// The lower end of the tree edge, whichever part it is in.
    child: usize,
}

/// The part without the root.
const LOWER: usize = 0;

/// Constraints between a growing tree and the rest, by distance: those that leave the tree and those that
/// enter it.
#[derive(Default)]
struct Frontier {
    up: BinaryHeap<Reverse<(i64, usize)>>,
    down: BinaryHeap<Reverse<(i64, usize)>>,
}

impl Frontier {
    /// Forgets nearest constraints whose outer node has joined the tree meanwhile.
    fn drop_inner(&mut self, constraints: &[Constraint], inside: &[bool]) {
        while self.up.peek().is_some_and(|&Reverse((_, e))| inside[constraints[e].to]) {
            self.up.pop();
        }
        while self.down.peek().is_some_and(|&Reverse((_, e))| inside[constraints[e].from]) {
            self.down.pop();
        }
    }
}

/// The least values that keep all constraints.
fn longest_paths(nodes: usize, constraints: &[Constraint], incident: &[Vec<usize>]) -> Vec<i64> {
    let mut missing = vec![0; nodes];
    constraints.iter().for_each(|c| missing[c.to] += 1);
    let mut ready: Vec<usize> = (0..nodes).filter(|&n| missing[n] == 0).collect();
    let mut value = vec![0_i64; nodes];
    let mut next = 0;
    while let Some(&node) = ready.get(next) {
        next += 1;
        for c in incident[node].iter().map(|&e| constraints[e]).filter(|c| c.from == node) {
            value[c.to] = value[c.to].max(value[node] + i64::from(c.length));
            missing[c.to] -= 1;
            if missing[c.to] == 0 {
                ready.push(c.to);
            }
        }
    }
    debug_assert_eq!(ready.len(), nodes, "constraints are acyclic");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges as from, to, length, weight.
    fn check(nodes: usize, edges: &[[i32; 4]], expected: &[i32]) {
        let constraint = |&[from, to, length, weight]: &[i32; 4]| Constraint {
            from: from as usize,
            to: to as usize,
            length,
            weight,
        };
        let constraints: Vec<_> = edges.iter().map(constraint).collect();
        let mut values = solve(nodes, &constraints, 1000);
        let least = values.iter().min().copied().unwrap_or(0);
        values.iter_mut().for_each(|v| *v -= least);
        assert_eq!(values, expected);
    }

    #[test]
    fn a_chain_is_tight() {
        check(3, &[[0, 1, 1, 1], [1, 2, 2, 1]], &[0, 1, 3]);
    }

    #[test]
    fn a_heavy_edge_is_short() {
        // The long way round is 0-1-2-3; 4 hangs between 0 and 3 and follows its heavier side.
        let way = [[0, 1, 1, 1], [1, 2, 1, 1], [2, 3, 1, 1]];
        check(5, &[&way[..], &[[0, 4, 1, 1], [4, 3, 1, 5]]].concat(), &[0, 1, 2, 3, 2]);
        check(5, &[&way[..], &[[0, 4, 1, 5], [4, 3, 1, 1]]].concat(), &[0, 1, 2, 3, 1]);
    }

    #[test]
    fn nothing_and_one_node_are_solved() {
        check(0, &[], &[]);
        check(1, &[], &[0]);
    }

    #[test]
    fn no_single_move_improves_a_solution() {
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..50 {
            let nodes = 3 + random(20);
            let mut edges: Vec<Constraint> = (1..nodes)
                .map(|to| Constraint { from: random(to), to, length: 1, weight: 1 })
                .collect();
            for _ in 0..random(30) {
                let to = 1 + random(nodes - 1);
                let (from, length) = (random(to), 1 + random(3) as i32);
                edges.push(Constraint { from, to, length, weight: random(9) as i32 });
            }
            let values = solve(nodes, &edges, 10_000);
            assert!(edges.iter().all(|c| values[c.to] - values[c.from] >= c.length));
            let cost = |values: &[i32]| -> i64 {
                edges
                    .iter()
                    .map(|c| i64::from(values[c.to] - values[c.from]) * i64::from(c.weight))
                    .sum()
            };
            let best = cost(&values);
            for node in 0..nodes {
                for step in [-1, 1] {
                    let mut moved = values.clone();
                    moved[node] += step;
                    let kept = edges.iter().all(|c| moved[c.to] - moved[c.from] >= c.length);
                    assert!(!kept || cost(&moved) >= best);
                }
            }
        }
    }
}
