//! From samples to a tree.

use oxprof_profile::{LocationIdx, units};
use rustc_hash::FxHashMap;

use super::color::hue;
use super::{FlameTree, Frames};
use crate::amounts::value_name;
use crate::header;
use crate::render::Report;
use crate::stacks::Stacks;

const ROOT: u32 = 0;

impl FlameTree {
    /// The tree of a report, without frames of less than `min_share` of the whole.
    pub(crate) fn new(report: &Report<'_>, min_share: f64) -> Self {
        let stacks = Stacks::new(report);
        let names = Names::new(&stacks);
        let mut tree = Tree::default();
        let mut path = Path::default();
        let mut difference = false;
        for (stack, value) in stacks.samples() {
            difference |= value < 0;
            let leaf = path.walk(stack, &names, &mut tree);
            tree.add(leaf, value);
        }
        tree.sum();
        let min = (tree.nodes[0].weight as f64 * min_share).ceil() as i64;
        let (frames, dropped) = tree.frames(min.max(1), difference);
        let kind = value_name(report.profile, report.options);
        let total = stacks.amounts.shown(stacks.amounts.total).saturating_abs();
        Self {
            title: format!("{} {kind}", header::title(report.profile)).trim().to_owned(),
            legend: header::profile_labels(report.profile, report.options, &stacks.amounts),
            units: units_of(&stacks.amounts.from),
            total: if total == 0 { tree.nodes[0].weight } else { total },
            difference,
            hues: names.texts.iter().map(|name| hue(name)).collect(),
            names: names.texts,
            frames,
            dropped,
        }
    }
}

/// Units of the family of `unit`, the smallest first.
fn units_of(unit: &str) -> Vec<(f64, &'static str)> {
    let known = ["B", "kB", "MB", "GB", "TB", "ns", "us", "ms", "s", "hrs"];
    let factor = |name| Some((1.0 / units::ratio(unit, name)?, name));
    known.into_iter().filter_map(factor).collect()
}

/// Names of frames, numbered; 0 is the root's.
struct Names {
    texts: Vec<String>,
    /// Names of each location's frames from the outside inwards, and where they start.
    by_location: Vec<u32>,
    starts: Vec<u32>,
}

impl Names {
    fn new(stacks: &Stacks<'_>) -> Self {
        let mut this =
            Self { texts: vec!["all".to_owned()], by_location: Vec::new(), starts: Vec::new() };
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let mut name = |id| {
            let text = stacks.frames.printable(id);
            *numbers.entry(text).or_insert_with_key(|text| {
                this.texts.push(text.clone());
                this.texts.len() as u32 - 1
            })
        };
        let of_frame: Vec<u32> = stacks.frame_ids().map(&mut name).collect();
        for i in 0..stacks.profile.locations.len() {
            this.starts.push(this.by_location.len() as u32);
            let frames = stacks.frames.of(LocationIdx::from_index(i)).iter().rev();
            this.by_location.extend(frames.map(|f| of_frame[f.index()]));
        }
        this.starts.push(this.by_location.len() as u32);
        this
    }

    fn of(&self, location: LocationIdx) -> &[u32] {
        let i = location.index();
        &self.by_location[self.starts[i] as usize..self.starts[i + 1] as usize]
    }
}

/// The last stack, outermost first, with the node that each location led to. Most samples differ from the one
/// before them near the leaf only.
#[derive(Default)]
struct Path(Vec<(LocationIdx, u32)>);

impl Path {
    fn walk(&mut self, stack: &[LocationIdx], names: &Names, tree: &mut Tree) -> u32 {
        let outside_in = stack.iter().rev();
        let same = outside_in.zip(&self.0).take_while(|(a, (b, _))| *a == b).count();
        self.0.truncate(same);
        let mut node = self.0.last().map_or(ROOT, |(_, node)| *node);
        for &location in stack.iter().rev().skip(same) {
            for &name in names.of(location) {
                node = tree.child(node, name);
            }
            self.0.push((location, node));
        }
        node
    }
}

#[derive(Clone, Copy, Default)]
struct Node {
    parent: u32,
    name: u32,
    weight: i64,
    own: i64,
    net: i64,
}

/// Nodes, callers before callees.
struct Tree {
    nodes: Vec<Node>,
    children: FxHashMap<(u32, u32), u32>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], children: FxHashMap::default() }
    }
}

impl Tree {
    fn child(&mut self, parent: u32, name: u32) -> u32 {
        let nodes = &mut self.nodes;
        *self.children.entry((parent, name)).or_insert_with(|| {
            nodes.push(Node { parent, name, ..Node::default() });
            nodes.len() as u32 - 1
        })
    }

    fn add(&mut self, node: u32, value: i64) {
        let node = &mut self.nodes[node as usize];
        node.own = node.own.saturating_add(value.saturating_abs());
        node.net = node.net.saturating_add(value);
    }

    /// Adds what callees cost to their callers.
    fn sum(&mut self) {
        for i in (0..self.nodes.len()).rev() {
            let weight = self.nodes[i].weight.saturating_add(self.nodes[i].own);
            self.nodes[i].weight = weight;
            if i > 0 {
                let (parent, net) = (self.nodes[i].parent as usize, self.nodes[i].net);
                let parent = &mut self.nodes[parent];
                parent.weight = parent.weight.saturating_add(weight);
                parent.net = parent.net.saturating_add(net);
            }
        }
    }

    /// Nodes that weigh at least `min`, in the order of the picture, and how many others there are.
    fn frames(&self, min: i64, difference: bool) -> (Frames, usize) {
        let mut kept: Vec<u32> = (1..self.nodes.len() as u32)
            .filter(|&n| self.nodes[n as usize].weight >= min)
            .collect();
        let dropped = self.nodes.len() - 1 - kept.len();
        // By parent, the lightest first: a stack gives them out the heaviest first.
        kept.sort_unstable_by_key(|&n| {
            let node = &self.nodes[n as usize];
            (node.parent, node.weight, std::cmp::Reverse(node.name))
        });
        let of = |parent: u32| {
            let from = kept.partition_point(|&n| self.nodes[n as usize].parent < parent);
            let to = kept.partition_point(|&n| self.nodes[n as usize].parent <= parent);
            &kept[from..to]
        };
        let mut frames = Frames::default();
        let mut pending = vec![(ROOT, 0)];
        while let Some((number, depth)) = pending.pop() {
            let node = &self.nodes[number as usize];
            frames.name.push(node.name);
            frames.depth.push(depth);
            frames.weight.push(node.weight);
            frames.own.push(node.own);
            if difference {
                frames.net.push(node.net);
            }
            pending.extend(of(number).iter().map(|&n| (n, depth + 1)));
        }
        (frames, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds stacks of names, outermost first, and shows what becomes of them.
    fn check(stacks: &[(&[u32], i64)], min: i64, expected: &str) {
        let mut tree = Tree::default();
        for (stack, value) in stacks {
            let leaf = stack.iter().fold(ROOT, |node, &name| tree.child(node, name));
            tree.add(leaf, *value);
        }
        tree.sum();
        let (frames, dropped) = tree.frames(min, true);
        let frame = |i: usize| {
            let indent = " ".repeat(frames.depth[i] as usize);
            let (name, weight, own, net) =
                (frames.name[i], frames.weight[i], frames.own[i], frames.net[i]);
            format!("{indent}{name}: {weight} own {own} net {net}\n")
        };
        let text: String = (0..frames.len()).map(frame).collect();
        assert_eq!(format!("{text}dropped {dropped}"), expected);
    }

    #[test]
    fn stacks_merge_and_the_heaviest_come_first() {
        check(
            &[(&[1, 2], 1), (&[1, 3], 5), (&[1, 3], 2), (&[4], 1)],
            1,
            "0: 9 own 0 net 9\n 1: 8 own 0 net 8\n  3: 7 own 7 net 7\n  2: 1 own 1 net 1\n \
             4: 1 own 1 net 1\ndropped 0",
        );
    }

    #[test]
    fn shares_of_dropped_frames_stay_in_their_callers() {
        check(&[(&[1, 2], 1), (&[1], 5)], 2, "0: 6 own 0 net 6\n 1: 6 own 5 net 6\ndropped 1");
    }

    #[test]
    fn increase_and_decrease_do_not_cancel_out() {
        check(
            &[(&[1, 2], 4), (&[1, 3], -3)],
            1,
            "0: 7 own 0 net 1\n 1: 7 own 0 net 1\n  2: 4 own 4 net 4\n  3: 3 own 3 net -3\n\
             dropped 0",
        );
    }

    #[test]
    fn units_are_those_of_the_family() {
        let names = |unit| units_of(unit).iter().map(|u| u.1).collect::<Vec<_>>().join(" ");
        assert_eq!(names("bytes"), "B kB MB GB TB");
        assert_eq!(names("nanoseconds"), "ns us ms s hrs");
        assert_eq!(names("count"), "");
        assert_eq!(units_of("milliseconds")[3], (1000.0, "s"));
    }
}
