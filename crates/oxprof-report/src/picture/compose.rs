//! From a drawing to a picture.

use super::{Part, Picture, Role, Shape, Stroke, Text, arrow, font};
use crate::drawing::{Color, Drawing, DrawnEdge, Nodelet, NodeletOwner};
use crate::layout::{Edge, Graph, Layout, Point, Route, Size};

const BLACK: Color = Color(0, 0, 0);
const WHITE: Color = Color(255, 255, 255);
/// Inside of the legend and of labels.
const PALE: Color = Color(0xf8, 0xf8, 0xf8);
/// Distance from the border of a box to its text.
const PADDING: Size = Size { width: 8.0, height: 5.0 };
/// Distance of lines of text, relative to their size.
const LINE_HEIGHT: f64 = 1.15;
/// Middle of a line to its base line, relative to its size.
const BASE_LINE: f64 = 0.35;
/// Around everything.
const PAGE_MARGIN: f64 = 6.0;
const LEGEND_SIZE: f64 = 16.0;
const EDGE_TEXT_SIZE: f64 = 14.0;
const NODELET_SIZE: f64 = 8.0;
/// How strongly labels are drawn to their boxes.
const NODELET_WEIGHT: u32 = 100;
/// Size of the bevel that marks labels.
const BEVEL: f64 = 4.0;

impl Drawing {
    /// Lays the graph out.
    pub fn picture(&self) -> Picture {
        let plan = Plan::new(self);
        let layout = plan.graph.layout();
        let mut parts = Vec::new();
        parts.extend(layout.legend.map(|center| self.legend_part(center)));
        parts.extend(plan.edges.iter().zip(&layout.edges).map(|(e, r)| e.part(r)));
        let nodes = self.nodes.iter().zip(1..).map(|(node, number)| {
            let lines: Vec<&str> = node.label.split('\n').collect();
            let center = layout.nodes[number - 1];
            let size = plan.graph.nodes[number - 1];
            let stroke = Stroke { color: node.line, width: 1.0, dotted: false };
            let mut shapes = vec![rectangle(center, size, node.fill, stroke)];
            shapes.extend(centered(&lines, center, f64::from(node.font_size)));
            let tooltip = format!("{} ({})", node.name, node.cum);
            Part { role: Role::Node(number), tooltip, shapes }
        });
        parts.extend(nodes);
        parts.extend(plan.nodelets.iter().map(|n| n.part(&plan.graph, &layout)));
        let size = Size {
            width: layout.size.width + 2.0 * PAGE_MARGIN,
            height: layout.size.height + 2.0 * PAGE_MARGIN,
        };
        let mut picture = Picture { title: self.title.clone(), size, parts };
        picture.shift(PAGE_MARGIN);
        picture
    }

    fn legend_lines(&self) -> Vec<&str> {
        self.legend.iter().flat_map(|line| line.split('\n')).collect()
    }

    fn legend_part(&self, center: Point) -> Part {
        let lines = self.legend_lines();
        let size = box_size(&lines, LEGEND_SIZE);
        let stroke = Stroke { color: BLACK, width: 1.0, dotted: false };
        let mut shapes = vec![rectangle(center, size, PALE, stroke)];
        let left = center.x - size.width / 2.0 + PADDING.width;
        shapes.extend(stacked(&lines, center.y, LEGEND_SIZE, |_| left));
        Part { role: Role::Legend, tooltip: self.title.clone(), shapes }
    }
}

impl Picture {
    /// Moves everything right and down.
    fn shift(&mut self, by: f64) {
        let shift = |p: &mut Point| *p = Point::new(p.x + by, p.y + by);
        for shape in self.parts.iter_mut().flat_map(|p| &mut p.shapes) {
            match shape {
                Shape::Polygon { corners: points, .. } | Shape::Curve { points, .. } => {
                    points.iter_mut().for_each(shift);
                }
                Shape::Text(text) => shift(&mut text.at),
            }
        }
    }
}

/// What is laid out, and what each part of it stands for.
struct Plan<'a> {
    /// The boxes, then the labels that hang on them.
    graph: Graph,
    /// For each edge of the graph.
    edges: Vec<PlannedEdge<'a>>,
    nodelets: Vec<PlannedNodelet<'a>>,
}

enum PlannedEdge<'a> {
    Call(&'a DrawnEdge),
    Hanger { nodelet: &'a Nodelet, of: usize },
}

struct PlannedNodelet<'a> {
    nodelet: &'a Nodelet,
    of: usize,
    /// Its place among the nodes of the graph.
    node: usize,
}

impl<'a> Plan<'a> {
    fn new(drawing: &'a Drawing) -> Self {
        let legend =
            (!drawing.legend.is_empty()).then(|| box_size(&drawing.legend_lines(), LEGEND_SIZE));
        let graph = Graph { legend, ..Graph::default() };
        let mut plan = Self { graph, edges: Vec::new(), nodelets: Vec::new() };
        for node in &drawing.nodes {
            let lines: Vec<&str> = node.label.split('\n').collect();
            plan.graph.nodes.push(box_size(&lines, f64::from(node.font_size)));
        }
        // Edges before labels: earlier edges have the better places beside each other.
        for edge in drawing.edges.iter().filter(|e| e.from > 0 && e.to > 0) {
            plan.add_call(edge, !drawing.nodes[edge.from - 1].nodelets.is_empty());
        }
        for (node, number) in drawing.nodes.iter().zip(1..) {
            plan.add_nodelets(&node.nodelets, number);
        }
        plan
    }

    fn add_call(&mut self, edge: &'a DrawnEdge, has_nodelets: bool) {
        self.graph.edges.push(Edge {
            from: edge.from - 1,
            to: edge.to - 1,
            weight: edge.pull.try_into().unwrap_or(u32::MAX),
            min_ranks: if has_nodelets { 2 } else { 1 },
            label: Some(text_size(&edge_text(edge), EDGE_TEXT_SIZE)),
        });
        self.edges.push(PlannedEdge::Call(edge));
    }

    fn add_nodelets(&mut self, nodelets: &'a [Nodelet], of: usize) {
        let first = self.graph.nodes.len();
        let place = |number| {
            nodelets.iter().position(|n| n.owner == NodeletOwner::Node && n.number == number)
        };
        for (nodelet, node) in nodelets.iter().zip(first..) {
            let on_box = of - 1;
            let from = match nodelet.owner {
                NodeletOwner::Node | NodeletOwner::NodeNumber => on_box,
                NodeletOwner::Nodelet(number) => place(number).map_or(on_box, |i| first + i),
            };
            self.graph.nodes.push(box_size(&nodelet_lines(nodelet), NODELET_SIZE));
            self.graph.edges.push(Edge {
                from,
                to: node,
                weight: NODELET_WEIGHT,
                min_ranks: 1,
                label: Some(text_size(&[&nodelet.weight], EDGE_TEXT_SIZE)),
            });
            self.edges.push(PlannedEdge::Hanger { nodelet, of });
            self.nodelets.push(PlannedNodelet { nodelet, of, node });
        }
    }
}

impl PlannedEdge<'_> {
    fn part(&self, route: &Route) -> Part {
        match *self {
            Self::Call(edge) => {
                let color = edge.color.unwrap_or(BLACK);
                let width = edge.width as f64;
                let stroke = Stroke { color, width, dotted: edge.residual };
                let arrow = if edge.residual { "..." } else { "->" };
                let [caller, callee] = &edge.names;
                Part {
                    role: Role::Edge { from: edge.from, to: edge.to },
                    tooltip: format!("{caller} {arrow} {callee} ({})", edge.weight),
                    shapes: edge_shapes(route, stroke, &edge_text(edge)),
                }
            }
            Self::Hanger { nodelet, of } => {
                let stroke = Stroke { color: BLACK, width: 1.0, dotted: nodelet.dotted };
                let tooltip = nodelet.weight.clone();
                let shapes = edge_shapes(route, stroke, &[&nodelet.weight]);
                Part { role: Role::Nodelet { of }, tooltip, shapes }
            }
        }
    }
}

impl PlannedNodelet<'_> {
    fn part(&self, graph: &Graph, layout: &Layout) -> Part {
        let (center, size) = (layout.nodes[self.node], graph.nodes[self.node]);
        let stroke = Stroke { color: BLACK, width: 1.0, dotted: false };
        let mut shapes = bevelled(center, size, stroke);
        shapes.extend(centered(&nodelet_lines(self.nodelet), center, NODELET_SIZE));
        let tooltip = self.nodelet.weight.clone();
        Part { role: Role::Nodelet { of: self.of }, tooltip, shapes }
    }
}

/// The lines of a label; the text has them separated as dot files do.
fn nodelet_lines(nodelet: &Nodelet) -> Vec<&str> {
    nodelet.text.split("\\n").collect()
}

fn edge_text(edge: &DrawnEdge) -> Vec<&str> {
    let inline = edge.inline.then_some("(inline)");
    std::iter::once(edge.weight.as_str()).chain(inline).collect()
}

fn text_size(lines: &[&str], size: f64) -> Size {
    let width = lines.iter().map(|l| font::width(l, size)).fold(0.0, f64::max);
    Size { width, height: lines.len() as f64 * size * LINE_HEIGHT }
}

fn box_size(lines: &[&str], size: f64) -> Size {
    let text = text_size(lines, size);
    Size { width: text.width + 2.0 * PADDING.width, height: text.height + 2.0 * PADDING.height }
}

fn edge_shapes(route: &Route, stroke: Stroke, lines: &[&str]) -> Vec<Shape> {
    let (points, head) = arrow::split_head(&route.curve, stroke.width);
    let border = Stroke { width: 1.0, dotted: false, ..stroke };
    let mut shapes = vec![
        Shape::Curve { points, stroke },
        Shape::Polygon { corners: head, fill: stroke.color, border },
    ];
    if let Some(center) = route.label {
        shapes.extend(centered(lines, center, EDGE_TEXT_SIZE));
    }
    shapes
}

fn centered(lines: &[&str], center: Point, size: f64) -> impl Iterator<Item = Shape> {
    stacked(lines, center.y, size, move |width| center.x - width / 2.0)
}

/// Lines of text below each other; `left` says where one of some width starts.
fn stacked(
    lines: &[&str],
    middle: f64,
    size: f64,
    left: impl Fn(f64) -> f64,
) -> impl Iterator<Item = Shape> {
    let height = size * LINE_HEIGHT;
    let first = middle - height * (lines.len() as f64 - 1.0) / 2.0 + size * BASE_LINE;
    lines.iter().zip(0..).map(move |(line, i)| {
        let width = font::width(line, size);
        let at = Point::new(left(width), first + height * f64::from(i));
        Shape::Text(Text { at, width, size, text: (*line).to_owned() })
    })
}

fn rectangle(center: Point, size: Size, fill: Color, border: Stroke) -> Shape {
    let (w, h) = (size.width / 2.0, size.height / 2.0);
    let corner = |x: f64, y: f64| Point::new(center.x + x, center.y + y);
    let corners = vec![corner(-w, -h), corner(w, -h), corner(w, h), corner(-w, h)];
    Shape::Polygon { corners, fill, border }
}

/// A box that looks thick.
fn bevelled(center: Point, size: Size, border: Stroke) -> Vec<Shape> {
    let front = Size { width: size.width - BEVEL, height: size.height - BEVEL };
    let (w, h) = (size.width / 2.0, size.height / 2.0);
    let corner = |x: f64, y: f64| Point::new(center.x + x, center.y + y);
    let side = vec![
        corner(-w, -h + BEVEL),
        corner(-w + BEVEL, -h),
        corner(w, -h),
        corner(w, h - BEVEL),
        corner(w - BEVEL, h),
        corner(w - BEVEL, -h + BEVEL),
    ];
    let front_center = corner(-BEVEL / 2.0, BEVEL / 2.0);
    vec![
        Shape::Polygon { corners: side, fill: WHITE, border },
        rectangle(front_center, front, PALE, border),
    ]
}
