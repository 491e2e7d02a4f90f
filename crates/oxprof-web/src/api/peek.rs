//! Functions between their callers and callees.

use serde::Serialize;

use super::flame::cut;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

/// Entries beyond these are counted, not shown.
const MOST: usize = 200;

#[derive(Debug, Serialize)]
struct Peek {
    unit: String,
    units: Vec<(f64, &'static str)>,
    total: i64,
    /// How many functions match.
    count: usize,
    entries: Vec<Entry>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    flat: i64,
    cum: i64,
    callers: Vec<(String, i64)>,
    callees: Vec<(String, i64)>,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let mut options = app.options(query)?;
    options.granularity.get_or_insert(oxprof_report::options::Granularity::Lines);
    let view = app.view_with(query, ("peek", query.get("f")), &options)?;
    let tree = view.report().tree().map_err(Refusal::bad)?;
    let calls = |calls: Vec<oxprof_report::Call>| {
        calls.into_iter().map(|call| (cut(&call.name), call.weight)).collect()
    };
    let count = tree.entries.len();
    let entries = tree.entries.into_iter().take(MOST).map(|entry| Entry {
        name: cut(&entry.name),
        flat: entry.flat,
        cum: entry.cum,
        callers: calls(entry.callers),
        callees: calls(entry.callees),
    });
    Ok(Reply::json(&Peek {
        units: view.units(),
        unit: tree.unit,
        total: tree.total,
        count,
        entries: entries.collect(),
        remarks: view.prepared.remarks.clone(),
    }))
}
