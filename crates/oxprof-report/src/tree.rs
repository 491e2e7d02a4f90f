//! Functions by weight, each between its callers and callees: `-tree` and `-peek`.

use std::io::{self, Write};

use oxprof_profile::units;
use serde::Serialize;

use crate::amounts::Amounts;
use crate::csv::Table;
use crate::graph::{Edge, Graph, compare_edges};
use crate::render::{Report, ReportError};
use crate::{Encoding, json};

const SEPARATOR: &str = "----------------------------------------------------------+-------------";
const LEGEND: &str = "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t ";

/// The entries of `-tree` or `-peek`.
#[derive(Clone, Debug, Serialize)]
pub struct Tree {
    /// Lines above the table.
    pub labels: Vec<String>,
    /// Unit of all values, as the profile names it.
    pub unit: String,
    /// What percentages are of.
    pub total: i64,
    /// Entries in order.
    pub entries: Vec<TreeEntry>,
    /// Whether the graph has nodes, entries or not.
    #[serde(skip)]
    has_nodes: bool,
    #[serde(skip)]
    amounts: Amounts,
}

/// A function with its callers and callees.
#[derive(Clone, Debug, Serialize)]
pub struct TreeEntry {
    /// Its name.
    pub name: String,
    /// What it costs itself.
    pub flat: i64,
    /// `flat` in percent of the total.
    pub flat_percent: f64,
    /// What this and all entries above cost, in percent of the total.
    pub sum_percent: f64,
    /// What it costs together with all that it calls.
    pub cum: i64,
    /// `cum` in percent of the total.
    pub cum_percent: f64,
    /// Its callers.
    pub callers: Vec<Call>,
    /// Its callees.
    pub callees: Vec<Call>,
    /// Values before division, for percentages.
    #[serde(skip)]
    undivided: [i64; 3],
}

/// Calls from or to a function.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Name of the function at the other end.
    pub name: String,
    /// What the calls cost.
    pub weight: i64,
    /// `weight` in percent of the function's cumulative cost.
    pub percent: f64,
    /// Whether all calls were inlined.
    pub inline: bool,
    #[serde(skip)]
    undivided: i64,
}

impl Tree {
    pub(crate) fn new(report: &Report<'_>) -> Result<Self, ReportError> {
        let (graph, amounts) = report.graph(&report.frames());
        let labels = report.labels(&graph, &amounts);
        let (ins, outs) = (graph.incoming(), graph.outgoing());
        let pattern = report.options.pattern.as_ref();
        let mut sum = 0i64;
        let mut entries = Vec::new();
        for (i, node) in graph.shown().iter().enumerate() {
            if pattern.is_some_and(|p| !(p.matches)(&node.name)) {
                continue;
            }
            let (flat, cum) = (node.flat(), node.cum());
            sum = sum.wrapping_add(flat);
            entries.push(TreeEntry {
                name: node.name.clone().into(),
                flat: amounts.shown(flat),
                flat_percent: json::percent(flat, amounts.total),
                sum_percent: json::percent(sum, amounts.total),
                cum: amounts.shown(cum),
                cum_percent: json::percent(cum, amounts.total),
                callers: calls(&graph, &amounts, ins.of(i), cum, |e| e.from),
                callees: calls(&graph, &amounts, outs.of(i), cum, |e| e.to),
                undivided: [flat, sum, cum],
            });
        }
        if let Some(pattern) = pattern.filter(|_| entries.is_empty()) {
            return Err(ReportError::NoMatches { pattern: pattern.text.clone() });
        }
        let (unit, total) = (amounts.from.clone(), amounts.shown(amounts.total));
        Ok(Self { labels, unit, total, entries, has_nodes: graph.shown > 0, amounts })
    }

    pub(crate) fn write(&self, encoding: Encoding, out: &mut dyn Write) -> io::Result<()> {
        match encoding {
            Encoding::Text => self.write_text(out),
            Encoding::Json => json::write(self, out),
            Encoding::Csv => self.write_csv(out),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}\n{SEPARATOR}\n{LEGEND}", self.labels.join("\n"))?;
        for entry in &self.entries {
            writeln!(out, "{SEPARATOR}")?;
            self.write_entry(entry, out)?;
        }
        if self.has_nodes { writeln!(out, "{SEPARATOR}") } else { Ok(()) }
    }

    fn write_entry(&self, entry: &TreeEntry, out: &mut dyn Write) -> io::Result<()> {
        let Self { amounts, .. } = self;
        let [flat, sum, cum] = entry.undivided;
        self.write_calls(&entry.callers, cum, out)?;
        writeln!(
            out,
            "{:>10} {} {} {:>10} {}                | {}",
            amounts.text(flat),
            amounts.percent(flat),
            amounts.percent(sum),
            amounts.text(cum),
            amounts.percent(cum),
            entry.name
        )?;
        self.write_calls(&entry.callees, cum, out)
    }

    fn write_calls(&self, calls: &[Call], cum: i64, out: &mut dyn Write) -> io::Result<()> {
        for call in calls {
            let weight = self.amounts.text(call.undivided);
            let percent = units::percentage(call.undivided, cum);
            let inline = if call.inline { " (inline)" } else { "" };
            writeln!(out, "{weight:>50} {percent} |   {}{inline}", call.name)?;
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = ["name", "relation", "other", "flat", "cum", "weight", "percent", "unit"];
        let mut table = Table::new(out, &columns)?;
        for entry in &self.entries {
            let TreeEntry { name, flat, cum, cum_percent, .. } = entry;
            table.row(&[name, &"self", &"", flat, cum, &"", cum_percent, &self.unit])?;
            let callers = entry.callers.iter().map(|call| ("caller", call));
            for (relation, call) in callers.chain(entry.callees.iter().map(|c| ("callee", c))) {
                let Call { name: other, weight, percent, .. } = call;
                table.row(&[name, &relation, other, &"", &"", weight, percent, &self.unit])?;
            }
        }
        Ok(())
    }
}

/// Edges at a node, heaviest first, seen from it.
fn calls(
    graph: &Graph,
    amounts: &Amounts,
    edges: &[u32],
    cum: i64,
    other: impl Fn(&Edge) -> u32,
) -> Vec<Call> {
    let mut edges: Vec<&Edge> = edges.iter().map(|&e| &graph.edges[e as usize]).collect();
    edges.sort_unstable_by(|l, r| compare_edges(&graph.nodes, l, r));
    let call = |edge: &&Edge| Call {
        name: graph.nodes[other(edge) as usize].name.clone().into(),
        weight: amounts.shown(edge.total_weight()),
        percent: json::percent(edge.total_weight(), cum),
        inline: edge.inline,
        undivided: edge.total_weight(),
    };
    edges.iter().map(call).collect()
}
