//! Pictures as SVG that stands alone: it is still readable where no script runs, and can be moved, searched
//! and followed in browsers.

use std::fmt::{self, Display};
use std::io::{self, Write};

use crate::layout::Point;
use crate::picture::{Part, Picture, Role, Shape, Stroke, Text};

const SCRIPT: &str = include_str!("../assets/graph.js");
const STYLE: &str = include_str!("../assets/graph.css");

impl Picture {
    /// Writes the picture as an SVG document.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_svg(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        write!(out, r#"<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="100%""#)?;
        writeln!(out, r#" viewBox="0 0 {} {}">"#, Short(self.size.width), Short(self.size.height))?;
        let title = if self.title.is_empty() { "unnamed" } else { &self.title };
        writeln!(out, "<title>{}</title>", Xml(title))?;
        writeln!(out, "<style>{STYLE}</style>")?;
        writeln!(out, r#"<g id="viewport">"#)?;
        self.parts.iter().try_for_each(|part| write_part(part, out))?;
        writeln!(out, "</g>")?;
        writeln!(out, "<script><![CDATA[\n{SCRIPT}]]></script>")?;
        writeln!(out, "</svg>")
    }
}

fn write_part(part: &Part, out: &mut dyn Write) -> io::Result<()> {
    match part.role {
        Role::Legend => write!(out, r#"<g class="legend">"#)?,
        Role::Node(number) => {
            write!(out, r#"<g class="node" id="node{number}" data-node="{number}">"#)?;
        }
        Role::Nodelet { of } => write!(out, r#"<g class="nodelet" data-node="{of}">"#)?,
        Role::Edge { from, to } => {
            write!(out, r#"<g class="edge" data-from="{from}" data-to="{to}">"#)?;
        }
    }
    if !part.tooltip.is_empty() {
        write!(out, "<title>{}</title>", Xml(&part.tooltip))?;
    }
    part.shapes.iter().try_for_each(|shape| write_shape(shape, out))?;
    writeln!(out, "</g>")
}

fn write_shape(shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
    match shape {
        Shape::Polygon { corners, fill, border } => {
            write!(out, r#"<polygon points=""#)?;
            write_points(corners, out)?;
            write!(out, r#"" fill="{fill}""#)?;
            write_stroke(*border, out)
        }
        Shape::Curve { points, stroke } => {
            let Some((first, rest)) = points.split_first() else { return Ok(()) };
            write!(out, r#"<path d="M{},{}C"#, Short(first.x), Short(first.y))?;
            write_points(rest, out)?;
            write!(out, r#"" fill="none""#)?;
            write_stroke(*stroke, out)
        }
        Shape::Text(text) => write_text(text, out),
    }
}

fn write_points(points: &[Point], out: &mut dyn Write) -> io::Result<()> {
    for (i, point) in points.iter().enumerate() {
        let separator = if i == 0 { "" } else { " " };
        write!(out, "{separator}{},{}", Short(point.x), Short(point.y))?;
    }
    Ok(())
}

fn write_stroke(stroke: Stroke, out: &mut dyn Write) -> io::Result<()> {
    write!(out, r#" stroke="{}""#, stroke.color)?;
    if stroke.width != 1.0 {
        write!(out, r#" stroke-width="{}""#, Short(stroke.width))?;
    }
    if stroke.dotted {
        write!(out, r#" stroke-dasharray="{}""#, dashes(stroke.width))?;
    }
    write!(out, "/>")
}

/// Dots as long as the line is wide, further apart.
fn dashes(width: f64) -> String {
    format!("{} {}", Short(width + 1.0), Short(width + 2.0))
}

/// The length is fixed: whatever font a viewer has, the text stays within its box.
fn write_text(text: &Text, out: &mut dyn Write) -> io::Result<()> {
    let Text { at, width, size, text } = text;
    if text.is_empty() {
        return Ok(());
    }
    write!(out, r#"<text x="{}" y="{}""#, Short(at.x), Short(at.y))?;
    write!(out, r#" font-size="{}" textLength="{}""#, Short(*size), Short(*width))?;
    write!(out, r#" lengthAdjust="spacingAndGlyphs">{}</text>"#, Xml(text))
}

/// A length with as many digits as one can see.
pub(crate) struct Short(pub(crate) f64);

impl Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        // Adding zero turns −0 into 0.
        write!(f, "{}", rounded + 0.0)
    }
}

/// Text that is only text in XML and HTML, whatever is in it.
pub(crate) struct Xml<'a>(pub(crate) &'a str);

impl Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                // XML has no way to write these.
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::drawing;

    fn svg(names: [&str; 2]) -> String {
        let mut out = Vec::new();
        drawing(names).picture().write_svg(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parts_say_what_they_are() {
        let svg = svg(["main", "work"]);
        let check = |expected: &str| assert!(svg.contains(expected), "{expected} in {svg}");
        check("<title>main</title>");
        check(r#"<g class="node" id="node2" data-node="2"><title>work (2)</title>"#);
        check(r#"<g class="edge" data-from="1" data-to="2"><title>main ... work (1)</title>"#);
        check(r#"stroke-dasharray="4 5""#);
        check(">(inline)</text>");
    }

    #[test]
    fn names_never_become_markup() {
        let hostile = "</title></text>]]><script>alert(1)</script>\"' onload='x\u{0}\u{fffe}&amp;";
        let (plain, attacked) = (svg(["a", "b"]), svg([hostile, hostile]));
        let count = |text: &str, c: char| text.chars().filter(|x| *x == c).count();
        assert_eq!(count(&plain, '<'), count(&attacked, '<'));
        assert_eq!(count(&plain, '"'), count(&attacked, '"'));
        assert_eq!(count(&plain, '\''), count(&attacked, '\''));
        assert!(!attacked.contains('\u{0}') && !attacked.contains('\u{fffe}'));
    }

    #[test]
    fn lengths_are_short() {
        let check = |length, expected: &str| assert_eq!(Short(length).to_string(), expected);
        check(1.0, "1");
        check(-0.001, "0");
        check(12.3456, "12.35");
    }
}
