//! Compact tables: which [`Rule`] holds at each address of a module's code.
//!
//! ```text
//! buckets (one per 256 bytes of code)   rows, by ascending address
//!   [0] ────────────────────────────▶   low byte of address │ index of rule
//!   [1] ───────────────┐                0x00                │ 1   sp+8
//!   [2] ──────┐        │                0x01                │ 2   sp+16
//!             │        └────────────▶   0x14                │ 0   no function here
//!             └─────────────────────▶   ...
//! ```
//! A row holds until the next one, also across buckets. Rules repeat, so rows name them by number.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use crate::eh_frame::FdeRange;
use crate::{Arch, Cfa, EhFrame, Rule, Saved, cfi};

/// The rules of one module, by distance from the start of its code.
#[derive(Debug)]
pub struct Table {
    /// `buckets[b]` is the first row at or after `256 * b`; one more than there are buckets.
    buckets: Box<[u32]>,
    /// Followed by [`LANES`] bytes that are no rows.
    lows: Box<[u8]>,
    rows: Box<[u16]>,
    /// Rule `n` is `rules[n - 1]`; row value 0 says that no function is there.
    rules: Box<[Rule]>,
}

/// What compiling met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Functions described.
    pub functions: u32,
    /// Entries that could not be read, wholly or in part.
    pub malformed: u32,
    /// Rows of the table.
    pub rows: u32,
    /// Rows whose rule is not one this crate interprets.
    pub unsupported: u32,
}

/// Why a table could not be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// The code is larger than tables describe.
    TextTooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// The section is larger than tables describe.
    SectionTooLarge {
        /// Its size in bytes.
        size: usize,
    },
}

/// Code and sections beyond this size are refused. Buckets take a 64th of the code's size.
const MAX_SIZE: u64 = 2 << 30;

impl Table {
    /// Compiles the part of `section` that describes code in `text`.
    ///
    /// Entries that make no sense are skipped and counted. Time and memory are linear in the size of the
    /// section plus a 64th of the size of `text`.
    ///
    /// # Errors
    /// When `text` or `section` exceeds 2 GiB.
    pub fn compile(
        arch: &Arch,
        section: &EhFrame<'_>,
        text: Range<u64>,
    ) -> Result<(Self, Stats), CompileError> {
        let size = text.end.saturating_sub(text.start);
        if size > MAX_SIZE {
            return Err(CompileError::TextTooLarge { size });
        }
        if section.bytes.len() as u64 > MAX_SIZE {
            return Err(CompileError::SectionTooLarge { size: section.bytes.len() });
        }
        let (fdes, malformed) = functions(section, &text);
        let stats = Stats { functions: fdes.len() as u32, malformed, ..Stats::default() };
        let mut builder = Builder { stats, ..Builder::default() };
        for (i, fde) in fdes.iter().enumerate() {
            let end = fdes.get(i + 1).map_or(fde.end, |next| next.start.min(fde.end));
            builder.function(arch, section, fde, text.start, end);
        }
        Ok(builder.finish(size))
    }

    /// The rule at `offset` bytes from the start of the code, if a function is there.
    ///
    /// Allocates nothing and cannot panic.
    #[inline]
    pub fn lookup(&self, offset: u64) -> Option<&Rule> {
        let bucket = usize::try_from(offset >> 8).ok()?;
        let &[first, end] = self.buckets.get(bucket..)?.first_chunk::<2>()?;
        let after = self.rows_up_to(offset as u8, first as usize, end as usize)?;
        let number = *self.rows.get(after.checked_sub(1)?)?;
        self.rules.get(usize::from(number).checked_sub(1)?)
    }

    /// How many rows, of those from `first` to `end`, and all before, start at or below `low`.
    ///
    /// Compares [`LANES`] rows at once; most buckets have no more.
    #[inline]
    fn rows_up_to(&self, low: u8, first: usize, end: usize) -> Option<usize> {
        let mut at = first;
        while at < end {
            let lows: &[u8; LANES] = self.lows.get(at..)?.first_chunk()?;
            let left = (end - at).min(LANES) as u8;
            let mut below = 0u8;
            for (i, &l) in lows.iter().enumerate() {
                below += u8::from(l <= low) & u8::from((i as u8) < left);
            }
            at += usize::from(below);
            if usize::from(below) < LANES {
                break;
            }
        }
        Some(at)
    }

    /// A table for code of `size` bytes from rules and where they start, by ascending offset.
    #[cfg(test)]
    pub(crate) fn of(size: u64, rows: &[(u32, Option<Rule>)]) -> Self {
        let mut builder = Builder::default();
        for (offset, rule) in rows {
            let number = rule.map_or(0, |rule| builder.number(&rule));
            builder.row(*offset, number);
        }
        builder.finish(size).0
    }

    /// Bytes of memory the table takes.
    pub fn size(&self) -> usize {
        size_of_val(&*self.buckets)
            + size_of_val(&*self.lows)
            + size_of_val(&*self.rows)
            + size_of_val(&*self.rules)
    }
}

/// Rows compared at once: as many bytes as the vectors of every x86-64 and ARM processor hold.
const LANES: usize = 16;

/// The functions in `text` by ascending address without duplicates, and how many were malformed.
fn functions(section: &EhFrame<'_>, text: &Range<u64>) -> (Vec<FdeRange>, u32) {
    let mut fdes = Vec::new();
    let malformed = section.for_each_fde(|fde| {
        if fde.start >= text.start && fde.end <= text.end && fde.start < fde.end {
            fdes.push(fde);
        }
    });
    fdes.sort_by_key(|fde| fde.start);
    fdes.dedup_by_key(|fde| fde.start);
    (fdes, malformed)
}

#[derive(Default)]
struct Builder {
    buckets: Vec<u32>,
    lows: Vec<u8>,
    rows: Vec<u16>,
    rules: Vec<Rule>,
    numbers: HashMap<Rule, u16, BuildHasherDefault<RuleHasher>>,
    /// Address and number of the last row.
    last: Option<(u32, u16)>,
    stats: Stats,
}

impl Builder {
    /// Adds the rows of a function, which ends at `end` because another starts there or sooner.
    fn function(
        &mut self,
        arch: &Arch,
        section: &EhFrame<'_>,
        range: &FdeRange,
        base: u64,
        end: u64,
    ) {
        let parsed = section.fde(range.offset).and_then(|fde| {
            cfi::rows(arch, &fde, |address, rule| {
                if address < end {
                    let number = self.number(rule);
                    self.row((address - base) as u32, number);
                }
            })
        });
        self.stats.malformed += u32::from(parsed.is_none());
        self.row((end - base) as u32, 0);
    }

    fn row(&mut self, offset: u32, number: u16) {
        match self.last {
            Some((at, _)) if at == offset => {
                // A function starts where its predecessor ends: the closing row gives way.
                self.lows.pop();
                self.rows.pop();
            }
            Some((_, same)) if same == number => return,
            _ => {}
        }
        while self.buckets.len() <= (offset >> 8) as usize {
            self.buckets.push(self.rows.len() as u32);
        }
        self.lows.push(offset as u8);
        self.rows.push(number);
        self.last = Some((offset, number));
    }

    /// Number of `rule`, from 1; 0 for what does not fit.
    fn number(&mut self, rule: &Rule) -> u16 {
        let unsupported = rule.cfa == Cfa::Unsupported || rule.ra == Saved::Unsupported;
        self.stats.unsupported += u32::from(unsupported);
        if let Some(&number) = self.numbers.get(rule) {
            return number;
        }
        let Ok(number) = u16::try_from(self.rules.len() + 1) else { return 0 };
        self.rules.push(*rule);
        self.numbers.insert(*rule, number);
        number
    }

    fn finish(mut self, size: u64) -> (Table, Stats) {
        let buckets = (size >> 8) as usize + 2;
        self.buckets.resize(buckets, self.rows.len() as u32);
        self.stats.rows = self.rows.len() as u32;
        self.lows.resize(self.lows.len() + LANES, u8::MAX);
        let table = Table {
            buckets: self.buckets.into(),
            lows: self.lows.into(),
            rows: self.rows.into(),
            rules: self.rules.into(),
        };
        (table, self.stats)
    }
}

/// Hashes the few small integers of a rule; a look-up per row makes the default hasher half the cost.
#[derive(Default)]
struct RuleHasher(u64);

impl Hasher for RuleHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.write_u64(u64::from(value.cast_unsigned()));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(29) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTooLarge { size } => {
                write!(f, "the code is {size} bytes large, more than the {MAX_SIZE} supported")
            }
            Self::SectionTooLarge { size } => {
                write!(f, ".eh_frame is {size} bytes large, more than the {MAX_SIZE} supported")
            }
        }
    }
}

impl Error for CompileError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(offset: i32) -> Option<Rule> {
        let cfa = Cfa::Register { register: 7, offset };
        Some(Rule { cfa, fp: Saved::Same, ra: Saved::AtCfa(-8), signal: false })
    }

    #[test]
    fn rows_hold_until_the_next_also_across_buckets() {
        let table = Table::of(
            0x1000,
            &[(0x10, rule(8)), (0x11, rule(16)), (0x7ff, None), (0x800, rule(8))],
        );
        let check = |offset, expected: Option<Rule>| {
            assert_eq!(table.lookup(offset).copied(), expected, "{offset:#x}");
        };
        check(0, None);
        check(0xf, None);
        check(0x10, rule(8));
        check(0x11, rule(16));
        check(0x100, rule(16));
        check(0x7fe, rule(16));
        check(0x7ff, None);
        check(0x800, rule(8));
        check(0xfff, rule(8));
        check(0x2000, None);
        check(u64::MAX, None);
    }

    #[test]
    fn more_rules_than_numbers_are_no_rules() {
        let rows: Vec<_> = (0..70_000).map(|i| (i as u32, rule(i))).collect();
        let table = Table::of(70_000, &rows);
        assert_eq!(table.lookup(65_534).copied(), rule(65_534));
        assert_eq!(table.lookup(65_535), None);
    }

    #[test]
    fn too_large() {
        let section = EhFrame { bytes: &[], address: 0 };
        let error = Table::compile(&Arch::X86_64, &section, 0..u64::MAX).unwrap_err();
        assert_eq!(error, CompileError::TextTooLarge { size: u64::MAX });
    }
}
