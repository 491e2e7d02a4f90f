//! Flame graphs: what each function costs under each of its callers.
//!
//! [`FlameTree`] is the whole picture as numbers, small enough to be sent to a page however large the profile
//! was: stacks are merged by name, and frames too narrow to be seen are left out. Their share stays in
//! their callers.

mod build;
mod color;
mod deal;
mod names;
mod page;
mod sample;
mod svg;

use serde::Serialize;

pub use color::package;
pub use deal::{Direction, FlamePart, FlameQuery};
pub use names::FlameNames;

/// Frames of less than this part of the whole cannot be seen in a picture.
pub const PICTURE_SHARE: f64 = svg::MIN_SHARE;
/// Frames of less than this part of the whole are hardly ever looked for on a page.
pub const PAGE_SHARE: f64 = 1.0 / 50_000.0;

/// A tree of frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlameTree {
    /// What is shown, such as `service cpu`.
    pub title: String,
    /// Lines that describe the profile.
    pub legend: Vec<String>,
    /// Units to show values in: how much one of them is, and its name; the smallest first. Empty when
    /// values are counts.
    pub units: Vec<(f64, &'static str)>,
    /// What percentages are of.
    pub total: i64,
    /// Whether values are differences to another profile.
    pub difference: bool,
    /// Distinct names of frames.
    pub names: Vec<String>,
    /// Colour of each name as an angle in degrees; names of the same package look alike.
    pub hues: Vec<u16>,
    /// The frames, callers before their callees: the first one stands for everything, and each is
    /// followed by all that is above it, the heaviest first.
    pub frames: Frames,
    /// How many callees of these frames were too narrow to be kept.
    pub dropped: usize,
}

/// Properties of frames, each in a list of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Frames {
    /// Index of the name.
    pub name: Vec<u32>,
    /// Distance from the first frame.
    pub depth: Vec<u32>,
    /// What the frame and all that it calls cost; of differences, what increased and what decreased
    /// together.
    pub weight: Vec<i64>,
    /// What the frame itself costs.
    pub own: Vec<i64>,
    /// Increase less decrease; empty unless values are differences.
    pub net: Vec<i64>,
}

/// Units of the family that `unit` belongs to, the smallest first: how much of `unit` one of them is, and its name.
pub fn units_of(unit: &str) -> Vec<(f64, &'static str)> {
    build::units_of(unit)
}

impl Frames {
    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }
}

impl FlameTree {
    /// A value in the unit that suits it.
    fn text(&self, value: i64) -> String {
        let size = value.unsigned_abs() as f64;
        let unit = self.units.iter().rfind(|(factor, _)| size >= *factor).or(self.units.first());
        let Some((factor, unit)) = unit else { return value.to_string() };
        let number = format!("{:.2}", value as f64 / factor);
        let number = number.strip_suffix(".00").unwrap_or(&number);
        format!("{number}{unit}")
    }

    fn percent(&self, value: i64) -> String {
        oxprof_profile::units::percentage(value, self.total).trim().to_owned()
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    /// Two seconds in the first function, one of them in each following one.
    pub(super) fn tree(names: &[&str]) -> FlameTree {
        let all: Vec<String> = ["all"].iter().chain(names).map(|n| (*n).to_owned()).collect();
        let second = 1_000_000_000;
        FlameTree {
            title: names[0].to_owned(),
            legend: vec![names[1].to_owned()],
            units: vec![(1.0, "ns"), (1e9, "s")],
            total: 2 * second,
            difference: false,
            hues: all.iter().map(|n| color::hue(n)).collect(),
            names: all,
            frames: Frames {
                name: vec![0, 1, 2],
                depth: vec![0, 1, 2],
                weight: vec![2 * second, 2 * second, second],
                own: vec![0, 0, second],
                net: Vec::new(),
            },
            dropped: 0,
        }
    }

    #[test]
    fn values_are_in_the_unit_that_suits_them() {
        let tree = tree(&["a", "b"]);
        let check = |value, expected: &str| assert_eq!(tree.text(value), expected);
        check(1_500_000_000, "1.50s");
        check(-2_000_000_000, "-2s");
        check(7, "7ns");
        check(0, "0ns");
    }
}
