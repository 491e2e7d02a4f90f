//! Functions by weight.

use std::io::{self, Write};

use serde::Serialize;

use crate::amounts::Amounts;
use crate::csv::Table;
use crate::graph::Graph;
use crate::render::Report;
use crate::{Encoding, json};

/// The rows of `-top`.
#[derive(Clone, Debug, Serialize)]
pub struct Top {
    /// Lines above the table.
    pub labels: Vec<String>,
    /// Unit of all values, as the profile names it.
    pub unit: String,
    /// What percentages are of.
    pub total: i64,
    /// Rows in order.
    pub rows: Vec<TopRow>,
    #[serde(skip)]
    amounts: Amounts,
}

/// A function, or another place that the report is by.
#[derive(Clone, Debug, Serialize)]
pub struct TopRow {
    /// Its name.
    pub name: String,
    /// Whether it was inlined into its callers.
    pub inline: Inlining,
    /// What it costs itself.
    pub flat: i64,
    /// `flat` in percent of the total.
    pub flat_percent: f64,
    /// What this and all rows above cost, in percent of the total.
    pub sum_percent: f64,
    /// What it costs together with all that it calls.
    pub cum: i64,
    /// `cum` in percent of the total.
    pub cum_percent: f64,
    /// Values before division, for percentages.
    #[serde(skip)]
    undivided: [i64; 3],
}

/// How often calls of a function were inlined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inlining {
    /// Never.
    #[default]
    No,
    /// By some callers.
    Partial,
    /// By all callers.
    Yes,
}

impl Inlining {
    fn mark(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Partial => " (partial-inline)",
            Self::Yes => " (inline)",
        }
    }
}

impl Top {
    pub(crate) fn new(report: &Report<'_>) -> Self {
        let (graph, amounts) = report.graph(&report.frames());
        let labels = report.labels(&graph, &amounts);
        let inlining = inlining(&graph);
        let mut sum = 0i64;
        let rows = graph.shown().iter().zip(inlining).map(|(node, inline)| {
            let (flat, cum) = (node.flat(), node.cum());
            sum = sum.wrapping_add(flat);
            TopRow {
                name: node.name.clone().into(),
                inline,
                flat: amounts.shown(flat),
                flat_percent: json::percent(flat, amounts.total),
                sum_percent: json::percent(sum, amounts.total),
                cum: amounts.shown(cum),
                cum_percent: json::percent(cum, amounts.total),
                undivided: [flat, sum, cum],
            }
        });
        Self {
            labels,
            rows: rows.collect(),
            unit: amounts.from.clone(),
            total: amounts.shown(amounts.total),
            amounts,
        }
    }

    pub(crate) fn write(&self, encoding: Encoding, out: &mut dyn Write) -> io::Result<()> {
        match encoding {
            Encoding::Text => self.write_text(out),
            Encoding::Json => json::write(self, out),
            Encoding::Csv => self.write_csv(out),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { amounts, .. } = self;
        writeln!(out, "{}", self.labels.join("\n"))?;
        writeln!(out, "      flat  flat%   sum%        cum   cum%")?;
        for row in &self.rows {
            let [flat, sum, cum] = row.undivided;
            writeln!(
                out,
                "{:>10} {} {} {:>10} {}  {}{}",
                amounts.text(flat),
                amounts.percent(flat),
                amounts.percent(sum),
                amounts.text(cum),
                amounts.percent(cum),
                row.name,
                row.inline.mark()
            )?;
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(
            out,
            &[
                "name",
                "inline",
                "flat",
                "flat_percent",
                "sum_percent",
                "cum",
                "cum_percent",
                "unit",
            ],
        )?;
        for row in &self.rows {
            table.row(&[
                &row.name,
                &row.inline.mark().trim(),
                &row.flat,
                &row.flat_percent,
                &row.sum_percent,
                &row.cum,
                &row.cum_percent,
                &self.unit,
            ])?;
        }
        Ok(())
    }
}

/// How each shown node was inlined.
fn inlining(graph: &Graph) -> Vec<Inlining> {
    let ins = graph.incoming();
    let inlined = |node: usize| ins.of(node).iter().map(|&e| graph.edges[e as usize].inline);
    let of = |node: usize| match (inlined(node).any(|i| i), inlined(node).any(|i| !i)) {
        (false, _) => Inlining::No,
        (true, true) => Inlining::Partial,
        (true, false) => Inlining::Yes,
    };
    (0..graph.shown).map(of).collect()
}
