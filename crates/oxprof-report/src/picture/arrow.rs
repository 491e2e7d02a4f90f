//! Arrow heads.

use crate::layout::Point;

/// Length of the head of an arrow of this width.
fn head_length(width: f64) -> f64 {
    8.0 + 1.5 * width
}

/// A curve cut to make room for an arrow head at its end, and the head's corners.
pub(super) fn split_head(curve: &[Point], width: f64) -> (Vec<Point>, Vec<Point>) {
    let Some(&tip) = curve.last() else { return (Vec::new(), Vec::new()) };
    let shaft = shorten(curve, head_length(width));
    let base = shaft.last().copied().unwrap_or(tip);
    let length = distance(base, tip).max(f64::EPSILON);
    let half = 3.0 + 0.8 * width;
    let across = Point::new((tip.y - base.y) / length * half, (base.x - tip.x) / length * half);
    let corner = |side: f64| Point::new(base.x + across.x * side, base.y + across.y * side);
    (shaft, vec![tip, corner(1.0), corner(-1.0)])
}

/// The curve without what is nearer to its end than `by`.
fn shorten(curve: &[Point], by: f64) -> Vec<Point> {
    let Some(&tip) = curve.last() else { return Vec::new() };
    let mut points = curve.to_vec();
    // Whole pieces that are within the head go.
    while points.len() > 4 && distance(points[points.len() - 4], tip) < by {
        points.truncate(points.len() - 3);
    }
    let start = points.len().saturating_sub(4);
    let [a, b, c, d] = points[start..] else { return points };
    let (mut near, mut far) = (0.0, 1.0);
    for _ in 0..20 {
        let middle = (near + far) / 2.0;
        if distance(cut([a, b, c, d], middle)[3], tip) > by {
            near = middle;
        } else {
            far = middle;
        }
    }
    points.truncate(start);
    points.extend(cut([a, b, c, d], near));
    points
}

/// The part of a Bézier curve up to `t`.
fn cut([a, b, c, d]: [Point; 4], t: f64) -> [Point; 4] {
    let (ab, bc, cd) = (between(a, b, t), between(b, c, t), between(c, d, t));
    let (abc, bcd) = (between(ab, bc, t), between(bc, cd, t));
    [a, ab, abc, between(abc, bcd, t)]
}

/// The point a part `t` of the way from one to another.
fn between(from: Point, to: Point, t: f64) -> Point {
    Point::new(from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t)
}

fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_end_where_the_curve_ended() {
        let down = |y| Point::new(0.0, y);
        let curve = [0.0, 30.0, 60.0, 90.0, 91.0, 92.0, 93.0].map(down);
        let (shaft, head) = split_head(&curve, 1.0);
        assert_eq!(head[0], curve[6]);
        assert!((shaft[shaft.len() - 1].y - (93.0 - head_length(1.0))).abs() < 0.01);
        assert!((head[1].x + head[2].x).abs() < 1e-9 && head[1].y == head[2].y);
    }

    #[test]
    fn curves_shorter_than_a_head_are_survived() {
        let (shaft, head) = split_head(&[Point::new(1.0, 1.0); 4], 6.0);
        assert_eq!((shaft.len(), head.len()), (4, 3));
        assert!(head.iter().all(|p| p.x.is_finite() && p.y.is_finite()));
    }
}
