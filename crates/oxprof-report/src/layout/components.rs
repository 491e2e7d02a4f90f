//! Parts of the graph that no edge connects, laid out one by one and put beside each other.

use super::graph::{Graph, Layout, Point, Route, Size};

/// Distance between parts.
const GAP: f64 = 24.0;
/// How wide a picture of many small parts is to be, relative to its height.
const ASPECT: f64 = 1.8;

/// Nodes that edges connect, and those edges; both in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Component {
    pub(super) nodes: Vec<usize>,
    pub(super) edges: Vec<usize>,
}

/// The components of a graph, those with most nodes first.
pub(super) fn split(graph: &Graph) -> Vec<Component> {
    let mut leader: Vec<usize> = (0..graph.nodes.len()).collect();
    for edge in &graph.edges {
        let (a, b) = (find(&mut leader, edge.from), find(&mut leader, edge.to));
        leader[a.max(b)] = a.min(b);
    }
    let mut components = vec![Component::default(); graph.nodes.len()];
    for node in 0..graph.nodes.len() {
        components[find(&mut leader, node)].nodes.push(node);
    }
    for (i, edge) in graph.edges.iter().enumerate() {
        components[find(&mut leader, edge.from)].edges.push(i);
    }
    components.retain(|c| !c.nodes.is_empty());
    components.sort_by_key(|c| std::cmp::Reverse(c.nodes.len()));
    components
}

fn find(leader: &mut [usize], mut node: usize) -> usize {
    while leader[node] != node {
        leader[node] = leader[leader[node]];
        node = leader[node];
    }
    node
}

/// A strip of a part: nothing of the part is at these heights but between left and right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) left: f64,
    pub(super) right: f64,
}

/// A part that is laid out somewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) nodes: Vec<(usize, Point)>,
    pub(super) edges: Vec<(usize, Route)>,
    pub(super) is_legend: bool,
    pub(super) strips: Vec<Strip>,
}

impl Piece {
    pub(super) fn legend(size: Size) -> Self {
        let strip = Strip { top: 0.0, bottom: size.height, left: 0.0, right: size.width };
        Self { is_legend: true, strips: vec![strip], ..Self::default() }
    }

    fn bounds(&self) -> Strip {
        let least = |f: fn(&Strip) -> f64| self.strips.iter().map(f).fold(f64::INFINITY, f64::min);
        let most =
            |f: fn(&Strip) -> f64| self.strips.iter().map(f).fold(f64::NEG_INFINITY, f64::max);
        Strip {
            top: least(|s| s.top),
            bottom: most(|s| s.bottom),
            left: least(|s| s.left),
            right: most(|s| s.right),
        }
    }

    fn size(&self) -> Size {
        let Strip { top, bottom, left, right } = self.bounds();
        Size { width: right - left, height: bottom - top }
    }

    fn shift(&mut self, by: Point) {
        let shift = |p: &mut Point| *p = Point::new(p.x + by.x, p.y + by.y);
        self.nodes.iter_mut().for_each(|(_, p)| shift(p));
        for (_, route) in &mut self.edges {
            route.curve.iter_mut().chain(route.label.as_mut()).for_each(shift);
        }
        for strip in &mut self.strips {
            strip.left += by.x;
            strip.right += by.x;
            strip.top += by.y;
            strip.bottom += by.y;
        }
    }
}

/// Puts pieces into rows, each as near to those at its left as their outlines allow.
pub(super) fn pack(mut pieces: Vec<Piece>, nodes: usize, edges: usize) -> Layout {
    let row_width = row_width(&pieces);
    let mut layout = Layout {
        nodes: vec![Point::default(); nodes],
        edges: vec![Route::default(); edges],
        ..Layout::default()
    };
    let (mut top, mut row): (f64, Vec<Strip>) = (0.0, Vec::new());
    for piece in &mut pieces {
        let bounds = piece.bounds();
        let mut x = free_x(&row, piece, top - bounds.top);
        if !row.is_empty() && x + bounds.right > row_width {
            top = row.iter().map(|s| s.bottom).fold(top, f64::max) + GAP;
            row.clear();
            x = -bounds.left;
        }
        piece.shift(Point::new(x, top - bounds.top));
        row.extend(&piece.strips);
        layout.take(piece);
    }
    layout
}

fn row_width(pieces: &[Piece]) -> f64 {
    let sizes: Vec<Size> = pieces.iter().map(Piece::size).collect();
    let area: f64 = sizes.iter().map(|s| (s.width + GAP) * (s.height + GAP)).sum();
    // The first part always fits beside the legend.
    let first: f64 = sizes.iter().take(2).map(|s| s.width + GAP).sum();
    first.max((area * ASPECT).sqrt())
}

/// How far right a piece has to go to be clear of the row.
fn free_x(row: &[Strip], piece: &Piece, down: f64) -> f64 {
    let mut x = -piece.bounds().left;
    for strip in &piece.strips {
        let beside = |other: &&Strip| {
            other.top - GAP < strip.bottom + down && strip.top + down < other.bottom + GAP
        };
        for other in row.iter().filter(beside) {
            x = x.max(other.right + GAP - strip.left);
        }
    }
    x
}

impl Layout {
    fn take(&mut self, piece: &mut Piece) {
        let bounds = piece.bounds();
        self.size.width = self.size.width.max(bounds.right);
        self.size.height = self.size.height.max(bounds.bottom);
        if piece.is_legend {
            let middle = Point::new(bounds.left + bounds.right, bounds.top + bounds.bottom);
            self.legend = Some(Point::new(middle.x / 2.0, middle.y / 2.0));
        }
        for (node, point) in piece.nodes.drain(..) {
            self.nodes[node] = point;
        }
        for (edge, route) in piece.edges.drain(..) {
            self.edges[edge] = route;
        }
    }
}
