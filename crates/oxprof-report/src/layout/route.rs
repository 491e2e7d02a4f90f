//! The ways of edges between boxes, and the places of their texts.

use super::coordinates::Band;
use super::curve::{self, Gate};
use super::graph::{Edge, Point, Route, Size};
use super::layers::{Kind, LABEL_GAP, Layers};
use super::ports::{self, Wish};

/// Distance that an edge keeps from boxes and texts.
const MARGIN: f64 = 5.0;
/// Distance that an edge keeps from other edges where it passes a rank.
const EDGE_MARGIN: f64 = 4.0;
/// Beyond all boxes.
const FAR: f64 = 1e7;
/// Size of self loops.
const LOOP: Size = Size { width: 28.0, height: 18.0 };

/// Everything placed but for the edges.
pub(super) struct Placed<'a> {
    pub(super) layers: &'a Layers,
    pub(super) boxes: &'a [Size],
    pub(super) bands: &'a [Band],
    /// x of each slot; those of bends follow their edges.
    pub(super) columns: Vec<f64>,
    /// Where each slot is on its rank.
    pub(super) positions: Vec<usize>,
}

/// Room that the self loops of a box take at its right.
pub(super) fn loop_room(edges: &[Edge]) -> f64 {
    edges.iter().map(|e| LOOP.width + e.label.map_or(0.0, |l| l.width + MARGIN)).sum()
}

/// Self loops, beside each other at the right of their box.
pub(super) fn loops(center: Point, size: Size, edges: &[Edge]) -> Vec<Route> {
    let mut x = center.x + size.width / 2.0;
    let start = x;
    let height = LOOP.height.min(size.height * 0.4);
    let route = |edge: &Edge| {
        let tip = x + LOOP.width * 0.8;
        let point = |x, dy| Point::new(x, center.y + dy);
        let curve = vec![
            point(start, -height / 2.0),
            point((start + tip) / 2.0, -height),
            point(tip, -height),
            point(tip, 0.0),
            point(tip, height),
            point((start + tip) / 2.0, height),
            point(start, height / 2.0),
        ];
        let width = edge.label.map_or(0.0, |l| l.width + MARGIN);
        let label = edge.label.map(|l| point(tip + MARGIN + l.width / 2.0, 0.0));
        x += LOOP.width + width;
        Route { curve, label }
    };
    edges.iter().map(route).collect()
}

impl Placed<'_> {
    pub(super) fn center(&self, node: usize) -> Point {
        Point::new(self.columns[node], self.bands[self.layers.slots[node].rank].middle())
    }

    /// Routes all edges, which lead downwards, the heaviest first.
    pub(super) fn route(&mut self, edges: &[Edge]) -> Vec<Route> {
        let ports = self.ports(edges);
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_by_key(|&e| std::cmp::Reverse(edges[e].weight));
        let mut routes = vec![Route::default(); edges.len()];
        for edge in order {
            let gates = self.gates(edge, ports[edge]);
            let curve = curve::through(&gates);
            self.follow(edge, &curve);
            routes[edge] = Route { label: self.label(edge, edges[edge].label), curve };
        }
        routes
    }

    /// Where each edge leaves its upper box and reaches its lower one.
    fn ports(&self, edges: &[Edge]) -> Vec<[f64; 2]> {
        let chains = &self.layers.chains;
        let mut leaving = vec![Vec::new(); self.boxes.len()];
        let mut arriving = vec![Vec::new(); self.boxes.len()];
        for (i, chain) in chains.iter().enumerate() {
            leaving[chain[0]].push((chain[1], i));
            arriving[chain[chain.len() - 1]].push((chain[chain.len() - 2], i));
        }
        let mut ports = vec![[0.0; 2]; edges.len()];
        for (end, sides) in [&mut leaving, &mut arriving].into_iter().enumerate() {
            for (node, side) in sides.iter_mut().enumerate() {
                side.sort_by_key(|&(slot, edge)| (self.positions[slot], edge));
                let x = self.columns[node];
                let wish = |&(slot, edge): &(usize, usize)| Wish {
                    x: self.columns[slot] - x,
                    weight: f64::from(edges[edge].weight.max(1)),
                };
                let wishes: Vec<Wish> = side.iter().map(wish).collect();
                let places = ports::spread(&wishes, self.boxes[node].width / 2.0);
                for (&(_, edge), place) in side.iter().zip(places) {
                    ports[edge][end] = x + place;
                }
            }
        }
        ports
    }

    fn gates(&self, edge: usize, [start, end]: [f64; 2]) -> Vec<Gate> {
        let chain = &self.layers.chains[edge];
        let (upper, lower) = (chain[0], chain[chain.len() - 1]);
        let bottom = self.center(upper).y + self.boxes[upper].height / 2.0;
        let top = self.center(lower).y - self.boxes[lower].height / 2.0;
        let mut gates = vec![Gate::at(Point::new(start, bottom))];
        let mut pass = |slot: usize, y: f64| {
            let (low, high) = self.gap(slot);
            if gates.last().is_some_and(|last| last.y < y) {
                gates.push(Gate { y, low, high });
            }
        };
        // Where a box is lower than its rank, the edge still has to get past its neighbours.
        pass(upper, self.band(upper).bottom);
        for &slot in &chain[1..chain.len() - 1] {
            pass(slot, self.band(slot).top);
            pass(slot, self.band(slot).bottom);
        }
        if self.band(lower).top < top {
            pass(lower, self.band(lower).top);
        }
        gates.push(Gate::at(Point::new(end, top)));
        gates
    }

    fn band(&self, slot: usize) -> Band {
        self.bands[self.layers.slots[slot].rank]
    }

    /// The free room around a slot, less its own text.
    fn gap(&self, slot: usize) -> (f64, f64) {
        let rank = &self.layers.ranks[self.layers.slots[slot].rank];
        let at = self.positions[slot];
        let margin = |other: usize| match self.layers.slots[other].kind {
            Kind::Bend => (EDGE_MARGIN, EDGE_MARGIN),
            Kind::Box => (self.left(other) + MARGIN, self.right(other) + MARGIN),
            Kind::Label => (EDGE_MARGIN, self.right(other) + MARGIN),
        };
        let left = at.checked_sub(1).map(|i| rank[i]);
        let low = left.map_or(-FAR, |n| self.columns[n] + margin(n).1);
        let right = rank.get(at + 1);
        let high = right.map_or(FAR, |&n| self.columns[n] - margin(n).0);
        let own = if self.layers.slots[slot].kind == Kind::Label { self.right(slot) } else { 0.0 };
        // Where boxes are so near that nothing is left, the edge stays where it is.
        let x = self.columns[slot];
        (low.min(x), (high - own).max(x))
    }

    fn left(&self, slot: usize) -> f64 {
        f64::from(self.layers.slots[slot].left)
    }

    fn right(&self, slot: usize) -> f64 {
        f64::from(self.layers.slots[slot].right)
    }

    /// Moves the bends of an edge to where its curve passes, and texts clear of it.
    fn follow(&mut self, edge: usize, curve: &[Point]) {
        let chain = &self.layers.chains[edge];
        for &slot in &chain[1..chain.len() - 1] {
            let (low, high) = self.gap(slot);
            let band = self.band(slot);
            let x = match self.layers.slots[slot].kind {
                Kind::Label => x_at(curve, band.top).max(x_at(curve, band.bottom)),
                Kind::Box | Kind::Bend => x_at(curve, band.middle()),
            };
            self.columns[slot] = x.max(low).min(high);
        }
    }

    fn label(&self, edge: usize, label: Option<Size>) -> Option<Point> {
        let size = label?;
        let is_label = |s: &&usize| self.layers.slots[**s].kind == Kind::Label;
        let slot = *self.layers.chains[edge].iter().find(is_label)?;
        let x = self.columns[slot] + f64::from(LABEL_GAP) + size.width / 2.0;
        Some(Point::new(x, self.band(slot).middle()))
    }
}

/// x of a curve at height `y`.
fn x_at(curve: &[Point], y: f64) -> f64 {
    let piece = curve.windows(4).step_by(3).find(|p| p[3].y >= y);
    let Some([a, b, c, d]) = piece.or_else(|| curve.windows(4).last()) else { return 0.0 };
    // The heights of the control points are evenly spaced.
    let t = if d.y > a.y { ((y - a.y) / (d.y - a.y)).clamp(0.0, 1.0) } else { 0.0 };
    let s = 1.0 - t;
    s * s * s * a.x + 3.0 * s * s * t * b.x + 3.0 * s * t * t * c.x + t * t * t * d.x
}
