//! Labels by weight.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use oxprof_profile::{Label, LabelValue, StrId, units};
use rustc_hash::FxBuildHasher;
use serde::Serialize;

use crate::amounts::Amounts;
use crate::csv::Table;
use crate::render::Report;
use crate::{Encoding, json};

/// The labels of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Tags {
    /// Unit of all weights, as the profile names it.
    pub unit: String,
    /// What percentages are of.
    pub total: i64,
    /// Label keys by name.
    pub keys: Vec<TagKey>,
    #[serde(skip)]
    amounts: Amounts,
}

/// A label key.
#[derive(Clone, Debug, Serialize)]
pub struct TagKey {
    /// Its name.
    pub key: String,
    /// What the samples that have it cost.
    pub weight: i64,
    /// `weight` in percent of the total.
    pub percent: f64,
    /// Its values, heaviest first.
    pub values: Vec<TagValue>,
    #[serde(skip)]
    undivided: i64,
}

/// A value of a label key.
#[derive(Clone, Debug, Serialize)]
pub struct TagValue {
    /// The value; numbers with their unit.
    pub value: String,
    /// What the samples that have it cost.
    pub weight: i64,
    /// `weight` in percent of the total.
    pub percent: f64,
    #[serde(skip)]
    undivided: i64,
}

impl Tags {
    pub(crate) fn new(report: &Report<'_>) -> Self {
        let amounts = report.amounts();
        let mut keys: BTreeMap<&str, BTreeMap<String, i64>> = BTreeMap::new();
        for (label, weight) in weights(report) {
            let key = report.profile.str(label.key);
            let sum = keys.entry(key).or_default().entry(value_text(report, label)).or_default();
            *sum = sum.wrapping_add(weight);
        }
        let keys = keys.into_iter().map(|(key, values)| TagKey::new(key, values, &amounts));
        Self {
            keys: keys.collect(),
            unit: amounts.from.clone(),
            total: amounts.shown(amounts.total),
            amounts,
        }
    }

    pub(crate) fn write(&self, encoding: Encoding, out: &mut dyn Write) -> io::Result<()> {
        match encoding {
            Encoding::Text => self.keys.iter().try_for_each(|key| self.write_key(key, out)),
            Encoding::Json => json::write(self, out),
            Encoding::Csv => self.write_csv(out),
        }
    }

    /// Columns are right-aligned within each key.
    fn write_key(&self, key: &TagKey, out: &mut dyn Write) -> io::Result<()> {
        let Self { amounts, .. } = self;
        let percent = |v| match amounts.total {
            1.. => format!(" ({})", amounts.percent(v)),
            _ => String::new(),
        };
        let text = |v| format!("{}{}", amounts.text(v), percent(v));
        let width = key.key.chars().count() + 2;
        let value_width = key.values.iter().map(|v| text(v.undivided).chars().count()).max();
        let value_width = value_width.unwrap_or(0) + 2;
        writeln!(
            out,
            "{:>width$} Total {} of {}{}",
            format!("{}:", key.key),
            amounts.text(key.undivided),
            amounts.text(amounts.total),
            percent(key.undivided)
        )?;
        for value in &key.values {
            let weight = format!("{}:", text(value.undivided));
            writeln!(out, "{:>width$}{weight:>value_width$} {}", "", value.value)?;
        }
        writeln!(out)
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(out, &["key", "value", "weight", "percent", "unit"])?;
        for key in &self.keys {
            for value in &key.values {
                let TagValue { value, weight, percent, .. } = value;
                table.row(&[&key.key, value, weight, percent, &self.unit])?;
            }
        }
        Ok(())
    }
}

impl TagKey {
    fn new(key: &str, values: BTreeMap<String, i64>, amounts: &Amounts) -> Self {
        let total = values.values().fold(0, |sum: i64, &v| sum.wrapping_add(v));
        let value = |(value, weight): (String, i64)| TagValue {
            value,
            weight: amounts.shown(weight),
            percent: json::percent(weight, amounts.total),
            undivided: weight,
        };
        let mut values: Vec<TagValue> = values.into_iter().map(value).collect();
        values.sort_by_key(|v| Reverse(v.undivided.wrapping_abs()));
        Self {
            key: key.to_owned(),
            weight: amounts.shown(total),
            percent: json::percent(total, amounts.total),
            values,
            undivided: total,
        }
    }
}

/// What the samples with each label cost.
fn weights(report: &Report<'_>) -> impl Iterator<Item = (Label, i64)> {
    let mut weights: HashMap<Label, i64, FxBuildHasher> = HashMap::default();
    for sample in report.profile.samples.iter() {
        let value = report.options.value.value(sample.values);
        for &label in sample.labels {
            let sum = weights.entry(without_unit(label)).or_default();
            *sum = sum.wrapping_add(value);
        }
    }
    weights.into_iter()
}

/// Numbers are shown in the unit of their key, whatever the unit of the label.
fn without_unit(label: Label) -> Label {
    match label.value {
        LabelValue::Str(_) => label,
        LabelValue::Num { value, .. } => {
            Label { value: LabelValue::Num { value, unit: StrId::EMPTY }, ..label }
        }
    }
}

fn value_text(report: &Report<'_>, label: Label) -> String {
    let Report { profile, options } = report;
    match label.value {
        LabelValue::Str(value) => profile.str(value).to_owned(),
        LabelValue::Num { value, .. } => {
            units::scaled_label(value, options.label_unit(profile.str(label.key)), &options.unit)
        }
    }
}
