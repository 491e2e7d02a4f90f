//! Writes a profile of addresses without names, to measure symbolization with:
//! `unsymbolized BINARY COUNT > profile.pb`

use std::io::Write;

use oxprof_profile::{
    Location, LocationIdx, Mapping, MappingIdx, Profile, Samples, ValueType, encode,
};
use oxprof_symbols::Object;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(binary), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("usage: unsymbolized BINARY COUNT > profile.pb".into());
    };
    let profile = profile(&std::fs::canonicalize(binary)?.to_string_lossy(), count.parse()?)?;
    Ok(std::io::stdout().write_all(&encode(&profile))?)
}

/// Samples of `count` addresses that are spread over the functions of the binary: one in the middle of each
/// of some, or several in each where there are fewer functions.
fn profile(binary: &str, count: usize) -> Result<Profile, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(binary)?;
    let object = Object::parse(&bytes)?;
    let code = object.segments().iter().find(|s| s.is_executable).ok_or("there is no code")?;
    let mut profile = Profile { samples: Samples::new(1), ..Profile::default() };
    let (kind, unit) = (profile.strings.intern("samples"), profile.strings.intern("count"));
    profile.sample_types.push(ValueType { kind, unit });
    let start = 0x5555_5555_0000 + (code.start.0 & 0xfff);
    let (file, build_id) = (
        profile.strings.intern(binary),
        profile.strings.intern(&object.build_id().map(|id| id.to_string()).unwrap_or_default()),
    );
    let (limit, offset) = (start + (code.end.0 - code.start.0), code.offset.0);
    profile.mappings.push(Mapping {
        id: 1,
        start,
        limit,
        offset,
        file,
        build_id,
        ..Mapping::default()
    });
    let functions: Vec<_> = object.symbols().collect();
    let each = count.div_ceil(functions.len().max(1)) as u64;
    for function in functions.iter().step_by((functions.len() * each as usize).div_ceil(count)) {
        let size = function.end.0 - function.start.0;
        for part in 0..each {
            let address = function.start.0 + size * (2 * part + 1) / (2 * each);
            let index = LocationIdx::from_index(profile.locations.len());
            profile.locations.push(Location {
                id: u64::from(index.0) + 1,
                mapping: Some(MappingIdx(0)),
                address: start + (address - code.start.0),
                ..Location::default()
            });
            profile.samples.push(&[1], &[index], &[]);
        }
    }
    Ok(profile)
}
