//! Drawings in Graphviz's language.

use std::io::{self, Write};

use crate::drawing::{Drawing, DrawnEdge, DrawnNode, Nodelet, NodeletOwner};

impl Drawing {
    /// Writes the drawing as a digraph.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_dot(&self, out: &mut dyn Write) -> io::Result<()> {
        let title = if self.title.is_empty() { "unnamed" } else { &self.title };
        writeln!(out, "digraph \"{}\" {{", escape(title))?;
        writeln!(out, "node [style=filled fillcolor=\"#f8f8f8\"]")?;
        self.write_legend(out)?;
        for (node, number) in self.nodes.iter().zip(1..) {
            write_node(node, number, out)?;
        }
        for edge in &self.edges {
            let has_nodelets = !self.nodes[edge.from - 1].nodelets.is_empty();
            write_edge(edge, has_nodelets, out)?;
        }
        writeln!(out, "}}")
    }

    fn write_legend(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = self.legend.first() else { return Ok(()) };
        write!(out, "subgraph cluster_L {{ \"{}\" [shape=box fontsize=16", escape(first))?;
        let lines: Vec<String> = self.legend.iter().map(|line| escape(line)).collect();
        write!(out, " label=\"{}\\l\"", lines.join("\\l"))?;
        if !self.title.is_empty() {
            write!(out, " tooltip=\"{}\"", escape(&self.title))?;
        }
        writeln!(out, "] }}")
    }
}

fn write_node(node: &DrawnNode, number: usize, out: &mut dyn Write) -> io::Result<()> {
    let DrawnNode { name, font_size, cum, line, fill, .. } = node;
    let label: Vec<String> = node.label.split('\n').map(escape).collect();
    write!(out, "N{number} [label=\"{}\" id=\"node{number}\"", label.join("\\n"))?;
    write!(out, " fontsize={font_size} shape=box tooltip=\"{} ({cum})\"", escape(name))?;
    writeln!(out, " color=\"{line}\" fillcolor=\"{fill}\"]")?;
    node.nodelets.iter().try_for_each(|nodelet| write_nodelet(nodelet, number, out))
}

fn write_nodelet(nodelet: &Nodelet, node: usize, out: &mut dyn Write) -> io::Result<()> {
    let Nodelet { owner, number, weight, .. } = nodelet;
    let (owner, prefix) = match owner {
        NodeletOwner::Node => (format!("N{node}"), ""),
        NodeletOwner::NodeNumber => (format!("N{node}"), "N"),
        NodeletOwner::Nodelet(of) => (format!("N{node}_{of}"), "N"),
    };
    let id = format!("{prefix}{owner}_{number}");
    // Line breaks are in the text already.
    let text = nodelet.text.replace('"', "\\\"");
    write!(out, "{id} [label = \"{text}\" id=\"{id}\"")?;
    writeln!(out, " fontsize=8 shape=box3d tooltip=\"{weight}\"]")?;
    let dotted = if nodelet.dotted { " style=\"dotted\"" } else { "" };
    write!(out, "{owner} -> {id} [label=\" {weight}\" weight=100")?;
    writeln!(out, " tooltip=\"{weight}\" labeltooltip=\"{weight}\"{dotted}]")
}

fn write_edge(edge: &DrawnEdge, has_nodelets: bool, out: &mut dyn Write) -> io::Result<()> {
    let DrawnEdge { from, to, weight, .. } = edge;
    let inline = if edge.inline { "\\n (inline)" } else { "" };
    write!(out, "N{from} -> N{to} [label=\" {weight}{inline}\"")?;
    if edge.pull > 1 {
        write!(out, " weight={}", edge.pull)?;
    }
    if edge.width > 1 {
        write!(out, " penwidth={}", edge.width)?;
    }
    if let Some(color) = edge.color {
        write!(out, " color=\"{color}\"")?;
    }
    let arrow = if edge.residual { "..." } else { "->" };
    let [caller, callee] = &edge.names;
    let tooltip = format!("\"{} {arrow} {} ({weight})\"", escape(caller), escape(callee));
    write!(out, " tooltip={tooltip} labeltooltip={tooltip}")?;
    if edge.residual {
        write!(out, " style=\"dotted\"")?;
    }
    if has_nodelets {
        write!(out, " minlen=2")?;
    }
    writeln!(out, "]")
}

/// Text within double quotes, lines left-aligned.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\l")
}
