//! Tasks as text, each by itself: the grammar of Go's `debug=2`.
//!
//! ```text
//! goroutine 7 [chan receive, 2 minutes] {task: "refill", polls: 3, wakes: 2, busy: 41µs}:
//! shop::refill::{{closure}}(...)
//! \tsrc/main.rs:12 +0x1f
//! created by shop::main
//! \tsrc/main.rs:40 +0x80
//! ```

use std::fmt::Write as _;

use oxprof_profile::{LocationIdx, Profile};

use super::dump::{Dumped, State};
use crate::code::builder::Builder;
use crate::labels::{self, Resolved};
use crate::registry;
use crate::stacks::{self, Stack};

/// The text of these tasks.
pub(super) fn write(dumped: &[Dumped]) -> String {
    let maps = stacks::maps();
    let mut builder = Builder::new(&maps, &[]);
    let blocks: Vec<Block<'_>> = dumped.iter().flat_map(|d| Block::of(d, &mut builder)).collect();
    let offsets = builder.offsets();
    let names = Names { profile: builder.finish(), offsets };
    blocks.iter().fold(String::new(), |mut out, block| {
        block.write(&mut out, &names);
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

struct Names {
    profile: Profile,
    offsets: Vec<Option<u64>>,
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

    fn write(&self, out: &mut String, names: &Names) {
        // Writing to a string cannot fail.
        let _ = write!(out, "goroutine {} [{}", self.dumped.task.id, self.state(names));
        let minutes = self.dumped.lasting().as_secs() / 60;
        if minutes > 0 {
            let _ = write!(out, ", {minutes} minutes");
        }
        if self.branch.1 > 1 {
            let _ = write!(out, ", branch {} of {}", self.branch.0, self.branch.1);
        }
        let _ = writeln!(out, "] {{{}}}:", self.facts());
        for &location in &self.stack {
            names.write(out, location, "", "(...)");
        }
        // Only the code that asked for the task: what called that is of less interest, and Go shows no more.
        if let Some(&creator) = self.created_by.first() {
            names.write(out, creator, "created by ", "");
        }
        out.push('\n');
    }

    fn state(&self, names: &Names) -> &'static str {
        match &self.dumped.state {
            State::New | State::Runnable => "runnable",
            State::Running => "running",
            State::Waiting(_) if self.branch.1 > 1 => "select",
            State::Waiting(_) => self
                .stack
                .iter()
                .flat_map(|&location| names.functions(location))
                .find_map(|(name, ..)| reason(name))
                .unwrap_or("waiting"),
        }
    }

    /// Labels and counts.
    fn facts(&self) -> String {
        let task = &self.dumped.task;
        let labels = match &self.dumped.state {
            State::Waiting(awaits) => awaits.first().map_or(task.labels, |a| a.labels),
            _ => task.labels,
        };
        let age = task.created.until(self.dumped.now);
        let label = |(key, value): (String, Resolved)| match value {
            Resolved::Text(value) => format!("{}: {}", bare(&key), registry::quoted(&value)),
            Resolved::Number(value) => format!("{}: {value}", bare(&key)),
        };
        let counts = self.dumped.counts;
        let counts = [
            format!("polls: {}", counts.polls),
            format!("wakes: {}", counts.wakes),
            format!("busy: {:?}", counts.busy),
            format!("idle: {:?}", self.dumped.lasting()),
            format!("age: {age:?}"),
        ];
        let facts: Vec<_> = labels::get(labels).into_iter().map(label).chain(counts).collect();
        facts.join(", ")
    }
}

/// A key as it is if that is unambiguous.
fn bare(key: &str) -> String {
    let is_plain = key.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
    if is_plain { key.to_owned() } else { registry::quoted(key) }
}

impl Names {
    /// The functions of a location, innermost first: name, file and line.
    fn functions(&self, location: LocationIdx) -> impl Iterator<Item = (&str, &str, i64)> {
        self.profile.lines_of(location).iter().map(|line| {
            let function = &self.profile.functions[line.function.index()];
            (self.profile.str(function.name), self.profile.str(function.filename), line.line)
        })
    }

    fn write(&self, out: &mut String, location: LocationIdx, before: &str, after: &str) {
        let offset = self.offsets.get(location.index()).copied().flatten().unwrap_or(0);
        for (name, file, line) in self.functions(location) {
            let file = if file.is_empty() { "?" } else { file };
            let _ = writeln!(out, "{before}{name}{after}\n\t{file}:{line} +{offset:#x}");
            if !before.is_empty() {
                return;
            }
        }
    }
}

/// What a future of this name waits for, in Go's words.
fn reason(name: &str) -> Option<&'static str> {
    const REASONS: [(&str, &str); 14] = [
        ("::mutex::Mutex<", "sync.Mutex.Lock"),
        ("::rwlock::RwLock<", "sync.RWMutex.Lock"),
        ("::batch_semaphore::", "semacquire"),
        ("::mpsc::", "chan receive"),
        ("::oneshot::", "chan receive"),
        ("::broadcast::", "chan receive"),
        ("::watch::", "chan receive"),
        ("async_channel::", "chan receive"),
        ("::notify::", "sync.Cond.Wait"),
        ("::barrier::", "sync.WaitGroup.Wait"),
        ("::task::join::", "sync.WaitGroup.Wait"),
        ("::time::", "sleep"),
        ("::net::", "IO wait"),
        ("::io::", "IO wait"),
    ];
    REASONS.iter().find(|(part, _)| name.contains(part)).map(|(_, reason)| *reason)
}
