//! Labels at the nodes of a drawn graph.
//!
//! Each set of text labels that samples of a node carry together is one tag. Numbers are shown for the
//! key `bytes` only, each under the tag of the text labels it came with.

use std::collections::HashMap;
use std::rc::Rc;

use oxprof_profile::{Label, LabelValue, Profile, StrId, Strings, units};
use rustc_hash::FxBuildHasher;

use super::accumulate::Steps;
use crate::values::{DIFF_BASE_LABEL, Sum};
use crate::{Frames, ReportOptions};

/// The numeric label that graphs show.
const NUMBER_KEY: &str = "bytes";

/// A label of a node and what the samples with it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// Text to show.
    pub name: String,
    pub(crate) flat: Sum,
    pub(crate) cum: Sum,
}

/// A number at a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumericTag {
    /// [`Tag::name`] of the text labels that the number came with; empty for none.
    pub labels: String,
    /// The number as text, and its cost.
    pub tag: Tag,
    /// The number.
    pub value: i64,
    /// Its unit.
    pub unit: String,
}

/// Everything that hangs on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTags {
    /// Text labels.
    pub labels: Vec<Tag>,
    /// Numbers.
    pub numbers: Vec<NumericTag>,
}

impl Tag {
    /// What its samples cost at the node itself.
    pub fn flat(&self) -> i64 {
        self.flat.mean()
    }

    /// What its samples cost at the node and below.
    pub fn cum(&self) -> i64 {
        self.cum.mean()
    }

    fn is_light(&self, cutoff: i64) -> bool {
        self.flat.value.wrapping_abs() < cutoff && self.cum.value.wrapping_abs() < cutoff
    }

    fn add(&mut self, (value, divisor): (i64, i64), flat: bool) {
        let sum = if flat { &mut self.flat } else { &mut self.cum };
        sum.add(value, divisor);
    }
}

impl NodeTags {
    /// Removes what weighs less than `cutoff`.
    pub(super) fn drop_light(&mut self, cutoff: i64) {
        self.labels.retain(|t| !t.is_light(cutoff));
        self.numbers.retain(|t| !t.tag.is_light(cutoff));
    }

    /// How many tags the node itself has.
    pub(super) fn flat_count(&self) -> usize {
        let tags = self.labels.iter().chain(self.numbers.iter().map(|n| &n.tag));
        tags.filter(|t| t.flat.value != 0).count()
    }
}

/// Adds up tags by node.
pub(super) struct Collector<'p> {
    profile: &'p Profile,
    options: &'p ReportOptions,
    texts: Strings,
    /// What sets of labels show.
    shown: HashMap<&'p [Label], Rc<Shown>, FxBuildHasher>,
    /// Where a node has the tag of these texts: labels, and number if not empty.
    rows: HashMap<(u32, StrId, StrId), u32, FxBuildHasher>,
    tags: Vec<NodeTags>,
}

/// What a sample's labels show: ids in `Collector::texts`.
#[derive(Default)]
pub(super) struct Shown {
    labels: StrId,
    numbers: Vec<(StrId, i64)>,
}

impl<'p> Collector<'p> {
    /// A collector, if samples have labels to collect.
    pub(super) fn new(profile: &'p Profile, options: &'p ReportOptions) -> Option<Self> {
        let labelled = profile.samples.iter().any(|sample| !sample.labels.is_empty());
        labelled.then(|| Self {
            profile,
            options,
            texts: Strings::default(),
            shown: HashMap::default(),
            rows: HashMap::default(),
            tags: Vec::new(),
        })
    }

    /// What to [`add`](Self::add) for a sample with these labels.
    pub(super) fn shown(&mut self, labels: &'p [Label]) -> Rc<Shown> {
        if let Some(known) = self.shown.get(labels) {
            return Rc::clone(known);
        }
        let text = self.join(labels);
        let shown =
            Rc::new(Shown { labels: self.texts.intern(&text), numbers: self.numbers(labels) });
        self.shown.insert(labels, Rc::clone(&shown));
        shown
    }

    /// Counts a sample at a node, either for the node itself or for the node with all it calls.
    pub(super) fn add(&mut self, node: u32, shown: &Shown, amount: (i64, i64), flat: bool) {
        let at = node as usize;
        if self.tags.len() <= at {
            self.tags.resize_with(at + 1, NodeTags::default);
        }
        if !shown.labels.is_empty() {
            self.label_tag(node, shown.labels).add(amount, flat);
        }
        for &(number, value) in &shown.numbers {
            self.number_tag(node, shown.labels, number, value).add(amount, flat);
        }
    }

    fn label_tag(&mut self, node: u32, labels: StrId) -> &mut Tag {
        let tags = &mut self.tags[node as usize].labels;
        let row = *self.rows.entry((node, labels, StrId::EMPTY)).or_insert_with(|| {
            tags.push(Tag { name: self.texts.get(labels).to_owned(), ..Tag::default() });
            tags.len() as u32 - 1
        });
        &mut tags[row as usize]
    }

    fn number_tag(&mut self, node: u32, labels: StrId, number: StrId, value: i64) -> &mut Tag {
        let tags = &mut self.tags[node as usize].numbers;
        let row = *self.rows.entry((node, labels, number)).or_insert_with(|| {
            let tag = Tag { name: self.texts.get(number).to_owned(), ..Tag::default() };
            let unit = self.options.label_unit(NUMBER_KEY).to_owned();
            let labels = self.texts.get(labels).to_owned();
            tags.push(NumericTag { labels, tag, value, unit });
            tags.len() as u32 - 1
        });
        &mut tags[row as usize].tag
    }

    /// The tags by node; nodes without any may be missing at the end.
    pub(super) fn finish(self) -> Vec<NodeTags> {
        self.tags
    }

    /// The text labels, sorted; `\n` is a line break to Graphviz.
    fn join(&self, labels: &[Label]) -> String {
        let text = |label: &Label| match label.value {
            LabelValue::Str(value) if self.profile.str(label.key) != DIFF_BASE_LABEL => {
                Some(format!("{}:{}", self.profile.str(label.key), self.profile.str(value)))
            }
            _ => None,
        };
        let mut texts: Vec<String> = labels.iter().filter_map(text).collect();
        texts.sort_unstable();
        texts.join(r"\n")
    }

    fn numbers(&mut self, labels: &[Label]) -> Vec<(StrId, i64)> {
        let unit = self.options.label_unit(NUMBER_KEY);
        let mut number = |label: &Label| match label.value {
            LabelValue::Num { value, .. } if self.profile.str(label.key) == NUMBER_KEY => {
                let text = units::scaled_label(value, unit, &self.options.unit);
                Some((self.texts.intern(&text), value))
            }
            _ => None,
        };
        labels.iter().filter_map(&mut number).collect()
    }
}

/// The tags of all nodes of a graph; `node_of` says which node a frame is.
pub(super) fn collect(
    profile: &Profile,
    frames: &Frames<'_>,
    options: &ReportOptions,
    node_of: &[u32],
    nodes: usize,
) -> Vec<NodeTags> {
    let Some(mut collector) = Collector::new(profile, options) else { return Vec::new() };
    let steps = Steps::new(profile, frames, node_of);
    let mut seen = vec![0u32; nodes];
    for (i, sample) in profile.samples.iter().enumerate() {
        let amount = (options.value.value(sample.values), options.value.divisor(sample.values));
        if amount == (0, 0) || sample.labels.is_empty() {
            continue;
        }
        let shown = collector.shown(sample.labels);
        let mut leaf = None;
        let cut = steps.walk(sample.stack, |node, _, _| {
            if seen[node as usize] != i as u32 + 1 {
                seen[node as usize] = i as u32 + 1;
                collector.add(node, &shown, amount, false);
            }
            leaf = Some(node);
        });
        if let Some(leaf) = leaf.filter(|_| !cut) {
            collector.add(leaf, &shown, amount, true);
        }
    }
    collector.finish()
}
