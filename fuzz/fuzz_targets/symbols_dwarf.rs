//! Any bytes as debug information: no panic, answers in bounded time, and the same ones if the file is read piece by piece.
//!
//! `cargo +nightly fuzz run symbols_dwarf`
#![no_main]

mod elf;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Content, Object, Parts, Svma};

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
    let parts = Parts::new(program.clone());
    let pieces = Object::parse(parts.data()).expect("the program is one");
    for at in 0..16 {
        let address = Svma(elf::START + at * 4);
        assert_eq!(object.frames(address), pieces.frames(address));
    }
});
