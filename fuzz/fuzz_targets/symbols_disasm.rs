//! Any bytes as machine code: no panic, and every byte is in one instruction.
//!
//! `cargo +nightly fuzz run symbols_disasm`
#![no_main]

mod elf;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Object, Svma, Syntax};

/// x86-64 and AArch64.
const PROCESSORS: [u16; 2] = [62, 183];

fuzz_target!(|input: (bool, &[u8])| {
    let (is_arm, code) = input;
    let program = elf::program(PROCESSORS[usize::from(is_arm)], &[(".text", elf::START, code)]);
    let object = Object::parse(&program).expect("the program is one");
    let range = Svma(elf::START)..Svma(elf::START + code.len() as u64);
    for syntax in [Syntax::Att, Syntax::Intel] {
        let Ok(instructions) = object.disassemble(range.clone(), syntax) else { continue };
        let mut next = range.start;
        for instruction in &instructions {
            assert_eq!(instruction.address, next);
            assert!(!instruction.text.is_empty() && instruction.len > 0);
            next = Svma(next.0 + u64::from(instruction.len));
        }
        assert!(next <= range.end && range.end.0 - next.0 < 16);
    }
});
