//! Pictures of call graphs by an installed Graphviz.

use std::io::Write;
use std::process::{Command, Stdio};

use oxprof_report::options::GraphicKind;

use crate::failure::{Failure, Result, reason};

/// Has `dot` draw a graph.
///
/// # Errors
/// When it is not installed, or fails.
pub(super) fn run(graph: &[u8], kind: GraphicKind) -> Result<Vec<u8>> {
    let mut child = Command::new("dot")
        .arg(type_flag(kind))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failure(&format!("dot: {}", reason(&e))))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // If dot stops reading, its exit code says more than our broken pipe.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(graph)));
        child.wait_with_output()
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failure(&output.status.to_string()))
    }
}

fn type_flag(kind: GraphicKind) -> &'static str {
    match kind {
        GraphicKind::Gif => "-Tgif",
        GraphicKind::Pdf => "-Tpdf",
        GraphicKind::Png => "-Tpng",
        GraphicKind::Ps => "-Tps",
        GraphicKind::Svg => "-Tsvg",
    }
}

fn failure(error: &str) -> Failure {
    Failure::new(format_args!("failed to execute dot. Is Graphviz installed? Error: {error}"))
}
