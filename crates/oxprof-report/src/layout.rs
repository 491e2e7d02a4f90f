//! Layered drawings of directed graphs: sizes in, places and curves out.
//!
//! The method is that of Gansner, Koutsofios, North and Vo, *A Technique for Drawing Directed Graphs*
//! (1993), which `dot` made known:
//!
//! 1. edges that close cycles are turned round;
//! 2. nodes go to ranks so that edges are short, by a network simplex;
//! 3. edges are cut at the ranks they pass, and ranks sorted to have few crossings;
//! 4. x coordinates make edges short and straight, by the same simplex;
//! 5. curves lead edges through the gaps that are left.
//!
//! Texts of edges get ranks of their own: every rank counts double then, and a text is a wide bend on an odd
//! rank. The result depends on nothing but the input. The effort per node falls as graphs grow.

mod components;
mod coordinates;
mod curve;
mod cycles;
mod graph;
mod layers;
mod order;
mod ports;
mod ranks;
mod route;
mod simplex;

use self::components::{Component, Piece, Strip};
use self::coordinates::Band;
use self::layers::Layers;
use self::route::Placed;

pub use self::graph::{Edge, Graph, Layout, Point, Route, Size};

/// Distance between ranks.
const RANK_GAP: f64 = 36.0;
/// No box or text is larger; keeps coordinates within integers.
const MAX_SIZE: f64 = 10_000.0;

impl Graph {
    /// Lays the graph out.
    ///
    /// # Panics
    /// When an edge names a node that the graph does not have.
    pub fn layout(&self) -> Layout {
        let graph = self.sanitized();
        let legend = graph.legend.map(Piece::legend);
        let parts = components::split(&graph);
        let pieces = parts.iter().map(|part| Part::new(&graph, part).lay_out());
        let pieces = legend.into_iter().chain(pieces).collect();
        components::pack(pieces, graph.nodes.len(), graph.edges.len())
    }

    /// The graph with sizes that can be worked with.
    fn sanitized(&self) -> Self {
        let length = |x: f64| if x.is_finite() { x.clamp(1.0, MAX_SIZE) } else { 1.0 };
        let size = |s: Size| Size { width: length(s.width), height: length(s.height) };
        Self {
            nodes: self.nodes.iter().map(|&s| size(s)).collect(),
            edges: self.edges.iter().map(|e| Edge { label: e.label.map(size), ..*e }).collect(),
            legend: self.legend.map(size),
        }
    }
}

/// How much work to put in.
#[derive(Clone, Copy, Debug)]
struct Effort {
    starts: usize,
    pivots: usize,
}

impl Effort {
    /// For so many slots and segments.
    fn for_size(size: usize) -> Self {
        let starts = match size {
            0..4_000 => 6,
            4_000..10_000 => 2,
            _ => 1,
        };
        Self { starts, pivots: (400_000_000 / size.max(1)).min(100_000) }
    }
}

/// A connected part of a graph with nodes numbered from 0.
struct Part<'a> {
    part: &'a Component,
    boxes: Vec<Size>,
    /// Edges between different nodes, all leading downwards.
    edges: Vec<Edge>,
    /// For each of them, its number in the graph and whether it was turned round.
    origins: Vec<(usize, bool)>,
    /// Self loops of each node, with their numbers in the graph.
    loops: Vec<Vec<(usize, Edge)>>,
}

impl<'a> Part<'a> {
    fn new(graph: &Graph, part: &'a Component) -> Self {
        let local = |node: usize| part.nodes.binary_search(&node).expect("ends are in the part");
        let edges: Vec<Edge> = part
            .edges
            .iter()
            .map(|&e| graph.edges[e])
            .map(|e| Edge { from: local(e.from), to: local(e.to), ..e })
            .collect();
        let backward = cycles::backward(part.nodes.len(), &edges);
        let mut this = Self {
            part,
            boxes: part.nodes.iter().map(|&n| graph.nodes[n]).collect(),
            edges: Vec::new(),
            origins: Vec::new(),
            loops: vec![Vec::new(); part.nodes.len()],
        };
        for ((edge, turned), &number) in edges.into_iter().zip(backward).zip(&part.edges) {
            if edge.from == edge.to {
                this.loops[edge.from].push((number, edge));
                continue;
            }
            let (from, to) = if turned { (edge.to, edge.from) } else { (edge.from, edge.to) };
            this.edges.push(Edge { from, to, ..edge });
            this.origins.push((number, turned));
        }
        this
    }

    fn lay_out(&self) -> Piece {
        let labelled = self.edges.iter().any(|e| e.label.is_some());
        let scale = if labelled { 2 } else { 1 };
        let effort = Effort::for_size(self.boxes.len() + self.edges.len());
        let ranks = ranks::assign(self.boxes.len(), &self.edges, scale, effort.pivots);
        let mut layers = Layers::new(&self.boxes, &self.edges, &ranks);
        for (slot, loops) in layers.slots.iter_mut().zip(&self.loops) {
            let edges: Vec<Edge> = loops.iter().map(|(_, e)| *e).collect();
            slot.right += route::loop_room(&edges).ceil() as i32;
        }
        let effort = Effort::for_size(layers.slots.len() * 2);
        order::sort(&mut layers, effort.starts);
        let columns = coordinates::columns(&layers, &self.edges, effort.pivots);
        let bands = coordinates::bands(&layers, RANK_GAP / f64::from(scale));
        let mut placed = Placed {
            layers: &layers,
            boxes: &self.boxes,
            bands: &bands,
            columns: columns.into_iter().map(f64::from).collect(),
            positions: layers.positions(),
        };
        let routes = placed.route(&self.edges);
        let strips = strips(&placed, &bands, RANK_GAP / f64::from(scale));
        self.piece(&placed, routes, strips)
    }

    fn piece(&self, placed: &Placed<'_>, routes: Vec<Route>, strips: Vec<Strip>) -> Piece {
        let mut piece = Piece { strips, ..Piece::default() };
        for (local, &node) in self.part.nodes.iter().enumerate() {
            let center = placed.center(local);
            piece.nodes.push((node, center));
            let loops = &self.loops[local];
            let edges: Vec<Edge> = loops.iter().map(|(_, e)| *e).collect();
            let routes = route::loops(center, self.boxes[local], &edges);
            piece.edges.extend(loops.iter().map(|(number, _)| *number).zip(routes));
        }
        for (mut route, &(number, turned)) in routes.into_iter().zip(&self.origins) {
            if turned {
                route.curve.reverse();
            }
            piece.edges.push((number, route));
        }
        piece
    }
}

/// The outline of a part, rank by rank.
fn strips(placed: &Placed<'_>, bands: &[Band], gap: f64) -> Vec<Strip> {
    let strip = |(rank, band): (&Vec<usize>, &Band)| {
        let slot = |&s: &usize| (&placed.layers.slots[s], placed.columns[s]);
        let left = rank.iter().map(slot).map(|(s, x)| x - f64::from(s.left));
        let right = rank.iter().map(slot).map(|(s, x)| x + f64::from(s.right));
        Strip {
            top: band.top - gap / 2.0,
            bottom: band.bottom + gap / 2.0,
            left: left.fold(f64::INFINITY, f64::min),
            right: right.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    let occupied = placed.layers.ranks.iter().zip(bands).filter(|(rank, _)| !rank.is_empty());
    occupied.map(strip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph that is different for each seed, with cycles, texts and parts.
    fn random_graph(seed: u64) -> Graph {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (state >> 33) % below
        };
        let count = 1 + random(25);
        let size = |w: u64, h: u64| Size { width: w as f64, height: h as f64 };
        let nodes = (0..count).map(|_| size(20 + random(200), 20 + random(90))).collect();
        let edges = (0..random(count * 2))
            .map(|_| Edge {
                from: random(count) as usize,
                to: random(count) as usize,
                weight: 1 + random(100) as u32,
                min_ranks: 1 + random(2) as u32,
                label: (!seed.is_multiple_of(3)).then(|| size(10 + random(60), 17)),
            })
            .collect();
        Graph { nodes, edges, legend: seed.is_multiple_of(2).then(|| size(200, 90)) }
    }

    fn check_graphs(property: impl Fn(&Graph, &Layout)) {
        for seed in 0..24 {
            let graph = random_graph(seed);
            property(&graph, &graph.layout());
        }
    }

    fn rect(center: Point, size: Size) -> [f64; 4] {
        let (w, h) = (size.width / 2.0, size.height / 2.0);
        [center.x - w, center.y - h, center.x + w, center.y + h]
    }

    fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
        let slack = 1.0;
        a[0] < b[2] - slack && b[0] < a[2] - slack && a[1] < b[3] - slack && b[1] < a[3] - slack
    }

    #[test]
    fn nothing_overlaps() {
        check_graphs(|graph, layout| {
            let boxes = layout.nodes.iter().zip(&graph.nodes).map(|(&p, &s)| rect(p, s));
            let labels = layout.edges.iter().zip(&graph.edges);
            let labels = labels.filter_map(|(r, e)| Some(rect(r.label?, e.label?)));
            let legend = layout.legend.zip(graph.legend).map(|(p, s)| rect(p, s));
            let all: Vec<_> = boxes.chain(labels).chain(legend).collect();
            for (i, a) in all.iter().enumerate() {
                assert!(all[..i].iter().all(|b| !overlap(*a, *b)));
                let Size { width, height } = layout.size;
                assert!(
                    a[0] >= -1.0 && a[1] >= -1.0 && a[2] <= width + 1.0 && a[3] <= height + 1.0
                );
            }
        });
    }

    #[test]
    fn curves_lead_from_border_to_border() {
        check_graphs(|graph, layout| {
            for (edge, route) in graph.edges.iter().zip(&layout.edges) {
                assert_eq!(route.curve.len() % 3, 1);
                for (end, node) in
                    [(route.curve[0], edge.from), (route.curve[route.curve.len() - 1], edge.to)]
                {
                    let [left, top, right, bottom] = rect(layout.nodes[node], graph.nodes[node]);
                    assert!(end.x > left - 1.0 && end.x < right + 1.0);
                    assert!(end.y > top - 1.0 && end.y < bottom + 1.0);
                    let border = [end.x - left, right - end.x, end.y - top, bottom - end.y];
                    assert!(border.iter().any(|d| d.abs() < 1.0));
                }
            }
        });
    }

    #[test]
    fn curves_go_one_way_and_clear_of_boxes() {
        check_graphs(|graph, layout| {
            for (edge, route) in graph.edges.iter().zip(&layout.edges) {
                if edge.from == edge.to {
                    continue;
                }
                let ys: Vec<f64> = route.curve.iter().map(|p| p.y).collect();
                assert!(ys.is_sorted() || ys.iter().rev().is_sorted());
                for (node, (&center, &size)) in layout.nodes.iter().zip(&graph.nodes).enumerate() {
                    let inside = |p: &Point| overlap(rect(*p, Size::default()), rect(center, size));
                    let own = node == edge.from || node == edge.to;
                    assert!(own || !route.curve.iter().step_by(3).any(inside));
                }
            }
        });
    }

    #[test]
    fn callees_of_acyclic_graphs_are_below() {
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4)];
        let graph = Graph {
            nodes: vec![Size { width: 50.0, height: 20.0 }; 5],
            edges: edges.iter().map(|&(from, to)| Edge::new(from, to)).collect(),
            legend: None,
        };
        let layout = graph.layout();
        assert!(edges.iter().all(|&(from, to)| layout.nodes[from].y < layout.nodes[to].y));
    }

    #[test]
    fn the_same_graph_gives_the_same_picture() {
        check_graphs(|graph, layout| assert_eq!(graph.layout(), *layout));
    }

    #[test]
    fn extreme_sizes_are_survived() {
        let size = |width, height| Size { width, height };
        let nodes = vec![size(f64::NAN, -1.0), size(f64::INFINITY, 1e300), size(0.0, 0.0)];
        let edges = vec![Edge { min_ranks: u32::MAX, weight: u32::MAX, ..Edge::new(0, 1) }];
        let layout = Graph { nodes, edges, legend: Some(size(f64::NAN, 0.0)) }.layout();
        assert!(layout.size.width.is_finite() && layout.size.height.is_finite());
        assert_eq!(Graph::default().layout(), Layout::default());
    }
}
