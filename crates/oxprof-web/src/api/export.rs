//! The current view as a file.

use oxprof_report::Report;
use oxprof_report::flame::FlameTree;
use oxprof_report::options::{FormatKind, FormatRow, GraphicKind};

use super::flame::Look;
use super::graph::picture;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

/// Formats to export, with the type and the ending of their files.
const FILES: [(&str, &str, &str); 12] = [
    ("proto", "application/vnd.google.protobuf+gzip", "pb.gz"),
    ("folded", "text/plain; charset=utf-8", "folded.txt"),
    ("speedscope", "application/json", "speedscope.json"),
    ("firefox", "application/json", "firefox.json"),
    ("markdown", "text/markdown; charset=utf-8", "md"),
    ("text", "text/plain; charset=utf-8", "txt"),
    ("callgrind", "text/plain; charset=utf-8", "callgrind"),
    ("dot", "text/vnd.graphviz; charset=utf-8", "dot"),
    ("svg", "image/svg+xml", "svg"),
    ("png", "image/png", "png"),
    ("pdf", "application/pdf", "pdf"),
    ("raw", "text/plain; charset=utf-8", "raw.txt"),
];

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let name = query.get("format");
    let (bytes, kind, ending) = match name {
        "flame-svg" | "flame-html" => flame(app, query, name == "flame-html")?,
        _ => report(app, query, name)?,
    };
    let file = format!("profile.{ending}");
    Ok(match kind {
        "text/html; charset=utf-8" | "image/svg+xml" => Reply::standalone(kind, bytes),
        kind => Reply::of_kind(kind, bytes),
    }
    .attachment(&file))
}

type File = (Vec<u8>, &'static str, &'static str);

fn report(app: &Inner, query: &Query, name: &str) -> Result<File, Refusal> {
    let unknown = || Refusal::bad(format!("there is no export format {name:?}"));
    let &(name, kind, ending) = FILES.iter().find(|(n, ..)| *n == name).ok_or_else(unknown)?;
    let row = FormatRow::find(name).ok_or_else(unknown)?;
    let mut bytes = Vec::new();
    match row.kind {
        FormatKind::Graphic(graphic) => {
            let picture = picture(app, query)?;
            let written = match graphic {
                GraphicKind::Svg => picture.write_svg(&mut bytes),
                GraphicKind::Png => picture.write_png(&mut bytes),
                _ => picture.write_pdf(&mut bytes),
            };
            written.map_err(Refusal::bad)?;
        }
        _ => {
            let view = app.view(query, name)?;
            let report = Report::new(&view.prepared.profile, &view.prepared.options);
            let none = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
            // No format of the table lists source.
            report.render(&none, &mut bytes).map_err(Refusal::bad)?;
        }
    }
    Ok((bytes, kind, ending))
}

/// The flame graph as it is looked at.
fn flame(app: &Inner, query: &Query, page: bool) -> Result<File, Refusal> {
    let view = app.view(query, "flame")?;
    let part = Look::new(&view, query)?.part(&view);
    let profile = &view.prepared.profile;
    let value = profile.sample_types[view.prepared.options.value.index];
    let file = profile.mappings.first().map_or("", |m| profile.str(m.file));
    let title =
        format!("{} {}", file.rsplit('/').next().unwrap_or_default(), profile.str(value.kind));
    let names = view.names();
    let tree = FlameTree {
        title: title.trim().to_owned(),
        legend: Vec::new(),
        units: view.units(),
        total: view.prepared.options.total.saturating_abs(),
        difference: !part.frames.net.is_empty(),
        names: names.texts().to_vec(),
        hues: (0..names.texts().len() as u32).map(|name| names.hue(name)).collect(),
        frames: part.frames,
        dropped: part.dropped,
    };
    let mut bytes = Vec::new();
    if page {
        tree.write_html(&mut bytes).map_err(Refusal::bad)?;
        return Ok((bytes, "text/html; charset=utf-8", "html"));
    }
    tree.write_svg(&mut bytes).map_err(Refusal::bad)?;
    Ok((bytes, "image/svg+xml", "svg"))
}
