//! Search over all frames, those included that are too light to be drawn.

use std::cmp::Reverse;

use serde::Serialize;

use super::flame::{cut, matches};
use super::totals::{through, weights};
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;

/// Names to be listed.
const LISTED: usize = 100;
/// Names to be marked in pictures.
const MARKED: usize = 50_000;

#[derive(Debug, Serialize)]
struct Found {
    /// How many names match.
    count: usize,
    /// What samples through any of them weigh.
    weight: i64,
    whole: i64,
    /// The heaviest: name, own weight, weight.
    top: Vec<(String, i64, i64)>,
    /// Numbers of the names in this view.
    ids: Vec<u32>,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let view = app.view(query, "flame")?;
    let matching = matches(&view, query.get("q"))?;
    let totals = weights(&view);
    let mut ids: Vec<u32> =
        (0..).zip(&matching).filter(|(_, matches)| **matches).map(|(id, _)| id).collect();
    ids.retain(|&id| totals.costs[id as usize].cum != 0);
    ids.sort_by_key(|&id| Reverse(totals.costs[id as usize].cum));
    let listed = |&id: &u32| {
        let cost = totals.costs[id as usize];
        (cut(&view.names().texts()[id as usize]), cost.flat, cost.cum)
    };
    let found = Found {
        count: ids.len(),
        weight: through(&view, &matching),
        whole: totals.sum,
        top: ids.iter().take(LISTED).map(listed).collect(),
        ids: ids.iter().take(MARKED).copied().collect(),
    };
    Ok(Reply::json(&found))
}
