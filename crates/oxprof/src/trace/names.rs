//! Names of the stacks and threads of a trace.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use oxprof_trace::ThreadId;
use oxprof_trace::record::{self, LabelsKey, StackKey, Text, Waiting};
use oxprof_trace::write::FrameRef;

use crate::code::maps::Maps;
use crate::code::names::{Frame, Names};
use crate::contention::{Category, LOOKED_AT};
use crate::labels::{self, LabelsId, Resolved};
use crate::stacks::{self, StackId};
use crate::threads::wait::Kind;

/// Frames of the profiler's own, which callers do not care for, begin with this.
const OWN: &str = "oxprof::";

/// What has been named so far, however often code is loaded meanwhile.
#[derive(Default)]
pub(super) struct Known {
    /// By address; leaf first.
    frames: HashMap<u64, Arc<[Frame]>>,
    stacks: HashMap<StackKey, Arc<[u64]>>,
    /// What is waited for, as far as stacks tell.
    whys: HashMap<(Waiting, StackKey), Waiting>,
    threads: HashMap<ThreadId, Text>,
}

/// Names what is loaded now.
pub(super) struct Namer<'a> {
    known: &'a mut Known,
    maps: &'a Maps,
    names: Names<'a>,
    /// Whether it met code that has been loaded since.
    pub(super) is_outdated: bool,
}

impl<'a> Namer<'a> {
    pub(super) fn new(known: &'a mut Known, maps: &'a Maps) -> Self {
        Self { known, maps, names: Names::new(maps), is_outdated: false }
    }

    /// Keeps the name of a thread.
    pub(super) fn learn_thread(&mut self, thread: ThreadId, name: Text) {
        self.known.threads.insert(thread, name);
    }

    /// Another thread has this number from now on.
    pub(super) fn forget_thread(&mut self, thread: ThreadId) {
        self.known.threads.remove(&thread);
    }

    /// Forgets what threads are called.
    pub(super) fn forget_threads(&mut self) {
        self.known.threads.clear();
    }

    /// What a thread or a task waits for in a place, where the hook that saw it wait does not know.
    pub(super) fn why(&mut self, why: Waiting, stack: StackKey) -> Waiting {
        let kind = match why {
            Waiting::Park => Kind::Futex,
            Waiting::Await => Kind::Await,
            known => return known,
        };
        if let Some(&known) = self.known.whys.get(&(why, stack)) {
            return known;
        }
        let known = match self.category(kind, stack) {
            Category::Lock => Waiting::Lock,
            Category::Condvar => Waiting::Condition,
            Category::Channel => Waiting::Channel,
            Category::Park => Waiting::Park,
            Category::Join => Waiting::Join,
            Category::Once => Waiting::Once,
            Category::Sleep => Waiting::Sleep,
            Category::Io => Waiting::Network,
            Category::Idle => Waiting::Idle,
            Category::Other => why,
        };
        if !self.is_outdated {
            self.known.whys.insert((why, stack), known);
        }
        known
    }

    fn category(&mut self, kind: Kind, stack: StackKey) -> Category {
        let mut functions = Vec::new();
        for &address in &*self.addresses(stack) {
            if functions.len() >= LOOKED_AT {
                break;
            }
            self.name_address(address);
            let frames = self.known.frames.get(&address);
            functions.extend(frames.iter().flat_map(|f| f.iter()).map(|frame| frame.name.clone()));
        }
        Category::of(kind, &functions)
    }

    fn addresses(&mut self, stack: StackKey) -> Arc<[u64]> {
        let addresses = self.known.stacks.entry(stack);
        let addresses =
            addresses.or_insert_with(|| stacks::get(StackId::from_raw(stack)).frames.into());
        Arc::clone(addresses)
    }

    fn name_address(&mut self, address: u64) {
        if self.known.frames.contains_key(&address) {
            return;
        }
        let row = self.maps.find(address);
        self.is_outdated |= row.is_none();
        let mut frames = row.map(|row| self.names.at(row, address).frames).unwrap_or_default();
        if frames.is_empty() {
            frames = [Frame { name: format!("{address:#x}"), ..Frame::default() }].into();
        }
        if row.is_some() {
            self.known.frames.insert(address, frames);
        }
    }
}

impl record::Names for Namer<'_> {
    fn frames(&mut self, stack: StackKey) -> Vec<FrameRef<'_>> {
        let addresses = self.addresses(stack);
        addresses.iter().for_each(|&address| self.name_address(address));
        let frames = addresses
            .iter()
            .filter_map(|address| self.known.frames.get(address))
            .flat_map(|f| &**f);
        let frames = frames.skip_while(|frame| is_own(&frame.name));
        frames.map(|f| FrameRef { func: &f.name, file: &f.file, line: f.line.into() }).collect()
    }

    fn thread(&mut self, thread: ThreadId) -> Text {
        let name = self.known.threads.entry(thread).or_insert_with(|| comm(thread));
        if name.is_empty() { "thread".into() } else { name.clone() }
    }

    fn labels(&mut self, labels: LabelsKey) -> Text {
        let labels = labels::get(LabelsId::from_raw(labels));
        let text = labels.iter().map(|(key, value)| match value {
            Resolved::Text(text) => format!("{key}: {text}"),
            Resolved::Number(number) => format!("{key}: {number}"),
        });
        // In braces, as Go's tools take names that begin with "GC" for workers of a garbage collector.
        format!("{{{}}}", text.collect::<Vec<_>>().join(", ")).into()
    }
}

/// The name of a thread as the kernel knows it, empty if there is no such thread.
pub(super) fn comm(thread: ThreadId) -> Text {
    let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default();
    name.trim().to_owned().into()
}

/// Whether a function is the profiler's, or a libc function that it stands in front of.
fn is_own(name: &str) -> bool {
    name.trim_start_matches('<').starts_with(OWN)
}
