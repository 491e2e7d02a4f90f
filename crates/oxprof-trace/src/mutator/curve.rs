//! Minima and distribution of the utilisation over all windows of a length.
//!
//! The utilisation is a step function, so its mean over a window is a piecewise linear function of where
//! the window lies: it bends only where an edge of the window passes a step. All minima are at such places,
//! and between two of them every value in between is taken for the same time.

/// A change of the utilisation, which holds until the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub time: i64,
    /// To what, between 0 and 1.
    pub utilization: f64,
}

/// The utilisation over the time of a trace.
#[derive(Clone, Debug)]
pub struct Curve {
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
struct Series {
    points: Vec<Point>,
    /// `sums[i]` is the integral up to `points[i]`.
    sums: Vec<f64>,
}

/// A window and the mean utilisation in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Where it begins.
    pub time: i64,
    /// The mean.
    pub utilization: f64,
}

impl Curve {
    /// The curve of one or more functions, each with at least one point.
    pub(super) fn new(series: Vec<Vec<Point>>) -> Self {
        Self { series: series.into_iter().map(Series::new).collect() }
    }

    /// The functions.
    pub fn series(&self) -> impl Iterator<Item = &[Point]> {
        self.series.iter().map(|series| series.points.as_slice())
    }

    /// Length of the longest function.
    pub fn duration(&self) -> i64 {
        self.series.iter().map(Series::duration).max().unwrap_or(0)
    }

    /// The minimum over all windows of this length; 0 for none.
    pub fn minimum(&self, window: i64) -> f64 {
        if window <= 0 {
            return 0.0;
        }
        let mut minimum: f64 = 1.0;
        for series in &self.series {
            series.windows(window, |w| minimum = minimum.min(w.utilization));
        }
        minimum
    }

    /// The windows of this length with the lowest utilisation that do not overlap within a function, the
    /// lowest first.
    pub fn worst(&self, window: i64, count: usize) -> Vec<Window> {
        let mut worst = Vec::new();
        for series in &self.series {
            let mut all = Vec::new();
            series.windows(window, |w| all.push(w));
            all.sort_by(|a, b| a.utilization.total_cmp(&b.utilization).then(a.time.cmp(&b.time)));
            let mut chosen: Vec<Window> = Vec::new();
            for w in all {
                if chosen.len() == count {
                    break;
                }
                if chosen.iter().all(|c| (c.time - w.time).abs() >= window) {
                    chosen.push(w);
                }
            }
            worst.extend(chosen);
        }
        worst.sort_by(|a, b| a.utilization.total_cmp(&b.utilization));
        worst.truncate(count);
        worst
    }

    /// For each fraction, the utilisation that this fraction of all windows of this length does not exceed.
    pub fn quantiles(&self, window: i64, fractions: &[f64]) -> Vec<f64> {
        let mut distribution = Distribution::default();
        for series in &self.series {
            let mut previous: Option<Window> = None;
            series.windows(window, |w| {
                if let Some(p) = previous.replace(w) {
                    distribution.add(p.utilization, w.utilization, (w.time - p.time) as f64);
                }
            });
        }
        distribution.finish();
        let minimum = self.minimum(window);
        fractions.iter().map(|&f| distribution.quantile(f).unwrap_or(minimum)).collect()
    }
}

impl Series {
    fn new(points: Vec<Point>) -> Self {
        let mut sums = Vec::with_capacity(points.len());
        let mut sum = 0.0;
        for (i, point) in points.iter().enumerate() {
            if let Some(previous) = i.checked_sub(1).map(|i| points[i]) {
                sum += previous.utilization * (point.time - previous.time) as f64;
            }
            sums.push(sum);
        }
        Self { points, sums }
    }

    fn duration(&self) -> i64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => last.time - first.time,
            _ => 0,
        }
    }

    /// Calls `each` with every window at which the mean bends, in order of time. A window that is longer
    /// than the function is cut to it.
    fn windows(&self, window: i64, mut each: impl FnMut(Window)) {
        let window = window.min(self.duration());
        let Some(first) = self.points.first().map(|point| point.time).filter(|_| window > 0) else {
            return;
        };
        let last = first + self.duration() - window;
        let (mut left, mut right) = (Cursor::new(self), Cursor::new(self));
        let mut time = first;
        loop {
            let sum = right.integral(time + window) - left.integral(time);
            each(Window { time, utilization: sum / window as f64 });
            if time >= last {
                return;
            }
            let next = left.next_step().min(right.next_step().saturating_sub(window));
            time = next.clamp(time + 1, last);
        }
    }
}

/// A place in a series that only moves forward.
struct Cursor<'a> {
    series: &'a Series,
    /// The last point that is not after the place.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(series: &'a Series) -> Self {
        Self { series, at: 0 }
    }

    fn integral(&mut self, time: i64) -> f64 {
        let points = &self.series.points;
        while points.get(self.at + 1).is_some_and(|next| next.time <= time) {
            self.at += 1;
        }
        let point = points[self.at];
        self.series.sums[self.at] + point.utilization * (time - point.time) as f64
    }

    fn next_step(&self) -> i64 {
        self.series.points.get(self.at + 1).map_or(i64::MAX, |point| point.time)
    }
}

/// For how long the utilisation has which value.
#[derive(Default)]
struct Distribution {
    /// Where the density changes: value, change of density, time at exactly this value.
    edges: Vec<(f64, f64, f64)>,
    total: f64,
}

impl Distribution {
    /// The value goes evenly from one to the other.
    fn add(&mut self, from: f64, to: f64, time: f64) {
        self.total += time;
        let (low, high) = (from.min(to), from.max(to));
        if high - low < 1e-12 {
            self.edges.push((low, 0.0, time));
            return;
        }
        let density = time / (high - low);
        self.edges.push((low, density, 0.0));
        self.edges.push((high, -density, 0.0));
    }

    fn finish(&mut self) {
        self.edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    }

    fn quantile(&self, fraction: f64) -> Option<f64> {
        let target = self.total * fraction;
        let (mut sum, mut density, mut last) = (0.0, 0.0, 0.0);
        for &(value, change, exactly) in &self.edges {
            let until = sum + (value - last) * density;
            if until >= target {
                return Some(if density > 0.0 { last + (target - sum) / density } else { value });
            }
            if until + exactly >= target {
                return Some(value);
            }
            (sum, last) = (until + exactly, value);
            density += change;
        }
        self.edges.last().map(|edge| edge.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full use, but for a pause of 10 from 100 to 110 and one of 5 from 200 to 205.
    fn pauses() -> Curve {
        let point = |time, utilization| Point { time, utilization };
        Curve::new(vec![vec![
            point(0, 1.0),
            point(100, 0.0),
            point(110, 1.0),
            point(200, 0.0),
            point(205, 1.0),
            point(1000, 0.0),
        ]])
    }

    #[test]
    fn minima() {
        let curve = pauses();
        let minima = [0, 1, 10, 20, 100, 1000, 5000].map(|window| curve.minimum(window));
        assert_eq!(minima, [0.0, 0.0, 0.0, 0.5, 0.9, 0.985, 0.985]);
    }

    #[test]
    fn worst_windows_do_not_overlap() {
        let worst = pauses().worst(20, 2);
        assert_eq!(worst[0].utilization, 0.5);
        assert_eq!(worst[1].utilization, 0.75);
        assert!((185..=200).contains(&worst[1].time), "{worst:?}");
    }

    #[test]
    fn quantiles() {
        // Of 990 windows of length 10, 20 meet the first pause, evenly from 1 to 0 and back, and 15 the
        // second, which never takes more than half.
        let q = pauses().quantiles(10, &[0.0, 10.0 / 990.0, 1.0]);
        assert!(q[0] < 1e-9 && q[2] == 1.0, "{q:?}");
        assert!((q[1] - 0.5).abs() < 0.01, "{q:?}");
    }
}
