//! Makes `assets/sans.glyphs` from a TrueType font.
//!
//! `cargo run -p oxprof-report --example glyphs -- DejaVuSansCondensed.ttf crates/oxprof-report/assets/sans.glyphs`

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ttf_parser::{Face, OutlineBuilder};

/// The letters to keep: Latin, Greek, Cyrillic, and signs that names and numbers have.
const RANGES: &[(u32, u32)] = &[
    (0x20, 0x7e),
    (0xa0, 0x17f),
    (0x384, 0x3ce),
    (0x401, 0x45f),
    (0x2010, 0x2026),
    (0x20ac, 0x20ac),
    (0x2190, 0x2193),
    (0xfffd, 0xfffd),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(font), Some(table)) = (arguments.next(), arguments.next()) else {
        return Err("give a font and the table to write".into());
    };
    let font = std::fs::read(font)?;
    let face = Face::parse(&font, 0)?;
    let mut numbers = vec![face.units_per_em() as i16];
    for c in RANGES.iter().flat_map(|&(from, to)| from..=to).filter_map(char::from_u32) {
        let Some(glyph) = face.glyph_index(c) else { continue };
        let mut outline = Commands::default();
        face.outline_glyph(glyph, &mut outline);
        let advance = face.glyph_hor_advance(glyph).unwrap_or(0);
        numbers.extend([c as u16 as i16, advance as i16, outline.count]);
        numbers.extend(outline.numbers);
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    std::fs::write(table, encoder.finish()?)?;
    Ok(())
}

/// An outline as numbers: 0, 1 or 2 for the start of a contour, a line or a curve, then its points.
#[derive(Default)]
struct Commands {
    count: i16,
    numbers: Vec<i16>,
}

impl Commands {
    fn push(&mut self, command: i16, points: &[f32]) {
        self.count += 1;
        self.numbers.push(command);
        self.numbers.extend(points.iter().map(|p| p.round() as i16));
    }
}

impl OutlineBuilder for Commands {
    fn move_to(&mut self, x: f32, y: f32) {
        self.push(0, &[x, y]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.push(1, &[x, y]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.push(2, &[x1, y1, x, y]);
    }

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, x: f32, y: f32) {
        // TrueType has no cubic curves.
        self.line_to(x, y);
    }

    fn close(&mut self) {}
}
