//! The way of an edge through the gaps of the ranks that it passes.

use super::graph::Point;

/// A gap to pass through at height `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gate {
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Gate {
    pub(super) fn at(point: Point) -> Self {
        Self { y: point.y, low: point.x, high: point.x }
    }
}

/// How far a curve may leave a gate before it is pulled back.
const TOLERANCE: f64 = 0.5;

/// A smooth curve through all gates, whose heights increase, as 3n + 1 control points of Bézier curves. It
/// never goes up.
pub(super) fn through(gates: &[Gate]) -> Vec<Point> {
    let mut knots = taut(gates);
    // Each round adds at least one knot on a gate.
    for _ in 0..gates.len() {
        let slopes = slopes(&knots);
        let outside: Vec<Point> =
            gates.iter().filter_map(|g| pull_back(g, &knots, &slopes)).collect();
        if outside.is_empty() {
            break;
        }
        knots.extend(outside);
        knots.sort_by(|l, r| l.y.total_cmp(&r.y));
    }
    beziers(&knots)
}

/// The corners of a string that is pulled tight between the first and the last gate.
fn taut(gates: &[Gate]) -> Vec<Point> {
    let Some(first) = gates.first() else { return Vec::new() };
    let mut apex = Point::new(first.low, first.y);
    let mut corners = vec![apex];
    let mut next = 1;
    while next < gates.len() {
        // What can be seen from the apex, and the gates that limit it.
        let (mut low, mut high) = ((f64::NEG_INFINITY, next), (f64::INFINITY, next));
        let mut corner = None;
        for (i, gate) in gates.iter().enumerate().skip(next) {
            let height = gate.y - apex.y;
            let (left, right) = ((gate.low - apex.x) / height, (gate.high - apex.x) / height);
            if left > high.0 {
                corner = Some((high.1, gates[high.1].high));
            } else if right < low.0 {
                corner = Some((low.1, gates[low.1].low));
            }
            if corner.is_some() {
                break;
            }
            low = if left >= low.0 { (left, i) } else { low };
            high = if right <= high.0 { (right, i) } else { high };
        }
        let last = gates.len() - 1;
        let (at, x) = corner.unwrap_or((last, gates[last].low));
        apex = Point::new(x, gates[at].y);
        corners.push(apex);
        next = at + 1;
    }
    corners
}

/// dx/dy at each knot. A harmonic mean of the slopes on both sides makes no overshoots.
fn slopes(knots: &[Point]) -> Vec<f64> {
    let secants: Vec<f64> =
        knots.windows(2).map(|k| (k[1].x - k[0].x) / (k[1].y - k[0].y)).collect();
    let Some((&first, &last)) = secants.first().zip(secants.last()) else {
        return vec![0.0; knots.len()];
    };
    let inner = secants.windows(2).map(|s| if s[0] * s[1] <= 0.0 { 0.0 } else { mean(s[0], s[1]) });
    let mut slopes = vec![first];
    slopes.extend(inner);
    slopes.push(last);
    slopes
}

fn mean(a: f64, b: f64) -> f64 {
    2.0 * a * b / (a + b)
}

/// The knot that keeps a curve inside a gate, if it leaves it.
fn pull_back(gate: &Gate, knots: &[Point], slopes: &[f64]) -> Option<Point> {
    let below = knots.iter().position(|k| k.y > gate.y)?;
    let above = below.checked_sub(1)?;
    if knots[above].y == gate.y {
        return None;
    }
    let x = value(knots[above], knots[below], slopes[above], slopes[below], gate.y);
    let outside = x < gate.low - TOLERANCE || x > gate.high + TOLERANCE;
    outside.then(|| Point::new(x.clamp(gate.low, gate.high), gate.y))
}

/// x at height y of the cubic between two knots.
fn value(from: Point, to: Point, leave: f64, arrive: f64, y: f64) -> f64 {
    let height = to.y - from.y;
    let t = (y - from.y) / height;
    let (t2, t3) = (t * t, t * t * t);
    from.x * (2.0 * t3 - 3.0 * t2 + 1.0)
        + leave * height * (t3 - 2.0 * t2 + t)
        + to.x * (3.0 * t2 - 2.0 * t3)
        + arrive * height * (t3 - t2)
}

fn beziers(knots: &[Point]) -> Vec<Point> {
    let slopes = slopes(knots);
    let mut points: Vec<Point> = knots.first().copied().into_iter().collect();
    for (pair, slope) in knots.windows(2).zip(slopes.windows(2)) {
        let third = (pair[1].y - pair[0].y) / 3.0;
        points.push(Point::new(pair[0].x + slope[0] * third, pair[0].y + third));
        points.push(Point::new(pair[1].x - slope[1] * third, pair[1].y - third));
        points.push(pair[1]);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(gates: &[(f64, f64, f64)]) -> Vec<Gate> {
        gates.iter().map(|&(y, low, high)| Gate { y, low, high }).collect()
    }

    fn check(through: &[(f64, f64, f64)], corners: &[(f64, f64)]) {
        let taut: Vec<_> = taut(&gates(through)).iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(taut, corners);
    }

    #[test]
    fn a_free_way_is_straight() {
        check(&[(0.0, 5.0, 5.0), (1.0, 0.0, 9.0), (2.0, 7.0, 7.0)], &[(5.0, 0.0), (7.0, 2.0)]);
    }

    #[test]
    fn a_string_bends_at_obstacles() {
        let way = [(0.0, 0.0, 0.0), (1.0, 4.0, 9.0), (2.0, 4.0, 9.0), (3.0, 0.0, 0.0)];
        check(&way, &[(0.0, 0.0), (4.0, 1.0), (4.0, 2.0), (0.0, 3.0)]);
    }

    #[test]
    fn curves_stay_within_gates_and_go_down() {
        let way = gates(&[
            (0.0, 0.0, 0.0),
            (10.0, 40.0, 90.0),
            (20.0, 40.0, 90.0),
            (30.0, -50.0, -20.0),
            (70.0, -50.0, -20.0),
            (90.0, 0.0, 0.0),
        ]);
        let curve = through(&way);
        assert_eq!(curve.len() % 3, 1);
        assert!(curve.windows(2).all(|p| p[0].y <= p[1].y));
        let knots: Vec<Point> = curve.iter().copied().step_by(3).collect();
        let slopes = slopes(&knots);
        assert!(way.iter().all(|g| pull_back(g, &knots, &slopes).is_none()));
    }
}
