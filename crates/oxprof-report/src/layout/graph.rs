//! What is laid out, and what comes out of it.

/// A directed graph to be drawn. Lengths are in points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Sizes of the boxes.
    pub nodes: Vec<Size>,
    /// Arrows between boxes.
    pub edges: Vec<Edge>,
    /// Size of a box that belongs to no node and goes into the upper left corner.
    pub legend: Option<Size>,
}

/// An arrow between two boxes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Index of the box it starts at.
    pub from: usize,
    /// Index of the box it points to.
    pub to: usize,
    /// How strongly it is to be short and straight; at least 1.
    pub weight: u32,
    /// How many ranks `to` is to be below `from` at least; at least 1.
    pub min_ranks: u32,
    /// Size of its text.
    pub label: Option<Size>,
}

impl Edge {
    /// A plain edge without text.
    pub fn new(from: usize, to: usize) -> Self {
        Self { from, to, weight: 1, min_ranks: 1, label: None }
    }
}

/// Width and height in points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "its fields need no words")]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

/// A point; x grows to the right, y downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "its fields need no words")]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

impl Point {
    pub(crate) fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }
}

/// Where everything is. The picture's upper left corner is at the origin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Size of the whole picture.
    pub size: Size,
    /// Centres of the boxes.
    pub nodes: Vec<Point>,
    /// Ways of the arrows.
    pub edges: Vec<Route>,
    /// Centre of the legend.
    pub legend: Option<Point>,
}

/// The way of an arrow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Cubic Bézier curves from border to border, each starting where the last one ends: 3n + 1 points.
    pub curve: Vec<Point>,
    /// Centre of the text.
    pub label: Option<Point>,
}
