//! Answers with values: what the page asks for while it is looked at.

mod about;
mod export;
mod flame;
mod graph;
mod overview;
mod peek;
mod search;
mod source;
mod tags;
mod top;
mod totals;

use http::{Method, StatusCode};
use oxprof_profile::{Compression, Profile, encode_gzip};
use oxprof_report::pipeline::{Request, prepare};

use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Ask;

pub(crate) fn answer(app: &Inner, ask: &Ask) -> Result<Reply, Refusal> {
    match ask.path.as_str() {
        "download" => download(app, ask),
        "saveconfig" | "deleteconfig" => configure(app, ask),
        "api/about" => about::answer(app, &ask.query),
        "api/disasm" => source::disassembly(app, &ask.query),
        "api/export" => export::answer(app, &ask.query),
        "api/flame" => flame::answer(app, &ask.query),
        "api/graph" => graph::answer(app, &ask.query),
        "api/overview" => overview::answer(app, &ask.query),
        "api/peek" => peek::answer(app, &ask.query),
        "api/search" => search::answer(app, &ask.query),
        "api/source" => source::annotated(app, &ask.query),
        "api/stamp" => Ok(Reply::json(&app.world.stamp().map(|stamp| stamp.to_string()))),
        "api/tags" => tags::answer(app, &ask.query),
        "api/top" => top::answer(app, &ask.query),
        "api/reload" | "api/upload" if ask.method != Method::POST => {
            Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()))
        }
        "api/reload" => reload(app),
        "api/upload" => upload(app, ask),
        path => match path.strip_prefix("api/trace/").zip(app.trace.as_ref()) {
            Some((what, trace)) => trace.answer(app, what, ask),
            None => Err(Refusal(StatusCode::NOT_FOUND, "404 page not found".to_owned())),
        },
    }
}

/// Whether the options of a page's address make sense for its profile: all that a report could
/// complain of, asked of a profile without samples. Pages do not wait for profiles: what they ask does.
pub(crate) fn check(app: &Inner, ask: &Ask) -> Result<(), Refusal> {
    let options = app.options(&ask.query)?;
    if !app.library.is_open() {
        return Ok(());
    }
    let Ok(entry) = app.entry(&ask.query) else { return Ok(()) };
    let strings = entry.profile.strings.clone();
    let empty = Profile {
        strings,
        sample_types: entry.profile.sample_types.clone(),
        default_sample_type: entry.profile.default_sample_type,
        ..Profile::default()
    };
    let request = Request {
        format: oxprof_report::options::FormatRow::find("top").expect("top is a format"),
        argument: "",
        options: &options,
        interactive: false,
        zone: app.world.zone(0),
        working_dir: String::new(),
    };
    prepare(empty, &request).map(drop).map_err(Refusal::bad)
}

/// The profile as it was loaded.
fn download(app: &Inner, ask: &Ask) -> Result<Reply, Refusal> {
    let entry = app.entry(&ask.query)?;
    let bytes = encode_gzip(&entry.profile, Compression::Balanced);
    let reply = Reply::of_kind("application/vnd.google.protobuf+gzip", bytes);
    Ok(reply.attachment("profile.pb.gz"))
}

/// Saves or deletes a named configuration. By GET, as Go's page does, unless another site asks.
fn configure(app: &Inner, ask: &Ask) -> Result<Reply, Refusal> {
    if ask.is_cross_site() {
        return Err(Refusal(StatusCode::FORBIDDEN, "another site sent this request".to_owned()));
    }
    let name = ask.query.get("config");
    let done = match ask.path.as_str() {
        "saveconfig" => app.settings.save(name, &app.options(&ask.query)?),
        _ => app.settings.delete(name),
    };
    done.map(|()| Reply::text("")).map_err(Refusal::bad)
}

fn reload(app: &Inner) -> Result<Reply, Refusal> {
    app.library.set_first(app.world.reload().map_err(Refusal::bad)?);
    Ok(Reply::json(&0))
}

/// Adds a profile that somebody gave to the page.
fn upload(app: &Inner, ask: &Ask) -> Result<Reply, Refusal> {
    let loaded = app.world.open(&ask.body, ask.giver).map_err(Refusal::bad)?;
    if loaded.profile.sample_types.is_empty() {
        return Err(Refusal::bad("this profile has no samples"));
    }
    let name = match ask.query.get("name") {
        "" => "pasted",
        name => name,
    };
    Ok(Reply::json(&app.library.add(name, loaded, ask.giver)))
}
