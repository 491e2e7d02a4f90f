//! A flame graph as a picture: every frame a box, its callees below it.

use std::io::{self, Write};

use super::FlameTree;
use super::color::{change, pastel};
use crate::drawing::Color;
use crate::picture::font;
use crate::svg::{Short, Xml};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const MARGIN: f64 = 10.0;
const HEADER: f64 = 34.0;
const FONT_SIZE: f64 = 11.0;
/// Distance between frames that are not too narrow for it.
const GAP: f64 = 0.5;
/// Frames narrower than this are not seen.
const MIN_WIDTH: f64 = 0.3;
/// The root is grey.
const ROOT: Color = Color(222, 222, 222);
/// Frames deeper than this are not drawn: nothing shows pictures of any height.
const MAX_DEPTH: u32 = 1000;

/// Part of the whole that a frame must have to be seen.
pub(super) const MIN_SHARE: f64 = MIN_WIDTH / (WIDTH - 2.0 * MARGIN);

impl FlameTree {
    /// Writes the tree as an SVG document.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_svg(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.frames.depth.iter().max().map_or(0, |&d| d.min(MAX_DEPTH) + 1);
        let height = HEADER + f64::from(rows) * ROW + MARGIN;
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        write!(out, r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}""#)?;
        write!(out, r#" width="{WIDTH}" height="{height}" style="background:#fff""#)?;
        writeln!(out, r#" font-family="Helvetica, Arial, sans-serif" font-size="{FONT_SIZE}">"#)?;
        let total = self.text(self.total);
        writeln!(out, "<title>{}</title>", Xml(&self.title))?;
        write!(out, r#"<text x="{MARGIN}" y="20" font-size="15">{}"#, Xml(&self.title))?;
        writeln!(out, " ({})</text>", Xml(&total))?;
        self.write_frames(out)?;
        writeln!(out, "</svg>")
    }

    fn write_frames(&self, out: &mut dyn Write) -> io::Result<()> {
        let scale = match self.frames.weight.first() {
            Some(&whole) if whole > 0 => (WIDTH - 2.0 * MARGIN) / whole as f64,
            _ => return Ok(()),
        };
        // Where the next frame of each depth starts.
        let mut starts = vec![MARGIN];
        for i in 0..self.frames.len() {
            let depth = self.frames.depth[i] as usize;
            let (x, width) = (starts[depth], self.frames.weight[i] as f64 * scale);
            starts[depth] += width;
            starts.truncate(depth + 1);
            starts.push(x);
            if width >= MIN_WIDTH && self.frames.depth[i] <= MAX_DEPTH {
                self.write_frame(i, x, width, out)?;
            }
        }
        Ok(())
    }

    fn write_frame(&self, i: usize, x: f64, width: f64, out: &mut dyn Write) -> io::Result<()> {
        let name = &self.names[self.frames.name[i] as usize];
        let y = HEADER + f64::from(self.frames.depth[i]) * ROW;
        write!(out, "<g><title>{}</title>", Xml(&self.tooltip(i)))?;
        write!(out, r#"<rect x="{}" y="{}""#, Short(x), Short(y))?;
        // A gap tells frames of the same colour apart.
        let gap = if width > 4.0 * GAP { GAP } else { 0.0 };
        write!(out, r#" width="{}" height="{}""#, Short(width - gap), Short(ROW - 1.0))?;
        write!(out, r#" fill="{}"/>"#, self.color(i))?;
        let text = fit(name, width - 6.0);
        if !text.is_empty() {
            write!(out, r#"<text x="{}" y="{}">"#, Short(x + 3.0), Short(y + 12.0))?;
            write!(out, "{}</text>", Xml(&text))?;
        }
        writeln!(out, "</g>")
    }

    fn color(&self, i: usize) -> Color {
        match self.frames.net.get(i) {
            Some(&net) => change(net, self.frames.weight[i]),
            None if i == 0 => ROOT,
            None => pastel(self.hues[self.frames.name[i] as usize]),
        }
    }

    fn tooltip(&self, i: usize) -> String {
        let name = &self.names[self.frames.name[i] as usize];
        let (weight, own) = (self.frames.weight[i], self.frames.own[i]);
        let shown = self.frames.net.get(i).copied().unwrap_or(weight);
        let mut text = format!("{name}: {} ({})", self.text(shown), self.percent(shown));
        if own > 0 && !self.difference {
            text.push_str(&format!(", itself {} ({})", self.text(own), self.percent(own)));
        }
        text
    }
}

/// A name, its last parts, or the beginning of the last: what fits first, or nothing.
fn fit(name: &str, width: f64) -> String {
    let ends = name.match_indices(['/', '.', ':']).map(|(i, separator)| i + separator.len());
    let tails = std::iter::once(0).chain(ends).map(|i| &name[i..]);
    let mut last = name;
    for tail in tails.filter(|t| !t.is_empty() && !t.starts_with(':')) {
        if font::width(tail, FONT_SIZE) <= width {
            return tail.to_owned();
        }
        last = tail;
    }
    const LEAST: usize = 3;
    let mut room = width - font::width("…", FONT_SIZE);
    let fits = |c: &char| {
        room -= font::width(c.encode_utf8(&mut [0; 4]), FONT_SIZE);
        room >= 0.0
    };
    let part: String = last.chars().take_while(fits).collect();
    if part.chars().count() < LEAST { String::new() } else { part + "…" }
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::*;

    fn svg(names: &[&str]) -> String {
        let mut out = Vec::new();
        tree(names).write_svg(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn callees_are_below_their_callers() {
        let svg = svg(&["main", "work"]);
        let check = |expected: &str| assert!(svg.contains(expected), "{expected} in {svg}");
        check("<title>all: 2s (100%)</title>");
        check(r#"<title>main: 2s (100%)</title><rect x="10" y="51" width="1179.5""#);
        check(
            r#"<title>work: 1s (50.00%), itself 1s (50.00%)</title><rect x="10" y="68" width="589.5""#,
        );
    }

    #[test]
    fn names_never_become_markup() {
        let hostile = "</text></title><script>alert('1')</script>\"&\u{1}";
        let count = |text: &str| text.matches(['<', '"']).count();
        assert_eq!(count(&svg(&[hostile, hostile])), count(&svg(&["main", "work"])));
    }

    #[test]
    fn names_are_cut_to_fit() {
        assert_eq!(fit("runtime.mallocgc", 500.0), "runtime.mallocgc");
        assert_eq!(fit("runtime.mallocgc", 60.0), "mallocgc");
        assert_eq!(fit("std::rt::lang_start", 75.0), "rt::lang_start");
        assert_eq!(fit("runtime.mallocgc", 40.0), "mallo…");
        assert_eq!(fit("runtime.mallocgc", 10.0), "");
    }
}
