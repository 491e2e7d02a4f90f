//! Page descriptions: the operators that PDF has, and PostScript gets.

use std::io::Write;

use crate::layout::{Point, Size};
use crate::picture::{Picture, Shape, Stroke, Text};
use crate::svg::Short;

/// PDF readers refuse larger pages.
const MAX_SIDE: f64 = 14_400.0;

/// A picture on a page, whose y axis points upwards.
pub(crate) struct Page<'p> {
    picture: &'p Picture,
    scale: f64,
}

impl<'p> Page<'p> {
    pub(crate) fn new(picture: &'p Picture) -> Self {
        let Size { width, height } = picture.size;
        Self { picture, scale: (MAX_SIDE / width.max(height)).min(1.0) }
    }

    pub(crate) fn size(&self) -> Size {
        let Size { width, height } = self.picture.size;
        Size { width: width * self.scale, height: height * self.scale }
    }

    /// The operators that paint the page; `text` writes the one for a text at a place of some font size.
    pub(crate) fn operators(&self, text: fn(&mut Vec<u8>, &str, Point, f64)) -> Vec<u8> {
        let mut out = Vec::new();
        for shape in self.picture.parts.iter().flat_map(|p| &p.shapes) {
            match shape {
                Shape::Polygon { corners, fill, border } => {
                    let color = rgb([fill.0, fill.1, fill.2]);
                    self.path(&mut out, &color, "rg", corners, "l");
                    put(&mut out, "h f\n");
                    self.stroke(&mut out, *border, corners, "l");
                    put(&mut out, "h S\n");
                }
                Shape::Curve { points, stroke } => {
                    self.stroke(&mut out, *stroke, points, "c");
                    put(&mut out, "S\n");
                }
                Shape::Text(Text { at, size, text: words, .. }) if !words.is_empty() => {
                    put(&mut out, "0 0 0 rg ");
                    text(&mut out, words, self.place(*at), size * self.scale);
                }
                Shape::Text(_) => {}
            }
        }
        out
    }

    fn place(&self, point: Point) -> Point {
        Point::new(point.x * self.scale, (self.picture.size.height - point.y) * self.scale)
    }

    fn stroke(&self, out: &mut Vec<u8>, stroke: Stroke, points: &[Point], operator: &str) {
        let Stroke { color, width, dotted } = stroke;
        let dashes = if dotted {
            format!("{} {}", Short(width + 1.0), Short(width + 2.0))
        } else {
            String::new()
        };
        put(out, &format!("{} w [{dashes}] 0 d ", Short(width * self.scale)));
        self.path(out, &rgb([color.0, color.1, color.2]), "RG", points, operator);
    }

    /// A path of lines (`l`) or curves (`c`).
    fn path(&self, out: &mut Vec<u8>, color: &str, set: &str, points: &[Point], operator: &str) {
        put(out, &format!("{color} {set} "));
        let group = if operator == "c" { 3 } else { 1 };
        for (i, &point) in points.iter().enumerate() {
            let Point { x, y } = self.place(point);
            put(out, &format!("{} {} ", Short(x), Short(y)));
            if i == 0 {
                put(out, "m ");
            } else if i % group == 0 {
                put(out, operator);
                put(out, " ");
            }
        }
    }
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn rgb(color: [u8; 3]) -> String {
    let [r, g, b] = color.map(|c| Short(f64::from(c) / 255.0));
    format!("{r} {g} {b}")
}

/// A text between parentheses in an encoding of one byte a character, given by `encode`.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str, encode: fn(char) -> Option<u8>) {
    out.push(b'(');
    for byte in text.chars().map(|c| encode(c).unwrap_or(b'?')) {
        match byte {
            b'(' | b')' | b'\\' => out.extend([b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => _ = write!(out, "\\{byte:03o}"),
        }
    }
    out.push(b')');
}

/// Latin-1 without its control characters.
pub(crate) fn latin1(c: char) -> Option<u8> {
    u8::try_from(c).ok().filter(|b| matches!(b, b' '..=b'~' | 0xa0..))
}
