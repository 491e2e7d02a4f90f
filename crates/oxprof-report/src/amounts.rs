//! Values as a report shows them.

use oxprof_profile::{Profile, ValueType, units};

use crate::graph::Graph;
use crate::{Format, ReportOptions};

/// Turns values of a profile into text.
#[derive(Clone, Debug)]
pub(crate) struct Amounts {
    /// Unit in the profile.
    pub(crate) from: String,
    /// Unit to show.
    pub(crate) to: String,
    /// What percentages are of.
    pub(crate) total: i64,
    ratio: f64,
}

impl Amounts {
    pub(crate) fn new(profile: &Profile, options: &ReportOptions) -> Self {
        Self {
            from: profile.str(value_type(profile, options).unit).to_owned(),
            to: options.unit.clone(),
            total: options.total,
            ratio: 1.0 / options.divide_by,
        }
    }

    /// Where the choice of unit is left to us: one that suits all nodes of the graph.
    pub(crate) fn for_graph(mut self, graph: &Graph, format: Format) -> Self {
        if self.to == "minimum" && graph.shown > 0 {
            let unit = self.unit_for(graph, format == Format::Callgrind);
            self.to = if unit.is_empty() { self.from.clone() } else { unit };
        }
        self
    }

    /// The unit of the smallest value; a larger one, that leaves two decimals, if the total is far above
    /// it and decimals can be written.
    fn unit_for(&self, graph: &Graph, whole_numbers: bool) -> String {
        let smallest = graph.shown().iter().map(|node| match node.flat().wrapping_abs() {
            0 => node.cum().wrapping_abs(),
            flat => flat,
        });
        let min = self.shown(smallest.filter(|&v| v > 0).min().unwrap_or(self.total));
        let max = self.shown(self.total);
        let unit = |value| units::scale(value, &self.from, "minimum").1.to_owned();
        let (of_min, of_max) = (unit(min), unit(max));
        if of_min != of_max && min.wrapping_mul(100) < max && !whole_numbers {
            return unit(min.wrapping_mul(100));
        }
        of_min
    }

    /// The value after division, in the profile's unit.
    pub(crate) fn shown(&self, value: i64) -> i64 {
        if self.ratio > 0.0 && self.ratio != 1.0 {
            (value as f64 * self.ratio) as i64
        } else {
            value
        }
    }

    /// The value with its unit.
    pub(crate) fn text(&self, value: i64) -> String {
        units::scaled_label(self.shown(value), &self.from, &self.to)
    }

    /// The value as a column that shows zero as a dot.
    pub(crate) fn text_or_dot(&self, value: i64) -> String {
        if value == 0 { ".".to_owned() } else { self.text(value) }
    }

    /// The undivided value as a whole number of the unit shown.
    pub(crate) fn whole(&self, value: i64) -> i64 {
        units::scale(value, &self.from, &self.to).0 as i64
    }

    /// The undivided value as a share of the total, six columns wide.
    pub(crate) fn percent(&self, value: i64) -> String {
        units::percentage(value, self.total)
    }
}

/// The type of the values that a report shows.
pub(crate) fn value_type(profile: &Profile, options: &ReportOptions) -> ValueType {
    profile.sample_types.get(options.value.index).copied().unwrap_or_default()
}

/// How a report calls its values.
pub(crate) fn value_name(profile: &Profile, options: &ReportOptions) -> String {
    let name = profile.str(value_type(profile, options).kind);
    if options.value.mean { format!("mean_{name}") } else { name.to_owned() }
}
