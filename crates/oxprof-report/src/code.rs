//! Machine code of the profiled program, as reports want to see it.

use std::collections::BTreeMap;

use oxprof_profile::{Mapping, MappingIdx, Profile};

use crate::ReportOptions;

/// Opens the binaries that a profile mentions.
pub trait Binaries {
    /// Hands the binary that a mapping calls `file` to `with`. `build_id` is empty if the profile does
    /// not say.
    ///
    /// # Errors
    /// Why there is none, as a clause such as "open /bin/ls: no such file or directory".
    fn open(
        &self,
        file: &str,
        build_id: &str,
        with: &mut dyn FnMut(&dyn Binary),
    ) -> Result<(), String>;
}

/// A binary with machine code.
pub trait Binary {
    /// Where the file has the instruction that was at the run-time `address`.
    fn address(&self, address: u64, mapping: &Mapping) -> Option<u64>;

    /// The function that holds the instruction at `address` of the file.
    fn function(&self, address: u64) -> Option<CodeSymbol>;

    /// The names of `symbol` and others for the same code.
    fn names(&self, symbol: &CodeSymbol) -> Vec<String>;

    /// The functions that the instruction at `address` belongs to, innermost inlined one first.
    fn places(&self, address: u64) -> Vec<CodePlace>;

    /// The instructions of a function.
    ///
    /// # Errors
    /// Why they cannot be shown, in words.
    fn instructions(&self, symbol: &CodeSymbol) -> Result<Vec<CodeLine>, String>;
}

/// A function of a binary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeSymbol {
    /// Its name and others for the same code; at least one.
    pub names: Vec<String>,
    /// Address of its first instruction in the file.
    pub start: u64,
    /// First address beyond it.
    pub end: u64,
}

/// A place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodePlace {
    /// Name of the function.
    pub function: String,
    /// Its file; empty if unknown.
    pub file: String,
    /// Line; 0 if unknown.
    pub line: i64,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeLine {
    /// Its address in the file.
    pub address: u64,
    /// Mnemonic and operands.
    pub text: String,
    /// The functions that it belongs to, innermost inlined one first.
    pub places: Vec<CodePlace>,
}

/// What a location of the profile costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Itself.
    pub flat: i64,
    /// Together with what it calls.
    pub cum: i64,
}

impl Cost {
    pub(crate) fn add(&mut self, other: Self) {
        self.flat = self.flat.wrapping_add(other.flat);
        self.cum = self.cum.wrapping_add(other.cum);
    }

    pub(crate) fn sum(costs: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        costs.for_each(|cost| sum.add(cost));
        sum
    }
}

/// A location that samples went through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub mapping: MappingIdx,
    /// Run-time address.
    pub address: u64,
    pub cost: Cost,
}

/// The locations with an address that cost something, by mapping and address.
pub(crate) fn hits(profile: &Profile, options: &ReportOptions) -> Vec<Hit> {
    let mut costs = vec![Cost::default(); profile.locations.len()];
    let mut seen_by = vec![usize::MAX; profile.locations.len()];
    for (i, sample) in profile.samples.iter().enumerate() {
        let value = options.value.value(sample.values);
        if let Some(leaf) = sample.stack.first() {
            costs[leaf.index()].add(Cost { flat: value, cum: 0 });
        }
        for location in sample.stack {
            if std::mem::replace(&mut seen_by[location.index()], i) != i {
                costs[location.index()].add(Cost { flat: 0, cum: value });
            }
        }
    }
    let locations = profile.locations.iter().zip(costs);
    let mut hits: Vec<Hit> = locations
        .filter(|(location, cost)| location.address != 0 && *cost != Cost::default())
        .filter_map(|(l, cost)| Some(Hit { mapping: l.mapping?, address: l.address, cost }))
        .collect();
    hits.sort_unstable_by_key(|hit| (hit.mapping, hit.address));
    hits
}

/// Hits of one binary; the main program's mappings come first.
pub(crate) type ByFile<'p> = BTreeMap<&'p str, Vec<(Hit, Mapping)>>;

pub(crate) fn by_file<'p>(profile: &'p Profile, hits: &[Hit]) -> ByFile<'p> {
    let mut files = ByFile::new();
    for hit in hits {
        let mapping = profile.mappings[hit.mapping.index()];
        files.entry(profile.str(mapping.file)).or_default().push((*hit, mapping));
    }
    files.remove("");
    files
}

/// The address that a report's argument is, if it is a number: `0x401000`, or decimal.
pub(crate) fn address(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The instruction that covers each hit, for instructions and hits by ascending file address.
pub(crate) fn spread(instructions: &[CodeLine], hits: &[(u64, Cost)]) -> Vec<Cost> {
    let mut costs = vec![Cost::default(); instructions.len()];
    for &(address, cost) in hits {
        let after = instructions.partition_point(|i| i.address <= address);
        if let Some(at) = after.checked_sub(1) {
            costs[at].add(cost);
        }
    }
    costs
}
