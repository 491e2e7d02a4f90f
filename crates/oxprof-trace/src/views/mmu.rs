//! Minimum mutator utilisation.

use serde::Serialize;

use crate::mutator::Curve;

/// The curve over windows from a microsecond to the whole trace.
#[derive(Clone, Debug, Serialize)]
pub struct Mmu {
    /// By length of the window.
    pub windows: Vec<MmuRow>,
    /// The worst windows of a millisecond: when, since the trace began, and their utilisation.
    pub worst: Vec<(i64, f64)>,
}

/// Utilisation in windows of a length, from 0 to 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MmuRow {
    /// Length of the window, in nanoseconds.
    pub window: i64,
    /// In the worst window.
    pub minimum: f64,
    /// All but one in a hundred windows are better.
    pub p99: f64,
    /// All but one in twenty windows are better.
    pub p95: f64,
}

impl Mmu {
    /// Length of the worst windows, in nanoseconds.
    pub const WORST_WINDOW: i64 = 1_000_000;

    /// The curve of a trace that begins at `start`.
    pub fn new(curve: &Curve, start: i64) -> Self {
        let decades = (3..12).map(|power| 10i64.pow(power));
        let windows = decades.flat_map(|decade| [decade, 2 * decade, 5 * decade]);
        let duration = curve.duration();
        let row = |window| {
            let quantiles = curve.quantiles(window, &[0.01, 0.05]);
            MmuRow { window, minimum: curve.minimum(window), p99: quantiles[0], p95: quantiles[1] }
        };
        let windows =
            windows.take_while(|&window| window < duration).chain([duration]).map(row).collect();
        let worst = curve.worst(Self::WORST_WINDOW.min(duration), 5);
        Self { windows, worst: worst.iter().map(|w| (w.time - start, w.utilization)).collect() }
    }
}
