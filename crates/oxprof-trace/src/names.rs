//! Strings and stacks of a whole trace.
//!
//! Each generation of a trace has tables of its own. What outlives a generation is put in here, once for
//! equal text and equal program counters. Lookups are remembered by position, so that the common case is
//! an index into a vector.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use oxprof_profile::{Function, FunctionIdx, Line, Location, LocationIdx, Profile, StrId, Strings};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{Event, Kind, Stack, Str, Tables};

/// Interned strings and stacks.
#[derive(Clone, Debug, Default)]
pub struct Names {
    strings: Strings,
    frames: Vec<NamedFrame>,
    frame_of_pc: FxHashMap<u64, u32>,
    /// Positions in `frames` of all stacks, leaf first.
    stack_frames: Vec<u32>,
    stack_ends: Vec<u32>,
    stack_index: HashTable<u32>,
    /// By position in the generation's tables; 0 for not yet looked up, else one more than the id.
    string_cache: Vec<u32>,
    stack_cache: Vec<u32>,
}

/// A stack of [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackIdx(pub u32);

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NamedFrame {
    /// Program counter.
    pub pc: u64,
    /// Function.
    pub func: StrId,
    /// Source file.
    pub file: StrId,
    /// Line in it.
    pub line: u64,
}

impl Names {
    /// Notes that the tables have changed, if the event says so. Call it with every event first.
    #[inline]
    pub fn event(&mut self, event: &Event) {
        if let Kind::Sync { .. } = event.kind {
            self.string_cache.clear();
            self.stack_cache.clear();
        }
    }

    /// The text of `id`.
    #[inline]
    pub fn get(&self, id: StrId) -> &str {
        self.strings.get(id)
    }

    /// The id of `text`, which is added if it is new.
    pub fn intern(&mut self, text: &str) -> StrId {
        self.strings.intern(text)
    }

    /// The id of `text` if it is known.
    pub fn find(&self, text: &str) -> Option<StrId> {
        self.strings.find(text)
    }

    /// The id of a string of the generation.
    #[inline]
    pub fn string(&mut self, id: Str, tables: &Tables) -> StrId {
        match self.string_cache.get(id.0 as usize) {
            Some(&cached) if cached != 0 => StrId(cached - 1),
            _ => self.look_up_string(id, tables),
        }
    }

    fn look_up_string(&mut self, id: Str, tables: &Tables) -> StrId {
        let found = self.strings.intern(tables.str(id));
        remember(&mut self.string_cache, id.0, found.0);
        found
    }

    /// The id of a stack of the generation.
    #[inline]
    pub fn stack(&mut self, stack: Stack, tables: &Tables) -> StackIdx {
        match self.stack_cache.get(stack.0 as usize) {
            Some(&cached) if cached != 0 => StackIdx(cached - 1),
            _ => self.look_up_stack(stack, tables),
        }
    }

    fn look_up_stack(&mut self, stack: Stack, tables: &Tables) -> StackIdx {
        let start = self.stack_frames.len();
        // The runtime writes frames that say nothing for stacks that it could not take.
        let empty = |frame: &&crate::Frame| frame.pc == 0 && frame.func.is_none();
        for frame in tables.frames(stack).filter(|frame| !empty(frame)) {
            let frame = match self.frame_of_pc.get(&frame.pc) {
                Some(&known) => known,
                None => self.add_frame(frame, tables),
            };
            self.stack_frames.push(frame);
        }
        let found = self.intern_stack(start);
        remember(&mut self.stack_cache, stack.0, found.0);
        found
    }

    fn add_frame(&mut self, frame: &crate::Frame, tables: &Tables) -> u32 {
        let func = self.string(frame.func, tables);
        let file = self.string(frame.file, tables);
        let i = self.frames.len() as u32;
        self.frames.push(NamedFrame { pc: frame.pc, func, file, line: frame.line });
        self.frame_of_pc.insert(frame.pc, i);
        i
    }

    /// The stack whose frames have been appended from `start` on, which are taken back if it is known.
    fn intern_stack(&mut self, start: usize) -> StackIdx {
        let Self { stack_frames, stack_ends, stack_index, .. } = self;
        let frames = &stack_frames[start..];
        let hash = FxBuildHasher.hash_one(frames);
        if let Some(&known) =
            stack_index.find(hash, |&i| stack_slice(stack_frames, stack_ends, i) == frames)
        {
            stack_frames.truncate(start);
            return StackIdx(known);
        }
        let i = stack_ends.len() as u32;
        stack_ends.push(stack_frames.len() as u32);
        stack_index.insert_unique(hash, i, |&i| {
            FxBuildHasher.hash_one(stack_slice(stack_frames, stack_ends, i))
        });
        StackIdx(i)
    }

    /// Number of distinct stacks.
    pub fn stack_count(&self) -> usize {
        self.stack_ends.len()
    }

    /// The frames of a stack, leaf first.
    pub fn frames(
        &self,
        stack: StackIdx,
    ) -> impl DoubleEndedIterator<Item = &NamedFrame> + ExactSizeIterator {
        stack_slice(&self.stack_frames, &self.stack_ends, stack.0)
            .iter()
            .map(|&frame| &self.frames[frame as usize])
    }

    /// Where a stack starts.
    pub fn root(&self, stack: StackIdx) -> Option<&NamedFrame> {
        self.frames(stack).next_back()
    }

    /// Gives all frames to an empty profile: locations are in the order of [`location`](Self::location).
    pub(crate) fn into_profile(self) -> (Profile, Stacks) {
        let mut profile = Profile { strings: self.strings, ..Profile::default() };
        let mut functions = FxHashMap::default();
        for (i, frame) in self.frames.iter().enumerate() {
            let function = *functions.entry((frame.func, frame.file)).or_insert_with(|| {
                profile.functions.push(Function {
                    id: profile.functions.len() as u64 + 1,
                    name: frame.func,
                    system_name: frame.func,
                    filename: frame.file,
                    start_line: 0,
                });
                FunctionIdx::from_index(profile.functions.len() - 1)
            });
            let line = i64::try_from(frame.line).unwrap_or(i64::MAX);
            profile.lines.push(Line { function, line, column: 0 });
            profile.locations.push(Location {
                id: i as u64 + 1,
                address: frame.pc,
                lines: i as u32..i as u32 + 1,
                ..Location::default()
            });
        }
        let frames = self.stack_frames.into_iter().map(LocationIdx).collect();
        (profile, Stacks { frames, ends: self.stack_ends })
    }
}

/// The stacks of a profile made from [`Names`].
pub(crate) struct Stacks {
    frames: Vec<LocationIdx>,
    ends: Vec<u32>,
}

impl Stacks {
    pub(crate) fn get(&self, stack: StackIdx) -> &[LocationIdx] {
        stack_slice(&self.frames, &self.ends, stack.0)
    }
}

fn stack_slice<'a, T>(frames: &'a [T], ends: &[u32], i: u32) -> &'a [T] {
    let i = i as usize;
    let start = if i == 0 { 0 } else { ends[i - 1] as usize };
    &frames[start..ends[i] as usize]
}

fn remember(cache: &mut Vec<u32>, position: u32, id: u32) {
    let position = position as usize;
    if cache.len() <= position {
        cache.resize(position + 1, 0);
    }
    cache[position] = id + 1;
}
