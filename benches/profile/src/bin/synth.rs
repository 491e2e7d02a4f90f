//! Writes a synthetic profile: `synth SAMPLES FUNCTIONS SEED OUT`.
//!
//! Stacks are around 30 deep and practically all distinct, as in a profile aggregated over a fleet, but
//! they share their roots, as real ones do: the first frame is one of eight, each next one of twice as
//! many. Two locations per function, one in eight with an inlined callee, every second sample with a
//! label. The same arguments give the same bytes.

use oxprof_profile::{
    Compression, Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping,
    MappingIdx, Profile, Samples, StrId, ValueType, encode_gzip,
};

const LOCATIONS_PER_FUNCTION: usize = 2;
const ROUTES: usize = 20;
const MIN_DEPTH: usize = 15;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, samples, functions, seed, out] = &args[..] else {
        eprintln!("usage: synth SAMPLES FUNCTIONS SEED OUT");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let mut random = Random((number(seed) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut profile = program(number(functions), &mut random);
    add_samples(&mut profile, number(samples), &mut random);
    let bytes = encode_gzip(&profile, Compression::Fast);
    std::fs::write(out, bytes).expect("the file can be written");
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// Functions and the locations in them.
fn program(functions: usize, random: &mut Random) -> Profile {
    let mut profile = Profile::default();
    let mut value_type = |kind, unit| {
        let strings = &mut profile.strings;
        ValueType { kind: strings.intern(kind), unit: strings.intern(unit) }
    };
    let types = [value_type("samples", "count"), value_type("cpu", "nanoseconds")];
    profile.sample_types = types.into();
    (profile.period_type, profile.period) = (types[1], 10_000_000);
    (profile.time_nanos, profile.duration_nanos) = (1_700_000_000_000_000_000, 30_000_000_000);
    let file = profile.strings.intern("/usr/bin/service");
    profile.mappings.push(Mapping {
        id: 1,
        start: 0x40_0000,
        limit: 0x4000_0000,
        file,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        ..Mapping::default()
    });
    for i in 0..functions {
        let (package, strings) = (i % 97, &mut profile.strings);
        let name = format!("example.com/service/pkg{package}.(*Server).Process{i:05}");
        let name = strings.intern(&name);
        let filename = strings.intern(&format!("/src/pkg{package}/file{}.go", i % 1000));
        let id = i as u64 + 1;
        profile.functions.push(Function { id, name, system_name: name, filename, start_line: 10 });
    }
    for i in 0..functions * LOCATIONS_PER_FUNCTION {
        add_location(&mut profile, i, random);
    }
    profile
}

fn add_location(profile: &mut Profile, i: usize, random: &mut Random) {
    let start = profile.lines.len() as u32;
    let mut line = |function, line| {
        let function = FunctionIdx::from_index(function);
        profile.lines.push(Line { function, line, column: 0 });
    };
    if i % 8 == 0 {
        line(random.below(profile.functions.len()), 30);
    }
    line(i / LOCATIONS_PER_FUNCTION, 12 + (i % LOCATIONS_PER_FUNCTION) as i64 * 7);
    profile.locations.push(Location {
        id: i as u64 + 1,
        mapping: Some(MappingIdx(0)),
        address: 0x40_0000 + i as u64 * 16,
        lines: start..profile.lines.len() as u32,
        is_folded: false,
    });
}

fn add_samples(profile: &mut Profile, samples: usize, random: &mut Random) {
    let key = profile.strings.intern("handler");
    let routes: Vec<StrId> =
        (0..ROUTES).map(|i| profile.strings.intern(&format!("route{i}"))).collect();
    let locations = profile.locations.len();
    profile.samples = Samples::new(2);
    let mut stack = Vec::new();
    for _ in 0..samples {
        stack.clear();
        let depth = MIN_DEPTH + random.below(2 * MIN_DEPTH);
        for from_root in (0..depth).rev() {
            let choice = (8usize << from_root.min(20)).min(locations);
            let skewed = random.below(choice).min(random.below(choice));
            stack.push(LocationIdx::from_index((skewed * 7919 + from_root * 131) % locations));
        }
        let count = 1 + random.below(4) as i64;
        let label = [Label { key, value: LabelValue::Str(routes[random.below(ROUTES)]) }];
        let labels = &label[..random.below(2)];
        profile.samples.push(&[count, count * 10_000_000], &stack, labels);
    }
}
