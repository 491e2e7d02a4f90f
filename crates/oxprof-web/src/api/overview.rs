//! What the profile is, where it comes from and what stands out, as values; the page puts them into words.

use std::cmp::Reverse;

use oxprof_profile::Profile;
use oxprof_report::flame::{Direction, FlamePart, FlameQuery};
use oxprof_report::{Format, Report};
use serde::Serialize;

use super::flame::cut;
use super::totals::{BASE, Totals, before_and_after, weights};
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;
use crate::view::View;

/// Rows of each list.
const LISTED: usize = 6;

#[derive(Debug, Serialize)]
struct Overview {
    kind: String,
    unit: String,
    units: Vec<(f64, &'static str)>,
    total: i64,
    whole: i64,
    samples: usize,
    functions: usize,
    deepest: usize,
    duration_nanos: i64,
    /// Events between two samples, and what is counted.
    period: i64,
    period_type: [String; 2],
    binaries: Vec<[String; 2]>,
    comments: Vec<String>,
    legend_time: String,
    /// What samples with a frame that nobody could name weigh.
    unnamed: i64,
    /// Functions by own weight: name, own weight, weight.
    heaviest: Vec<(String, i64, i64)>,
    /// From the root along the heaviest callees, as long as each has more than half of everything.
    path: Vec<(String, i64)>,
    /// Packages by own weight.
    packages: Vec<(String, i64, u16)>,
    /// Label, its heaviest value, and what samples with that weigh.
    labels: Vec<(String, String, i64)>,
    /// Of comparisons: the whole before and after, and the functions that changed most.
    change: Option<Change>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    before: i64,
    after: i64,
    /// Name, own weight before and after.
    functions: Vec<(String, i64, i64)>,
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let view = app.view(query, "flame")?;
    let profile = &view.prepared.profile;
    let totals = weights(&view);
    let text = |id| cut(profile.str(id));
    let value = profile.sample_types[view.prepared.options.value.index];
    let entry = app.entry(query)?;
    let binaries = profile.mappings.iter().filter(|m| !m.file.is_empty());
    Ok(Reply::json(&Overview {
        kind: text(value.kind),
        unit: text(value.unit),
        units: view.units(),
        total: view.prepared.options.total,
        whole: totals.sum,
        samples: profile.samples.len(),
        functions: totals.costs.iter().filter(|cost| cost.cum != 0).count(),
        deepest: profile.samples.iter().map(|s| s.stack.len()).max().unwrap_or(0),
        duration_nanos: profile.duration_nanos,
        period: profile.period,
        period_type: [text(profile.period_type.kind), text(profile.period_type.unit)],
        binaries: binaries.take(LISTED).map(|m| [text(m.file), text(m.build_id)]).collect(),
        comments: profile.comments.iter().take(LISTED).map(|&c| text(c)).collect(),
        legend_time: time(&view),
        unnamed: unnamed(&view, &entry.profile),
        heaviest: heaviest(&view, &totals),
        path: path(&view),
        packages: packages(&view, &totals),
        labels: labels(&view),
        change: change(&view),
        remarks: view.prepared.remarks.clone(),
    }))
}

/// When the profile was collected, as reports say it.
fn time(view: &View) -> String {
    let tree = view.report().top().labels;
    tree.iter().find_map(|line| line.strip_prefix("Time: ")).unwrap_or_default().to_owned()
}

/// The weight of samples that went through code without a name.
fn unnamed(view: &View, profile: &Profile) -> i64 {
    let bare = |stack: &[oxprof_profile::LocationIdx]| {
        stack.iter().any(|location| profile.locations[location.index()].lines.is_empty())
    };
    let samples = view.report().stacks().filter(|(stack, _)| bare(stack));
    samples.fold(0, |sum, (_, value)| sum.saturating_add(value.saturating_abs()))
}

fn heaviest(view: &View, totals: &Totals) -> Vec<(String, i64, i64)> {
    let mut ids: Vec<usize> = (1..totals.costs.len()).collect();
    ids.sort_by_key(|&id| Reverse(totals.costs[id].flat));
    let listed = ids.iter().take(LISTED).filter(|&&id| totals.costs[id].flat > 0);
    let row = |&id: &usize| {
        let cost = totals.costs[id];
        (cut(&view.names().texts()[id]), cost.flat, cost.cum)
    };
    listed.map(row).collect()
}

/// The way that most samples went, as far as they went the same way.
fn path(view: &View) -> Vec<(String, i64)> {
    const SHARE: i64 = 20;
    let query = FlameQuery {
        direction: Direction::Inwards,
        pivot: None,
        window: 0..i64::MAX,
        pixels: SHARE,
    };
    let FlamePart { frames, .. } = view.names().part(&view.report(), &query);
    let mut path: Vec<(String, i64)> = Vec::new();
    for i in 1..frames.len() {
        // Each frame is followed by the heaviest of its callees, if it has any.
        let is_callee = frames.depth[i] as usize == i;
        if !is_callee || frames.weight[i] <= frames.weight[0] / 2 {
            break;
        }
        path.push((cut(&view.names().texts()[frames.name[i] as usize]), frames.weight[i]));
    }
    path
}

/// Own weights by package, which the name of a function begins with.
fn packages(view: &View, totals: &Totals) -> Vec<(String, i64, u16)> {
    let mut sums: std::collections::BTreeMap<&str, (i64, u32)> = std::collections::BTreeMap::new();
    for (id, cost) in totals.costs.iter().enumerate().skip(1).filter(|(_, cost)| cost.flat != 0) {
        let package = oxprof_report::flame::package(&view.names().texts()[id]);
        let (sum, _) = sums.entry(package).or_insert((0, id as u32));
        *sum = sum.saturating_add(cost.flat);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, (sum, _))| Reverse(*sum));
    let row = |(package, (sum, id)): (&str, (i64, u32))| (cut(package), sum, view.names().hue(id));
    sums.into_iter().take(2 * LISTED).map(row).collect()
}

/// The heaviest value of each label.
fn labels(view: &View) -> Vec<(String, String, i64)> {
    let options = view.options(|options| options.format = Format::Tags);
    let tags = Report::new(&view.prepared.profile, &options).tags();
    let keys = tags.keys.into_iter().filter(|key| key.key != BASE).take(LISTED);
    let row = |key: oxprof_report::TagKey| {
        let heaviest = key.values.into_iter().next()?;
        Some((cut(&key.key), cut(&heaviest.value), heaviest.weight))
    };
    keys.filter_map(row).collect()
}

fn change(view: &View) -> Option<Change> {
    let [before, after] = before_and_after(view)?;
    let difference = |id: usize| after.costs[id].flat.saturating_sub(before.costs[id].flat);
    let mut ids: Vec<usize> = (1..before.costs.len()).collect();
    ids.sort_by_key(|&id| Reverse(difference(id).saturating_abs()));
    let row =
        |&id: &usize| (cut(&view.names().texts()[id]), before.costs[id].flat, after.costs[id].flat);
    let functions = ids.iter().take(LISTED).filter(|&&id| difference(id) != 0).map(row).collect();
    Some(Change { before: before.sum, after: after.sum, functions })
}
