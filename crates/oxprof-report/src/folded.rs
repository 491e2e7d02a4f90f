//! One line a stack: `root;caller;leaf value`, as flame graph tools read it.

use std::cmp::Ordering;
use std::io::{self, Write};

use oxprof_profile::LocationIdx;

use crate::render::Report;
use crate::stacks::Stacks;

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let stacks = Stacks::new(report);
    let name = |id| stacks.frames.printable(id).replace([';', '\n'], ":");
    let names: Vec<String> = stacks.frame_ids().map(name).collect();
    let mut samples: Vec<(&[LocationIdx], i64)> = stacks.samples().collect();
    // Equal stacks end up beside each other, so that they merge without a table of all stacks.
    samples.sort_by(|l, r| compare(&stacks, &names, l.0, r.0));
    let mut samples = samples.into_iter().peekable();
    while let Some((stack, mut value)) = samples.next() {
        while let Some(same) = samples.next_if(|s| compare(&stacks, &names, s.0, stack).is_eq()) {
            value = value.wrapping_add(same.1);
        }
        for (i, frame) in stacks.root_first(stack).enumerate() {
            let separator = if i == 0 { "" } else { ";" };
            write!(out, "{separator}{}", names[frame.index()])?;
        }
        writeln!(out, " {value}")?;
    }
    Ok(())
}

fn compare<'p>(
    stacks: &Stacks<'p>,
    names: &[String],
    l: &'p [LocationIdx],
    r: &'p [LocationIdx],
) -> Ordering {
    if l == r {
        return Ordering::Equal;
    }
    let (l, r) = (stacks.root_first(l), stacks.root_first(r));
    l.map(|f| &names[f.index()]).cmp(r.map(|f| &names[f.index()]))
}
