//! The profile `threads`.

use std::time::Duration;

use oxprof_profile::LocationIdx;

use super::dump::{self, Seen};
use super::{deadlock, state};
use crate::code::builder::Builder;
use crate::goroutine::Part;
use crate::registry::{self, Column, Heading, Key, Named, Schema, Snapshot, Source};
use crate::stacks;

/// See the module.
pub(crate) struct Threads;

/// The one there is.
pub(crate) static THREADS: Threads = Threads;

impl Source for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn description(&self) -> &str {
        "Stacks of all threads, with what they do or wait for. Use debug=2 to see each with its name, how long it has been \
         waiting, the CPU time it has used and who created it, and threads that seem to wait for each other for ever."
    }

    fn count(&self) -> u64 {
        dump::count()
    }

    fn snapshot(&self) -> Snapshot {
        let column = |kind: &str, unit| Column { kind: kind.to_owned(), unit, is_gauge: true };
        let columns = vec![
            column("threads", "count"),
            column("wait", "nanoseconds"),
            column("cpu", "nanoseconds"),
        ];
        let period = ("threads".to_owned(), "count", 1);
        let mut snapshot = Snapshot::new(Schema { columns, period, default: Some("threads") });
        for seen in dump::take() {
            let waited = seen.place.wait.map_or(0, |wait| wait.lasting);
            let values = [1, signed(waited), signed(seen.cpu().unwrap_or(0))];
            snapshot.add(key(seen), &values);
        }
        snapshot
    }

    fn text(&self) -> String {
        registry::counts(self.name(), &self.snapshot().into_profile())
    }

    fn text_of_each(&self) -> String {
        write(&dump::take())
    }
}

impl Part for Threads {
    fn add_to(&self, snapshot: &mut Snapshot) {
        for seen in dump::take() {
            snapshot.add(key(seen), &[1]);
        }
    }
}

fn key(Seen { place, name, .. }: Seen) -> Key {
    let thread = state::Thread { doing: place.doing, group: name.group() };
    Key { thread: Some(thread), ..Key::new(place.stack, place.labels) }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Threads as text, each by itself, the one that asks first.
fn write(all: &[Seen]) -> String {
    let maps = stacks::maps();
    let mut builder = Builder::new(&maps, &[]);
    let mut blocks: Vec<Block<'_>> = all.iter().map(|seen| Block::of(seen, &mut builder)).collect();
    let own = super::tasks::current();
    blocks.sort_by_key(|block| block.seen.tid != own);
    let offsets = builder.offsets();
    let named = Named { profile: builder.finish(), offsets };
    let mut out = deadlock::text(all);
    blocks.iter().for_each(|block| block.write(&mut out, &named));
    out
}

struct Block<'a> {
    seen: &'a Seen,
    stack: Vec<LocationIdx>,
    created_by: Vec<LocationIdx>,
}

impl<'a> Block<'a> {
    fn of(seen: &'a Seen, builder: &mut Builder<'_>) -> Self {
        let creator = seen.creator.map(stacks::get);
        Self {
            seen,
            stack: registry::locations(builder, &seen.place.stack),
            created_by: creator.map(|s| registry::locations(builder, &s)).unwrap_or_default(),
        }
    }

    fn write(&self, out: &mut String, named: &Named) {
        let functions = self.stack.iter().flat_map(|&l| named.functions(l)).map(|(name, ..)| name);
        let lasting = self.seen.place.wait.map_or(0, |wait| wait.lasting);
        let heading = Heading {
            id: self.seen.tid as u64,
            state: self.seen.place.doing.name(functions),
            lasting: Duration::from_nanos(lasting),
            remark: None,
            facts: &self.facts(),
        };
        heading.write(out);
        self.stack.iter().for_each(|&location| named.write_frame(out, location));
        if let Some(creator) = self.creator(named) {
            named.write_creator(out, creator);
        }
        out.push('\n');
    }

    fn facts(&self) -> Vec<String> {
        let seen = self.seen;
        let mut facts: Vec<String> = registry::label_facts(seen.place.labels).collect();
        facts.push(registry::fact("thread", &seen.name.text()));
        facts.extend(seen.place.doing.call().map(|call| format!("call: {call}")));
        if let Some(wait) = seen.place.wait {
            facts.push(format!("waiting: {:?}", rounded(wait.lasting)));
            facts.extend(wait.timeout.map(|t| format!("timeout: {:?}", rounded(t))));
            facts.push(format!("for: {:#x}", wait.address));
        }
        facts.extend(seen.cpu().map(|cpu| format!("cpu: {:?}", rounded(cpu))));
        facts
    }

    /// The innermost frame of the creating stack that is not the standard library's.
    fn creator(&self, named: &Named) -> Option<LocationIdx> {
        let is_library = |location: LocationIdx| {
            let of_std = |name: &str| {
                ["std::", "core::", "alloc::", "pthread_create", "<std::", "<core::", "<alloc::"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            };
            named.functions(location).all(|(name, ..)| of_std(name))
        };
        let of_program = self.created_by.iter().find(|&&location| !is_library(location));
        of_program.or(self.created_by.first()).copied()
    }
}

/// To the microsecond: more digits are noise.
fn rounded(nanos: u64) -> Duration {
    Duration::from_micros(nanos / 1000)
}
