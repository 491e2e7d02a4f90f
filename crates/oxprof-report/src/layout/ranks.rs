//! Which rank each node goes to.

use super::graph::Edge;
use super::simplex::{self, Constraint};

/// Ranks, from 0 downwards, of connected nodes. `edges` has no cycles; each is at least `min_ranks` times
/// `scale` ranks long.
pub(super) fn assign(nodes: usize, edges: &[Edge], scale: i32, max_pivots: usize) -> Vec<usize> {
    let constraints: Vec<Constraint> = edges
        .iter()
        .map(|e| Constraint {
            from: e.from,
            to: e.to,
            length: e.min_ranks.clamp(1, MAX_LENGTH) as i32 * scale,
            weight: e.weight.clamp(1, MAX_WEIGHT) as i32,
        })
        .collect();
    let mut ranks = simplex::solve(nodes, &constraints, max_pivots);
    let top = ranks.iter().copied().min().unwrap_or(0);
    ranks.iter_mut().for_each(|r| *r -= top);
    balance(&mut ranks, &constraints, scale);
    ranks.into_iter().map(|r| r as usize).collect()
}

const MAX_LENGTH: u32 = 10;
const MAX_WEIGHT: u32 = 1000;

/// Moves nodes that are pulled equally up and down to the least populated rank that they may go to.
fn balance(ranks: &mut [i32], constraints: &[Constraint], scale: i32) {
    let bottom = ranks.iter().copied().max().unwrap_or(0);
    let mut population = vec![0; bottom as usize + 1];
    ranks.iter().for_each(|&r| population[r as usize] += 1);
    let mut incident = vec![Vec::new(); ranks.len()];
    for c in constraints {
        incident[c.from].push(*c);
        incident[c.to].push(*c);
    }
    for node in 0..ranks.len() {
        let (mut low, mut high, mut pull) = (0, bottom, 0);
        for c in &incident[node] {
            if c.to == node {
                low = low.max(ranks[c.from] + c.length);
                pull += c.weight;
            } else {
                high = high.min(ranks[c.to] - c.length);
                pull -= c.weight;
            }
        }
        if pull != 0 {
            continue;
        }
        let here = ranks[node];
        // Steps of whole ranks keep labels and boxes on ranks of their own.
        let choices = (low..=high).filter(|r| (r - here) % scale == 0);
        let best = choices.min_by_key(|&r| (population[r as usize] - i32::from(r == here), r));
        if let Some(best) = best {
            population[here as usize] -= 1;
            population[best as usize] += 1;
            ranks[node] = best;
        }
    }
}
