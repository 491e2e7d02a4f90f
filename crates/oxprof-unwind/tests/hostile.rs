//! Damaged call-frame information and absurd stacks end in a result, within bounded memory and time.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxprof_unwind::x86_64::{Registers, walk};
use oxprof_unwind::{Arch, EhFrame, Memory, Module, Modules, Table};

use support::Random;

/// Compiles and looks everything up; the table's size is bounded by what is documented.
fn check(bytes: &[u8], address: u64, text: Range<u64>) -> Table {
    let section = EhFrame { bytes, address };
    let (table, _) = Table::compile(&Arch::X86_64, &section, text.clone()).unwrap();
    let length = text.end - text.start;
    for offset in (0..length + 600).step_by(7) {
        table.lookup(offset);
    }
    table.lookup(u64::MAX);
    assert!(table.size() <= 64 * bytes.len() + length as usize / 64 + 64, "{}", table.size());
    table
}

fn damage(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(20) {
        let at = random.below(bytes.len());
        bytes[at] = match random.below(4) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ 1 << random.below(8),
            _ => random.next() as u8,
        };
    }
}

#[test]
fn damaged_sections() {
    let binaries = support::binaries();
    let binary = binaries.iter().min_by_key(|b| b.eh_frame.len()).unwrap();
    let (mut random, start) = (Random(1), Instant::now());
    for _ in 0..200 {
        let from = random.below(binary.eh_frame.len());
        let mut bytes = binary.eh_frame[..from.min(20_000)].to_vec();
        if bytes.is_empty() {
            continue;
        }
        damage(&mut bytes, &mut random);
        check(&bytes, binary.eh_frame_address, binary.text.clone());
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn random_bytes() {
    let mut random = Random(2);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8 & 0x1f).collect();
        check(&bytes, 0x1000, 0x1000..0x3000);
        EhFrame::length_within(&bytes);
        EhFrame::address_in_header(&bytes, 0x1000);
    }
}

/// One entry whose program does nothing but advance: as many rows as bytes, no more.
#[test]
fn rows_are_bounded_by_bytes() {
    let program: Vec<u8> = [0x41, 0x0e, 0x10, 0x41, 0x0e, 0x08].repeat(50_000);
    let bytes = section(&[0x0c, 7, 8, 0x90, 1], &program, 0x10_0000, 0x20_0000);
    let table = check(&bytes, 0x1000, 0x10_0000..0x30_0000);
    assert!(table.size() < 8 * bytes.len());
}

/// A common entry that every function has to run must not make the whole quadratic.
#[test]
fn time_is_linear() {
    let mut bytes = section(&[0; 200_000], &[], 0x10_0000, 16);
    let fde = bytes[bytes.len() - 28..].to_vec();
    for _ in 0..20_000 {
        let mut next = fde.clone();
        let distance = bytes.len() as u32 + 4;
        next[4..8].copy_from_slice(&distance.to_le_bytes());
        bytes.extend(next);
    }
    let start = Instant::now();
    check(&bytes, 0x1000, 0x10_0000..0x30_0000);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// A section of one common entry and one function.
fn section(common: &[u8], program: &[u8], start: u64, length: u64) -> Vec<u8> {
    let mut cie = vec![0, 0, 0, 0, 1, 0, 1, 0x78, 16];
    cie.extend_from_slice(common);
    let mut bytes = (cie.len() as u32).to_le_bytes().to_vec();
    bytes.extend(cie);
    let distance = bytes.len() as u32 + 4;
    bytes.extend((20 + program.len() as u32 + 4).to_le_bytes());
    bytes.extend(distance.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend_from_slice(program);
    bytes.extend([0; 4]);
    bytes
}

/// Memory in which every word is an address of the code, of the stack, or garbage.
struct Chaos {
    random: Random,
    text: Range<u64>,
    reads: u64,
}

impl Chaos {
    fn word(&mut self) -> Option<u64> {
        self.reads += 1;
        let random = self.random.next();
        let within = |range: &Range<u64>| range.start + random % (range.end - range.start);
        match random >> 60 {
            0 => None,
            1 => Some(random),
            2..6 => Some(STACK + (random & 0xff_fff8)),
            _ => Some(within(&self.text)),
        }
    }
}

impl Memory for Chaos {
    fn near(&mut self, address: u64) -> Option<u64> {
        assert!(address.is_multiple_of(8));
        self.word()
    }

    fn far(&mut self, _: u64) -> Option<u64> {
        self.word()
    }
}

const STACK: u64 = 0x7fff_0000_0000;

#[test]
fn chaotic_stacks_end() {
    let binaries = support::binaries();
    let module = |b: &support::Binary| {
        let section = EhFrame { bytes: &b.eh_frame, address: b.eh_frame_address };
        let (table, _) = Table::compile(&Arch::X86_64, &section, b.text.clone()).unwrap();
        // With holes, to meet code without rules as well.
        Module { text: b.text.clone(), table: Some(Arc::new(table)) }
    };
    let binary = binaries.iter().max_by_key(|b| b.eh_frame.len()).unwrap();
    let modules = Modules::new(vec![module(binary)]);
    let mut random = Random(3);
    let mut outcomes = [0u32; 7];
    for seed in 0..20_000 {
        let mut memory = Chaos { random: Random(seed), text: binary.text.clone(), reads: 0 };
        let mut registers = Registers {
            pc: memory.text.start + random.next() % (memory.text.end - memory.text.start),
            ..Registers::default()
        };
        registers.general.fill_with(|| STACK + (random.next() & 0xffff));
        registers.general[7] = STACK;
        let mut frames = [0; 64];
        let walked = walk(&modules, &registers, &mut memory, &mut frames);
        outcomes[walked.outcome as usize] += 1;
        assert!((1..=64).contains(&walked.depth));
        assert!(memory.reads <= 64 * 140, "{} reads", memory.reads);
    }
    eprintln!("outcomes: {outcomes:?}");
    assert!(outcomes.iter().filter(|&&n| n > 0).count() >= 4, "{outcomes:?}");
}
