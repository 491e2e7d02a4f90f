//! Making a profile sample by sample.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::{
    Function, FunctionIdx, Label, Line, Location, LocationIdx, Mapping, MappingIdx, Profile,
    Samples, StrId, ValueType,
};

/// Collects samples into a [`Profile`]; equal functions and places become one.
///
/// ```
/// use oxprof_profile::{Builder, encode_folded};
/// let mut builder = Builder::new(&[("samples", "count")]);
/// let (main, work) = (builder.named(b"main"), builder.named(b"work"));
/// builder.sample(&[3], &[work, main], &[]);
/// assert_eq!(encode_folded(&builder.finish(), 0), "main;work 3\n");
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    /// The profile so far; its header fields may be set at will.
    pub profile: Profile,
    functions: HashMap<(StrId, StrId, StrId), FunctionIdx, FxBuildHasher>,
    locations: HashMap<Place, LocationIdx, FxBuildHasher>,
}

/// What makes locations equal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    mapping: Option<MappingIdx>,
    address: u64,
    line: Option<Line>,
}

/// A function and a place in it, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Function name for people.
    pub name: &'a [u8],
    /// Function name in the symbol table.
    pub system_name: &'a [u8],
    /// Source file; empty if unknown.
    pub file: &'a [u8],
    /// Line in it; 0 if unknown.
    pub line: i64,
    /// Column; 0 if unknown.
    pub column: i64,
}

impl Builder {
    /// An empty profile with these sample types, each a name and a unit.
    pub fn new(sample_types: &[(&str, &str)]) -> Self {
        let mut builder = Self::default();
        let types =
            sample_types.iter().map(|&(kind, unit)| builder.value_type(kind, unit)).collect();
        builder.profile.sample_types = types;
        builder.profile.samples = Samples::new(sample_types.len());
        builder
    }

    /// A type in terms of this profile's strings.
    pub fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        let strings = &mut self.profile.strings;
        ValueType { kind: strings.intern(kind), unit: strings.intern(unit) }
    }

    /// The place that is nothing but a function name.
    pub fn named(&mut self, name: &[u8]) -> LocationIdx {
        self.symbol(None, 0, &Symbol { name, ..Symbol::default() })
    }

    /// The place at `address`, with a symbol.
    pub fn symbol(
        &mut self,
        mapping: Option<MappingIdx>,
        address: u64,
        symbol: &Symbol<'_>,
    ) -> LocationIdx {
        let function = self.function(symbol);
        let line = Line { function, line: symbol.line, column: symbol.column };
        self.place(Place { mapping, address, line: Some(line) })
    }

    /// The place at `address`, without a name.
    pub fn address(&mut self, mapping: Option<MappingIdx>, address: u64) -> LocationIdx {
        self.place(Place { mapping, address, line: None })
    }

    /// Adds a mapping; its id is chosen here.
    pub fn mapping(&mut self, mapping: Mapping) -> MappingIdx {
        let mappings = &mut self.profile.mappings;
        mappings.push(Mapping { id: mappings.len() as u64 + 1, ..mapping });
        MappingIdx::from_index(mappings.len() - 1)
    }

    /// Adds a sample: one value per sample type, the stack leaf first.
    ///
    /// # Panics
    /// When the number of values is not that of the sample types.
    pub fn sample(&mut self, values: &[i64], stack: &[LocationIdx], labels: &[Label]) {
        self.profile.samples.push(values, stack, labels);
    }

    /// The profile.
    pub fn finish(self) -> Profile {
        self.profile
    }

    fn function(&mut self, symbol: &Symbol<'_>) -> FunctionIdx {
        let Profile { strings, functions, .. } = &mut self.profile;
        let name = strings.intern_bytes(symbol.name);
        let system_name = strings.intern_bytes(symbol.system_name);
        let filename = strings.intern_bytes(symbol.file);
        *self.functions.entry((name, system_name, filename)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function { id, name, system_name, filename, start_line: 0 });
            FunctionIdx::from_index(functions.len() - 1)
        })
    }

    fn place(&mut self, place: Place) -> LocationIdx {
        let Profile { locations, lines, .. } = &mut self.profile;
        let Place { mapping, address, line } = place;
        *self.locations.entry(place).or_insert_with(|| {
            let start = lines.len() as u32;
            lines.extend(line);
            let id = locations.len() as u64 + 1;
            let lines = start..lines.len() as u32;
            locations.push(Location { id, mapping, address, lines, is_folded: false });
            LocationIdx::from_index(locations.len() - 1)
        })
    }
}
