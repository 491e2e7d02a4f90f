//! Any bytes as the tables of a Go program: no panic.
//!
//! `cargo +nightly fuzz run symbols_go`
#![no_main]

mod elf;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Object, Svma};

/// Where the tables are.
const TABLES: u64 = 0x2000;

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (version, tables, module) = input;
    let magic = [0xffff_fffa_u32, 0xffff_fff0, 0xffff_fff1][usize::from(version % 3)];
    let mut table = magic.to_le_bytes().to_vec();
    table.extend([0, 0, 1, 8]);
    table.extend(tables);
    // What else the program knows of itself begins with where the tables and the names are.
    let names = table.get(32..40).map_or(0, |n| u64::from_le_bytes(n.try_into().expect("eight bytes")));
    let mut data = TABLES.to_le_bytes().to_vec();
    data.extend(TABLES.wrapping_add(names).to_le_bytes());
    data.extend(module);
    let code = [0; 64];
    let sections = [
        (".text", elf::START, &code[..]),
        (".gopclntab", TABLES, &table[..]),
        (".noptrdata", 0x20_0000, &data[..]),
    ];
    let program = elf::program(62, &sections);
    let object = Object::parse(&program).expect("the program is one");
    for symbol in object.symbols().take(16) {
        let _ = object.frames(symbol.start);
    }
    for at in 0..16 {
        let _ = object.frames(Svma(elf::START + at * 4));
        let _ = object.frames(Svma(at * 4));
    }
});
