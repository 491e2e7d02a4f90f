//! Nanoseconds per walk and per frame: this crate's tables beside framehop, on the same stacks.

use std::arch::asm;
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind, Unwinder as _};
use object::{Object, ObjectSection, ObjectSegment};
use oxprof_unwind::x86_64::{Registers, walk};
use oxprof_unwind::{Arch, EhFrame, Memory, Module, Modules, Table};

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

struct Walkers {
    modules: Modules,
    framehop: UnwinderX86_64<Vec<u8>, MustNotAllocateDuringUnwind>,
    cache: CacheX86_64<MustNotAllocateDuringUnwind>,
}

fn main() {
    let mut walkers = Walkers {
        modules: Modules::default(),
        framehop: UnwinderX86_64::new(),
        cache: CacheX86_64::new_in(),
    };
    let mut modules = Vec::new();
    for (path, start) in mapped_files() {
        modules.extend(load(&path, start, &mut walkers.framehop));
    }
    walkers.modules = Modules::new(modules);
    println!("frames   table ns (per frame)   framehop, warm cache (ratio)   cold cache (ratio)");
    for depth in [10, 50, 200] {
        descend(depth, &mut walkers);
    }
}

#[inline(never)]
fn descend(depth: usize, walkers: &mut Walkers) -> usize {
    if depth == 0 {
        walkers.measure();
        return 0;
    }
    black_box(descend(depth - 1, walkers)) + 1
}

impl Walkers {
    #[inline(never)]
    fn measure(&mut self) {
        let (pc, sp, fp): (u64, u64, u64);
        // SAFETY: only reads registers.
        unsafe {
            asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) pc, out(reg) sp, out(reg) fp);
        }
        let mut start = Registers { pc, ..Registers::default() };
        (start.general[7], start.general[6]) = (sp, fp);
        let mut frames = [0; 512];
        let depth = walk(&self.modules, &start, &mut OwnStack, &mut frames).depth;
        let table = median(|| {
            walk(&self.modules, black_box(&start), &mut OwnStack, &mut frames);
        });
        assert_eq!(self.by_framehop(pc, sp, fp), depth);
        let warm = median(|| _ = self.by_framehop(pc, sp, fp));
        let cold = median(|| {
            self.cache = CacheX86_64::new_in();
            self.by_framehop(pc, sp, fp);
        });
        let per_frame = table / depth as f64;
        println!(
            "{depth:6}   {table:8.0} ({per_frame:5.1})   {warm:16.0} ({:4.2})   {cold:18.0} ({:4.2})",
            warm / table,
            cold / table
        );
    }

    fn by_framehop(&mut self, pc: u64, sp: u64, fp: u64) -> usize {
        // SAFETY: as in `OwnStack`.
        let mut read = |address: u64| Ok(unsafe { (address as *const u64).read_volatile() });
        let registers = UnwindRegsX86_64::new(pc, sp, fp);
        let mut frames = self.framehop.iter_frames(pc, registers, &mut self.cache, &mut read);
        std::iter::from_fn(|| frames.next().ok().flatten()).count()
    }
}

/// Median nanoseconds of a call.
fn median(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 20;
    let mut times: Vec<f64> = (0..500)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed().as_nanos() as f64 / f64::from(CALLS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Files mapped into this process and the first address of each.
fn mapped_files() -> Vec<(String, u64)> {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut files: Vec<(String, u64)> = Vec::new();
    for line in maps.lines() {
        let start = line.split_once('-').and_then(|(s, _)| u64::from_str_radix(s, 16).ok());
        let path = line.split_whitespace().nth(5).filter(|p| p.starts_with('/'));
        let (Some(start), Some(path)) = (start, path) else { continue };
        if !files.iter().any(|(p, _)| p == path) {
            files.push((path.to_owned(), start));
        }
    }
    files
}

fn load(
    path: &str,
    start: u64,
    framehop: &mut UnwinderX86_64<Vec<u8>, MustNotAllocateDuringUnwind>,
) -> Option<Module> {
    let data = fs::read(path).ok()?;
    let file = object::File::parse(&*data).ok()?;
    let section = file.section_by_name(".eh_frame")?;
    let (bytes, address) = (section.data().ok()?, section.address());
    let text = file.section_by_name(".text")?;
    let text = text.address()..text.address() + text.size();
    let first = file.segments().map(|s| s.address()).min()? & !4095;
    let bias = start.wrapping_sub(first);
    let biased: Range<u64> = text.start.wrapping_add(bias)..text.end.wrapping_add(bias);
    let sections = ExplicitModuleSectionInfo {
        text_svma: Some(text),
        eh_frame_svma: Some(address..address + bytes.len() as u64),
        eh_frame: Some(bytes.to_vec()),
        ..Default::default()
    };
    framehop.add_module(framehop::Module::new(path.to_owned(), biased.clone(), bias, sections));
    let section = EhFrame { bytes, address: address.wrapping_add(bias) };
    let (table, _) = Table::compile(&Arch::X86_64, &section, biased.clone()).ok()?;
    Some(Module { text: biased, table: Some(Arc::new(table)) })
}
