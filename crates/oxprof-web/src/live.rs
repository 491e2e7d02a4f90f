//! The page in a program: its own profiles, taken by a button.
//!
//! The endpoints decide who may come in and how much may go on at once; the page only asks them to capture. It reads no
//! files: what source a profile names is nobody's business here.

use std::io;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use oxprof::http::Endpoints;
use oxprof_profile::{Profile, ValueType};
use oxprof_report::flame::PAGE_SHARE;
use oxprof_report::options::{FormatRow, Options};
use oxprof_report::pipeline::{Request as Wanted, prepare};
use oxprof_report::{Binaries, Binary, Report, SourceFiles, Zone};

use crate::app::Refusal;
use crate::reply::Reply;
use crate::request::{Ask, Query, takes_gzip};
use crate::server::{answer, aside};
use crate::{App, Giver, Loaded, SettingsFile, Setup, World, router};

/// Adds two pages to the endpoints of a program: `ui`, where its profiles are captured and looked at, and
/// `flame?profile=NAME`, one profile as a flame graph that needs nothing else. Other parameters of `flame` are those of
/// the profile, such as `seconds`.
///
/// ```
/// use oxprof::http::Endpoints;
///
/// let endpoints = oxprof_web::live(Endpoints::new());
/// # drop(endpoints);
/// ```
#[must_use]
pub fn live(endpoints: Endpoints) -> Endpoints {
    let app = App::new(Setup {
        name: "nothing captured yet".to_owned(),
        options: Options::default(),
        settings: SettingsFile::none(),
        world: Arc::new(Program),
    });
    app.show(Loaded { profile: nothing(), remarks: Vec::new() });
    let (for_ui, for_flame) = (endpoints.clone(), endpoints.clone());
    let ui = move |request| ui(app.clone(), for_ui.clone(), request);
    let flame = move |request| flame(for_flame.clone(), request);
    endpoints
        .with_page("ui", "Profiles of this program, to capture and to look at.", ui)
        .with_page(
            "flame",
            "A profile as a flame graph. Parameters: profile (default profile, the CPU), and those of that profile.",
            flame,
        )
}

/// What is shown before anything is captured.
fn nothing() -> Profile {
    let mut profile = Profile::default();
    let (kind, unit) = (profile.strings.intern("samples"), profile.strings.intern("count"));
    profile.sample_types = vec![ValueType { kind, unit }];
    profile
}

async fn ui(app: App, endpoints: Endpoints, request: Request<Bytes>) -> Response<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    // The request's place is among them.
    let extensions = mem::take(&mut head.extensions);
    let directory = format!("{}/ui", endpoints.prefix());
    let path = head.uri.path();
    // Paths may have lost the prefix on their way here.
    let below = path.strip_prefix(&directory).or_else(|| path.strip_prefix("/ui"));
    let Some(path) = below.and_then(|rest| rest.strip_prefix('/')).map(str::to_owned) else {
        let to = format!("{directory}/flamegraph");
        return Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &to).into_response(false);
    };
    match router::admit(path, head, Giver::Visitor).map(|ask| Ask { body, ..ask }) {
        Ok(ask) if ask.path == "api/capture" => {
            let reply = capture(app, &endpoints, &ask, extensions).await;
            reply.unwrap_or_else(Reply::from).into_response(false)
        }
        Ok(ask) => answer(app, ask, extensions).await,
        Err(reply) => reply.into_response(false),
    }
}

/// Captures a profile and adds it to those that can be looked at.
async fn capture(
    app: App,
    endpoints: &Endpoints,
    ask: &Ask,
    place: Extensions,
) -> Result<Reply, Refusal> {
    if ask.method != Method::POST || ask.is_cross_site() {
        return Err(Refusal(StatusCode::FORBIDDEN, "permission denied".to_owned()));
    }
    let (name, seconds) = (ask.query.get("profile").to_owned(), ask.query.get("seconds"));
    let query = if seconds.is_empty() { String::new() } else { format!("seconds={seconds}") };
    let bytes = captured(endpoints, &name, &query).await?;
    let title = if seconds.is_empty() { name.clone() } else { format!("{name} of {seconds} s") };
    let add = move || {
        let profile = decode(&name, &bytes)?;
        Ok(Reply::json(&app.add(&title, Loaded { profile, remarks: Vec::new() }, Giver::User)))
    };
    aside(place, add).await?
}

/// What the endpoint `name` answers.
async fn captured(endpoints: &Endpoints, name: &str, query: &str) -> Result<Bytes, Refusal> {
    let refused = match endpoints.capture(name, query).await {
        Ok(bytes) => return Ok(bytes),
        Err(reply) => reply,
    };
    let status = refused.status();
    let body = refused.into_body().collect().await.map(|body| body.to_bytes());
    let text = body.map(|b| String::from_utf8_lossy(&b).trim().to_owned());
    Err(Refusal(status, text.unwrap_or_default()))
}

fn decode(name: &str, bytes: &[u8]) -> Result<Profile, Refusal> {
    let no_profile = |e| Refusal::bad(format!("{name} is no profile to show here: {e}"));
    oxprof_profile::decode(bytes).map_err(no_profile)
}

async fn flame(endpoints: Endpoints, request: Request<Bytes>) -> Response<Full<Bytes>> {
    let head = request.into_parts().0;
    let gzip = takes_gzip(&head.headers);
    let query = head.uri.query().unwrap_or_default();
    let name = Query::parse(query).get("profile").to_owned();
    let name = if name.is_empty() { "profile".to_owned() } else { name };
    let others: Vec<&str> = query.split('&').filter(|p| !p.starts_with("profile=")).collect();
    let page = async {
        let bytes = captured(&endpoints, &name, &others.join("&")).await?;
        let page = move || Ok(flame_page(decode(&name, &bytes)?)?.into_response(gzip));
        aside(head.extensions, page).await?
    };
    page.await.unwrap_or_else(|refusal: Refusal| Reply::from(refusal).into_response(false))
}

/// A profile as one page.
fn flame_page(profile: Profile) -> Result<Reply, Refusal> {
    let wanted = Wanted {
        format: FormatRow::find("flamepage").expect("flamepage is a format"),
        argument: "",
        options: &Options::default(),
        interactive: false,
        zone: Zone::default(),
        working_dir: String::new(),
    };
    let prepared = prepare(profile, &wanted).map_err(Refusal::bad)?;
    let tree = Report::new(&prepared.profile, &prepared.options).flame_tree(PAGE_SHARE);
    let mut html = Vec::new();
    tree.write_html(&mut html).map_err(Refusal::bad)?;
    Ok(Reply::standalone("text/html; charset=utf-8", html))
}

/// A running program, seen from within.
#[derive(Debug)]
pub(crate) struct Program;

impl World for Program {
    fn with_sources(&self, _: &Profile, with: &mut dyn FnMut(&dyn SourceFiles)) {
        with(&|_: &str| Err(io::Error::other("a running program shows no files")));
    }

    fn with_binaries(&self, _: &Options, with: &mut dyn FnMut(&dyn Binaries)) {
        with(&Self);
    }

    fn zone(&self, _: i64) -> Zone {
        Zone::default()
    }

    fn working_dir(&self) -> String {
        String::new()
    }

    fn open(&self, bytes: &[u8], _: Giver) -> Result<Loaded, String> {
        let profile = oxprof_profile::decode(bytes).map_err(|e| e.to_string())?;
        Ok(Loaded { profile, remarks: Vec::new() })
    }

    fn captures(&self) -> Vec<&'static str> {
        let mut names = vec!["profile"];
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        names.extend(oxprof::profiles().iter().map(oxprof::NamedProfile::name));
        names
    }
}

impl Binaries for Program {
    fn open(&self, file: &str, _: &str, _: &mut dyn FnMut(&dyn Binary)) -> Result<(), String> {
        Err(format!("{file}: a running program shows no files"))
    }
}
