//! A call graph as shapes on a page, for writers of SVG, PDF, PostScript and pixels.
//!
//! [`Drawing`](crate::drawing::Drawing) says what is shown; a [`Picture`] says where: boxes and edges are laid
//! out by [`layout`](crate::layout) and texts measured with the widths of Helvetica.

mod arrow;
mod compose;
pub(crate) mod font;

use crate::drawing::Color;
use crate::layout::{Point, Size};

/// A page of shapes. Lengths are in points, y grows downwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What the picture is of; empty if unknown.
    pub title: String,
    /// Size of the page.
    pub size: Size,
    /// What is on it, in the order of painting.
    pub parts: Vec<Part>,
}

/// Shapes that are one thing to the reader.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub role: Role,
    /// What there is to know about it; may be empty.
    pub tooltip: String,
    /// What it consists of, in the order of painting.
    pub shapes: Vec<Shape>,
}

/// What a part stands for. Boxes are counted from 1, as in dot files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The description of the profile.
    Legend,
    /// A box.
    Node(usize),
    /// A label of a box.
    Nodelet {
        /// The box.
        of: usize,
    },
    /// An arrow between boxes.
    Edge {
        /// The caller's box.
        from: usize,
        /// The callee's box.
        to: usize,
    },
}

/// Something to paint.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// An area with a border.
    Polygon {
        /// Its corners.
        corners: Vec<Point>,
        /// Colour of the inside.
        fill: Color,
        /// The border.
        border: Stroke,
    },
    /// A line.
    Curve {
        /// Cubic Bézier curves, each starting where the last one ends.
        points: Vec<Point>,
        /// How it is drawn.
        stroke: Stroke,
    },
    /// A line of text.
    Text(Text),
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "its fields need no words")]
pub struct Stroke {
    pub color: Color,
    pub width: f64,
    pub dotted: bool,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Left end of the base line.
    pub at: Point,
    /// Its width in Helvetica. Writers stretch other fonts to it, so that it stays within its box.
    pub width: f64,
    /// Size of the font.
    pub size: f64,
    /// What it says.
    pub text: String,
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::drawing::{Drawing, DrawnEdge, DrawnNode};

    /// Two boxes and an arrow.
    pub(crate) fn drawing(names: [&str; 2]) -> Drawing {
        let node = |name: &str| DrawnNode {
            name: name.to_owned(),
            label: format!("{name}\n1 (50%)"),
            font_size: 12,
            cum: "2".to_owned(),
            line: Color(1, 2, 3),
            fill: Color(200, 100, 50),
            nodelets: Vec::new(),
        };
        let edge = DrawnEdge {
            from: 1,
            to: 2,
            weight: "1".to_owned(),
            inline: true,
            residual: true,
            pull: 50,
            width: 3,
            color: None,
            names: names.map(str::to_owned),
        };
        Drawing {
            title: names[0].to_owned(),
            legend: vec![names[1].to_owned()],
            nodes: names.iter().map(|n| node(n)).collect(),
            edges: vec![edge],
        }
    }

    pub(crate) fn picture(name: &str) -> Picture {
        drawing([name, "work"]).picture()
    }
}
