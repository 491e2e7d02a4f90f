//! Edges grouped by one of their ends.

/// For each node, the edges at it: indexes of [`Graph::edges`](super::Graph::edges).
#[derive(Clone, Debug, Default)]
pub struct Adjacency {
    edges: Vec<u32>,
    starts: Vec<u32>,
}

impl Adjacency {
    /// Groups edge `i` under node `ends[i]`; the order of edges is kept.
    pub(super) fn new(nodes: usize, ends: impl Iterator<Item = u32> + Clone) -> Self {
        let mut starts = vec![0u32; nodes + 1];
        for end in ends.clone() {
            starts[end as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut edges = vec![0; *starts.last().unwrap_or(&0) as usize];
        for (edge, end) in ends.enumerate() {
            edges[next[end as usize] as usize] = edge as u32;
            next[end as usize] += 1;
        }
        Self { edges, starts }
    }

    /// Edges at `node`.
    pub fn of(&self, node: usize) -> &[u32] {
        &self.edges[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_the_order_of_edges() {
        let adjacency = Adjacency::new(3, [2, 0, 2].into_iter());
        let groups: Vec<_> = (0..3).map(|n| adjacency.of(n).to_vec()).collect();
        assert_eq!(groups, [vec![1], vec![], vec![0, 2]]);
    }
}
