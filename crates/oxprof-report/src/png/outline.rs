//! Lines as areas.

use crate::layout::Point;

/// Straight pieces of Bézier curves.
pub(super) fn flatten(curve: &[Point]) -> Vec<Point> {
    let mut points: Vec<Point> = curve.first().copied().into_iter().collect();
    for piece in curve.windows(4).step_by(3) {
        let [a, b, c, d] = *piece else { continue };
        let length = distance(a, b) + distance(b, c) + distance(c, d);
        let steps = (length / 6.0).clamp(2.0, 200.0) as usize;
        for step in 1..=steps {
            let t = step as f64 / steps as f64;
            let s = 1.0 - t;
            let mix = |f: fn(&Point) -> f64| {
                s * s * s * f(&a)
                    + 3.0 * s * s * t * f(&b)
                    + 3.0 * s * t * t * f(&c)
                    + t * t * t * f(&d)
            };
            points.push(Point::new(mix(|p| p.x), mix(|p| p.y)));
        }
    }
    points
}

fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// Pieces of a line that are `dash` long and `gap` apart.
pub(super) fn dashed(line: &[Point], dash: f64, gap: f64) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = line.first().copied().into_iter().collect();
    let (mut painting, mut left) = (true, dash);
    for pair in line.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut rest = distance(from, to);
        while rest > left {
            let t = left / rest;
            from = Point::new(from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t);
            rest -= left;
            piece.push(from);
            if painting {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![from];
            painting = !painting;
            left = if painting { dash } else { gap };
        }
        left -= rest;
        piece.push(to);
    }
    if painting {
        pieces.push(piece);
    }
    pieces
}

/// The area of a line of some width.
pub(super) fn ribbon(line: &[Point], width: f64) -> Vec<Point> {
    let line = distinct(line);
    let half = width / 2.0;
    let offsets: Vec<Point> = (0..line.len())
        .map(|i| offset(i.checked_sub(1).map(|i| line[i]), line[i], line.get(i + 1).copied()))
        .collect();
    let side =
        |sign: f64| line.iter().zip(&offsets).map(move |(p, o)| shifted(*p, *o, half * sign));
    let there: Vec<Point> = side(1.0).collect();
    let back: Vec<Point> = side(-1.0).collect();
    there.into_iter().chain(back.into_iter().rev()).collect()
}

/// The area of the border of a polygon.
pub(super) fn ring(corners: &[Point], width: f64) -> [Vec<Point>; 2] {
    let corners = distinct(corners);
    let count = corners.len();
    let side = |half: f64| -> Vec<Point> {
        let corner = |i: usize| {
            let (before, after) = (corners[(i + count - 1) % count], corners[(i + 1) % count]);
            shifted(corners[i], offset(Some(before), corners[i], Some(after)), half)
        };
        (0..count).map(corner).collect()
    };
    let mut inner = side(-width / 2.0);
    inner.reverse();
    [side(width / 2.0), inner]
}

fn distinct(points: &[Point]) -> Vec<Point> {
    let mut points = points.to_vec();
    points.dedup_by(|a, b| distance(*a, *b) < 1e-6);
    points
}

fn shifted(point: Point, offset: Point, by: f64) -> Point {
    Point::new(point.x + offset.x * by, point.y + offset.y * by)
}

/// Where a parallel line at distance one passes a corner. Sharp corners are cut.
fn offset(before: Option<Point>, at: Point, after: Option<Point>) -> Point {
    const SHARPEST: f64 = 0.3;
    let normals = [before.map(|b| normal(b, at)), after.map(|a| normal(at, a))];
    match normals {
        [Some(a), Some(b)] => {
            let scale = (1.0 + a.x * b.x + a.y * b.y).max(SHARPEST);
            Point::new((a.x + b.x) / scale, (a.y + b.y) / scale)
        }
        [Some(n), None] | [None, Some(n)] => n,
        [None, None] => Point::default(),
    }
}

/// A vector of length one across a line.
fn normal(from: Point, to: Point) -> Point {
    let length = distance(from, to);
    Point::new((to.y - from.y) / length, (from.x - to.x) / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(f64, f64)]) -> Vec<Point> {
        points.iter().map(|&(x, y)| Point::new(x, y)).collect()
    }

    #[test]
    fn ribbons_are_as_wide_as_asked() {
        let ribbon = ribbon(&points(&[(0.0, 0.0), (0.0, 0.0), (10.0, 0.0)]), 2.0);
        assert_eq!(ribbon, points(&[(0.0, -1.0), (10.0, -1.0), (10.0, 1.0), (0.0, 1.0)]));
    }

    #[test]
    fn rings_go_round_corners() {
        let square = points(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]);
        let [outer, inner] = ring(&square, 2.0);
        assert_eq!(outer, points(&[(-1.0, -1.0), (5.0, -1.0), (5.0, 5.0), (-1.0, 5.0)]));
        assert_eq!(inner, points(&[(1.0, 3.0), (3.0, 3.0), (3.0, 1.0), (1.0, 1.0)]));
    }

    #[test]
    fn dashes_cover_their_share() {
        let pieces = dashed(&points(&[(0.0, 0.0), (5.0, 0.0), (10.0, 0.0)]), 2.0, 3.0);
        let ends: Vec<_> = pieces.iter().map(|p| (p[0].x, p[p.len() - 1].x)).collect();
        assert_eq!(ends, [(0.0, 2.0), (5.0, 7.0)]);
    }

    #[test]
    fn nothing_is_survived() {
        assert!(ribbon(&[], 1.0).is_empty() && flatten(&[]).is_empty());
        assert!(ring(&[], 1.0).iter().all(Vec::is_empty));
        assert_eq!(dashed(&[], 1.0, 1.0).concat(), []);
    }
}
