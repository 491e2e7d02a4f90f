//! The profile as values: what `profile.proto` says, in columns.
//!
//! Every table is a flat vector; rows point at each other by dense index ([`crate::ids`]) instead of by
//! the file's ids, which are kept only to be printed and written back. Samples have no allocation of
//! their own: their values, stacks and labels lie in three shared vectors ([`Samples`]).
//!
//! Invariants, which decoders establish and operations keep:
//! 1. every index is in range of its table; `Location::lines` is a range of `Profile::lines`;
//! 2. every sample has exactly one value per sample type;
//! 3. ids of mappings, functions and locations are non-zero and unique within their table.

use std::ops::Range;

use crate::{FunctionIdx, LocationIdx, MappingIdx, Samples, StrId, Strings};

/// A profile: samples of stacks with values and labels, and the tables they refer to.
///
/// Field names and meanings are those of
/// [profile.proto](https://github.com/google/pprof/blob/main/proto/profile.proto).
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Every string that the other tables mention.
    pub strings: Strings,
    /// What each value of a sample measures.
    pub sample_types: Vec<ValueType>,
    /// The name of the sample type to show first; empty for the last one.
    pub default_sample_type: StrId,
    /// The samples.
    pub samples: Samples,
    /// Loaded binaries; the first is the program itself.
    pub mappings: Vec<Mapping>,
    /// Program counters, each with the functions inlined at it.
    pub locations: Vec<Location>,
    /// Source lines of all locations; see [`Location::lines`].
    pub lines: Vec<Line>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Regular expression of frames to drop together with everything they call; empty for none.
    pub drop_frames: StrId,
    /// Regular expression of frames to keep even if `drop_frames` matches them.
    pub keep_frames: StrId,
    /// When the profile was collected, in nanoseconds since the Unix epoch; 0 if unknown.
    pub time_nanos: i64,
    /// How long it was collected for, in nanoseconds; 0 if unknown.
    pub duration_nanos: i64,
    /// What a sampling period counts.
    pub period_type: ValueType,
    /// Events of `period_type` between two samples.
    pub period: i64,
    /// Free text; lines that start with `#` are shown only by the comments report.
    pub comments: Vec<StrId>,
    /// Link to documentation of the profile.
    pub doc_url: StrId,
}

/// A measured quantity and its unit, such as `cpu` in `nanoseconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// Name of the quantity (`type` in profile.proto).
    pub kind: StrId,
    /// Unit, in full words by convention.
    pub unit: StrId,
}

/// A binary mapped into the profiled process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Id in the file; non-zero.
    pub id: u64,
    /// First address.
    pub start: u64,
    /// First address beyond the end.
    pub limit: u64,
    /// Offset in the file that `start` maps.
    pub offset: u64,
    /// Path of the binary, or a name such as `[vdso]`.
    pub file: StrId,
    /// Build id in hexadecimal, or another unique version of the binary.
    pub build_id: StrId,
    /// Whether function names of its locations are resolved.
    pub has_functions: bool,
    /// Whether file names are.
    pub has_filenames: bool,
    /// Whether line numbers are.
    pub has_line_numbers: bool,
    /// Whether inlined frames are.
    pub has_inline_frames: bool,
}

/// A program counter, or a symbolic place without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Id in the file; non-zero.
    pub id: u64,
    /// The binary that holds `address`.
    pub mapping: Option<MappingIdx>,
    /// Run-time address of the instruction; for callers, inside the call. 0 if unknown.
    pub address: u64,
    /// Rows of [`Profile::lines`]: the function at this address, innermost inlined callee first.
    /// Empty if not symbolized.
    pub lines: Range<u32>,
    /// Whether several symbols share this address (identical code folding).
    pub is_folded: bool,
}

/// A function and a place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line {
    /// The function.
    pub function: FunctionIdx,
    /// Line in its source file; 0 if unknown.
    pub line: i64,
    /// Column; 0 if unknown.
    pub column: i64,
}

/// A function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Id in the file; non-zero.
    pub id: u64,
    /// Name for people, demangled.
    pub name: StrId,
    /// Name as the binary's symbol table has it.
    pub system_name: StrId,
    /// Source file.
    pub filename: StrId,
    /// Line where the function starts; 0 if unknown.
    pub start_line: i64,
}

/// A tag of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// Name of the tag.
    pub key: StrId,
    /// Its value.
    pub value: LabelValue,
}

/// Value of a [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// Text.
    Str(StrId),
    /// A number with a unit, which may be empty.
    Num {
        /// The number.
        value: i64,
        /// Its unit.
        unit: StrId,
    },
}

impl Profile {
    /// An empty profile, in the memory of this one.
    pub(crate) fn cleared(mut self) -> Self {
        self.strings.clear();
        self.samples.clear();
        self.locations.clear();
        self.lines.clear();
        self.functions.clear();
        let Self { strings, samples, locations, lines, functions, .. } = self;
        Self { strings, samples, locations, lines, functions, ..Self::default() }
    }

    /// The source lines of `location`, innermost inlined callee first.
    #[inline]
    pub fn lines_of(&self, location: LocationIdx) -> &[Line] {
        let range = &self.locations[location.index()].lines;
        &self.lines[range.start as usize..range.end as usize]
    }

    /// Text of a string id of this profile.
    #[inline]
    pub fn str(&self, id: StrId) -> &str {
        self.strings.get(id)
    }
}
