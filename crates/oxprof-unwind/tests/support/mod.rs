//! Binaries of this process, as tests of whole binaries need them.
#![allow(clippy::allow_attributes, reason = "an expectation would fail in tests that use all")]
#![allow(dead_code, reason = "every test uses a part")]

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};

/// A binary as its file has it: addresses are the file's, not the process's.
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    pub(crate) eh_frame: Vec<u8>,
    pub(crate) eh_frame_address: u64,
    pub(crate) text: Range<u64>,
    /// What to add for addresses in this process.
    pub(crate) bias: u64,
}

/// The test's executable and the libraries it is linked to.
pub(crate) fn binaries() -> Vec<Binary> {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut rows: Vec<(u64, PathBuf)> = Vec::new();
    for line in maps.lines() {
        let start = line.split_once('-').and_then(|(s, _)| u64::from_str_radix(s, 16).ok());
        let path = line.split_whitespace().nth(5).filter(|p| p.starts_with('/'));
        let (Some(start), Some(path)) = (start, path) else { continue };
        if !rows.iter().any(|(_, p)| p.as_os_str() == path) {
            rows.push((start, path.into()));
        }
    }
    rows.into_iter().filter_map(|(start, path)| Binary::open(path, start)).collect()
}

impl Binary {
    fn open(path: PathBuf, first_mapped: u64) -> Option<Self> {
        let data = fs::read(&path).ok()?;
        let file = object::File::parse(&*data).ok()?;
        let section = file.section_by_name(".eh_frame")?;
        let code = file.segments().filter(
            |s| matches!(s.flags(), SegmentFlags::Elf { p_flags, .. } if p_flags.0 & 1 != 0),
        );
        let text = code
            .map(|s| s.address()..s.address() + s.size())
            .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))?;
        let first = file.segments().map(|s| s.address()).min()? & !4095;
        Some(Self {
            eh_frame: section.data().ok()?.to_vec(),
            eh_frame_address: section.address(),
            text,
            bias: first_mapped.wrapping_sub(first),
            path,
        })
    }
}

/// Numbers that look random, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
