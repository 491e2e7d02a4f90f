//! The call graph as a picture.

use oxprof_report::Report;
use oxprof_report::picture::Picture;

use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let mut svg = Vec::new();
    picture(app, query)?.write_svg(&mut svg).map_err(Refusal::bad)?;
    Ok(Reply::standalone("image/svg+xml", svg))
}

pub(super) fn picture(app: &Inner, query: &Query) -> Result<Picture, Refusal> {
    let view = app.view(query, "svg")?;
    Ok(Report::new(&view.prepared.profile, &view.prepared.options).drawing().picture())
}
