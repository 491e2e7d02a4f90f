//! Distinct places of a profile, numbered densely.
//!
//! Graphs add up by place, not by location: all locations of a function are one place in a report by
//! functions. Places are found once per location; after that a sample's stack is a walk over integers.

use std::collections::HashMap;
use std::fmt::Write;

use oxprof_profile::{Function, Line, Location, LocationIdx, Profile, StrId, Strings};
use rustc_hash::FxBuildHasher;

use crate::paths;

/// Index of a [`Frame`] in [`Frames`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u32);

impl FrameId {
    /// The index as a `usize`.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place that samples add up to. What a report does not tell apart is zero or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Name of the function, in the profile's strings.
    pub name: StrId,
    /// Source file, in the strings of [`Frames`].
    file: StrId,
    /// Line in the file.
    pub line: i64,
    /// Column of the line.
    pub column: i64,
    /// Run-time address.
    pub address: u64,
    /// Line where the function starts.
    pub start_line: i64,
    /// Path of the binary, in the profile's strings.
    pub object: StrId,
}

impl Frame {
    /// The function that the frame is in, wherever in it.
    pub(crate) fn function(self) -> Self {
        Self { address: 0, line: 0, column: 0, ..self }
    }

    /// Identity of its source file among the frames of a profile.
    pub(crate) fn file_id(self) -> StrId {
        self.file
    }

    /// The frame in whatever binary.
    pub(crate) fn without_object(self) -> Self {
        Self { object: StrId::EMPTY, ..self }
    }
}

/// The frames of a profile and the way from locations to them.
#[derive(Debug)]
pub struct Frames<'p> {
    profile: &'p Profile,
    frames: Vec<Frame>,
    /// File names, cleaned and trimmed.
    files: Strings,
    /// Frames of all locations, for each the innermost inlined callee first.
    by_location: Vec<FrameId>,
    /// Where each location's frames start in `by_location`, and the end of the last.
    starts: Vec<u32>,
}

/// What tells frames apart, and how their files are called.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameOptions<'a> {
    /// Keep functions of different binaries apart.
    pub keep_objects: bool,
    /// Prefixes to remove from file names, separated as in `PATH`.
    pub trim_path: &'a str,
    /// Where source files are looked for; when `trim_path` is empty, file names are cut behind the last
    /// element of each.
    pub source_path: &'a str,
    /// Do not trim file names at all.
    pub keep_paths: bool,
}

impl<'p> Frames<'p> {
    /// The frames of all locations.
    pub fn new(profile: &'p Profile, options: FrameOptions<'_>) -> Self {
        let mut files = Strings::default();
        let file_of = clean_files(profile, options, &mut files);
        let mut this = Self {
            profile,
            frames: Vec::new(),
            files,
            by_location: Vec::with_capacity(profile.locations.len()),
            starts: Vec::with_capacity(profile.locations.len() + 1),
        };
        let usual = profile.functions.len().min(profile.locations.len());
        let mut ids = HashMap::with_capacity_and_hasher(usual, FxBuildHasher);
        for (i, location) in profile.locations.iter().enumerate() {
            this.starts.push(this.by_location.len() as u32);
            let object =
                location.mapping.map_or(StrId::EMPTY, |m| profile.mappings[m.index()].file);
            let lines = profile.lines_of(LocationIdx::from_index(i));
            if lines.is_empty() {
                this.add(&mut ids, unsymbolized(location, object));
            }
            for line in lines {
                let function = &profile.functions[line.function.index()];
                let file = file_of[line.function.index()];
                let place = symbolized(location, line, function, file);
                this.add(&mut ids, place.with_object(object, function, options.keep_objects));
            }
        }
        this.starts.push(this.by_location.len() as u32);
        this
    }

    fn add(&mut self, ids: &mut HashMap<Frame, FrameId, FxBuildHasher>, frame: Frame) {
        let id = *ids.entry(frame).or_insert_with(|| {
            self.frames.push(frame);
            FrameId(self.frames.len() as u32 - 1)
        });
        self.by_location.push(id);
    }

    /// Number of distinct frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the profile has no locations.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Which frames are inlined somewhere, by [`FrameId`].
    pub(crate) fn inlined(&self) -> Vec<bool> {
        let mut inlined = vec![false; self.frames.len()];
        for bounds in self.starts.windows(2) {
            let frames = &self.by_location[bounds[0] as usize..bounds[1] as usize];
            if let [inner @ .., _] = frames {
                inner.iter().for_each(|frame| inlined[frame.index()] = true);
            }
        }
        inlined
    }

    /// The frame `id`.
    #[inline]
    pub fn get(&self, id: FrameId) -> Frame {
        self.frames[id.index()]
    }

    /// Frames of a location, the innermost inlined callee first; never empty.
    #[inline]
    pub fn of(&self, location: LocationIdx) -> &[FrameId] {
        let i = location.index();
        &self.by_location[self.starts[i] as usize..self.starts[i + 1] as usize]
    }

    /// The source file of a frame.
    pub fn file(&self, frame: Frame) -> &str {
        self.files.get(frame.file)
    }

    /// The function name of a frame.
    pub fn name(&self, frame: Frame) -> &'p str {
        self.profile.str(frame.name)
    }

    /// The binary of a frame.
    pub fn object(&self, frame: Frame) -> &'p str {
        self.profile.str(frame.object)
    }

    /// What reports call the frame: the parts of its name that are known, joined by blanks.
    pub fn printable(&self, id: FrameId) -> String {
        let frame = self.get(id);
        self.join_parts(frame, self.name(frame), self.file(frame), " ")
    }

    /// The parts of a frame's name with the given spelling of function and file.
    pub(crate) fn join_parts(&self, frame: Frame, name: &str, file: &str, glue: &str) -> String {
        let mut out = String::new();
        if frame.address != 0 {
            _ = write!(out, "{:016x}", frame.address);
        }
        append(&mut out, glue, name);
        if frame.line != 0 {
            append(&mut out, glue, &format!("{file}:{}", frame.line));
            if frame.column != 0 {
                _ = write!(out, ":{}", frame.column);
            }
        } else if !file.is_empty() {
            append(&mut out, glue, file);
        } else if !name.is_empty() {
        } else if !frame.object.is_empty() {
            append(&mut out, glue, &format!("[{}]", paths::base(self.object(frame))));
        } else {
            append(&mut out, glue, "<unknown>");
        }
        out
    }
}

fn append(out: &mut String, glue: &str, part: &str) {
    if !part.is_empty() {
        if !out.is_empty() {
            out.push_str(glue);
        }
        out.push_str(part);
    }
}

fn unsymbolized(location: &Location, object: StrId) -> Frame {
    Frame { address: location.address, object, ..Frame::default() }
}

fn symbolized(location: &Location, line: &Line, function: &Function, file: StrId) -> Frame {
    Frame {
        name: function.name,
        file,
        line: line.line,
        column: line.column,
        address: location.address,
        ..Frame::default()
    }
}

impl Frame {
    /// Binaries tell places apart when asked to, and when the function has no name.
    fn with_object(self, object: StrId, function: &Function, keep: bool) -> Self {
        if keep || self.name.is_empty() {
            Self { object, start_line: function.start_line, ..self }
        } else {
            self
        }
    }
}

/// The file of each function, as shown; equal names get equal ids.
fn clean_files(profile: &Profile, options: FrameOptions<'_>, files: &mut Strings) -> Vec<StrId> {
    let mut known: HashMap<StrId, StrId, FxBuildHasher> = HashMap::default();
    let clean = |function: &Function| {
        *known.entry(function.filename).or_insert_with(|| {
            let mut path = profile.str(function.filename);
            if !options.keep_paths {
                path = paths::trim(path, options.trim_path, options.source_path);
            }
            if path.is_empty() { StrId::EMPTY } else { files.intern(&paths::clean(path)) }
        })
    };
    profile.functions.iter().map(clean).collect()
}
