//! Any bytes as an object file: no panic, whatever is asked of it.
//!
//! `cargo +nightly fuzz run symbols`; start from `crates/oxprof-symbols/tests/data/small.elf`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{
    Avma, Demangle, FileOffset, MappedRange, Object, Store, Svma, Syntax, demangle,
};

fuzz_target!(|bytes: &[u8]| {
    let store = Store::new(|_| Some(std::sync::Arc::new(bytes.to_vec())));
    let Ok(object) = Object::parse_with(bytes, &store) else { return };
    let _ = object.build_id().map(|id| id.to_string());
    let range =
        MappedRange { start: Avma(1 << 32), limit: Avma(1 << 33), offset: FileOffset(0) };
    let _ = object.svma(Avma((1 << 32) + 0x1000), &range);
    for symbol in object.symbols().take(16) {
        for style in [Demangle::Default, Demangle::Full] {
            let _ = demangle(&symbol.name, style);
        }
        let _ = object.frames(symbol.start);
        let _ = object.disassemble(symbol.start..symbol.end, Syntax::Intel);
    }
    for segment in object.segments().iter().take(4) {
        for step in 0..16 {
            let _ = object.frames(Svma(segment.start.0.wrapping_add(step * 16)));
        }
    }
});
