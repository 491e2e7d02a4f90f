//! Names and lines for the addresses of a profile.
//!
//! Which files to look at is the caller's business: an [`ObjectSource`] opens them. What was not found
//! and why comes back as [`Note`]s in the words that pprof's users know.

mod batch;
mod names;
mod recall;
mod resolve;
mod source;

use oxprof_profile::{Location, LocationIdx, MappingIdx, Profile};

use crate::Demangle;
pub use names::demangle_functions;
use recall::Known;
pub use source::{DebugLink, ObjectFile, ObjectSource, with_object};

/// What to symbolize and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolizeOptions {
    /// Whether to look into local binaries at all.
    pub local: bool,
    /// Whether to be content with function names.
    pub names_only: bool,
    /// Whether to replace what the profile says already.
    pub force: bool,
    /// How to show mangled names.
    pub demangle: Demangle,
    /// How many threads may work at once.
    pub threads: usize,
}

impl Default for SymbolizeOptions {
    fn default() -> Self {
        Self {
            local: true,
            names_only: false,
            force: false,
            demangle: Demangle::Default,
            threads: 1,
        }
    }
}

/// Something that the user may want to know about an attempt to symbolize; prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The first mapping, the program itself, has no file name.
    NoMainBinary,
    /// A binary could not be used.
    Failed {
        /// Its file name, without directories.
        name: String,
        /// The build that the profile is of; empty if it does not say.
        build_id: String,
        /// Why.
        reason: String,
    },
    /// At least one binary was not found.
    Incomplete,
    /// A remark of the source, such as a file passed over.
    Source(String),
}

impl Note {
    fn is_missing_binary(&self) -> bool {
        match self {
            Self::Failed { reason, .. } => reason != MISMATCH,
            note => *note == Self::Incomplete,
        }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoMainBinary => f.write_str("Main binary filename not available."),
            Self::Failed { name, build_id, reason } if build_id.is_empty() => {
                write!(f, "Local symbolization failed for {name}: {reason}")
            }
            Self::Failed { name, build_id, reason } => {
                write!(f, "Local symbolization failed for {name} (build ID {build_id}): {reason}")
            }
            Self::Incomplete => f.write_str(
                "Some binary filenames not available. Symbolization may be incomplete.\n\
                 Try setting PPROF_BINARY_PATH to the search path for local binaries.",
            ),
            Self::Source(text) => f.write_str(text),
        }
    }
}

/// Fills in functions, files and lines of the locations of `profile` from the binaries of `source`.
///
/// Mappings that name functions already are left alone, except that lines are added from a binary of
/// exactly the same build: a Rust program profiles itself with names and leaves the lines to us.
pub fn symbolize(
    profile: &mut Profile,
    source: &dyn ObjectSource,
    options: &SymbolizeOptions,
) -> Vec<Note> {
    let mut notes = Vec::new();
    if options.local {
        let used = used_mappings(profile);
        for (i, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            symbolize_mapping(profile, MappingIdx::from_index(i), source, options, &mut notes);
        }
        if notes.iter().any(Note::is_missing_binary) {
            notes.retain(|n| *n != Note::Incomplete);
            notes.push(Note::Incomplete);
        }
    }
    demangle_functions(profile, options.demangle, options.force);
    notes
}

const MISMATCH: &str = "build ID mismatch";

fn used_mappings(profile: &Profile) -> Vec<bool> {
    let mut used = vec![false; profile.mappings.len()];
    for location in &profile.locations {
        if let Some(mapping) = location.mapping {
            used[mapping.index()] = true;
        }
    }
    used
}

/// What a mapping needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// Lines for names that are there.
    Lines,
    Everything,
}

fn need(profile: &Profile, index: MappingIdx, options: &SymbolizeOptions) -> Need {
    let mapping = &profile.mappings[index.index()];
    let has_places = mapping.has_filenames || mapping.has_line_numbers;
    if options.force || !(mapping.has_functions || has_places) {
        return Need::Everything;
    }
    let can_add = !has_places && !mapping.build_id.is_empty() && !options.names_only;
    if can_add && !has_files(profile, index) { Need::Lines } else { Need::Nothing }
}

/// Whether frames of a mapping have files. Go's profiles do and only say that they have functions.
fn has_files(profile: &Profile, index: MappingIdx) -> bool {
    let of_mapping = |(_, l): &(usize, &Location)| l.mapping == Some(index);
    let mut lines = (profile.locations.iter().enumerate().filter(of_mapping))
        .flat_map(|(i, _)| profile.lines_of(LocationIdx::from_index(i)));
    lines.any(|line| !profile.functions[line.function.index()].filename.is_empty())
}

fn symbolize_mapping(
    profile: &mut Profile,
    index: MappingIdx,
    source: &dyn ObjectSource,
    options: &SymbolizeOptions,
    notes: &mut Vec<Note>,
) {
    let mapping = profile.mappings[index.index()];
    let need = need(profile, index, options);
    let file = profile.str(mapping.file);
    if need == Need::Nothing || is_url(file) {
        return;
    }
    if file.is_empty() {
        notes.push(if index.index() == 0 { Note::NoMainBinary } else { Note::Incomplete });
        return;
    }
    if is_no_file(file) {
        return;
    }
    let build_id = profile.str(mapping.build_id).to_owned();
    let mut known = recall(source, &build_id, options, notes);
    if let Some(known) = known.as_ref().filter(|known| !known.path.is_empty())
        && resolve::from_memory(profile, index, known, need)
    {
        profile.mappings[index.index()].file = profile.strings.intern(&known.path);
        return;
    }
    let file = profile.str(mapping.file);
    let opened = source.open(file, &build_id, &mut |note| {
        notes.push(Note::Source(note));
    });
    if opened.is_err() && is_of_kernel(file) {
        return;
    }
    let outcome = opened.and_then(|object| {
        resolve::mapping(profile, index, &object, source, options, need, known.as_mut())?;
        Ok(object)
    });
    match outcome {
        Ok(object) => {
            profile.mappings[index.index()].file = profile.strings.intern(&object.path);
            if let Some(mut known) = known.filter(|known| !known.is_empty()) {
                known.path = object.path;
                source.remember(&build_id, &known.encode());
            }
        }
        // Adding lines is a courtesy; that it cannot be done is no news.
        Err(_) if need == Need::Lines => {}
        Err(reason) => notes.push(Note::Failed {
            name: base_name(profile.str(mapping.file)).to_owned(),
            build_id,
            reason,
        }),
    }
}

/// What is known of a build already; `None` if nothing is to be kept of it.
fn recall(
    source: &dyn ObjectSource,
    build_id: &str,
    options: &SymbolizeOptions,
    notes: &mut Vec<Note>,
) -> Option<Known> {
    if build_id.is_empty() || options.names_only {
        return None;
    }
    let bytes = source.recall(build_id)?;
    let known = if bytes.is_empty() { Some(Known::default()) } else { Known::decode(&bytes) };
    if known.is_none() {
        notes.push(Note::Source(format!(
            "Ignoring what was kept of build {build_id}: it is damaged, and will be replaced."
        )));
    }
    Some(known.unwrap_or_default())
}

fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Mappings that no file stands behind.
fn is_no_file(file: &str) -> bool {
    file.starts_with("//anon") || file.starts_with("/memfd:") || file.starts_with("/dev/dri/")
}

/// Mappings of the kernel, and others without a file that have a name. Nobody expects to have all of those.
fn is_of_kernel(file: &str) -> bool {
    file.starts_with('[') || base_name(file).starts_with("linux-vdso")
}

fn is_url(file: &str) -> bool {
    file.starts_with("http://") || file.starts_with("https://")
}
