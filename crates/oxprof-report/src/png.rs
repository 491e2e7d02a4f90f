//! Pictures as PNG, painted here: areas and lines with smooth edges, texts in a font that is built in.

mod canvas;
mod glyphs;
mod outline;

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

pub(crate) use self::canvas::Canvas;
use self::glyphs::Glyphs;
use self::outline::{dashed, flatten, ribbon, ring};
use crate::drawing::Color;
use crate::layout::{Point, Size};
use crate::picture::{Picture, Shape};

/// Pixels per point: 96 per inch.
const SCALE: f64 = 96.0 / 72.0;
/// Larger pictures get fewer pixels per point.
const MAX_PIXELS: f64 = 1e8;
const BLACK: Color = Color(0, 0, 0);

impl Picture {
    /// Writes the picture as PNG with 96 pixels per inch, or fewer where that would be more than 100
    /// million.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_png(&self, out: &mut dyn Write) -> io::Result<()> {
        let canvas = self.paint();
        out.write_all(b"\x89PNG\r\n\x1a\n")?;
        let mut header = Vec::new();
        header.extend((canvas.width as u32).to_be_bytes());
        header.extend((canvas.height as u32).to_be_bytes());
        // Eight bits for each of red, green and blue; not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        write_chunk(out, b"IHDR", &header)?;
        write_chunk(out, b"IDAT", &compress(&canvas)?)?;
        write_chunk(out, b"IEND", &[])
    }

    pub(crate) fn paint(&self) -> Canvas {
        let Size { width, height } = self.size;
        let scale = SCALE.min((MAX_PIXELS / (width * height).max(1.0)).sqrt());
        let pixels = |length: f64| (length * scale).ceil().max(1.0) as usize;
        let mut canvas = Canvas::new(pixels(width), pixels(height));
        let glyphs = Glyphs::new();
        for shape in self.parts.iter().flat_map(|p| &p.shapes) {
            paint(shape, scale, &glyphs, &mut canvas);
        }
        canvas
    }
}

fn paint(shape: &Shape, scale: f64, glyphs: &Glyphs, canvas: &mut Canvas) {
    let scaled = |points: &[Point]| -> Vec<Point> {
        points.iter().map(|p| Point::new(p.x * scale, p.y * scale)).collect()
    };
    match shape {
        Shape::Polygon { corners, fill, border } => {
            let corners = scaled(corners);
            canvas.fill(&ring(&corners, border.width * scale), border.color);
            canvas.fill(std::slice::from_ref(&corners), *fill);
            canvas.fill(&ring(&corners, border.width * scale), border.color);
        }
        Shape::Curve { points, stroke } => {
            let line = flatten(&scaled(points));
            let width = stroke.width * scale;
            let pieces = if stroke.dotted {
                dashed(&line, (stroke.width + 1.0) * scale, (stroke.width + 2.0) * scale)
            } else {
                vec![line]
            };
            for piece in pieces {
                canvas.fill(&[ribbon(&piece, width)], stroke.color);
            }
        }
        Shape::Text(text) => {
            let at = Point::new(text.at.x * scale, text.at.y * scale);
            let contours = glyphs.line(&text.text, at, text.width * scale, text.size * scale);
            canvas.fill(&contours, BLACK);
        }
    }
}

/// Rows as differences to the row above, which are mostly zero.
fn compress(canvas: &Canvas) -> io::Result<Vec<u8>> {
    const UP: u8 = 2;
    let row_bytes = canvas.width * 3;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut above = vec![0; row_bytes];
    let mut row = vec![0; row_bytes];
    for pixels in canvas.pixels.chunks_exact(row_bytes) {
        for ((out, &now), &before) in row.iter_mut().zip(pixels).zip(&above) {
            *out = now.wrapping_sub(before);
        }
        above.copy_from_slice(pixels);
        encoder.write_all(&[UP])?;
        encoder.write_all(&row)?;
    }
    encoder.finish()
}

fn write_chunk(out: &mut dyn Write, kind: &[u8; 4], data: &[u8]) -> io::Result<()> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    out.write_all(&(data.len() as u32).to_be_bytes())?;
    out.write_all(kind)?;
    out.write_all(data)?;
    out.write_all(&crc.sum().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::picture::testing::picture;

    fn png() -> Vec<u8> {
        let mut out = Vec::new();
        picture("main").write_png(&mut out).unwrap();
        out
    }

    #[test]
    fn rows_decompress_to_the_size_in_the_header() {
        let png = png();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (width, height) = (number(16), number(20));
        let data = &png[41..41 + number(33)];
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(data).read_to_end(&mut rows).unwrap();
        assert_eq!(rows.len(), (width * 3 + 1) * height);
        assert!(png.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
    }

    #[test]
    fn boxes_have_their_colors_and_texts_are_black() {
        let canvas = picture("main").paint();
        let has = |color: [u8; 3]| canvas.pixels.chunks_exact(3).any(|p| p == color);
        assert!(has([200, 100, 50]), "a box is filled");
        assert!(has([255, 255, 255]), "paper is white");
        assert!(has([0, 0, 0]), "lines are black");
    }

    #[test]
    fn huge_pictures_stay_within_bounds() {
        let size = Size { width: 1e6, height: 1e6 };
        let canvas = Picture { title: String::new(), size, parts: Vec::new() }.paint();
        assert!(canvas.width * canvas.height <= 100_100_000);
    }
}
