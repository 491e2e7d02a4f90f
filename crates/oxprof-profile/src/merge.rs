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
use std::ops::Range;

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
    /// Hashes of the last samples of `out`, those that may equal others and are not in `samples`.
    pending: Vec<u32>,
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
        source.recognize();
        let is_zero = |i: usize| profile.samples.values(i).iter().all(|&v| v == 0);
        let count = profile.samples.len();
        for start in (0..count).step_by(BATCH) {
            let mut rows = start..count.min(start + BATCH);
            while !rows.is_empty() {
                let run = rows.clone().take_while(|&i| !is_zero(i)).count();
                source.samples(rows.start..rows.start + run);
                rows.start += run + 1;
            }
            source.merger.commit();
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
/// first use, as far as the merged profile did not have them before.
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
            merger,
        }
    }

    /// Translates what the merged profile has already. In the order of the tables, as there are many of them
    /// and the order in which samples mention them is none: each would be waited for from memory.
    fn recognize(&mut self) {
        let Self { merger, profile, strings, mappings, functions, locations, lines } = self;
        let profile: &Profile = profile;
        if merger.out.locations.is_empty() {
            return;
        }
        let known = |strings: &[Option<StrId>], ids: [StrId; 3]| -> Option<[StrId; 3]> {
            let [a, b, c] = ids.map(|id| strings[id.index()]);
            Some([a?, b?, c?])
        };
        for (i, string) in strings.iter_mut().enumerate() {
            *string = merger.out.strings.find_from(&profile.strings, StrId(i as u32));
        }
        for (known_mapping, old) in mappings.iter_mut().zip(&profile.mappings) {
            let [file, build_id] = [old.file, old.build_id].map(|id| strings[id.index()]);
            let (Some(file), Some(build_id)) = (file, build_id) else { continue };
            let found = merger.find_mapping(&Mapping { file, build_id, ..*old }).1;
            *known_mapping = found.map(|new| (new, merger.shift(new, old)));
        }
        for (known_function, function) in functions.iter_mut().zip(&profile.functions) {
            let names = [function.name, function.system_name, function.filename];
            *known_function = known(strings, names).and_then(|[name, system_name, filename]| {
                merger.find_function(&Function { name, system_name, filename, ..*function }).1
            });
        }
        'locations: for (known, location) in locations.iter_mut().zip(&profile.locations) {
            let translated = location.translate(|i| mappings[i.index()]);
            let Some(translated) = translated else { continue };
            lines.clear();
            for line in &profile.lines[location.lines.start as usize..location.lines.end as usize] {
                let Some(function) = functions[line.function.index()] else { continue 'locations };
                lines.push(Line { function, ..*line });
            }
            *known = merger.find_location(&translated, lines).1.unwrap_or(UNSEEN);
        }
    }

    /// Translates samples that lie side by side, for [`commit`](Merger::commit).
    fn samples(&mut self, rows: Range<usize>) {
        let first = self.merger.out.samples.len();
        if !self.translate(rows.clone()) {
            self.merger.out.samples.truncate(first);
            let profile = self.profile;
            profile.samples.frames(&rows).iter().for_each(|&location| self.see(location));
            self.translate(rows);
        }
        let Merger { out: Profile { samples, .. }, pending, .. } = self.merger;
        for i in first..samples.len() {
            samples.labels_mut(i).sort_by_key(label_order);
            pending.push(hash_sample(&samples.get(i)));
        }
    }

    /// False if one of their locations is not seen yet.
    fn translate(&mut self, rows: Range<usize>) -> bool {
        let Self { merger, profile, strings, locations, .. } = self;
        let Profile { samples, strings: names, .. } = &mut merger.out;
        let (locations, mut is_seen) = (&locations[..], true);
        let location = |location: LocationIdx| {
            let translated = locations[location.index()];
            is_seen &= translated != UNSEEN;
            translated
        };
        let mut string = |id: StrId| {
            *strings[id.index()].get_or_insert_with(|| names.intern_from(&profile.strings, id))
        };
        let label = |label: Label| {
            let value = match label.value {
                LabelValue::Str(text) => LabelValue::Str(string(text)),
                LabelValue::Num { value, unit } => LabelValue::Num { value, unit: string(unit) },
            };
            Label { key: string(label.key), value }
        };
        samples.add_rows(&profile.samples, rows, location, label);
        is_seen
    }

    fn string(&mut self, id: StrId) -> StrId {
        let Self { merger, profile, strings, .. } = self;
        *strings[id.index()]
            .get_or_insert_with(|| merger.out.strings.intern_from(&profile.strings, id))
    }

    /// Translates a location, unless that was done before.
    #[cold]
    fn see(&mut self, i: LocationIdx) {
        if self.locations[i.index()] != UNSEEN {
            return;
        }
        let old = &self.profile.locations[i.index()];
        let location = old.translate(|mapping| Some(self.mapping(mapping))).expect("all are known");
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
        *self.mappings[i.index()].insert((new, self.merger.shift(new, &old)))
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

impl Location {
    /// This location in another profile without its lines, given its mapping there and what to add to
    /// addresses; `None` if that is unknown.
    fn translate(
        &self,
        mapping: impl FnOnce(MappingIdx) -> Option<(MappingIdx, u64)>,
    ) -> Option<Self> {
        let mut location = Self { id: 0, lines: 0..0, ..*self };
        if let Some(old) = self.mapping {
            let (mapping, shift) = mapping(old)?;
            location.mapping = Some(mapping);
            location.address = self.address.wrapping_add(shift);
        }
        Some(location)
    }
}

impl Merger {
    /// Adds the values of those pending samples that equal others to these, and keeps the rest.
    fn commit(&mut self) {
        let Self { out, samples, pending, .. } = self;
        let is_known = |&&hash: &&u32| samples.find(spread(hash), |s| s.1 == hash).is_some();
        // Looked up only to have it come from memory, all at the same time.
        std::hint::black_box(pending.iter().filter(is_known).count());
        let first = out.samples.len() - pending.len();
        let mut hashes = pending.drain(..);
        out.samples.retain_from(first, |columns, i| {
            let hash = hashes.next().expect("one for each sample");
            let is_equal = |&(other, its_hash): &(u32, u32)| {
                its_hash == hash && columns.is_same_place(other as usize, i)
            };
            match samples.entry(spread(hash), is_equal, |&(_, hash)| spread(hash)) {
                Entry::Occupied(known) => columns.add_values(known.get().0 as usize, i),
                Entry::Vacant(place) => {
                    place.insert((i as u32, hash));
                    return true;
                }
            }
            false
        });
    }

    /// The hash of a location, and where it is if it is known.
    fn find_location(&self, location: &Location, lines: &[Line]) -> (u64, Option<LocationIdx>) {
        let Self { out, locations, .. } = self;
        let hash = hash_one((location.address, location.mapping, lines));
        let same = |a: &Location, b: &Location| {
            (a.address, a.mapping, a.is_folded) == (b.address, b.mapping, b.is_folded)
        };
        let equal = |&i: &LocationIdx| {
            same(&out.locations[i.index()], location) && out.lines_of(i) == lines
        };
        (hash, locations.find(hash, equal).copied())
    }

    fn intern_location(&mut self, mut location: Location, lines: &[Line]) -> LocationIdx {
        let (hash, known) = self.find_location(&location, lines);
        if let Some(known) = known {
            return known;
        }
        let Self { out, locations, .. } = self;
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

    /// The hash of a function, and where it is if it is known.
    fn find_function(&self, function: &Function) -> (u64, Option<FunctionIdx>) {
        let key = function_key(function);
        let is_same = |i: &FunctionIdx| function_key(&self.out.functions[i.index()]) == key;
        let hash = hash_one(key);
        (hash, self.functions.find(hash, is_same).copied())
    }

    fn intern_function(&mut self, function: Function) -> FunctionIdx {
        let (hash, known) = self.find_function(&function);
        if let Some(known) = known {
            return known;
        }
        let Self { out, functions, .. } = self;
        let new = FunctionIdx::from_index(out.functions.len());
        out.functions.push(Function { id: u64::from(new.0) + 1, ..function });
        functions.insert_unique(hash, new, |i| hash_one(function_key(&out.functions[i.index()])));
        new
    }

    /// The hash of a mapping, and where it is if it is known.
    fn find_mapping(&self, mapping: &Mapping) -> (u64, Option<MappingIdx>) {
        let key = mapping_key(mapping);
        let is_same = |i: &MappingIdx| mapping_key(&self.out.mappings[i.index()]) == key;
        let hash = hash_one(key);
        (hash, self.mappings.find(hash, is_same).copied())
    }

    fn intern_mapping(&mut self, mapping: Mapping) -> MappingIdx {
        let (hash, known) = self.find_mapping(&mapping);
        if let Some(known) = known {
            return known;
        }
        let Self { out, mappings, .. } = self;
        let new = MappingIdx::from_index(out.mappings.len());
        out.mappings.push(Mapping { id: u64::from(new.0) + 1, ..mapping });
        mappings.insert_unique(hash, new, |i| hash_one(mapping_key(&out.mappings[i.index()])));
        new
    }

    /// What to add to addresses in a mapping that is `new` here.
    fn shift(&self, new: MappingIdx, old: &Mapping) -> u64 {
        self.out.mappings[new.index()].start.wrapping_sub(old.start)
    }
}

fn function_key(function: &Function) -> (StrId, StrId, StrId, i64) {
    (function.name, function.system_name, function.filename, function.start_line)
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
    // Four frames a step, in two sums that do not wait for each other; the multiplier is that of Fx.
    const K: u64 = 0xf135_7aea_2e62_a9c5;
    let add = |hash: u64, [a, b]: [LocationIdx; 2]| {
        (hash.rotate_left(26) ^ (u64::from(a.0) << 32 | u64::from(b.0))).wrapping_mul(K)
    };
    let (fours, rest) = sample.stack.as_chunks::<4>();
    let (mut even, mut odd) = (sample.stack.len() as u64, 0);
    for &[a, b, c, d] in fours {
        (even, odd) = (add(even, [a, b]), add(odd, [c, d]));
    }
    let rest = rest.iter().fold(odd, |hash, &frame| add(hash, [frame; 2]));
    let mut hash = (even.rotate_left(26) ^ rest).wrapping_mul(K);
    if !sample.labels.is_empty() {
        hash = hash_one((hash, sample.labels));
    }
    (hash >> 32) as u32
}

fn hash_one(key: impl Hash) -> u64 {
    FxBuildHasher.hash_one(key)
}
