//! Any bytes as debug information: no panic, and answers in bounded time.
//!
//! `cargo +nightly fuzz run symbols_dwarf`
#![no_main]

mod elf;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Object, Svma};

const SECTIONS: [&str; 8] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_line",
    ".debug_str",
    ".debug_rnglists",
    ".debug_ranges",
    ".debug_aranges",
    ".debug_addr",
];

fuzz_target!(|parts: [&[u8]; 8]| {
    let code = [0; 64];
    let mut sections = vec![(".text", elf::START, &code[..])];
    sections.extend(SECTIONS.iter().zip(parts).map(|(name, part)| (*name, 0, part)));
    let program = elf::program(62, &sections);
    let object = Object::parse(&program).expect("the program is one");
    for at in 0..16 {
        let _ = object.frames(Svma(elf::START + at * 4));
    }
});
