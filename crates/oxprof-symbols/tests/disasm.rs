//! Disassembly, compared with objdump's where it is installed.
#![cfg(feature = "disasm")]

use std::process::Command;

use oxprof_symbols::{Error, Object, Svma, Syntax};

/// A little ELF executable for `machine` with `code` at 0x401000 and no sections.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend([2_u16, machine].map(u16::to_le_bytes).concat());
    out.extend(1_u32.to_le_bytes());
    out.extend([0x40_1000_u64, 64, 0].map(u64::to_le_bytes).concat());
    out.extend(0_u32.to_le_bytes());
    out.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    out.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    let size = code.len() as u64;
    out.extend([120, 0x40_1000, 0x40_1000, size, size, 1].map(u64::to_le_bytes).concat());
    out.extend(code);
    out
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

fn check(machine: u16, syntax: Syntax, code: &[u8], expected: &[&str]) {
    let bytes = elf(machine, code);
    let object = Object::parse(&bytes).unwrap();
    let all = object.disassemble(Svma(0x40_1000)..Svma(u64::MAX), syntax).unwrap();
    let lines: Vec<String> = all
        .iter()
        .map(|i| {
            let target = i.target.map_or(String::new(), |t| format!(" -> {:x}", t.0));
            format!("{:x}: {}{target}", i.address.0, i.text)
        })
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn x86_in_both_syntaxes() {
    let code = b"\x55\x48\x89\xe5\x48\x8b\x44\xc8\x08\x48\x8b\x05\x10\0\0\0\x74\xee\xe8\0\0\0\0\xff\xd0\xc3\x06";
    check(
        X86_64,
        Syntax::Att,
        code,
        &[
            "401000: push   %rbp",
            "401001: mov    %rsp,%rbp",
            "401004: mov    0x8(%rax,%rcx,8),%rax",
            "401009: mov    0x10(%rip),%rax        # 401020",
            "401010: je     401000 -> 401000",
            "401012: call   401017 -> 401017",
            "401017: call   *%rax",
            "401019: ret",
            "40101a: (bad)",
        ],
    );
    check(
        X86_64,
        Syntax::Intel,
        &code[..9],
        &[
            "401000: push   rbp",
            "401001: mov    rbp,rsp",
            "401004: mov    rax,QWORD PTR [rax+rcx*8+0x8]",
        ],
    );
}

#[test]
fn aarch64() {
    let words: [u32; 8] = [
        0xa9bf_7bfd,
        0x9100_03fd,
        0xd280_0020,
        0x9400_0004,
        0x54ff_ff80,
        0x9000_0000,
        0xd65f_03c0,
        0xffff_ffff,
    ];
    check(
        AARCH64,
        Syntax::Att,
        &words.map(u32::to_le_bytes).concat(),
        &[
            "401000: stp    x29, x30, [sp, #-0x10]!",
            "401004: mov    x29, sp",
            "401008: mov    x0, #0x1",
            "40100c: bl     40101c -> 40101c",
            "401010: b.eq   401000 -> 401000",
            "401014: adrp   x0, 401000",
            "401018: ret",
            "40101c: .inst  0xffffffff ; undefined",
        ],
    );
}

#[test]
fn other_processors_and_addresses_without_code_are_errors() {
    let bytes = elf(243, &[0; 4]);
    let object = Object::parse(&bytes).unwrap();
    let range = Svma(0x40_1000)..Svma(0x40_1004);
    let answer = object.disassemble(range, Syntax::Att);
    assert_eq!(answer, Err(Error::UnknownProcessor { name: "Riscv64".into() }));
    let address = Svma(0x1000);
    let answer = object.disassemble(address..Svma(0x1010), Syntax::Att);
    assert_eq!(answer, Err(Error::NoCode { address }));
}

/// Decoders must survive data in the text section.
#[test]
fn arbitrary_bytes() {
    let mut state = 1_u64;
    let mut code = Vec::new();
    while code.len() < 1 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        code.extend(&state.to_le_bytes()[2..8]);
    }
    for machine in [X86_64, AARCH64] {
        let bytes = elf(machine, &code);
        let object = Object::parse(&bytes).unwrap();
        for syntax in [Syntax::Att, Syntax::Intel] {
            let all = object.disassemble(Svma(0x40_1000)..Svma(u64::MAX), syntax).unwrap();
            let total: usize = all.iter().map(|i| usize::from(i.len)).sum();
            assert!(total.abs_diff(code.len()) < 4);
        }
    }
}

/// Mnemonic and operands, without what each tool says about the meaning of an address.
fn essence(text: &str) -> String {
    let text = text.split(" <").next().unwrap().split('#').next().unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn x86_agrees_with_objdump() {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("skipped: this program is not for x86_64");
        return;
    }
    let path = std::env::current_exe().unwrap();
    let arguments = ["-d", "--no-show-raw-insn", path.to_str().unwrap()];
    let Ok(listing) = Command::new("objdump").args(arguments).output() else {
        eprintln!("skipped: objdump is not installed");
        return;
    };
    let listing = String::from_utf8_lossy(&listing.stdout);
    let theirs = listing.lines().filter_map(|line| {
        let (address, text) = line.split_once(":\t")?;
        Some((u64::from_str_radix(address.trim(), 16).ok()?, essence(text)))
    });
    let bytes = std::fs::read(&path).unwrap();
    let object = Object::parse(&bytes).unwrap();
    let mut ours = std::collections::HashMap::new();
    for symbol in object.symbols() {
        for i in object.disassemble(symbol.start..symbol.end, Syntax::Att).unwrap_or_default() {
            ours.insert(i.address.0, essence(&i.text));
        }
    }
    let (mut same, mut different) = (0_usize, Vec::new());
    for (address, text) in theirs {
        match ours.get(&address) {
            Some(mine) if *mine == text => same += 1,
            Some(mine) => different.push(format!("{address:x}: {mine} / {text}")),
            None => {}
        }
    }
    assert!(same > 10_000);
    eprintln!("{} of {} instructions read differently", different.len(), same + different.len());
    assert!(
        different.len() * 100 < same,
        "{} of {} differ:\n{}",
        different.len(),
        same + different.len(),
        different.iter().step_by(different.len() / 40 + 1).cloned().collect::<Vec<_>>().join("\n")
    );
}
