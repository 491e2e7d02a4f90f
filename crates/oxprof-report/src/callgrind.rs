//! The call graph in callgrind's format, as kcachegrind and other viewers read it.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::amounts::value_name;
use crate::graph::{Edge, Graph, compare_edges};
use crate::render::Report;
use crate::{Frame, Frames};

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (graph, amounts) = report.graph();
    let frames = report.frames();
    let outs = graph.outgoing();
    let callee_names = disambiguated(&graph, &frames);
    let mut tables = Tables::default();
    let name = value_name(report.profile, report.options);
    writeln!(out, "positions: instr line\nevents: {name}({})", amounts.to)?;
    let mut previous: Option<Frame> = None;
    for (i, node) in graph.shown().iter().enumerate() {
        let frame = frames.get(node.frame);
        let place = |f: Frame| (f.object, f.name, frames.file(f));
        if previous.is_none_or(|p| place(p) != place(frame)) {
            writeln!(out, "\nob={}", tables.objects.name(frames.object(frame)))?;
            writeln!(out, "fl={}", tables.files.name(frames.file(frame)))?;
            writeln!(out, "fn={}", tables.functions.name(frames.name(frame)))?;
        }
        let address = address(previous, frame.address);
        writeln!(out, "{address} {} {}", frame.line, amounts.whole(node.flat()))?;
        for edge in sorted(&graph, outs.of(i)) {
            let callee = frames.get(graph.nodes[edge.to as usize].frame);
            writeln!(out, "cfl={}", tables.files.name(frames.file(callee)))?;
            writeln!(out, "cfn={}", tables.functions.name(&callee_names[edge.to as usize]))?;
            let address = self::address(previous, callee.address);
            writeln!(out, "calls=0 {address} {}", callee.line)?;
            writeln!(out, "* * {}", amounts.whole(edge.total_weight()))?;
        }
        previous = Some(frame);
    }
    Ok(())
}

fn sorted<'g>(graph: &'g Graph, edges: &[u32]) -> Vec<&'g Edge> {
    let mut edges: Vec<&Edge> = edges.iter().map(|&e| &graph.edges[e as usize]).collect();
    edges.sort_unstable_by(|l, r| compare_edges(&graph.nodes, l, r));
    edges
}

/// Names of nodes as callees. Viewers merge functions of equal name and file, so those that are
/// different functions, or contexts of a call tree, are numbered. Nodes that are not shown have none.
fn disambiguated(graph: &Graph, frames: &Frames<'_>) -> Vec<String> {
    let mut same_name: HashMap<_, HashMap<(u32, Frame), usize>> = HashMap::new();
    let key = |frame: Frame| (frames.name(frame), frames.file(frame));
    for node in graph.shown() {
        let frame = frames.get(node.frame);
        let functions = same_name.entry(key(frame)).or_default();
        let number = functions.len() + 1;
        functions.entry((node.context, frame.function())).or_insert(number);
    }
    let name = |node: &crate::graph::Node| {
        let frame = frames.get(node.frame);
        let functions = &same_name[&key(frame)];
        match functions.len() {
            1 => frames.name(frame).to_owned(),
            n => {
                let number = functions[&(node.context, frame.function())];
                format!("{} [{number}/{n}]", frames.name(frame))
            }
        }
    };
    let hidden = graph.nodes.len() - graph.shown;
    graph.shown().iter().map(name).chain((0..hidden).map(|_| String::new())).collect()
}

/// Compressed names: in full the first time, as a number after that.
#[derive(Default)]
struct Names(HashMap<String, usize>);

#[derive(Default)]
struct Tables {
    objects: Names,
    files: Names,
    functions: Names,
}

impl Names {
    fn name(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        if let Some(id) = self.0.get(name) {
            return format!("({id})");
        }
        let id = self.0.len() + 1;
        self.0.insert(name.to_owned(), id);
        format!("({id}) {name}")
    }
}

/// An address, relative to the node before if that is shorter.
fn address(previous: Option<Frame>, address: u64) -> String {
    let absolute = format!("{address:#x}");
    let Some(previous) = previous else { return absolute };
    if previous.address == address {
        return "*".to_owned();
    }
    let relative = format!("{:+}", address.wrapping_sub(previous.address).cast_signed());
    if relative.len() < absolute.len() { relative } else { absolute }
}
