//! Any bytes as debug information: no panic, answers in bounded time, and the same ones if the file is read piece by piece.
//!
//! `cargo +nightly fuzz run symbols_dwarf`
#![no_main]

mod elf;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Content, Object, Parts, ReadAt, Svma};

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

/// A file on a disk.
struct Disk(Vec<u8>);

impl ReadAt for Disk {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        into.copy_from_slice(&self.0[offset as usize..][..into.len()]);
        true
    }
}

fuzz_target!(|parts: [&[u8]; 8]| {
    let code = [0; 64];
    let mut sections = vec![(".text", elf::START, &code[..])];
    sections.extend(SECTIONS.iter().zip(parts).map(|(name, part)| (*name, 0, part)));
    let program = elf::program(62, &sections);
    let object = Object::parse(&program).expect("the program is one");
    let parts = Parts::new(Disk(program.clone()));
    let pieces = Object::parse(parts.data()).expect("the program is one");
    for at in 0..16 {
        let address = Svma(elf::START + at * 4);
        assert_eq!(object.frames(address), pieces.frames(address));
    }
});
