//! From a loaded profile and options to a report's input.

use std::collections::BTreeMap;

use oxprof_profile::{Granularity as Detail, LabelUnits, LabelValue, Profile};

use super::filters::Filters;
use super::{PipelineError, sample_index};
use crate::amounts::Amounts;
use crate::header::profile_labels;
use crate::options::{FormatKind, FormatRow, Granularity, Options};
use crate::{Format, Regexp, ReportOptions, ValueSelector, Zone};

/// What is asked of a profile.
#[derive(Debug)]
pub struct Request<'a> {
    /// The report.
    pub format: &'a FormatRow,
    /// Its argument; empty unless it takes one.
    pub argument: &'a str,
    /// Options as they were set.
    pub options: &'a Options,
    /// Whether a person waits at a shell, who wants to see the first lines only.
    pub interactive: bool,
    /// The zone for the profile's time.
    pub zone: Zone,
    /// The current directory.
    pub working_dir: String,
}

/// What a report is made of.
#[derive(Debug)]
pub struct Prepared {
    /// The profile, filtered and aggregated.
    pub profile: Profile,
    /// The options, resolved.
    pub options: ReportOptions,
    /// Remarks for the user: filters that matched nothing, units that disagree.
    pub remarks: Vec<String>,
}

/// Prepares a report on `profile`, which the caller gives up: reports want copies of their own.
///
/// # Errors
/// When an option makes no sense for this profile.
pub fn prepare(mut profile: Profile, request: &Request<'_>) -> Result<Prepared, PipelineError> {
    let options = request.options;
    if profile.sample_types.is_empty() {
        return Err(PipelineError::NoValues);
    }
    let pattern = compile_argument(request)?;
    let mut remarks = Vec::new();
    let units = profile.label_units();
    remark_units(&units, &mut remarks);
    add_label_frames(&mut profile, options, &mut remarks);
    let index = sample_index(&profile, &options.sample_index)?;
    let value = ValueSelector { index, mean: options.mean };
    if options.divide_by == 0.0 {
        return Err(PipelineError::ZeroDivisor);
    }
    let label_units = named_units(&profile, &units);
    let filters = Filters::new(options, &mut remarks)?;
    let total_before = value.total(&profile);
    filters.apply(&mut profile, &units, &mut remarks);
    let total = if options.relative_percentages { value.total(&profile) } else { total_before };
    let (detail, inlines) = detail(request);
    profile.aggregate(detail, inlines);
    let mut report = report_options(request, value, total);
    report.label_units = label_units;
    report.pattern = pattern.map(Regexp::into_pattern);
    Ok(Prepared { profile, options: report, remarks })
}

/// The lines that describe a loaded profile, as they stand above reports.
///
/// # Errors
/// When the profile has no values, or not the one that the options select.
pub fn describe(profile: &Profile, request: &Request<'_>) -> Result<Vec<String>, PipelineError> {
    if profile.sample_types.is_empty() {
        return Err(PipelineError::NoValues);
    }
    let index = sample_index(profile, &request.options.sample_index)?;
    let value = ValueSelector { index, mean: request.options.mean };
    let options = report_options(request, value, value.total(profile));
    Ok(profile_labels(profile, &options, &Amounts::new(profile, &options)))
}

fn compile_argument(request: &Request<'_>) -> Result<Option<Regexp>, PipelineError> {
    if !request.format.takes_argument() {
        return Ok(None);
    }
    let argument = request.argument;
    Regexp::new(argument).map(Some).map_err(|error| PipelineError::Regexp {
        option: "argument",
        argument: Some(argument.to_owned()),
        error,
    })
}

fn remark_units(units: &LabelUnits, remarks: &mut Vec<String>) {
    for (key, others) in units.ignored() {
        let (unit, others) = (units.get(key), others.join(", "));
        remarks.push(format!("For tag {key} used unit {unit}, also encountered unit(s) {others}"));
    }
}

/// The unit of every numeric label that the profile has.
fn named_units(profile: &Profile, units: &LabelUnits) -> BTreeMap<String, String> {
    let labels = profile.samples.iter().flat_map(|s| s.labels);
    let mut keys: Vec<_> = labels
        .filter(|label| matches!(label.value, LabelValue::Num { .. }))
        .map(|label| label.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let named = |key| (profile.str(key).to_owned(), units.get(profile.str(key)).to_owned());
    keys.into_iter().map(named).collect()
}

fn add_label_frames(profile: &mut Profile, options: &Options, remarks: &mut Vec<String>) {
    let keys = |list: &str| -> Vec<String> {
        list.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
    };
    let (root, leaf) = (keys(&options.tagroot), keys(&options.tagleaf));
    if root.is_empty() && leaf.is_empty() {
        return;
    }
    let [root, leaf] =
        [&root, &leaf].map(|keys| keys.iter().map(String::as_str).collect::<Vec<_>>());
    let found = profile.add_label_frames(&root, &leaf, &options.unit);
    for (name, is_set, found) in
        [("TagRoot", !root.is_empty(), found.root), ("TagLeaf", !leaf.is_empty(), found.leaf)]
    {
        if is_set && !found {
            remarks.push(format!("{name} expression matched no samples"));
        }
    }
}

/// What a format makes of the options: how finely it looks, and whether it cuts.
struct Overrides {
    granularity: Option<Granularity>,
    inlines: bool,
    trim: bool,
    /// Nodes to show when nobody says how many; 0 for all.
    nodecount: usize,
}

/// Nodes that fit into a picture.
const PICTURE_NODES: usize = 80;
/// Lines that fit into a terminal.
const TERMINAL_LINES: usize = 10;

fn overrides(request: &Request<'_>) -> Overrides {
    let Options { granularity, noinlines, trim, .. } = *request.options;
    let plain = Overrides { granularity, inlines: !noinlines, trim, nodecount: PICTURE_NODES };
    let addresses = Some(Granularity::Addresses);
    match request.format.kind {
        FormatKind::Disasm => {
            Overrides { granularity: addresses, inlines: false, trim: false, ..plain }
        }
        FormatKind::Weblist => {
            Overrides { granularity: addresses, inlines: true, trim: false, ..plain }
        }
        FormatKind::Graphic(_) => plain,
        FormatKind::Report(format) => match format {
            Format::Proto | Format::Raw | Format::Callgrind => {
                Overrides { granularity: addresses, trim: false, ..plain }
            }
            Format::List => {
                Overrides { granularity: Some(Granularity::Lines), trim: false, ..plain }
            }
            Format::Peek => Overrides { trim: false, ..plain },
            Format::Top | Format::Markdown if request.interactive => {
                Overrides { nodecount: TERMINAL_LINES, ..plain }
            }
            Format::Top | Format::TopProto => Overrides { nodecount: 0, ..plain },
            _ => plain,
        },
    }
}

fn detail(request: &Request<'_>) -> (Detail, bool) {
    let Overrides { granularity, inlines, .. } = overrides(request);
    let columns = request.options.showcolumns;
    let detail = match granularity.unwrap_or(Granularity::Functions) {
        Granularity::Functions => Detail::Functions,
        Granularity::FileFunctions => Detail::FileFunctions,
        Granularity::Files => Detail::Files,
        Granularity::Lines => Detail::Lines { columns },
        Granularity::Addresses => Detail::Addresses,
    };
    (detail, inlines)
}

fn report_options(request: &Request<'_>, value: ValueSelector, total: i64) -> ReportOptions {
    let options = request.options;
    let Overrides { trim, nodecount, .. } = overrides(request);
    let format = match request.format.kind {
        FormatKind::Report(format) => format,
        FormatKind::Graphic(_) => Format::Dot,
        FormatKind::Disasm | FormatKind::Weblist => Format::List,
    };
    let nodecount = match options.nodecount {
        -1 => nodecount,
        n => usize::try_from(n).unwrap_or(0),
    };
    ReportOptions {
        encoding: options.form,
        divide_by: options.divide_by,
        unit: options.unit.clone(),
        sort: options.sort,
        node_count: if trim { nodecount } else { 0 },
        node_fraction: if trim { options.nodefraction } else { 0.0 },
        edge_fraction: if trim { options.edgefraction } else { 0.0 },
        call_tree: options.call_tree,
        drop_negative: options.drop_negative,
        compact_labels: options.compact_labels,
        active_filters: active_filters(options),
        source_path: options.source_path.clone(),
        trim_path: options.trim_path.clone(),
        working_dir: request.working_dir.clone(),
        zone: request.zone.clone(),
        ..ReportOptions::new(format, value, total)
    }
}

fn active_filters(options: &Options) -> Vec<String> {
    let filters = [
        ("focus", &options.focus),
        ("ignore", &options.ignore),
        ("hide", &options.hide),
        ("show", &options.show),
        ("show_from", &options.show_from),
        ("tagfocus", &options.tagfocus),
        ("tagignore", &options.tagignore),
        ("tagshow", &options.tagshow),
        ("taghide", &options.taghide),
    ];
    let active = filters.into_iter().filter(|(_, value)| !value.is_empty());
    active.map(|(name, value)| format!("{name}={value}")).collect()
}
