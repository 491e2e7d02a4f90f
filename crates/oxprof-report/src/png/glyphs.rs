//! Letters of a font without serifs: DejaVu Sans Condensed, cut down to the alphabets of Europe.
//!
//! `examples/glyphs.rs` made the table from the font; `assets/sans.license` has its terms.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::layout::Point;

/// Compressed: units per em; then for each letter, in order, its number, its width, the number of its
/// commands, and those; numbers of two bytes, the lower one first.
const TABLE: &[u8] = include_bytes!("../../assets/sans.glyphs");

/// Shown for letters that the table lacks.
const MISSING: char = '\u{fffd}';
/// Straight pieces that a curve is made of.
const CURVE_STEPS: u32 = 4;

/// Outlines of letters.
pub(super) struct Glyphs {
    units_per_em: f64,
    /// In the order of their characters.
    letters: Vec<Letter>,
}

struct Letter {
    character: char,
    advance: f64,
    contours: Vec<Vec<Point>>,
}

impl Glyphs {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::new();
        ZlibDecoder::new(TABLE).read_to_end(&mut bytes).expect("the table is compressed soundly");
        let mut numbers = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
        let units_per_em = f64::from(numbers.next().unwrap_or(1));
        let mut letters = Vec::new();
        while let Some(letter) = Letter::read(&mut numbers) {
            letters.push(letter);
        }
        Self { units_per_em, letters }
    }

    fn letter(&self, c: char) -> Option<&Letter> {
        let find = |c| self.letters.binary_search_by_key(&c, |l| l.character);
        find(c).or_else(|_| find(MISSING)).ok().map(|i| &self.letters[i])
    }

    /// Contours of a line of text that starts at `at` and is as wide as asked.
    pub(super) fn line(&self, text: &str, at: Point, width: f64, size: f64) -> Vec<Vec<Point>> {
        let letters: Vec<&Letter> = text.chars().filter_map(|c| self.letter(c)).collect();
        let natural: f64 = letters.iter().map(|l| l.advance).sum();
        let (across, up) = (width / natural.max(1.0), size / self.units_per_em);
        let mut contours = Vec::new();
        let mut x = 0.0;
        for letter in letters {
            let place = |p: &Point| Point::new(at.x + (x + p.x) * across, at.y - p.y * up);
            contours.extend(letter.contours.iter().map(|c| c.iter().map(place).collect()));
            x += letter.advance;
        }
        contours
    }
}

impl Letter {
    fn read(numbers: &mut impl Iterator<Item = i16>) -> Option<Self> {
        let character = char::from_u32(u32::from(numbers.next()? as u16))?;
        let advance = f64::from(numbers.next()?);
        let count = numbers.next()?;
        let mut contours: Vec<Vec<Point>> = Vec::new();
        for _ in 0..count {
            let command = numbers.next()?;
            let mut point =
                || Some(Point::new(f64::from(numbers.next()?), f64::from(numbers.next()?)));
            if command == 0 {
                contours.push(vec![point()?]);
                continue;
            }
            let contour = contours.last_mut()?;
            if command == 1 {
                contour.push(point()?);
            } else {
                let (control, end) = (point()?, point()?);
                bend(contour, control, end);
            }
        }
        Some(Self { character, advance, contours })
    }
}

/// Adds a quadratic curve to a contour.
fn bend(contour: &mut Vec<Point>, control: Point, end: Point) {
    let Some(&start) = contour.last() else { return };
    for step in 1..=CURVE_STEPS {
        let t = f64::from(step) / f64::from(CURVE_STEPS);
        let s = 1.0 - t;
        let mix = |a: f64, b: f64, c: f64| s * s * a + 2.0 * s * t * b + t * t * c;
        contour.push(Point::new(mix(start.x, control.x, end.x), mix(start.y, control.y, end.y)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_letters_in_order() {
        let glyphs = Glyphs::new();
        assert!(glyphs.letters.is_sorted_by_key(|l| l.character));
        for c in (' '..='~').chain("·…µéλЖ".chars()).chain([MISSING]) {
            assert_eq!(glyphs.letter(c).map(|l| l.character), Some(c));
        }
    }

    #[test]
    fn lines_are_as_wide_as_asked() {
        let contours = Glyphs::new().line("HH字", Point::new(10.0, 50.0), 90.0, 20.0);
        let xs = || contours.iter().flatten().map(|p| p.x);
        assert!(xs().fold(f64::INFINITY, f64::min) >= 10.0);
        let right = xs().fold(0.0, f64::max);
        assert!(right <= 100.0 && right > 80.0);
        let top = contours.iter().flatten().map(|p| p.y).fold(f64::INFINITY, f64::min);
        assert!(top > 30.0 && top < 40.0, "capitals are about three quarters of the size high");
    }
}
