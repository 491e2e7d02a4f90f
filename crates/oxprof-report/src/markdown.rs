//! A summary to paste into a ticket or a chat.

use std::io::{self, Write};

use crate::amounts::Amounts;
use crate::graph::{Graph, Node};
use crate::render::Report;
use crate::{ReportOptions, Sort, header};

/// Rows of each table when the options do not say.
const ROWS: usize = 10;

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rows = if report.options.node_count == 0 { ROWS } else { report.options.node_count };
    let title = header::title(report.profile);
    let title = if title.is_empty() { "Profile" } else { &title };
    writeln!(out, "## {}\n", escape(title))?;
    for label in header::profile_labels(report.profile, report.options, &report.amounts()) {
        writeln!(out, "- {}", escape(label.trim_end()))?;
    }
    for filter in &report.options.active_filters {
        writeln!(out, "- Filter: `{}`", filter.replace('`', "'"))?;
    }
    let frames = report.frames();
    let sorts = [(Sort::Flat, "Where the cost is"), (Sort::Cum, "What causes it")];
    for (sort, heading) in sorts {
        let options = ReportOptions { sort, node_count: rows, ..report.options.clone() };
        let (graph, amounts) = Report::new(report.profile, &options).graph(&frames);
        writeln!(out, "\n### {heading}\n")?;
        write_table(&graph, &amounts, out)?;
    }
    Ok(())
}

fn write_table(graph: &Graph, amounts: &Amounts, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| flat | flat% | cum | cum% | function |\n|--:|--:|--:|--:|:--|")?;
    graph.shown().iter().try_for_each(|node| write_row(node, amounts, out))
}

fn write_row(node: &Node, amounts: &Amounts, out: &mut dyn Write) -> io::Result<()> {
    let cells = |value| (amounts.text(value), amounts.percent(value));
    let ((flat, flat_percent), (cum, cum_percent)) = (cells(node.flat()), cells(node.cum()));
    let (flat_percent, cum_percent) = (flat_percent.trim(), cum_percent.trim());
    let name = node.name.replace('`', "'").replace('|', "\\|");
    writeln!(out, "| {flat} | {flat_percent} | {cum} | {cum_percent} | `{name}` |")
}

/// Text that Markdown shows as it is.
fn escape(text: &str) -> String {
    let special = ['\\', '`', '*', '_', '<', '>', '[', ']', '|', '#'];
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}
