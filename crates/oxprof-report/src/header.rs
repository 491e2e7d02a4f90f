//! What stands above a report.

use oxprof_profile::{Profile, units};

use crate::amounts::{Amounts, value_name};
use crate::graph::Graph;
use crate::raw::civil_date;
use crate::{Format, ReportOptions, Zone, paths};

/// Filters longer than this are cut.
const MAX_FILTER_BYTES: usize = 80;

/// The lines that describe the profile.
pub(crate) fn profile_labels(
    profile: &Profile,
    options: &ReportOptions,
    amounts: &Amounts,
) -> Vec<String> {
    let line = |name: &str, text: &str| (!text.is_empty()).then(|| format!("{name}: {text}"));
    let build_id = profile.mappings.first().map_or("", |main| profile.str(main.build_id));
    let comments = profile.comments.iter().map(|&c| profile.str(c).to_owned());
    let mut labels = Vec::new();
    labels.extend(line("File", &title(profile)));
    labels.extend(line("Build ID", build_id));
    labels.extend(comments.filter(|c| !c.starts_with('#')));
    labels.extend(line("Type", &value_name(profile, options)));
    labels.extend(line("Doc", profile.str(profile.doc_url)));
    if profile.time_nanos != 0 {
        labels.extend(line("Time", &local_time(profile.time_nanos, &options.zone)));
    }
    if profile.duration_nanos != 0 {
        labels.extend(line("Duration", &duration(profile, amounts)));
    }
    labels
}

/// What the profile is of: the base name of the program; empty if unknown.
pub(crate) fn title(profile: &Profile) -> String {
    let file = profile.mappings.first().map_or("", |m| profile.str(m.file));
    if file.is_empty() { String::new() } else { paths::base(file).to_owned() }
}

/// The lines above a report of nodes.
pub(crate) fn report_labels(
    profile: &Profile,
    options: &ReportOptions,
    amounts: &Amounts,
    graph: &Graph,
) -> Vec<String> {
    let drawing = options.format == Format::Dot;
    let mut labels = Vec::new();
    if drawing || !options.compact_labels {
        labels = profile_labels(profile, options, amounts);
    }
    labels.extend(filter_labels(&options.active_filters));
    let total = graph.total();
    let percent = amounts.percent(total);
    labels.push(format!(
        "Showing nodes accounting for {}, {} of {} total",
        amounts.text(total),
        percent.trim(),
        amounts.text(amounts.total)
    ));
    if amounts.total != 0 {
        labels.extend(dropped_labels(options, amounts, graph, drawing));
    }
    if drawing {
        labels.push("\nSee https://git.io/JfYMW for how to read the graph".to_owned());
    }
    labels
}

fn dropped_labels(
    options: &ReportOptions,
    amounts: &Amounts,
    graph: &Graph,
    drawing: bool,
) -> Vec<String> {
    let mut labels = Vec::new();
    let mut dropped = |count: usize, what: &str, measure: &str, fraction: f64| {
        if count > 0 {
            let plural = if count > 1 { "s" } else { "" };
            let cutoff = ((amounts.total as f64 * fraction) as i64).wrapping_abs();
            let cutoff = amounts.text(cutoff);
            labels.push(format!("Dropped {count} {what}{plural} ({measure} <= {cutoff})"));
        }
    };
    dropped(graph.dropped_nodes, "node", "cum", options.node_fraction);
    dropped(if drawing { graph.dropped_edges } else { 0 }, "edge", "freq", options.edge_fraction);
    if 0 < graph.shown && graph.shown < graph.candidates {
        labels.push(format!("Showing top {} nodes out of {}", graph.shown, graph.candidates));
    }
    labels
}

fn filter_labels(filters: &[String]) -> Vec<String> {
    if filters.is_empty() {
        return Vec::new();
    }
    let shorten = |filter: &String| {
        if filter.len() <= MAX_FILTER_BYTES {
            return format!("   {filter}");
        }
        let cut = String::from_utf8_lossy(&filter.as_bytes()[..MAX_FILTER_BYTES]);
        format!("   {cut}…")
    };
    std::iter::once("Active filters:".to_owned()).chain(filters.iter().map(shorten)).collect()
}

/// Duration and, when values are times, the share of it that they cover.
fn duration(profile: &Profile, amounts: &Amounts) -> String {
    let (nanos, unit) = units::scale(amounts.total, &amounts.from, "nanoseconds");
    let mut ratio = String::new();
    if unit == "ns" && nanos != 0.0 {
        ratio = format!("({})", units::percentage(nanos as i64, profile.duration_nanos));
    }
    let duration = units::label(profile.duration_nanos, "nanoseconds");
    format!("{duration}, Total samples = {} {ratio}", amounts.text(amounts.total))
}

/// `2006-01-02 15:04:05 MST`.
fn local_time(nanos: i64, zone: &Zone) -> String {
    const DAY: i64 = 86_400;
    let local = nanos.div_euclid(1_000_000_000) + i64::from(zone.offset_seconds);
    let (year, month, day) = civil_date(local.div_euclid(DAY));
    let second = local.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let zone = &zone.abbreviation;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {zone}")
}
