//! Pixels, and areas painted on them.

use crate::drawing::Color;
use crate::layout::Point;

/// Pixels in rows from the top, three bytes each.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
    /// For each pixel of the area being painted, how much more of it is covered than of its left neighbour.
    cover: Vec<f32>,
}

/// The pixels that an area is on.
struct Region {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Canvas {
    /// White pixels.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![255; width * height * 3], cover: Vec::new() }
    }

    /// Paints what closed contours enclose; contours the other way round make holes.
    pub(crate) fn fill(&mut self, contours: &[Vec<Point>], color: Color) {
        let Some(region) = self.region(contours) else { return };
        self.cover.clear();
        self.cover.resize((region.width + 1) * region.height, 0.0);
        for contour in contours {
            let next = contour.iter().skip(1).chain(contour.first());
            for (&from, &to) in contour.iter().zip(next) {
                self.edge(&region, from, to);
            }
        }
        self.blend(&region, color);
    }

    fn region(&self, contours: &[Vec<Point>]) -> Option<Region> {
        let points = || contours.iter().flatten();
        let least = |f: fn(&Point) -> f64| points().map(f).fold(f64::INFINITY, f64::min);
        let most = |f: fn(&Point) -> f64| points().map(f).fold(f64::NEG_INFINITY, f64::max);
        let start = |x: f64| x.floor().max(0.0) as usize;
        let (left, top) = (start(least(|p| p.x)), start(least(|p| p.y)));
        let right = (most(|p| p.x).ceil().max(0.0) as usize).min(self.width);
        let bottom = (most(|p| p.y).ceil().max(0.0) as usize).min(self.height);
        let (width, height) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
        (width > 0 && height > 0).then_some(Region { left, top, width, height })
    }

    /// Adds the edge of an area, row by row.
    fn edge(&mut self, region: &Region, from: Point, to: Point) {
        let place = |p: Point| Point::new(p.x - region.left as f64, p.y - region.top as f64);
        let (from, to) = (place(from), place(to));
        let (upper, lower, sign) = if from.y < to.y { (from, to, 1.0) } else { (to, from, -1.0) };
        if upper.y >= lower.y {
            return;
        }
        let slope = (lower.x - upper.x) / (lower.y - upper.y);
        let first = upper.y.max(0.0).floor() as usize;
        let last = (lower.y.ceil() as usize).min(region.height);
        for row in first..last {
            let (top, bottom) = (upper.y.max(row as f64), lower.y.min(row as f64 + 1.0));
            let x = |y: f64| (upper.x + slope * (y - upper.y)).clamp(0.0, region.width as f64);
            let start = row * (region.width + 1);
            let cover = &mut self.cover[start..start + region.width + 1];
            add_piece(cover, x(top), x(bottom), sign * (bottom - top));
        }
    }

    fn blend(&mut self, region: &Region, color: Color) {
        let color = [color.0, color.1, color.2].map(f32::from);
        for row in 0..region.height {
            let cover = &self.cover[row * (region.width + 1)..];
            let start = ((region.top + row) * self.width + region.left) * 3;
            let pixels = &mut self.pixels[start..start + region.width * 3];
            let mut sum = 0.0;
            for (pixel, more) in pixels.chunks_exact_mut(3).zip(cover) {
                sum += more;
                let share = sum.abs().min(1.0);
                if share > 0.002 {
                    for (old, new) in pixel.iter_mut().zip(color) {
                        *old = (f32::from(*old) + (new - f32::from(*old)) * share).round() as u8;
                    }
                }
            }
        }
    }
}

/// Adds a piece of an edge within one row, that goes from one x to another while it covers `height`. What is
/// right of the edge is covered.
fn add_piece(cover: &mut [f32], from: f64, to: f64, height: f64) {
    let (left, right) = (from.min(to), from.max(to));
    let (first, last) = (left.floor() as usize, (right.ceil() as usize).max(1) - 1);
    let last = last.max(first);
    for pixel in first..=last {
        let (start, end) = (left.max(pixel as f64), right.min(pixel as f64 + 1.0));
        let part = if right > left { height * (end - start) / (right - left) } else { height };
        // Of the pixel that the edge passes, what is right of the edge's middle is covered.
        let outside = (start + end) / 2.0 - pixel as f64;
        cover[pixel] += (part * (1.0 - outside)) as f32;
        if let Some(next) = cover.get_mut(pixel + 1) {
            *next += (part * outside) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brightness of the pixels after painting black rectangles, each `[left, top, right, bottom]`.
    fn check(rectangles: &[[f64; 4]], expected: [[u8; 4]; 2]) {
        let contour = |&[l, t, r, b]: &[f64; 4]| {
            [(l, t), (r, t), (r, b), (l, b)].map(|(x, y)| Point::new(x, y)).to_vec()
        };
        let contours: Vec<_> = rectangles.iter().map(contour).collect();
        let mut canvas = Canvas::new(4, 2);
        canvas.fill(&contours, Color(0, 0, 0));
        let pixels: Vec<u8> = canvas.pixels.iter().copied().step_by(3).collect();
        assert_eq!(pixels, expected.concat());
    }

    #[test]
    fn whole_pixels_are_painted_whole() {
        check(&[[1.0, 0.0, 3.0, 1.0]], [[255, 0, 0, 255], [255; 4]]);
    }

    #[test]
    fn parts_of_pixels_are_painted_in_part() {
        check(&[[0.5, 0.5, 2.0, 1.0]], [[191, 128, 255, 255], [255; 4]]);
    }

    #[test]
    fn what_is_outside_is_cut_off() {
        check(&[[-9.0, -9.0, 2.0, 1.0]], [[0, 0, 255, 255], [255; 4]]);
        check(&[[1.0, 1.0, 99.0, 99.0]], [[255; 4], [255, 0, 0, 0]]);
        check(&[[5.0, 5.0, 9.0, 9.0]], [[255; 4], [255; 4]]);
    }

    #[test]
    fn contours_the_other_way_round_are_holes() {
        check(&[[0.0, 0.0, 4.0, 2.0], [3.0, 0.0, 1.0, 1.0]], [[0, 255, 255, 0], [0; 4]]);
    }
}
