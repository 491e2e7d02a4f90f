//! Labels by weight.

use oxprof_report::{Format, Report};
use serde::Serialize;

use super::flame::cut;
use super::totals::BASE;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

/// Values of a label beyond these are counted, not shown.
const MOST: usize = 200;

#[derive(Debug, Serialize)]
struct Labels {
    unit: String,
    units: Vec<(f64, &'static str)>,
    total: i64,
    keys: Vec<Key>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Key {
    key: String,
    weight: i64,
    /// How many different values there are.
    count: usize,
    values: Vec<(String, i64)>,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let view = app.view(query, "flame")?;
    let options = view.options(|options| options.format = Format::Tags);
    let tags = Report::new(&view.prepared.profile, &options).tags();
    let keys = tags.keys.into_iter().filter(|key| key.key != BASE).map(|key| Key {
        count: key.values.len(),
        values: key.values.into_iter().take(MOST).map(|v| (cut(&v.value), v.weight)).collect(),
        key: cut(&key.key),
        weight: key.weight,
    });
    Ok(Reply::json(&Labels {
        units: view.units(),
        total: tags.total,
        keys: keys.collect(),
        unit: tags.unit,
        remarks: view.prepared.remarks.clone(),
    }))
}
