//! The call graph as shapes and texts, for Graphviz or a layout of our own.
//!
//! Everything that a picture shows is decided here; writers only place it and spell it out.

mod color;
mod nodelets;

use crate::amounts::Amounts;
use crate::graph::{Edge, Graph, Node, compare_edges};
use crate::render::Report;
use crate::shorten::shorten;
use crate::{Frames, header, paths};

pub use self::color::Color;
pub use self::nodelets::{Nodelet, NodeletOwner};

/// Font sizes of nodes, in points.
const FONT_SIZES: (u32, f64) = (8, 16.0);

/// A call graph to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Name of the program; empty if unknown.
    pub title: String,
    /// Lines of the legend.
    pub legend: Vec<String>,
    /// Boxes, the most telling first.
    pub nodes: Vec<DrawnNode>,
    /// Arrows, the heaviest first.
    pub edges: Vec<DrawnEdge>,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnNode {
    /// Name of the place, in full.
    pub name: String,
    /// Text in the box: the short name, and what it costs.
    pub label: String,
    /// Size of the text in points.
    pub font_size: u32,
    /// The cumulative cost.
    pub cum: String,
    /// Colour of the border.
    pub line: Color,
    /// Colour of the inside.
    pub fill: Color,
    /// Labels that hang on the box.
    pub nodelets: Vec<Nodelet>,
}

/// An arrow from caller to callee.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnEdge {
    /// Number of the caller's box, counted from 1.
    pub from: usize,
    /// Number of the callee's box; 0 if the callee is not shown.
    pub to: usize,
    /// What the calls cost.
    pub weight: String,
    /// Whether all of them were inlined.
    pub inline: bool,
    /// Whether some of them went through functions that are not shown.
    pub residual: bool,
    /// How strongly the arrow pulls its ends together, from 1 to 101.
    pub pull: u64,
    /// Width of the arrow in points, from 1 to 6.
    pub width: u64,
    /// Colour of the arrow; none when the total is zero.
    pub color: Option<Color>,
    /// Full names of both ends.
    pub names: [String; 2],
}

impl Drawing {
    pub(crate) fn new(report: &Report<'_>) -> Self {
        let frames = report.frames();
        let (graph, amounts) = report.graph(&frames);
        let outs = graph.outgoing();
        let max_flat = graph.shown().iter().map(|n| n.flat().wrapping_abs()).max().unwrap_or(0);
        let node = |(i, node): (usize, &Node)| DrawnNode {
            nodelets: nodelets::compose(&node.tags, &amounts, !outs.of(i).is_empty()),
            ..draw_node(node, &frames, &amounts, max_flat)
        };
        let mut edges: Vec<&Edge> =
            graph.edges.iter().filter(|e| (e.from as usize) < graph.shown).collect();
        edges.sort_unstable_by(|l, r| compare_edges(&graph.nodes, l, r));
        Self {
            title: header::title(report.profile),
            legend: report.labels(&graph, &amounts),
            nodes: graph.shown().iter().enumerate().map(node).collect(),
            edges: edges.into_iter().map(|e| draw_edge(e, &graph, &amounts)).collect(),
        }
    }
}

fn draw_node(node: &Node, frames: &Frames<'_>, amounts: &Amounts, max_flat: i64) -> DrawnNode {
    let (flat, cum) = (node.flat(), node.cum());
    let cum_text = amounts.text(cum);
    let share = cum as f64 / amounts.total.wrapping_abs() as f64;
    let mut label = short_name(node, frames);
    label.push('\n');
    match flat {
        0 => label.push('0'),
        _ => label.push_str(&with_percent(amounts, flat)),
    }
    if cum != flat {
        label.push_str(if flat == 0 { " of " } else { "\nof " });
        label.push_str(&with_percent(amounts, cum));
    }
    DrawnNode {
        name: node.name.clone().into(),
        label,
        font_size: font_size(flat, max_flat),
        cum: cum_text,
        line: Color::line(share),
        fill: Color::fill(share),
        nodelets: Vec::new(),
    }
}

fn with_percent(amounts: &Amounts, value: i64) -> String {
    format!("{} ({})", amounts.text(value), amounts.percent(value).trim())
}

/// The parts of a node's name below each other.
fn short_name(node: &Node, frames: &Frames<'_>) -> String {
    let frame = frames.get(node.frame);
    let name = shorten(frames.name(frame));
    let name = name.replace("::", "\n").replace("[...]", "[…]").replace('.', "\n");
    let file = frames.file(frame);
    let file = if file.is_empty() { file } else { paths::base(file) };
    frames.join_parts(frame, &name, file, "\n")
}

fn font_size(flat: i64, max_flat: i64) -> u32 {
    let (base, growth) = FONT_SIZES;
    if max_flat == 0 {
        return base;
    }
    let share = flat.wrapping_abs() as f64 / max_flat as f64;
    base + (growth * share.sqrt()).ceil() as u32
}

fn draw_edge(edge: &Edge, graph: &Graph, amounts: &Amounts) -> DrawnEdge {
    let weight = edge.weight();
    let number = |node: u32| if (node as usize) < graph.shown { node as usize + 1 } else { 0 };
    let name = |node: u32| graph.nodes[node as usize].name.clone().into();
    let part = |of: i64| match amounts.total {
        0 => 1,
        total => {
            1 + weight.wrapping_mul(of).wrapping_div(total).unsigned_abs().min(of.unsigned_abs())
        }
    };
    let share = weight as f64 / amounts.total.wrapping_abs() as f64;
    DrawnEdge {
        from: number(edge.from),
        to: number(edge.to),
        weight: amounts.text(weight),
        inline: edge.inline,
        residual: edge.residual,
        pull: part(100),
        width: part(5),
        color: (amounts.total != 0).then(|| Color::line(share)),
        names: [name(edge.from), name(edge.to)],
    }
}
