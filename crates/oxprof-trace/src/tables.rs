//! Strings and stacks of a generation.

use rustc_hash::FxHashMap;

use crate::error::Rule;
use crate::wire::{EventType, MAX_FRAMES, MAX_STRING, uvarint};
use crate::{Stack, Str};

/// Strings, stacks and clock of the generation that is being read.
///
/// Ids of [`Str`] and [`Stack`] are positions in these tables, so that looking one up is indexing.
#[derive(Debug, Default)]
pub struct Tables {
    text: String,
    /// `string_ends[i]` is where string `i + 1` ends; it starts where its predecessor does.
    string_ends: Vec<u32>,
    string_ids: IdTable,
    /// Strings of earlier generations that events of this one need.
    extra: FxHashMap<Box<str>, Str>,
    frames: Vec<Frame>,
    frame_of_pc: FxHashMap<u64, u32>,
    /// Positions in `frames` of all stacks, leaf first.
    stack_frames: Vec<u32>,
    stack_ends: Vec<u32>,
    stack_ids: IdTable,
    pub(crate) clock: Option<ClockSnapshot>,
}

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Program counter; made up by tracers that have none.
    pub pc: u64,
    /// Function.
    pub func: Str,
    /// Source file.
    pub file: Str,
    /// Line in it.
    pub line: u64,
    /// Ids of `func` and `file` in the file, until they are resolved.
    wire: [u64; 2],
}

/// One moment on several clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSnapshot {
    /// On the trace's clock, in nanoseconds.
    pub trace: i64,
    /// On the machine's monotonic clock, in nanoseconds.
    pub mono: u64,
    /// Seconds since the Unix epoch.
    pub wall_seconds: u64,
    /// Nanoseconds of that second.
    pub wall_nanos: u64,
}

impl Tables {
    /// The text of `id`. Bytes that are not UTF-8 read as U+FFFD.
    ///
    /// # Panics
    /// When `id` comes from another generation and is out of range here.
    #[inline]
    pub fn str(&self, id: Str) -> &str {
        match id.0 as usize {
            0 => "",
            1 => &self.text[..self.string_ends[0] as usize],
            i => &self.text[self.string_ends[i - 2] as usize..self.string_ends[i - 1] as usize],
        }
    }

    /// The frames of `stack`, leaf first.
    ///
    /// # Panics
    /// When `stack` comes from another generation and is out of range here.
    #[inline]
    pub fn frames(
        &self,
        stack: Stack,
    ) -> impl DoubleEndedIterator<Item = &Frame> + ExactSizeIterator {
        let range = match stack.0 as usize {
            0 => 0..0,
            1 => 0..self.stack_ends[0] as usize,
            i => self.stack_ends[i - 2] as usize..self.stack_ends[i - 1] as usize,
        };
        self.stack_frames[range].iter().map(|&frame| &self.frames[frame as usize])
    }

    /// The function where `stack` starts; empty for an empty stack.
    pub fn root_func(&self, stack: Stack) -> &str {
        self.frames(stack).next_back().map_or("", |frame| self.str(frame.func))
    }

    /// Number of stacks, the empty one included: a bound on `Stack.0`.
    pub fn stack_count(&self) -> usize {
        self.stack_ends.len() + 1
    }

    /// Number of strings, the empty one included: a bound on `Str.0`.
    pub fn string_count(&self) -> usize {
        self.string_ends.len() + 1
    }

    /// Several clocks read at once during this generation.
    pub fn clock(&self) -> Option<ClockSnapshot> {
        self.clock
    }

    /// The string with this id in the file.
    #[inline]
    pub(crate) fn string_by_id(&self, id: u64) -> Option<Str> {
        self.string_ids.get(id).map(Str)
    }

    /// The stack with this id in the file.
    #[inline]
    pub(crate) fn stack_by_id(&self, id: u64) -> Option<Stack> {
        self.stack_ids.get(id).map(Stack)
    }

    /// A string of this generation with this text, added if need be.
    pub(crate) fn extra(&mut self, text: &str) -> Str {
        if text.is_empty() {
            return Str::NONE;
        }
        if let Some(&id) = self.extra.get(text) {
            return id;
        }
        let id = self.push_string(text.as_bytes());
        self.extra.insert(text.into(), id);
        id
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.string_ends.clear();
        self.string_ids.clear();
        self.extra.clear();
        self.frames.clear();
        self.frame_of_pc.clear();
        self.stack_frames.clear();
        self.stack_ends.clear();
        self.stack_ids.clear();
        self.clock = None;
    }

    fn push_string(&mut self, bytes: &[u8]) -> Str {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        self.string_ends
            .push(u32::try_from(self.text.len()).expect("a generation stays below 4 GiB"));
        Str(self.string_ends.len() as u32)
    }

    /// Adds the strings of a batch.
    pub(crate) fn add_strings(&mut self, payload: &[u8]) -> Result<(), Rule> {
        const CUT: Rule = Rule::Encoding("a table of strings");
        let mut pos = 1;
        while pos < payload.len() {
            entry("strings", EventType::String, payload, &mut pos)?;
            let id = uvarint(payload, &mut pos).ok_or(CUT)?;
            let size = uvarint(payload, &mut pos).ok_or(CUT)?;
            if size > MAX_STRING {
                return Err(Rule::Limit { what: "string", size, limit: MAX_STRING });
            }
            let bytes = payload.get(pos..pos + size as usize).ok_or(CUT)?;
            pos += bytes.len();
            let string = self.push_string(bytes);
            if id == 0 || !self.string_ids.insert(id, string.0) {
                return Err(Rule::Duplicate { what: "string", id });
            }
        }
        Ok(())
    }

    /// Adds the stacks of a batch.
    pub(crate) fn add_stacks(&mut self, payload: &[u8]) -> Result<(), Rule> {
        const CUT: Rule = Rule::Encoding("a table of stacks");
        let mut pos = 1;
        while pos < payload.len() {
            entry("stacks", EventType::Stack, payload, &mut pos)?;
            let id = uvarint(payload, &mut pos).ok_or(CUT)?;
            let depth = uvarint(payload, &mut pos).ok_or(CUT)?;
            if depth > MAX_FRAMES {
                return Err(Rule::Limit { what: "stack", size: depth, limit: MAX_FRAMES });
            }
            for _ in 0..depth {
                let frame = self.read_frame(payload, &mut pos).ok_or(CUT)?;
                self.stack_frames.push(frame);
            }
            self.stack_ends.push(self.stack_frames.len() as u32);
            if id == 0 || !self.stack_ids.insert(id, self.stack_ends.len() as u32) {
                return Err(Rule::Duplicate { what: "stack", id });
            }
        }
        Ok(())
    }

    /// Reads a frame. A program counter means what its first frame in the generation says.
    fn read_frame(&mut self, payload: &[u8], pos: &mut usize) -> Option<u32> {
        let pc = uvarint(payload, pos)?;
        let wire = [uvarint(payload, pos)?, uvarint(payload, pos)?];
        let line = uvarint(payload, pos)?;
        let frames = &mut self.frames;
        Some(*self.frame_of_pc.entry(pc).or_insert_with(|| {
            frames.push(Frame { pc, func: Str::NONE, file: Str::NONE, line, wire });
            frames.len() as u32 - 1
        }))
    }

    /// Finds the strings of the frames, now that all of both are known. Frames whose strings are missing
    /// keep empty ones; the first such is reported.
    pub(crate) fn resolve_frames(&mut self) -> Result<(), Rule> {
        let mut missing = Ok(());
        for frame in &mut self.frames {
            let [func, file] = frame.wire.map(|id| (id, self.string_ids.get(id)));
            frame.func = Str(func.1.unwrap_or(0));
            frame.file = Str(file.1.unwrap_or(0));
            for (id, found) in [func, file] {
                if found.is_none() && missing.is_ok() {
                    missing = Err(Rule::Reference { what: "string", id, by: "a stack" });
                }
            }
        }
        missing
    }
}

/// Steps over the type of a table's entry.
pub(crate) fn entry(
    table: &'static str,
    expected: EventType,
    payload: &[u8],
    pos: &mut usize,
) -> Result<(), Rule> {
    let found = payload[*pos];
    if found != expected as u8 {
        return Err(Rule::TableEntry { table, found });
    }
    *pos += 1;
    Ok(())
}

/// From the file's ids, which are usually dense, to positions.
#[derive(Debug, Default)]
struct IdTable {
    /// `dense[id]` is the position, 0 for none.
    dense: Vec<u32>,
    /// Ids that are too far out.
    sparse: FxHashMap<u64, u32>,
    len: usize,
}

impl IdTable {
    /// Adds an id; false when it is there already.
    fn insert(&mut self, id: u64, position: u32) -> bool {
        if self.get(id).is_some() {
            return false;
        }
        self.len += 1;
        // At most this many words are wasted on holes.
        let dense_limit = 4 * self.len as u64 + 1024;
        if id >= dense_limit {
            self.sparse.insert(id, position);
            return true;
        }
        let id = id as usize;
        if id >= self.dense.len() {
            self.dense.resize(id + 1, 0);
        }
        self.dense[id] = position;
        true
    }

    #[inline]
    fn get(&self, id: u64) -> Option<u32> {
        if id == 0 {
            return Some(0);
        }
        match self.dense.get(usize::try_from(id).ok()?) {
            Some(&position) if position != 0 => Some(position),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&id).copied(),
        }
    }

    fn clear(&mut self) {
        self.dense.clear();
        self.sparse.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_may_lie_anywhere() {
        let mut table = IdTable::default();
        for (i, id) in [1, u64::MAX, 3, 5000, 2].into_iter().enumerate() {
            assert!(table.insert(id, i as u32 + 1));
            assert!(!table.insert(id, 9), "a second time");
        }
        let found = [0, 1, 2, 3, 4, 5000, u64::MAX].map(|id| table.get(id));
        assert_eq!(found, [Some(0), Some(1), Some(5), Some(3), None, Some(4), Some(2)]);
        assert!(table.dense.len() < 5000, "far ids cost no table");
    }

    #[test]
    fn a_program_counter_means_what_it_first_meant() {
        let mut tables = Tables::default();
        tables.add_strings(b"\x04\x05\x01\x01f\x05\x02\x01g").unwrap();
        tables.add_stacks(b"\x02\x03\x01\x01\x09\x01\x02\x07\x03\x02\x01\x09\x02\x01\x08").unwrap();
        tables.resolve_frames().unwrap();
        let names =
            |stack| tables.frames(Stack(stack)).map(|f| tables.str(f.func)).collect::<Vec<_>>();
        assert_eq!((names(1), names(2), names(0)), (vec!["f"], vec!["f"], vec![]));
    }
}
