//! Tasks as text, each by itself: the grammar of Go's `debug=2`.
//!
//! ```text
//! goroutine 7 [chan receive, 2 minutes] {task: "refill", polls: 3, wakes: 2, busy: 41µs}:
//! shop::refill::{{closure}}(...)
//! \tsrc/main.rs:12 +0x1f
//! created by shop::main
//! \tsrc/main.rs:40 +0x80
//! ```

use oxprof_profile::LocationIdx;

use super::dump::{Dumped, State};
use super::reason::reason;
use crate::code::builder::Builder;
use crate::registry::{self, Heading, Named};
use crate::stacks::{self, Stack};

/// The text of these tasks.
pub(super) fn write(dumped: &[Dumped]) -> String {
    let maps = stacks::maps();
    let mut builder = Builder::new(&maps, &[]);
    let blocks: Vec<Block<'_>> = dumped.iter().flat_map(|d| Block::of(d, &mut builder)).collect();
    let offsets = builder.offsets();
    let named = Named { profile: builder.finish(), offsets };
    blocks.iter().fold(String::new(), |mut out, block| {
        block.write(&mut out, &named);
        out
    })
}

/// A task, or one of several places where it waits.
struct Block<'a> {
    dumped: &'a Dumped,
    /// Which of how many.
    branch: (usize, usize),
    stack: Vec<LocationIdx>,
    created_by: Vec<LocationIdx>,
}

impl<'a> Block<'a> {
    fn of(dumped: &'a Dumped, builder: &mut Builder<'_>) -> Vec<Self> {
        let mut locations = |stack: &Stack| registry::locations(builder, stack);
        let created_by = locations(&stacks::get(dumped.task.created_by));
        let branches = match &dumped.state {
            State::Waiting(awaits) => {
                awaits.iter().map(|a| locations(&stacks::get(a.stack))).collect()
            }
            State::New | State::Running | State::Runnable => Vec::new(),
        };
        let branches = if branches.is_empty() { vec![Vec::new()] } else { branches };
        let count = branches.len();
        let block = |(i, stack)| Block {
            dumped,
            branch: (i + 1, count),
            stack,
            created_by: created_by.clone(),
        };
        branches.into_iter().enumerate().map(block).collect()
    }

    fn write(&self, out: &mut String, named: &Named) {
        let (branch, branches) = self.branch;
        let heading = Heading {
            id: self.dumped.task.id,
            state: self.state(named),
            lasting: self.dumped.lasting(),
            remark: (branches > 1).then(|| format!("branch {branch} of {branches}")),
            facts: &self.facts(),
        };
        heading.write(out);
        self.stack.iter().for_each(|&location| named.write_frame(out, location));
        // Only the code that asked for the task: what called that is of less interest, and Go shows no more.
        if let Some(creator) = self.creator(named) {
            named.write_creator(out, creator);
        }
        out.push('\n');
    }

    /// Who spawned it. Where a runtime tells of that, its own functions and ours are called in between.
    fn creator(&self, named: &Named) -> Option<LocationIdx> {
        let is_tokio = |&location: &LocationIdx| {
            let outermost = named.functions(location).last();
            outermost.is_some_and(|(name, ..)| name.starts_with("tokio::"))
        };
        let mut callers = self.created_by.iter().copied();
        match self.dumped.task.is_of_runtime {
            true => callers.skip_while(|at| !is_tokio(at)).find(|at| !is_tokio(at)),
            false => callers.next(),
        }
    }

    fn state(&self, named: &Named) -> &'static str {
        match &self.dumped.state {
            State::New | State::Runnable => "runnable",
            State::Running => "running",
            State::Waiting(_) if self.branch.1 > 1 => "select",
            State::Waiting(_) => {
                let functions = self.stack.iter().flat_map(|&location| named.functions(location));
                reason(functions.map(|(name, ..)| name)).unwrap_or("waiting")
            }
        }
    }

    /// Labels and counts.
    fn facts(&self) -> Vec<String> {
        let task = &self.dumped.task;
        let labels = match &self.dumped.state {
            State::Waiting(awaits) => awaits.first().map_or(task.labels, |a| a.labels),
            _ => task.labels,
        };
        let age = task.created.until(self.dumped.now);
        let counts = self.dumped.counts;
        // Runtimes do not tell of wakes.
        let wakes = (!task.is_of_runtime).then(|| format!("wakes: {}", counts.wakes));
        let polls = [format!("polls: {}", counts.polls)];
        let times = [
            format!("busy: {:?}", counts.busy),
            format!("idle: {:?}", self.dumped.lasting()),
            format!("age: {age:?}"),
        ];
        registry::label_facts(labels).chain(polls).chain(wakes).chain(times).collect()
    }
}
