//! Writes a synthetic profile: `synth SAMPLES FUNCTIONS SEED OUT`.
//!
//! Stacks have a depth around 30, two locations per function, every second sample a label; practically
//! every stack is distinct, as in a profile aggregated over a fleet. The same arguments give the same
//! bytes.

use oxprof_profile::{
    Builder, Compression, Label, LabelValue, LocationIdx, Mapping, MappingIdx, Profile, Symbol, encode_gzip,
};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, samples, functions, seed, out] = &args[..] else {
        eprintln!("usage: synth SAMPLES FUNCTIONS SEED OUT");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse().expect("a number");
    let profile = synthetic(number(samples) as usize, number(functions) as usize, number(seed));
    std::fs::write(out, encode_gzip(&profile, Compression::Balanced)).expect("the file can be written");
}

fn synthetic(samples: usize, functions: usize, seed: u64) -> Profile {
    let mut random = Random(seed);
    let mut builder = Builder::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    builder.profile.period_type = builder.value_type("cpu", "nanoseconds");
    builder.profile.period = 10_000_000;
    builder.profile.time_nanos = 1_700_000_000_000_000_000;
    builder.profile.duration_nanos = 60_000_000_000;
    let locations = locations(&mut builder, functions);
    let label = |text: &str, builder: &mut Builder| builder.profile.strings.intern(text);
    let key = label("handler", &mut builder);
    let values: Vec<_> = (0..1000).map(|i| label(&format!("/api/v1/route{i}"), &mut builder)).collect();
    let mut stack = Vec::new();
    for i in 0..samples {
        stack.clear();
        let depth = 20 + random.below(21);
        stack.extend((0..depth).map(|_| locations[random.below(locations.len())]));
        let count = 1 + random.below(4) as i64;
        let value = LabelValue::Str(values[random.below(values.len())]);
        let labels = [Label { key, value }];
        builder.sample(&[count, count * 10_000_000], &stack, if i % 2 == 0 { &labels } else { &[] });
    }
    builder.finish()
}

/// Two places in every function.
fn locations(builder: &mut Builder, functions: usize) -> Vec<LocationIdx> {
    let file = builder.profile.strings.intern("/usr/bin/service");
    let build_id = builder.profile.strings.intern("0123456789abcdef");
    let mapping: MappingIdx = builder.mapping(Mapping {
        start: 0x40_0000,
        limit: 0x4000_0000,
        file,
        build_id,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
        ..Mapping::default()
    });
    let mut locations = Vec::with_capacity(2 * functions);
    for i in 0..2 * functions {
        let function = i / 2;
        let name = format!("service::module{:03}::Type{:02}::process{function:05}", function % 311, function % 37);
        let file = format!("/src/service/module{:03}.rs", function % 311);
        let symbol = Symbol {
            name: name.as_bytes(),
            system_name: name.as_bytes(),
            file: file.as_bytes(),
            line: 10 + (i * 7 % 900) as i64,
            column: 0,
        };
        locations.push(builder.symbol(Some(mapping), 0x40_0000 + i as u64 * 32, &symbol));
    }
    locations
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}
