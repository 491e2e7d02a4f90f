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

/// Without what tools write differently on purpose: immediates in hexadecimal or not, with a sign or not, what
/// an address means, and `orr` with the zero register, which GNU's objdump calls `mov` and LLVM's does not.
fn aarch64_essence(text: &str) -> String {
    let text = text.split(" <").next().unwrap().split("//").next().unwrap();
    let words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let word = |word: &str| {
        let bare = word.trim_matches(['[', ']', '!']);
        let (sign, digits) = match bare.trim_start_matches('#') {
            number if number.starts_with('-') => (-1, &number[1..]),
            number => (1, number),
        };
        let number = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None if bare.starts_with('#') => digits.parse().ok(),
            // Where a branch leads.
            None => u64::from_str_radix(digits, 16).ok().filter(|n| *n > 0xffff),
        };
        match number {
            Some(number) => word.replace(bare, &(number as i64).wrapping_mul(sign).to_string()),
            None => word.to_owned(),
        }
    };
    let text = words.map(word).collect::<Vec<_>>().join(" ").replace("{ ", "{").replace(" }", "}");
    match text.strip_prefix("orr ").and_then(|rest| rest.split_once(" xzr ")) {
        Some((to, number)) if number.parse::<i64>().is_ok() => format!("mov {to} {number}"),
        _ => text,
    }
}

/// The library of Go has hand-written vector and cryptographic code beside what its compiler makes.
const GO_PROGRAM: &str = r#"package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"sort"
)

func main() {
	x := []float64{3, 1, 2}
	sort.Float64s(x)
	b, _ := json.Marshal(x)
	fmt.Println(string(b), sha256.Sum256(b), math.Sin(x[0]))
}
"#;

#[test]
fn aarch64_agrees_with_llvm_objdump() {
    if std::env::var_os("OXPROF_LONG").is_none() {
        eprintln!("skipped: set OXPROF_LONG=1 to build a program for AArch64 with Go");
        return;
    }
    let dir = std::env::temp_dir().join(format!("oxprof-arm64-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("main.go"), GO_PROGRAM).unwrap();
    let go = Command::new("go")
        .args(["build", "-o", "app", "main.go"])
        .current_dir(&dir)
        .envs([
            ("GOARCH", "arm64"),
            ("GOOS", "linux"),
            ("CGO_ENABLED", "0"),
            ("GO111MODULE", "off"),
        ])
        .output();
    let built = go.is_ok_and(|out| out.status.success());
    let bytes = std::fs::read(dir.join("app"));
    let objdump = Command::new("llvm-objdump")
        .args(["-d", "--no-show-raw-insn", "--mattr=+v8.4a,+aes,+sha2,+sha3,+sm4,+crypto", "app"])
        .current_dir(&dir)
        .output();
    std::fs::remove_dir_all(&dir).unwrap();
    let (true, Ok(bytes), Ok(listing)) = (built, bytes, objdump) else {
        eprintln!("skipped: go or llvm-objdump is not installed");
        return;
    };
    let object = Object::parse(&bytes).unwrap();
    let mut ours = std::collections::HashMap::new();
    for symbol in object.symbols() {
        for i in object.disassemble(symbol.start..symbol.end, Syntax::Att).unwrap_or_default() {
            ours.insert(i.address.0, i.text);
        }
    }
    let listing = String::from_utf8_lossy(&listing.stdout);
    let (mut same, mut different) = (0_usize, Vec::new());
    for line in listing.lines() {
        let Some((address, theirs)) = line.split_once(":      \t") else { continue };
        let Ok(address) = u64::from_str_radix(address.trim(), 16) else { continue };
        let Some(ours) = ours.get(&address) else { continue };
        let (ours, theirs) = (aarch64_essence(ours), aarch64_essence(theirs));
        if ours == theirs {
            same += 1;
        } else {
            different.push(format!("{address:x}: {ours} / {theirs}"));
        }
    }
    assert!(same > 10_000, "{same}");
    eprintln!("{} of {} instructions read differently", different.len(), same + different.len());
    assert!(
        different.len() * 1000 < same,
        "{} of {} differ:\n{}",
        different.len(),
        same + different.len(),
        different.iter().step_by(different.len() / 60 + 1).cloned().collect::<Vec<_>>().join("\n")
    );
}
