//! One line a stack: `root;caller;leaf value`, as flame graph tools read it.

use std::io::{self, Write};

use oxprof_profile::{folded_name, write_folded};

use crate::render::Report;
use crate::stacks::Stacks;

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let stacks = Stacks::new(report);
    let names: Vec<String> =
        stacks.frame_ids().map(|id| folded_name(&stacks.frames.printable(id))).collect();
    let root_first = |stack| stacks.root_first(stack).map(|frame| names[frame.index()].as_str());
    write_folded(stacks.samples().collect(), root_first, out)
}
