//! One report, from a loaded profile to its reader.

mod graphviz;

use std::io::Write;

use oxprof_profile::Profile;
use oxprof_report::Report;
use oxprof_report::options::{FormatKind, FormatRow, GraphicKind, Options};
use oxprof_report::pipeline::{PipelineError, Request, prepare};

use crate::failure::{Failure, Result};
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
    let sources = sources.or_from(code.objects(), &prepared.profile);
    outlet.send(request.format.destination, &mut |out| match request.format.kind {
        FormatKind::Report(_) => Ok(report.render(&sources, out)?),
        FormatKind::Graphic(kind) => graphic(&report, kind, request.options.graphviz, out),
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

/// Draws the call graph, by Graphviz if that is wanted.
fn graphic(
    report: &Report<'_>,
    kind: GraphicKind,
    by_graphviz: bool,
    out: &mut dyn Write,
) -> Result<()> {
    if by_graphviz {
        let mut dot = Vec::new();
        report.render(&|path: &str| std::fs::read(path), &mut dot)?;
        return Ok(out.write_all(&graphviz::run(&dot, kind)?)?);
    }
    let picture = report.drawing().picture();
    match kind {
        GraphicKind::Gif => picture.write_gif(out)?,
        GraphicKind::Pdf => picture.write_pdf(out)?,
        GraphicKind::Png => picture.write_png(out)?,
        GraphicKind::Ps => picture.write_ps(out)?,
        GraphicKind::Svg => picture.write_svg(out)?,
    }
    Ok(())
}
