//! Our layout beside Graphviz's on the same graphs.
//!
//! `cargo bench -p oxprof-report --bench layout -- a.dot b.dot …`, with files written by `pprof -dot` of any
//! make. Both get the same box sizes: those that `dot` computes. Skips where `dot` is not installed.

mod dot;
mod metrics;

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oxprof_report::layout::{Edge, Graph, Layout, Size};

use dot::{DotGraph, Plain};
use metrics::{Line, Metrics, flatten, measure};

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if files.is_empty() {
        eprintln!("skipped: name files written by pprof -dot");
        return;
    }
    println!(
        "{:<22} {:>5} {:>5} | {:>11} {:>15} {:>7} | {:>11} {:>9} | {:>11}",
        "graph",
        "nodes",
        "edges",
        "crossings",
        "length",
        "through",
        "size, dot",
        "ours",
        "ms, dot/our"
    );
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        match run_dot(&text) {
            Ok((plain, time)) => compare(&file, &text, &plain, time),
            Err(error) => eprintln!("skipped: dot does not run: {error}"),
        }
    }
}

fn run_dot(text: &str) -> std::io::Result<(Plain, Duration)> {
    let start = Instant::now();
    let mut child =
        Command::new("dot").arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().expect("stdin is a pipe").write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    let time = start.elapsed();
    Ok((Plain::parse(&String::from_utf8_lossy(&output.stdout)), time))
}

fn compare(file: &str, text: &str, plain: &Plain, dot_time: Duration) {
    let source = DotGraph::parse(text);
    let legend = source.nodes.iter().find(|n| n.clustered).map(|n| n.name.as_str());
    let (boxes, lines, names) = dot_picture(plain, legend);
    let theirs = measure(&boxes, &lines);
    let graph = input(&source, plain, &names, legend);
    let start = Instant::now();
    let layout = graph.layout();
    let time = start.elapsed();
    let (boxes, lines) = picture(&graph, &layout);
    let ours = measure(&boxes, &lines);
    let name = file.rsplit('/').next().unwrap_or(file);
    print_row(name, &graph, plain, &layout, &theirs, &ours);
    println!(" | {:>5}/{:<5}", dot_time.as_millis(), time.as_millis());
    assert_eq!(ours.overlaps, 0, "boxes overlap");
}

fn print_row(
    name: &str,
    graph: &Graph,
    plain: &Plain,
    layout: &Layout,
    theirs: &Metrics,
    ours: &Metrics,
) {
    let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
    print!("{name:<22} {nodes:>5} {edges:>5} | ");
    let ratio = (ours.crossings as f64 + 1.0) / (theirs.crossings as f64 + 1.0);
    print!("{:>3}/{:<3}{ratio:>4.2} ", theirs.crossings, ours.crossings);
    let ratio = ours.length / theirs.length;
    print!("{:>6.0}/{:<6.0}{ratio:>4.2} ", theirs.length, ours.length);
    print!("{:>3}/{:<3} | ", theirs.through, ours.through);
    let Size { width, height } = layout.size;
    print!("{:>5.0}x{:<5.0} {width:>4.0}x{height:<4.0}", plain.size.0, plain.size.1);
}

fn dot_picture<'p>(
    plain: &'p Plain,
    legend: Option<&str>,
) -> (Vec<metrics::Box>, Vec<Line>, HashMap<&'p str, usize>) {
    let nodes: Vec<_> = plain.nodes.iter().filter(|(n, _)| Some(n.as_str()) != legend).collect();
    let names: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
    let boxes = nodes.iter().map(|(_, rect)| *rect).collect();
    let line = |(from, to, curve): &dot::PlainEdge| Line {
        from: names[from.as_str()],
        to: names[to.as_str()],
        points: flatten(curve),
    };
    let lines = plain.edges.iter().map(line).collect();
    (boxes, lines, names)
}

fn input(
    source: &DotGraph,
    plain: &Plain,
    names: &HashMap<&str, usize>,
    legend: Option<&str>,
) -> Graph {
    let size = |rect: &metrics::Box| Size { width: rect[2], height: rect[3] };
    let mut nodes = vec![Size::default(); names.len()];
    for (name, rect) in &plain.nodes {
        if let Some(&i) = names.get(name.as_str()) {
            nodes[i] = size(rect);
        }
    }
    let edge = |e: &dot::DotEdge| {
        let number = |key: &str| e.attributes.get(key).and_then(|v| v.parse().ok()).unwrap_or(1);
        Edge {
            from: names[e.from.as_str()],
            to: names[e.to.as_str()],
            weight: number("weight"),
            min_ranks: number("minlen"),
            label: e.attributes.get("label").map(|l| label_size(l)),
        }
    };
    let legend = plain.nodes.iter().find(|(n, _)| Some(n.as_str()) == legend);
    Graph {
        nodes,
        edges: source.edges.iter().map(edge).collect(),
        legend: legend.map(|(_, rect)| size(rect)),
    }
}

/// About what a label of 14 points takes up.
fn label_size(label: &str) -> Size {
    let lines: Vec<&str> = label.split("\\n").collect();
    let longest = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    Size { width: longest as f64 * 7.0, height: lines.len() as f64 * 17.0 }
}

fn picture(graph: &Graph, layout: &Layout) -> (Vec<metrics::Box>, Vec<Line>) {
    let boxes = layout.nodes.iter().zip(&graph.nodes).map(|(p, s)| [p.x, p.y, s.width, s.height]);
    let line = |(edge, route): (&Edge, &oxprof_report::layout::Route)| {
        let curve: Vec<(f64, f64)> = route.curve.iter().map(|p| (p.x, p.y)).collect();
        Line { from: edge.from, to: edge.to, points: flatten(&curve) }
    };
    (boxes.collect(), graph.edges.iter().zip(&layout.edges).map(line).collect())
}
