//! The call graph in callgrind's format, as kcachegrind and other viewers read it.

use std::collections::HashMap;
use std::io::{self, Write};

use oxprof_profile::{StrId, Strings};
use rustc_hash::FxBuildHasher;

use crate::amounts::{Amounts, value_name};
use crate::graph::{Edge, Graph, Node, compare_edges};
use crate::render::Report;
use crate::{Frame, Frames};

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let frames = report.frames();
    let (graph, amounts) = report.graph(&frames);
    let name = value_name(report.profile, report.options);
    writeln!(out, "positions: instr line\nevents: {name}({})", amounts.to)?;
    let outs = graph.outgoing();
    let mut writer = Writer::new(&graph, &frames, &amounts, out);
    for (i, node) in graph.shown().iter().enumerate() {
        let before = writer.write_node(i, node)?;
        for edge in sorted(&graph, outs.of(i)) {
            writer.write_call(before, edge)?;
        }
    }
    Ok(())
}

struct Writer<'a> {
    graph: &'a Graph,
    frames: &'a Frames<'a>,
    amounts: &'a Amounts,
    out: &'a mut dyn Write,
    names: NodeNames,
    objects: Table,
    files: Table,
    functions: Table,
    previous: Option<Frame>,
}

impl<'a> Writer<'a> {
    fn new(
        graph: &'a Graph,
        frames: &'a Frames<'a>,
        amounts: &'a Amounts,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            graph,
            frames,
            amounts,
            out,
            names: NodeNames::new(graph, frames),
            objects: Table::default(),
            files: Table::default(),
            functions: Table::default(),
            previous: None,
        }
    }

    /// Writes what a node itself costs. Returns the node before it, to which addresses are relative.
    fn write_node(&mut self, i: usize, node: &Node) -> io::Result<Option<Frame>> {
        let Self { frames, out, .. } = self;
        let frame = frames.get(node.frame);
        let place = |f: Frame| (f.object, f.name, f.file_id());
        if self.previous.is_none_or(|p| place(p) != place(frame)) {
            write!(out, "\nob=")?;
            self.objects.write(frame.object, frames.object(frame), out)?;
            write!(out, "fl=")?;
            self.files.write(frame.file_id(), frames.file(frame), out)?;
            write!(out, "fn=")?;
            self.functions.write(self.names.own[i], self.names.own(i), out)?;
        }
        write_address(self.previous, frame.address, out)?;
        writeln!(out, " {} {}", frame.line, self.amounts.whole(node.flat()))?;
        Ok(self.previous.replace(frame))
    }

    fn write_call(&mut self, before: Option<Frame>, edge: &Edge) -> io::Result<()> {
        let Self { frames, out, .. } = self;
        let to = edge.to as usize;
        let callee = frames.get(self.graph.nodes[to].frame);
        write!(out, "cfl=")?;
        self.files.write(callee.file_id(), frames.file(callee), out)?;
        write!(out, "cfn=")?;
        self.functions.write(self.names.as_callee[to], self.names.as_callee(to), out)?;
        write!(out, "calls=0 ")?;
        write_address(before, callee.address, out)?;
        writeln!(out, " {}\n* * {}", callee.line, self.amounts.whole(edge.total_weight()))
    }
}

fn sorted<'g>(graph: &'g Graph, edges: &[u32]) -> Vec<&'g Edge> {
    let mut edges: Vec<&Edge> = edges.iter().map(|&e| &graph.edges[e as usize]).collect();
    edges.sort_unstable_by(|l, r| compare_edges(&graph.nodes, l, r));
    edges
}

/// Function names of nodes.
///
/// Viewers merge functions of equal name and file, so callees that are different functions, or contexts
/// of a call tree, are numbered. Nodes that are not shown have no name as callees.
struct NodeNames {
    texts: Strings,
    own: Vec<StrId>,
    as_callee: Vec<StrId>,
}

impl NodeNames {
    fn new(graph: &Graph, frames: &Frames<'_>) -> Self {
        type Functions = HashMap<(u32, Frame), usize, FxBuildHasher>;
        let mut same_name: HashMap<_, Functions, FxBuildHasher> = HashMap::default();
        let frame = |node: &Node| frames.get(node.frame);
        let key = |frame: Frame| (frame.name, frame.file_id());
        for node in graph.shown() {
            let functions = same_name.entry(key(frame(node))).or_default();
            let number = functions.len() + 1;
            functions.entry((node.context, frame(node).function())).or_insert(number);
        }
        let mut texts = Strings::default();
        let own: Vec<StrId> =
            graph.nodes.iter().map(|node| texts.intern(frames.name(frame(node)))).collect();
        let as_callee = |(node, &own): (&Node, &StrId)| {
            let functions = &same_name[&key(frame(node))];
            if functions.len() == 1 {
                return own;
            }
            let number = functions[&(node.context, frame(node).function())];
            let name = frames.name(frame(node));
            texts.intern(&format!("{name} [{number}/{}]", functions.len()))
        };
        let mut as_callee: Vec<StrId> = graph.shown().iter().zip(&own).map(as_callee).collect();
        as_callee.resize(graph.nodes.len(), StrId::EMPTY);
        Self { texts, own, as_callee }
    }

    fn own(&self, node: usize) -> &str {
        self.texts.get(self.own[node])
    }

    fn as_callee(&self, node: usize) -> &str {
        self.texts.get(self.as_callee[node])
    }
}

/// Compressed names: in full the first time, as a number after that.
#[derive(Default)]
struct Table {
    /// Number of each name that was written, by its id; 0 for the others.
    numbers: Vec<u32>,
    written: u32,
}

impl Table {
    fn write(&mut self, id: StrId, name: &str, out: &mut dyn Write) -> io::Result<()> {
        if name.is_empty() {
            return writeln!(out);
        }
        if self.numbers.len() <= id.index() {
            self.numbers.resize(id.index() + 1, 0);
        }
        let number = &mut self.numbers[id.index()];
        if *number != 0 {
            return writeln!(out, "({number})");
        }
        self.written += 1;
        *number = self.written;
        writeln!(out, "({number}) {name}")
    }
}

/// An address, relative to the node before if that is shorter.
fn write_address(previous: Option<Frame>, address: u64, out: &mut dyn Write) -> io::Result<()> {
    let Some(previous) = previous else { return write!(out, "{address:#x}") };
    if previous.address == address {
        return write!(out, "*");
    }
    let difference = address.wrapping_sub(previous.address).cast_signed();
    if relative_length(difference) < absolute_length(address) {
        write!(out, "{difference:+}")
    } else {
        write!(out, "{address:#x}")
    }
}

fn relative_length(difference: i64) -> u32 {
    2 + difference.unsigned_abs().checked_ilog10().unwrap_or(0)
}

fn absolute_length(address: u64) -> u32 {
    3 + address.checked_ilog(16).unwrap_or(0)
}
