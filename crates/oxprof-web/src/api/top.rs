//! Functions by weight; of comparisons, before and after.

use oxprof_report::{Format, Inlining, Report};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::flame::cut;
use super::totals::before_and_after;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

/// Rows where the URL does not say how many.
const ROWS: usize = 500;

#[derive(Debug, Serialize)]
struct Table {
    labels: Vec<String>,
    unit: String,
    units: Vec<(f64, &'static str)>,
    total: i64,
    rows: Vec<Row>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    inline: &'static str,
    flat: i64,
    cum: i64,
    /// Flat and cum of the base, flat and cum of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    sides: Option<[i64; 4]>,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let view = app.view(query, "flame")?;
    let wanted = app.options(query)?.nodecount;
    let options = view.options(|options| {
        options.format = Format::Top;
        options.node_count = match wanted {
            -1 => ROWS,
            n => usize::try_from(n).unwrap_or(0),
        };
    });
    let top = Report::new(&view.prepared.profile, &options).top();
    let sides = before_and_after(&view);
    let numbers: FxHashMap<&str, usize> = match &sides {
        Some(_) => view.names().texts().iter().enumerate().map(|(i, t)| (t.as_str(), i)).collect(),
        None => FxHashMap::default(),
    };
    let of_sides = |name: &str| {
        let [before, after] = sides.as_ref()?;
        let i = *numbers.get(name)?;
        let (b, a) = (before.costs[i], after.costs[i]);
        Some([b.flat, b.cum, a.flat, a.cum])
    };
    let rows = top.rows.into_iter().map(|row| Row {
        sides: of_sides(&row.name),
        name: cut(&row.name),
        inline: match row.inline {
            Inlining::No => "",
            Inlining::Partial => "partly inline",
            Inlining::Yes => "inline",
        },
        flat: row.flat,
        cum: row.cum,
    });
    Ok(Reply::json(&Table {
        labels: top.labels,
        units: view.units(),
        unit: top.unit,
        total: top.total,
        rows: rows.collect(),
        remarks: view.prepared.remarks.clone(),
    }))
}
