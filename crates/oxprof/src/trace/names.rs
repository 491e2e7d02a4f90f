//! Names of the stacks and threads of a trace.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use oxprof_trace::ThreadId;
use oxprof_trace::record::{self, StackKey, Text};
use oxprof_trace::write::FrameRef;

use crate::code::maps::Maps;
use crate::code::names::{Frame, Names};
use crate::stacks::{self, StackId};

/// Frames of the profiler's own, which callers do not care for, begin with this.
const OWN: &str = "oxprof::";

/// What has been named so far, however often code is loaded meanwhile.
#[derive(Default)]
pub(super) struct Known {
    /// By address; leaf first.
    frames: HashMap<u64, Arc<[Frame]>>,
    stacks: HashMap<StackKey, Vec<u64>>,
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

    /// Keeps the name of a thread that has ended.
    pub(super) fn learn_thread(&mut self, thread: ThreadId, name: String) {
        self.known.threads.insert(thread, name.into());
    }

    /// Another thread has this number from now on.
    pub(super) fn forget_thread(&mut self, thread: ThreadId) {
        self.known.threads.remove(&thread);
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
        let addresses = self.known.stacks.entry(stack);
        let addresses = addresses
            .or_insert_with(|| stacks::get(StackId::from_raw(stack)).frames.into())
            .clone();
        addresses.iter().for_each(|&address| self.name_address(address));
        let frames = addresses
            .iter()
            .filter_map(|address| self.known.frames.get(address))
            .flat_map(|f| &**f);
        let frames = frames.skip_while(|frame| is_own(&frame.name));
        frames.map(|f| FrameRef { func: &f.name, file: &f.file, line: f.line.into() }).collect()
    }

    fn thread(&mut self, thread: ThreadId) -> Text {
        let name = self.known.threads.entry(thread).or_insert_with(|| {
            let path = format!("/proc/self/task/{thread}/comm");
            Text::from(fs::read_to_string(path).unwrap_or_default().trim().to_owned())
        });
        if name.is_empty() { "thread".into() } else { name.clone() }
    }
}

/// Whether a function is the profiler's, or a libc function that it stands in front of.
fn is_own(name: &str) -> bool {
    name.trim_start_matches('<').starts_with(OWN)
}
