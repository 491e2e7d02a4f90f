//! Labels that hang on the boxes of a call graph.

use std::cmp::Reverse;

use oxprof_profile::units;

use crate::amounts::Amounts;
use crate::graph::{MAX_NODELETS, NodeTags, NumericTag, Tag};
use crate::values::Sum;

/// A label that hangs on a box or on another label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodelet {
    /// What it hangs on.
    pub owner: NodeletOwner,
    /// Its number among those with the same owner and kind.
    pub number: usize,
    /// Its text; `\n` in it separates lines.
    pub text: String,
    /// What the samples with it cost.
    pub weight: String,
    /// Whether that is more than what they cost at the node itself.
    pub dotted: bool,
}

/// What a [`Nodelet`] hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeletOwner {
    /// Text labels hang on the box.
    Node,
    /// Numbers of samples without text labels hang on the box, too.
    NodeNumber,
    /// Numbers of samples with text labels hang on the nodelet of those, which has this number.
    Nodelet(usize),
}

/// A number or a range of numbers.
struct Group {
    text: String,
    flat: i64,
    cum: i64,
}

/// What hangs on a box. Boxes with callees show what their labels cost themselves, others everything.
pub(super) fn compose(tags: &NodeTags, amounts: &Amounts, flat: bool) -> Vec<Nodelet> {
    let mut labels: Vec<&Tag> = tags.labels.iter().collect();
    labels.sort_by(|l, r| {
        key(flat, l.flat.value, l.cum.value, &l.name).cmp(&key(
            flat,
            r.flat.value,
            r.cum.value,
            &r.name,
        ))
    });
    let mut nodelets = Vec::new();
    for (number, tag) in labels.into_iter().take(MAX_NODELETS).enumerate() {
        let weight = if flat { tag.flat() } else { tag.cum() };
        if weight == 0 {
            continue;
        }
        nodelets.push(Nodelet {
            owner: NodeletOwner::Node,
            number,
            text: tag.name.clone(),
            weight: amounts.text(weight),
            dotted: false,
        });
        nodelets.extend(numbers(tags, &tag.name, NodeletOwner::Nodelet(number), amounts, flat));
    }
    nodelets.extend(numbers(tags, "", NodeletOwner::NodeNumber, amounts, flat));
    nodelets
}

/// Heaviest first.
fn key(flat: bool, own: i64, cum: i64, name: &str) -> (Reverse<i64>, Reverse<i64>, &str) {
    let first = if flat { 0 } else { cum.wrapping_abs() };
    (Reverse(first), Reverse(own.wrapping_abs()), name)
}

/// The numbers that came with the text labels `labels`.
fn numbers(
    tags: &NodeTags,
    labels: &str,
    owner: NodeletOwner,
    amounts: &Amounts,
    flat: bool,
) -> Vec<Nodelet> {
    let mut numbers: Vec<&NumericTag> =
        tags.numbers.iter().filter(|n| n.labels == labels).collect();
    numbers.sort_by(|l, r| {
        key(flat, l.tag.flat.value, l.tag.cum.value, &l.tag.name).cmp(&key(
            flat,
            r.tag.flat.value,
            r.tag.cum.value,
            &r.tag.name,
        ))
    });
    let nodelet = |(number, group): (usize, Group)| {
        let own = flat || group.flat == group.cum;
        let weight = if own { group.flat } else { group.cum };
        let weight_text = amounts.text(weight);
        let nodelet =
            Nodelet { owner, number, text: group.text, weight: weight_text, dotted: !own };
        (weight != 0).then_some(nodelet)
    };
    collapse(&numbers, flat).into_iter().enumerate().filter_map(nodelet).collect()
}

/// The heaviest numbers, each standing for those that are nearest to it when there are more.
fn collapse(numbers: &[&NumericTag], flat: bool) -> Vec<Group> {
    if numbers.len() <= MAX_NODELETS {
        let group = |n: &&NumericTag| Group {
            text: n.tag.name.clone(),
            flat: n.tag.flat(),
            cum: n.tag.cum(),
        };
        return numbers.iter().map(group).collect();
    }
    let (leaders, others) = numbers.split_at(MAX_NODELETS);
    let mut groups: Vec<Vec<&NumericTag>> = leaders.iter().map(|&n| vec![n]).collect();
    for &number in others {
        let mut nearest = 0;
        for i in 1..groups.len() {
            if distance(number, groups[i][0]) < distance(number, groups[nearest][0]) {
                nearest = i;
            }
        }
        groups[nearest].push(number);
    }
    let mut groups: Vec<Group> = groups.iter().map(|g| merge(g)).collect();
    groups
        .sort_by(|l, r| key(flat, l.flat, l.cum, &l.text).cmp(&key(flat, r.flat, r.cum, &r.text)));
    groups
}

fn distance(a: &NumericTag, b: &NumericTag) -> f64 {
    (units::scale(b.value, &b.unit, &a.unit).0 - a.value as f64).abs()
}

fn merge(group: &[&NumericTag]) -> Group {
    let label = |n: &NumericTag| units::label(n.value, &n.unit);
    let (mut min, mut max) = (group[0], group[0]);
    let (mut flat, mut cum) = (Sum::default(), Sum::default());
    for number in group {
        if (units::scale(number.value, &number.unit, &min.unit).0 as i64) < min.value {
            min = number;
        }
        if units::scale(number.value, &number.unit, &max.unit).0 as i64 > max.value {
            max = number;
        }
        flat.add(number.tag.flat.value, number.tag.flat.divisor);
        cum.add(number.tag.cum.value, number.tag.cum.divisor);
    }
    let text = match group {
        [one] => label(one),
        _ => format!("{}..{}", label(min), label(max)),
    };
    Group { text, flat: flat.mean(), cum: cum.mean() }
}
