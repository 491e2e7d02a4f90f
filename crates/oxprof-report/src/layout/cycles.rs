//! Which edges to turn round so that no cycle is left.

use super::graph::Edge;

/// Marks edges that lead back to a node from which they were reached. Callers come before callees where a
/// graph has roots, since the search starts there.
pub(super) fn backward(nodes: usize, edges: &[Edge]) -> Vec<bool> {
    let mut outs = vec![Vec::new(); nodes];
    let mut has_caller = vec![false; nodes];
    for (i, edge) in edges.iter().enumerate() {
        outs[edge.from].push(i);
        has_caller[edge.to] |= edge.from != edge.to;
    }
    let (inner, roots): (Vec<usize>, Vec<usize>) = (0..nodes).partition(|&n| has_caller[n]);
    let mut search = Search {
        edges,
        outs: &outs,
        state: vec![State::New; nodes],
        backward: vec![false; edges.len()],
    };
    roots.into_iter().chain(inner).for_each(|n| search.from(n));
    search.backward
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// On the path from the start to the current node.
    Open,
    Done,
}

struct Search<'a> {
    edges: &'a [Edge],
    outs: &'a [Vec<usize>],
    state: Vec<State>,
    backward: Vec<bool>,
}

impl Search<'_> {
    /// Depth first, on a stack of its own: call chains may be long.
    fn from(&mut self, start: usize) {
        if self.state[start] != State::New {
            return;
        }
        self.state[start] = State::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&edge) = self.outs[*node].get(*next) else {
                self.state[*node] = State::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let to = self.edges[edge].to;
            match self.state[to] {
                State::New => {
                    self.state[to] = State::Open;
                    path.push((to, 0));
                }
                State::Open => self.backward[edge] = true,
                State::Done => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nodes: usize, edges: &[(usize, usize)], expected: &[(usize, usize)]) {
        let edges: Vec<Edge> = edges.iter().map(|&(from, to)| Edge::new(from, to)).collect();
        let marks = backward(nodes, &edges);
        let turned: Vec<_> =
            edges.iter().zip(marks).filter(|(_, m)| *m).map(|(e, _)| (e.from, e.to)).collect();
        assert_eq!(turned, expected);
    }

    #[test]
    fn acyclic_graphs_stay() {
        check(4, &[(0, 1), (0, 2), (1, 3), (2, 3)], &[]);
    }

    #[test]
    fn cycles_are_broken_where_a_root_leads_in() {
        check(4, &[(1, 2), (2, 0), (0, 1), (3, 1)], &[(0, 1)]);
    }

    #[test]
    fn self_loops_are_backward() {
        check(1, &[(0, 0)], &[(0, 0)]);
    }
}
