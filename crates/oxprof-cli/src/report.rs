//! One report, from a loaded profile to its reader.

use std::io::Write;
use std::process::{Command, Stdio};

use oxprof_profile::Profile;
use oxprof_report::Report;
use oxprof_report::options::{FormatKind, FormatRow, GraphicKind, Options};
use oxprof_report::pipeline::{PipelineError, Request, prepare};

use crate::failure::{Failure, Result, reason};
use crate::objects::{LocalCode, LocalSources};
use crate::output::Outlet;
use crate::{progress, zone};

/// A request for a report on `profile`, in this place and time zone.
pub(crate) fn request<'a>(
    format: &'a FormatRow,
    argument: &'a str,
    options: &'a Options,
    profile: &Profile,
    interactive: bool,
) -> Request<'a> {
    Request {
        format,
        argument,
        options,
        interactive,
        zone: zone::at(profile.time_nanos),
        working_dir: std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// Makes a report and sends it out.
///
/// # Errors
/// When an option makes no sense for the profile, or the report cannot be made or written.
pub(crate) fn write(
    profile: Profile,
    request: &Request<'_>,
    code: LocalCode<'_>,
    outlet: &Outlet<'_>,
) -> Result<()> {
    let prepared = progress::during(outlet.ui, "Filtering", || prepare(profile, request));
    let prepared = prepared.map_err(Failure::new)?;
    for remark in &prepared.remarks {
        outlet.ui.note(remark);
    }
    let report = Report::new(&prepared.profile, &prepared.options);
    let code = code.with_syntax(request.options);
    let sources = LocalSources::from_env(&|name| std::env::var_os(name));
    outlet.send(request.format.destination, &mut |out| match request.format.kind {
        FormatKind::Report(_) => Ok(report.render(&sources, out)?),
        FormatKind::Graphic(kind) => graphic(&report, kind, out),
        FormatKind::Disasm => Ok(report.render_disassembly(&code, out)?),
        FormatKind::Weblist => Ok(report.render_weblist(&sources, &code, out)?),
    })
}

/// The lines that describe a profile.
///
/// # Errors
/// When the profile has no values, or not the one that `options` select.
pub(crate) fn describe(
    profile: &Profile,
    options: &Options,
) -> std::result::Result<Vec<String>, PipelineError> {
    let format = FormatRow::find("top").expect("top is a format");
    let request = request(format, "", options, profile, true);
    oxprof_report::pipeline::describe(profile, &request)
}

/// Draws the call graph by Graphviz.
fn graphic(report: &Report<'_>, kind: GraphicKind, out: &mut dyn Write) -> Result<()> {
    let mut dot = Vec::new();
    report.render(&|path: &str| std::fs::read(path), &mut dot)?;
    out.write_all(&graphviz(&dot, kind)?)?;
    Ok(())
}

fn graphviz(dot: &[u8], kind: GraphicKind) -> Result<Vec<u8>> {
    let type_flag = match kind {
        GraphicKind::Gif => "-Tgif",
        GraphicKind::Pdf => "-Tpdf",
        GraphicKind::Png => "-Tpng",
        GraphicKind::Ps => "-Tps",
        GraphicKind::Svg => "-Tsvg",
    };
    let failure = |e: String| {
        Failure::new(format_args!("failed to execute dot. Is Graphviz installed? Error: {e}"))
    };
    let mut child = Command::new("dot")
        .arg(type_flag)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failure(format!("dot: {}", reason(&e))))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // If dot stops reading, its exit code says more than our broken pipe.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(dot)));
        child.wait_with_output()
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failure(output.status.to_string()))
    }
}
