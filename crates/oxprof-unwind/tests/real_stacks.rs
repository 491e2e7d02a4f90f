//! Walks of this thread's own stack agree with framehop's.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use std::arch::asm;
use std::hint::black_box;
use std::sync::Arc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind, Unwinder as _};
use oxprof_unwind::x86_64::{Registers, walk};
use oxprof_unwind::{Arch, EhFrame, Memory, Module, Modules, Outcome, Table};

use support::Binary;

struct OwnStack;

impl Memory for OwnStack {
    fn near(&mut self, address: u64) -> Option<u64> {
        // SAFETY: the stack of this thread, which does not change while it is walked.
        Some(unsafe { (address as *const u64).read_volatile() })
    }

    fn far(&mut self, _: u64) -> Option<u64> {
        None
    }
}

struct Oracle {
    modules: Modules,
    framehop: UnwinderX86_64<Vec<u8>, MustNotAllocateDuringUnwind>,
    cache: CacheX86_64<MustNotAllocateDuringUnwind>,
    compared: usize,
}

impl Oracle {
    fn new() -> Self {
        let binaries = support::binaries();
        let mut framehop = UnwinderX86_64::new();
        binaries.iter().for_each(|b| framehop.add_module(framehop_module(b)));
        let modules = Modules::new(binaries.iter().map(module).collect());
        Self { modules, framehop, cache: CacheX86_64::new_in(), compared: 0 }
    }

    /// Walks from the caller on.
    #[inline(never)]
    fn compare(&mut self) {
        let (pc, sp, fp): (u64, u64, u64);
        // SAFETY: only reads registers.
        unsafe {
            asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) pc, out(reg) sp, out(reg) fp);
        }
        let mut registers = Registers { pc, ..Registers::default() };
        (registers.general[7], registers.general[6]) = (sp, fp);
        let mut frames = [0; 4096];
        let walked = walk(&self.modules, &registers, &mut OwnStack, &mut frames);
        assert_eq!((walked.outcome, walked.guessed), (Outcome::Root, false), "{walked:?}");
        let expected = self.framehop_walk(pc, sp, fp);
        assert_eq!(&frames[..walked.depth], expected);
        self.compared += walked.depth;
    }

    fn framehop_walk(&mut self, pc: u64, sp: u64, fp: u64) -> Vec<u64> {
        // SAFETY: as in `OwnStack`.
        let mut read = |address: u64| Ok(unsafe { (address as *const u64).read_volatile() });
        let registers = UnwindRegsX86_64::new(pc, sp, fp);
        let mut frames = self.framehop.iter_frames(pc, registers, &mut self.cache, &mut read);
        std::iter::from_fn(|| frames.next().unwrap()).map(|f| f.address_for_lookup()).collect()
    }
}

fn module(binary: &Binary) -> Module {
    let address = binary.eh_frame_address.wrapping_add(binary.bias);
    let text = &binary.text;
    let text = text.start.wrapping_add(binary.bias)..text.end.wrapping_add(binary.bias);
    let section = EhFrame { bytes: &binary.eh_frame, address };
    let (table, _) = Table::compile(&Arch::X86_64, &section, text.clone()).unwrap();
    Module { text, table: Some(Arc::new(table)) }
}

fn framehop_module(binary: &Binary) -> framehop::Module<Vec<u8>> {
    let start = binary.text.start.wrapping_add(binary.bias);
    let end = binary.text.end.wrapping_add(binary.bias);
    let length = binary.eh_frame.len() as u64;
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: Some(binary.text.clone()),
        eh_frame_svma: Some(binary.eh_frame_address..binary.eh_frame_address + length),
        eh_frame: Some(binary.eh_frame.clone()),
        ..Default::default()
    };
    framehop::Module::new(binary.path.display().to_string(), start..end, binary.bias, sections)
}

/// Recursion through closures, trait objects and library code, with frames of many shapes.
fn descend(depth: usize, oracle: &mut Oracle) -> usize {
    let big = black_box([depth; 100]);
    if depth == 0 {
        oracle.compare();
        return 0;
    }
    let mut next: Box<dyn FnMut(usize) -> usize + '_> = Box::new(|d| descend(d, oracle) + big[1]);
    let mut sums: Vec<usize> = vec![depth];
    sums.iter_mut().for_each(|s| *s = next(*s - 1));
    sums[0]
}

#[test]
fn walks_agree_with_framehop() {
    let mut oracle = Oracle::new();
    for depth in 0..60 {
        descend(depth, &mut oracle);
    }
    let mut values: Vec<u32> = (0..40).rev().collect();
    values.sort_by(|a, b| {
        oracle.compare();
        a.cmp(b)
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| oracle.compare()));
    assert!(caught.is_ok() && oracle.compared > 5000, "{}", oracle.compared);
}
