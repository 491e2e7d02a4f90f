//! Random profiles and random damage, the same in every run.

use oxprof_profile::{
    Function, FunctionIdx, Label, LabelValue, Line, Location, LocationIdx, Mapping, MappingIdx,
    Profile, Samples, StrId, ValueType,
};

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A small profile with everything in it. Those of all seeds are compatible; few names and addresses
/// make sure that they share places.
pub(crate) fn profile(seed: u64) -> Profile {
    let mut random = Random(seed);
    let mut profile = Profile::default();
    let mut intern = |text: &str| profile.strings.intern(text);
    let (samples, count, cpu, nanoseconds) =
        (intern("samples"), intern("count"), intern("cpu"), intern("nanoseconds"));
    let names: Vec<_> =
        ["main", "work", "a::b(int)", "operator()", "", "x"].map(&mut intern).to_vec();
    let files: Vec<_> = ["", "/bin/a", "/bin/b", "a.rs"].map(&mut intern).to_vec();
    let keys: Vec<_> = ["key", "bytes", "other"].map(&mut intern).to_vec();
    let units: Vec<_> = ["", "kb", "ms"].map(&mut intern).to_vec();
    profile.sample_types =
        vec![ValueType { kind: samples, unit: count }, ValueType { kind: cpu, unit: nanoseconds }];
    profile.period_type = ValueType { kind: cpu, unit: nanoseconds };
    profile.period = 1 + random.below(3) as i64;
    profile.time_nanos = random.below(4) as i64;
    profile.comments = (0..random.below(3)).map(|i| names[i]).collect();

    let pick = |random: &mut Random, from: &[StrId]| from[random.below(from.len())];
    for id in 1..=1 + random.below(3) as u64 {
        let start = 0x1000 * (1 + random.below(4) as u64);
        let file = pick(&mut random, &files);
        profile.mappings.push(Mapping {
            id,
            start,
            limit: start + 0x800,
            file,
            ..Mapping::default()
        });
    }
    for id in 1..=1 + random.below(6) as u64 {
        let (name, system_name) = (pick(&mut random, &names), pick(&mut random, &names));
        let filename = pick(&mut random, &files);
        profile.functions.push(Function { id: id * 3, name, system_name, filename, start_line: 0 });
    }
    for id in 1..=1 + random.below(9) as u64 {
        let start = profile.lines.len() as u32;
        for _ in 0..random.below(4) {
            let function = FunctionIdx::from_index(random.below(profile.functions.len()));
            profile.lines.push(Line {
                function,
                line: random.below(3) as i64,
                column: random.below(2) as i64,
            });
        }
        let mapping =
            random.chance(70).then(|| MappingIdx::from_index(random.below(profile.mappings.len())));
        let base = mapping.map_or(0, |m| profile.mappings[m.index()].start);
        let address = base + random.below(8) as u64;
        let lines = start..profile.lines.len() as u32;
        profile.locations.push(Location {
            id,
            mapping,
            address,
            lines,
            is_folded: random.chance(10),
        });
    }
    profile.samples = rows(&mut random, profile.locations.len(), &names, &keys, &units);
    profile
}

fn rows(
    random: &mut Random,
    locations: usize,
    names: &[StrId],
    keys: &[StrId],
    units: &[StrId],
) -> Samples {
    let mut samples = Samples::new(2);
    for _ in 0..random.below(20) {
        let stack: Vec<_> = (0..random.below(6))
            .map(|_| LocationIdx::from_index(random.below(locations)))
            .collect();
        let labels: Vec<_> = (0..random.below(3))
            .map(|_| {
                let key = keys[random.below(keys.len())];
                let value = if random.chance(50) {
                    // An empty text is written as the number 0: the format knows no difference.
                    LabelValue::Str(names[random.below(4)])
                } else {
                    LabelValue::Num {
                        value: random.below(3000) as i64,
                        unit: units[random.below(3)],
                    }
                };
                Label { key, value }
            })
            .collect();
        samples.push(&[random.below(4) as i64, random.below(100) as i64], &stack, &labels);
    }
    samples
}

/// The same bytes with a few places changed, cut, repeated or joined with `other`.
pub(crate) fn damage(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    const TELLING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'\n'];
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = TELLING[random.below(TELLING.len())],
            2 => bytes[at] = random.next() as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + random.below((bytes.len() - at).min(16)))),
            5 => {
                let len = random.below((bytes.len() - at).min(64));
                let copy = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                bytes.truncate(at);
                bytes
                    .extend_from_slice(&other[random.below(other.len().max(1)).min(other.len())..]);
            }
        }
    }
    bytes
}
