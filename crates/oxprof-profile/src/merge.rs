//! Joining profiles: equal samples are added up, equal places become one.
//!
//! What makes two things equal (as google/pprof has it, but no column is ignored):
//!
//! | | equal if these are |
//! |---|---|
//! | mapping | size in pages, offset, build id or else file |
//! | function | name, system name, file, start line |
//! | location | mapping, address relative to it, lines, foldedness |
//! | sample | locations, labels |
//!
//! Places get their numbers in the order in which samples mention them; what no sample mentions is left
//! out, the first mapping excepted, which is the program itself.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::strings::spread;
use crate::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Sample, Samples, StrId, ValueType,
};

/// Why profiles cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeError {
    /// There are none.
    NoProfiles,
    /// No sample type occurs in all of them.
    NoCommonSampleType,
    /// They measure different things.
    Incompatible {
        /// `period types` or `sample types`.
        what: &'static str,
        /// Those of one profile.
        one: String,
        /// Those of another.
        other: String,
    },
    /// Together they hold 2^32 frames, labels or lines, or 4 GiB of text.
    TooLarge,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProfiles => f.write_str("no profiles to merge"),
            Self::NoCommonSampleType => f.write_str("profiles have empty common sample type list"),
            Self::Incompatible { what, one, other } => {
                write!(f, "incompatible {what} {one} and {other}")
            }
            Self::TooLarge => {
                f.write_str("the merged profile would exceed 4 GiB; merge fewer at a time")
            }
        }
    }
}

impl std::error::Error for MergeError {}

/// Merges profiles that have the same period type and the same sample types, units included.
///
/// Samples of which all values are zero, before or after, are dropped. The merged profile starts when the first of them
/// does (of those that know), lasts as long as all of them together, and has the largest period, all
/// comments, and the first default sample type and documentation link that one of them has. The frames
/// to drop and keep are those of the first profile.
///
/// Use [`harmonize`](crate::harmonize) first where types or units may differ.
///
/// # Errors
/// When there are no profiles, when they are not compatible, or when the result would be too large.
pub fn merge(profiles: &[Profile]) -> Result<Profile, MergeError> {
    merge_refs(&profiles.iter().collect::<Vec<_>>())
}

/// The profile without anything that no sample needs, and with equal samples and places joined.
pub fn compact(profile: &Profile) -> Profile {
    merge_refs(&[profile]).expect("a profile is compatible with itself and no larger")
}

/// [`merge`] for profiles that do not lie side by side.
///
/// # Errors
/// As [`merge`].
pub fn merge_refs(profiles: &[&Profile]) -> Result<Profile, MergeError> {
    let mut merger = Merger::default();
    merger.reserve(profiles.iter().map(|p| p.samples.len()).sum());
    profiles.iter().try_for_each(|profile| merger.add(profile))?;
    merger.finish()
}

/// Checks that two profiles measure the same, so that their samples can be added and subtracted.
///
/// # Errors
/// [`MergeError::Incompatible`] if they do not.
pub fn check_compatible(one: &Profile, other: &Profile) -> Result<(), MergeError> {
    let same = |a: ValueType, b: ValueType| {
        one.str(a.kind) == other.str(b.kind) && one.str(a.unit) == other.str(b.unit)
    };
    if !same(one.period_type, other.period_type) {
        return Err(MergeError::Incompatible {
            what: "period types",
            one: one.type_list(&[one.period_type]),
            other: other.type_list(&[other.period_type]),
        });
    }
    let types = one.sample_types.iter().zip(&other.sample_types);
    if one.sample_types.len() != other.sample_types.len()
        || !types.clone().all(|(&a, &b)| same(a, b))
    {
        return Err(MergeError::Incompatible {
            what: "sample types",
            one: one.type_list(&one.sample_types),
            other: other.type_list(&other.sample_types),
        });
    }
    Ok(())
}

impl Profile {
    /// `[kind/unit kind/unit]`, for messages.
    pub(crate) fn type_list(&self, types: &[ValueType]) -> String {
        let names: Vec<_> =
            types.iter().map(|t| format!("{}/{}", self.str(t.kind), self.str(t.unit))).collect();
        format!("[{}]", names.join(" "))
    }
}

/// [`merge`] for profiles that come one after another and need not be kept.
///
/// ```
/// use oxprof_profile::{Merger, decode_folded, encode_folded};
/// let mut merger = Merger::default();
/// for file in ["main;a 1", "main;b 2", "main;a 3"] {
///     merger.add(&decode_folded(file.as_bytes())?)?;
/// }
/// assert_eq!(encode_folded(&merger.finish()?, 0), "main;a 4\nmain;b 2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "tables of hashes have nothing to show")]
pub struct Merger {
    /// The merged profile so far.
    out: Profile,
    is_started: bool,
    // What is in it.
    /// With their hashes, so that growing needs no look at the rows.
    samples: HashTable<(u32, u32)>,
    locations: HashTable<LocationIdx>,
    functions: HashTable<FunctionIdx>,
    mappings: HashTable<MappingIdx>,
}

impl Merger {
    /// Makes room for so many samples.
    pub fn reserve(&mut self, samples: usize) {
        self.samples.reserve(samples, |&(_, hash)| spread(hash));
    }

    /// Adds a profile.
    ///
    /// # Errors
    /// When it is not compatible with those before, or the sum would be too large. The merger then stays
    /// as it was.
    pub fn add(&mut self, profile: &Profile) -> Result<(), MergeError> {
        if self.is_started {
            check_compatible(&self.out, profile)?;
        }
        self.check_size(profile)?;
        self.header(profile);
        self.reserve(profile.samples.len());
        let mut source = Source::new(self, profile);
        if source.merger.out.mappings.is_empty() && !profile.mappings.is_empty() {
            source.mapping(MappingIdx(0));
        }
        let mut samples =
            profile.samples.iter().filter(|s| s.values.iter().any(|&v| v != 0)).peekable();
        while samples.peek().is_some() {
            samples.by_ref().take(BATCH).for_each(|sample| source.sample(&sample));
            source.commit();
        }
        Ok(())
    }

    /// The merged profile.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn finish(mut self) -> Result<Profile, MergeError> {
        if !self.is_started {
            return Err(MergeError::NoProfiles);
        }
        self.out.samples.shrink_to_fit();
        let cancelled = self.out.samples.iter().any(|s| s.values.iter().all(|&v| v == 0));
        // Samples that cancelled out leave, and with them what only they mention.
        Ok(if cancelled { compact(&self.out) } else { self.out })
    }

    /// Positions are 32 bits wide. The sums are upper bounds, as most of it is shared.
    fn check_size(&self, profile: &Profile) -> Result<(), MergeError> {
        let fits = |size: &dyn Fn(&Profile) -> usize| {
            size(&self.out) as u64 + size(profile) as u64 <= u64::from(u32::MAX)
        };
        let all_fit = fits(&|p| p.samples.frame_count())
            && fits(&|p| p.samples.label_count())
            && fits(&|p| p.samples.len())
            && fits(&|p| p.lines.len())
            && fits(&|p| p.strings.text_len());
        if all_fit { Ok(()) } else { Err(MergeError::TooLarge) }
    }

    fn header(&mut self, profile: &Profile) {
        let is_first = !std::mem::replace(&mut self.is_started, true);
        let out = &mut self.out;
        let strings = &mut out.strings;
        let mut copy = |id: StrId| strings.intern_from(&profile.strings, id);
        if is_first {
            let mut copy_type =
                |t: &ValueType| ValueType { kind: copy(t.kind), unit: copy(t.unit) };
            out.sample_types = profile.sample_types.iter().map(&mut copy_type).collect();
            out.period_type = copy_type(&profile.period_type);
            out.drop_frames = copy(profile.drop_frames);
            out.keep_frames = copy(profile.keep_frames);
            out.samples = Samples::new(out.sample_types.len());
        }
        for &comment in &profile.comments {
            let comment = copy(comment);
            if !out.comments.contains(&comment) {
                out.comments.push(comment);
            }
        }
        if out.default_sample_type.is_empty() {
            out.default_sample_type = copy(profile.default_sample_type);
        }
        if out.doc_url.is_empty() {
            out.doc_url = copy(profile.doc_url);
        }
        let times = [out.time_nanos, profile.time_nanos];
        out.time_nanos = times.into_iter().filter(|&t| t != 0).min().unwrap_or(0);
        out.duration_nanos = out.duration_nanos.saturating_add(profile.duration_nanos);
        out.period = out.period.max(profile.period);
    }
}

/// One profile on its way into the merged one. The tables translate its positions; entries are made at
/// first use.
struct Source<'a> {
    merger: &'a mut Merger,
    profile: &'a Profile,
    strings: Vec<Option<StrId>>,
    /// The mapping, and what to add to addresses in it.
    mappings: Vec<Option<(MappingIdx, u64)>>,
    functions: Vec<Option<FunctionIdx>>,
    /// [`UNSEEN`] for those that no sample mentioned yet; this table is looked into for every frame.
    locations: Vec<LocationIdx>,
    /// Lines of the location at hand.
    lines: Vec<Line>,
    /// Samples in terms of the merged profile that are not in it yet, and their hashes.
    batch: Samples,
    hashes: Vec<u32>,
}

const UNSEEN: LocationIdx = LocationIdx(u32::MAX);

/// How many samples are translated before they are looked up. What one look-up waits for from memory then
/// comes while others are on their way.
const BATCH: usize = 64;

impl<'a> Source<'a> {
    fn new(merger: &'a mut Merger, profile: &'a Profile) -> Self {
        Self {
            profile,
            strings: vec![None; profile.strings.len()],
            mappings: vec![None; profile.mappings.len()],
            functions: vec![None; profile.functions.len()],
            locations: vec![UNSEEN; profile.locations.len()],
            lines: Vec::new(),
            batch: Samples::new(profile.samples.width()),
            hashes: Vec::with_capacity(BATCH),
            merger,
        }
    }

    /// Translates a sample.
    fn sample(&mut self, sample: &Sample<'_>) {
        if !self.stack(sample.stack) {
            sample.stack.iter().for_each(|&location| self.see(location));
            self.stack(sample.stack);
        }
        for &label in sample.labels {
            let label = self.label(label);
            self.batch.add_label(label);
        }
        self.batch.open_labels_mut().sort_by_key(label_order);
        sample.values.iter().for_each(|&value| self.batch.add_value(value));
        self.batch.end_sample().expect("profiles are compatible");
        self.hashes.push(hash_sample(&self.batch.get(self.batch.len() - 1)));
    }

    /// Translates a stack; false, and nothing done, if one of its locations is not seen yet.
    fn stack(&mut self, stack: &[LocationIdx]) -> bool {
        let Self { batch, locations, .. } = self;
        let translated = batch.add_frames(stack.len(), |frames| {
            for (frame, location) in frames.iter_mut().zip(stack) {
                *frame = locations[location.index()];
            }
            if frames.contains(&UNSEEN) { Err(UNSEEN) } else { Ok(stack.len()) }
        });
        translated.is_ok()
    }

    /// Moves the translated samples to the merged profile.
    fn commit(&mut self) {
        let Self { merger, batch, hashes, .. } = self;
        let is_known = |&&hash: &&u32| merger.samples.find(spread(hash), |s| s.1 == hash).is_some();
        let known = hashes.iter().filter(is_known).count();
        merger.out.samples.reserve(hashes.len() - known);
        for (sample, hash) in batch.iter().zip(hashes.drain(..)) {
            merger.sample(&sample, hash);
        }
        batch.clear();
    }

    fn string(&mut self, id: StrId) -> StrId {
        let Self { merger, profile, strings, .. } = self;
        *strings[id.index()]
            .get_or_insert_with(|| merger.out.strings.intern_from(&profile.strings, id))
    }

    fn label(&mut self, label: Label) -> Label {
        let value = match label.value {
            LabelValue::Str(text) => LabelValue::Str(self.string(text)),
            LabelValue::Num { value, unit } => LabelValue::Num { value, unit: self.string(unit) },
        };
        Label { key: self.string(label.key), value }
    }

    /// Translates a location, unless that was done before.
    #[cold]
    fn see(&mut self, i: LocationIdx) {
        if self.locations[i.index()] != UNSEEN {
            return;
        }
        let old = &self.profile.locations[i.index()];
        let mut location = Location { id: 0, lines: 0..0, ..old.clone() };
        if let Some(mapping) = old.mapping {
            let (mapping, shift) = self.mapping(mapping);
            location.mapping = Some(mapping);
            location.address = old.address.wrapping_add(shift);
        }
        self.lines.clear();
        for line in self.profile.lines_of(i) {
            let function = self.function(line.function);
            self.lines.push(Line { function, ..*line });
        }
        self.locations[i.index()] = self.merger.intern_location(location, &self.lines);
    }

    fn mapping(&mut self, i: MappingIdx) -> (MappingIdx, u64) {
        if let Some(known) = self.mappings[i.index()] {
            return known;
        }
        let old = self.profile.mappings[i.index()];
        let (file, build_id) = (self.string(old.file), self.string(old.build_id));
        let new = self.merger.intern_mapping(Mapping { file, build_id, ..old });
        let shift = self.merger.out.mappings[new.index()].start.wrapping_sub(old.start);
        *self.mappings[i.index()].insert((new, shift))
    }

    fn function(&mut self, i: FunctionIdx) -> FunctionIdx {
        if let Some(known) = self.functions[i.index()] {
            return known;
        }
        let old = self.profile.functions[i.index()];
        let function = Function {
            id: 0,
            name: self.string(old.name),
            system_name: self.string(old.system_name),
            filename: self.string(old.filename),
            start_line: old.start_line,
        };
        *self.functions[i.index()].insert(self.merger.intern_function(function))
    }
}

impl Merger {
    /// Adds a sample, or its values to the equal one.
    fn sample(&mut self, sample: &Sample<'_>, hash: u32) {
        let columns = &mut self.out.samples;
        let is_equal = |&(i, other): &(u32, u32)| {
            other == hash
                && columns.stack(i as usize) == sample.stack
                && columns.labels(i as usize) == sample.labels
        };
        let entry = self.samples.entry(spread(hash), is_equal, |&(_, hash)| spread(hash));
        match entry {
            Entry::Occupied(known) => {
                let sums = columns.values_mut(known.get().0 as usize);
                sums.iter_mut().zip(sample.values).for_each(|(sum, v)| *sum = sum.wrapping_add(*v));
            }
            Entry::Vacant(place) => {
                place.insert((columns.len() as u32, hash));
                columns.push(sample.values, sample.stack, sample.labels);
            }
        }
    }

    fn intern_location(&mut self, mut location: Location, lines: &[Line]) -> LocationIdx {
        let Self { out, locations, .. } = self;
        let hash = hash_one((location.address, location.mapping, lines));
        let same = |a: &Location, b: &Location| {
            (a.address, a.mapping, a.is_folded) == (b.address, b.mapping, b.is_folded)
        };
        let equal = |&i: &LocationIdx| {
            same(&out.locations[i.index()], &location) && out.lines_of(i) == lines
        };
        if let Some(&known) = locations.find(hash, equal) {
            return known;
        }
        let new = LocationIdx::from_index(out.locations.len());
        let start = out.lines.len() as u32;
        out.lines.extend_from_slice(lines);
        (location.id, location.lines) = (u64::from(new.0) + 1, start..start + lines.len() as u32);
        out.locations.push(location);
        locations.insert_unique(hash, new, |&i| {
            let location = &out.locations[i.index()];
            hash_one((location.address, location.mapping, out.lines_of(i)))
        });
        new
    }

    fn intern_function(&mut self, function: Function) -> FunctionIdx {
        let Self { out, functions, .. } = self;
        let key = |f: &Function| (f.name, f.system_name, f.filename, f.start_line);
        let hash = hash_one(key(&function));
        if let Some(&known) =
            functions.find(hash, |i| key(&out.functions[i.index()]) == key(&function))
        {
            return known;
        }
        let new = FunctionIdx::from_index(out.functions.len());
        out.functions.push(Function { id: u64::from(new.0) + 1, ..function });
        functions.insert_unique(hash, new, |i| hash_one(key(&out.functions[i.index()])));
        new
    }

    fn intern_mapping(&mut self, mapping: Mapping) -> MappingIdx {
        let Self { out, mappings, .. } = self;
        let key = mapping_key;
        let hash = hash_one(key(&mapping));
        if let Some(&known) =
            mappings.find(hash, |i| key(&out.mappings[i.index()]) == key(&mapping))
        {
            return known;
        }
        let new = MappingIdx::from_index(out.mappings.len());
        out.mappings.push(Mapping { id: u64::from(new.0) + 1, ..mapping });
        mappings.insert_unique(hash, new, |i| hash_one(key(&out.mappings[i.index()])));
        new
    }
}

/// Size in pages, offset, and what tells binaries apart.
fn mapping_key(mapping: &Mapping) -> (u64, u64, StrId) {
    const PAGE: u64 = 4096;
    let size = mapping.limit.wrapping_sub(mapping.start);
    let identity = if mapping.build_id.is_empty() { mapping.file } else { mapping.build_id };
    (size.div_ceil(PAGE), mapping.offset, identity)
}

/// Any order of kinds and keys will do; values of one key keep theirs.
fn label_order(label: &Label) -> (bool, StrId) {
    (matches!(label.value, LabelValue::Num { .. }), label.key)
}

#[inline]
fn hash_sample(sample: &Sample<'_>) -> u32 {
    // Two frames a step; the multiplier is that of Fx.
    const K: u64 = 0xf135_7aea_2e62_a9c5;
    let mut hash = sample.stack.len() as u64;
    for pair in sample.stack.chunks(2) {
        let word = u64::from(pair[0].0) << 32 | pair.get(1).map_or(0, |l| u64::from(l.0));
        hash = (hash.rotate_left(26) ^ word).wrapping_mul(K);
    }
    if !sample.labels.is_empty() {
        hash = hash_one((hash, sample.labels));
    }
    (hash >> 32) as u32
}

fn hash_one(key: impl Hash) -> u64 {
    FxBuildHasher.hash_one(key)
}
