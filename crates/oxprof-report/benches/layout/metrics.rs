//! Figures that say how readable a picture is.

/// An edge as it is drawn: its ends and a polyline.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A box: centre, width, height.
pub(crate) type Box = [f64; 4];

/// Figures of a picture.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Pairs of edges that cross, other than where they meet in a box.
    pub(crate) crossings: usize,
    /// Total length of all edges in points.
    pub(crate) length: f64,
    /// Edges that run through a box that is not theirs.
    pub(crate) through: usize,
    /// Pairs of boxes that overlap.
    pub(crate) overlaps: usize,
}

/// Crossings this near to a box that both edges share are the fan-out of that box, not clutter.
const FAN: f64 = 12.0;

/// Measures a picture.
pub(crate) fn measure(boxes: &[Box], lines: &[Line]) -> Metrics {
    let mut metrics = Metrics::default();
    for (i, line) in lines.iter().enumerate() {
        metrics.length += length(&line.points);
        metrics.crossings += lines[..i].iter().filter(|other| cross(line, other, boxes)).count();
        let hits =
            |(b, rect): (usize, &Box)| b != line.from && b != line.to && passes(&line.points, rect);
        metrics.through += usize::from(boxes.iter().enumerate().any(hits));
    }
    for (i, a) in boxes.iter().enumerate() {
        let overlap = |b: &&Box| {
            (a[0] - b[0]).abs() < (a[2] + b[2]) / 2.0 - 1.0
                && (a[1] - b[1]).abs() < (a[3] + b[3]) / 2.0 - 1.0
        };
        metrics.overlaps += boxes[..i].iter().filter(overlap).count();
    }
    metrics
}

/// Straight pieces of Bézier curves.
pub(crate) fn flatten(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STEPS: usize = 12;
    let mut points: Vec<(f64, f64)> = curve.first().copied().into_iter().collect();
    for piece in curve.windows(4).step_by(3) {
        for step in 1..=STEPS {
            let t = step as f64 / STEPS as f64;
            let s = 1.0 - t;
            let weights = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
            let sum = |f: fn(&(f64, f64)) -> f64| -> f64 {
                piece.iter().zip(weights).map(|(p, w)| f(p) * w).sum()
            };
            points.push((sum(|p| p.0), sum(|p| p.1)));
        }
    }
    points
}

fn length(points: &[(f64, f64)]) -> f64 {
    points.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum()
}

fn cross(a: &Line, b: &Line, boxes: &[Box]) -> bool {
    let shared: Vec<&Box> = [a.from, a.to]
        .iter()
        .filter(|n| **n == b.from || **n == b.to)
        .map(|&n| &boxes[n])
        .collect();
    a.points.windows(2).any(|p| {
        b.points.windows(2).any(|q| {
            intersection(p[0], p[1], q[0], q[1])
                .is_some_and(|at| !shared.iter().any(|rect| near(at, rect)))
        })
    })
}

fn near(at: (f64, f64), rect: &Box) -> bool {
    (at.0 - rect[0]).abs() < rect[2] / 2.0 + FAN && (at.1 - rect[1]).abs() < rect[3] / 2.0 + FAN
}

type Point = (f64, f64);

fn intersection(a: Point, b: Point, c: Point, d: Point) -> Option<Point> {
    let (r, s) = ((b.0 - a.0, b.1 - a.1), (d.0 - c.0, d.1 - c.1));
    let denominator = r.0 * s.1 - r.1 * s.0;
    if denominator.abs() < 1e-9 {
        return None;
    }
    let t = ((c.0 - a.0) * s.1 - (c.1 - a.1) * s.0) / denominator;
    let u = ((c.0 - a.0) * r.1 - (c.1 - a.1) * r.0) / denominator;
    let inside = (0.0..=1.0).contains(&t) && (0.0..=1.0).contains(&u);
    inside.then_some((a.0 + t * r.0, a.1 + t * r.1))
}

fn passes(points: &[Point], rect: &Box) -> bool {
    let inside = |p: &Point| {
        (p.0 - rect[0]).abs() < rect[2] / 2.0 - 1.0 && (p.1 - rect[1]).abs() < rect[3] / 2.0 - 1.0
    };
    let dense = points.windows(2).flat_map(|p| {
        let steps = 4;
        (0..=steps).map(move |i| {
            let t = f64::from(i) / f64::from(steps);
            (p[0].0 + t * (p[1].0 - p[0].0), p[0].1 + t * (p[1].1 - p[0].1))
        })
    });
    dense.into_iter().any(|p| inside(&p))
}
