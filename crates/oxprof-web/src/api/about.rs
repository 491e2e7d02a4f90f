//! What the page must know before it shows anything: the profile, its sample types and labels, the options.

use std::collections::BTreeMap;

use oxprof_report::options::{FormatRow, Kind, OPTIONS};
use oxprof_report::pipeline::{Request, describe, sample_index};
use serde::Serialize;

use super::totals::BASE;
use crate::app::{Inner, Refusal};
use crate::library::Listed;
use crate::reply::Reply;
use crate::request::Query;
use crate::settings::Named;

#[derive(Debug, Serialize)]
struct About {
    /// Changes when the profile does.
    version: u64,
    title: String,
    name: String,
    profiles: Vec<Listed>,
    types: Vec<[String; 2]>,
    /// Which of them is shown.
    chosen: usize,
    legend: Vec<String>,
    doc: String,
    comparison: bool,
    /// Names of labels.
    labels: Vec<String>,
    options: Vec<Option_>,
    settings: Vec<Named>,
    /// Why settings cannot be read.
    settings_error: String,
    /// Whether the page may ask for changes of the file.
    watched: bool,
    /// Profiles that can be taken.
    captures: Vec<&'static str>,
}

/// An option of the filter bar.
#[derive(Debug, Serialize)]
struct Option_ {
    name: &'static str,
    url: &'static str,
    kind: &'static str,
    about: &'static str,
    details: &'static [&'static str],
    choices: Vec<&'static str>,
    /// Its value where the URL says nothing.
    default: String,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let entry = app.entry(query)?;
    let profile = &entry.profile;
    let options = app.options(query)?;
    let request = Request {
        format: FormatRow::find("top").expect("top is a format"),
        argument: "",
        options: &options,
        interactive: false,
        zone: app.world.zone(profile.time_nanos),
        working_dir: app.world.working_dir(),
    };
    let (settings, settings_error) = match app.settings.list() {
        Ok(settings) => (settings, String::new()),
        Err(e) => (Vec::new(), e),
    };
    let file = profile.mappings.first().map_or("", |m| profile.str(m.file));
    let doc = profile.str(profile.doc_url);
    let types = profile.sample_types.iter();
    Ok(Reply::json(&About {
        version: entry.id,
        title: file.rsplit('/').next().unwrap_or_default().to_owned(),
        name: entry.name.clone(),
        profiles: app.library.list(),
        types: types.map(|t| [t.kind, t.unit].map(|id| profile.str(id).to_owned())).collect(),
        chosen: sample_index(profile, &options.sample_index).map_err(Refusal::bad)?,
        legend: describe(profile, &request).map_err(Refusal::bad)?,
        doc: if is_web(doc) { doc.to_owned() } else { String::new() },
        comparison: profile.strings.find(BASE).is_some(),
        labels: labels(profile),
        options: option_rows(app),
        settings,
        settings_error,
        watched: app.world.stamp().is_some(),
        captures: app.world.captures(),
    }))
}

/// Whether a link leads to a page of the web: nothing else in a profile is to be followed.
fn is_web(link: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| link.len() > scheme.len() && link.starts_with(scheme))
}

/// Names of labels, those on most samples first.
fn labels(profile: &oxprof_profile::Profile) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for label in profile.samples.iter().flat_map(|s| s.labels) {
        *counts.entry(label.key).or_insert(0_usize) += 1;
    }
    let mut keys: Vec<_> = counts.into_iter().collect();
    keys.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names = keys.into_iter().map(|(key, _)| profile.str(key)).filter(|name| *name != BASE);
    names.map(super::flame::cut).collect()
}

fn option_rows(app: &Inner) -> Vec<Option_> {
    let row = |row: &'static oxprof_report::options::OptionRow| {
        Some(Option_ {
            name: row.name,
            url: row.url?,
            kind: match row.kind {
                Kind::Bool { .. } => "bool",
                Kind::Int { .. } | Kind::Float { .. } => "number",
                Kind::Text { .. } => "text",
                Kind::Choice { .. } => "choice",
            },
            about: row.about,
            details: row.details,
            choices: row.choices().iter().map(|c| c.name).collect(),
            default: row.get(&app.options),
        })
    };
    OPTIONS.iter().filter_map(row).collect()
}
