//! Which unit owns an address.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::abbrev::{Abbrevs, Widths};
use super::lines::{self, Lines};
use super::ranges::RangeMap;
use super::unit::{Header, Unit, read_abbrevs};
use crate::cursor::Cursor;
use crate::sections::{Section, Sections};

/// Kinds of entries to read, and ranges to take, at most: lists may be shared, so small files can refer to
/// long ones often.
const MAX_WORK: usize = 1 << 22;

/// There are at most so many units.
const MAX_UNITS: usize = 1 << 21;

/// First entries are short, so not all of a unit is read for them.
const FIRST_ENTRY: usize = 1 << 10;

/// The line tables of units that say nothing of their code may be the same, or overlap: all that is read of them is at
/// most so many times the section that they are in.
const MAX_OVERLAP: usize = 4;

/// Where the code of each unit is; units go by their offsets.
pub(crate) struct Index {
    /// As `.debug_aranges` says, which not all compilers write.
    pub(crate) listed: RangeMap<usize>,
    units: OnceLock<Vec<Header>>,
    roots: OnceLock<RangeMap<usize>>,
}

impl Index {
    pub(crate) fn read(sections: &Sections<'_>, lowest: u64) -> Self {
        let mut ranges = Vec::new();
        let mut sets = sections.cursor(Section::Aranges);
        while !sets.is_at_end() && ranges.len() < MAX_WORK {
            if read_set(&mut sets, lowest, &mut ranges).is_none() {
                break;
            }
        }
        let (units, roots) = (OnceLock::new(), OnceLock::new());
        Self { listed: ranges.into_iter().collect(), units, roots }
    }

    /// All units, in their order.
    fn units(&self, sections: &Sections<'_>) -> &[Header] {
        self.units.get_or_init(|| {
            let first = Header::at(sections, 0);
            let units = std::iter::successors(first, |unit| Header::at(sections, unit.end));
            units.take(MAX_UNITS).collect()
        })
    }

    /// The unit that holds offset `at` of `.debug_info`.
    pub(crate) fn unit_at(&self, sections: &Sections<'_>, at: usize) -> Option<&Header> {
        let units = self.units(sections);
        let after = units.partition_point(|unit| unit.offset <= at);
        Some(&units[after.checked_sub(1)?]).filter(|unit| at < unit.end)
    }

    /// Where the code of each unit is, as its first entry says, or else its line table.
    pub(crate) fn roots<'d>(&self, sections: &Arc<Sections<'d>>, lowest: u64) -> &RangeMap<usize> {
        self.roots.get_or_init(|| {
            let lines = sections.size(Section::Line).saturating_mul(MAX_OVERLAP);
            let (abbrevs, ranges) = (None, Vec::new());
            let mut roots = Roots { sections, lowest, abbrevs, work: 0, lines, ranges };
            for header in self.units(sections).iter().filter(|unit| unit.has_code()) {
                if roots.work < MAX_WORK {
                    roots.add(*header);
                }
            }
            roots.ranges.into_iter().collect()
        })
    }
}

/// One unit's part of `.debug_aranges`.
fn read_set(
    sets: &mut Cursor<'_>,
    lowest: u64,
    ranges: &mut Vec<(Range<u64>, usize)>,
) -> Option<()> {
    let start = sets.position();
    let (length, width) = sets.initial_length()?;
    let end = sets.position().checked_add(usize::try_from(length).ok()?)?;
    let mut set = sets.until(end)?;
    sets.seek(end)?;
    if set.u16()? != 2 {
        return Some(());
    }
    let unit = usize::try_from(set.uint(width)?).ok()?;
    let (address, segment) = (set.u8()?, set.u8()?);
    if segment != 0 || !matches!(address, 1..=8) {
        return Some(());
    }
    // Pairs are aligned to their size.
    let pair = 2 * usize::from(address);
    set.skip((set.position() - start).next_multiple_of(pair) - (set.position() - start))?;
    while ranges.len() < MAX_WORK
        && let (Some(first), Some(size)) = (set.uint(address), set.uint(address))
    {
        if let Some(last) = first.checked_add(size).filter(|_| first >= lowest && size > 0) {
            ranges.push((first..last, unit));
        }
    }
    Some(())
}

struct Roots<'a, 'd> {
    sections: &'a Arc<Sections<'d>>,
    lowest: u64,
    /// The last table: units often share one.
    abbrevs: Option<((u64, Widths), Arc<Abbrevs>)>,
    work: usize,
    /// How many bytes of line tables may be read.
    lines: usize,
    ranges: Vec<(Range<u64>, usize)>,
}

impl<'d> Roots<'_, 'd> {
    fn add(&mut self, header: Header) -> Option<()> {
        let unit = self.unit(header.start(FIRST_ENTRY)).or_else(|| {
            // The shared table may lack the first entry of this unit.
            self.abbrevs = None;
            self.unit(header)
        })?;
        let before = self.ranges.len();
        let (lowest, ranges, work) = (self.lowest, &mut self.ranges, &mut self.work);
        let _ = unit.each_range(&unit.code, |range| {
            if range.start >= lowest {
                ranges.push((range, header.offset));
            }
            *work += 1;
            (*work < MAX_WORK).then_some(())
        });
        if self.ranges.len() == before {
            self.lines = self.lines.checked_sub(lines::place(&unit)?.0.len())?;
            let lines = Lines::read(&unit, self.lowest, &[], Lines::default())?;
            self.work += lines.rows();
            self.ranges.extend(lines.ranges().map(|range| (range, header.offset)));
        }
        Some(())
    }

    fn unit(&mut self, header: Header) -> Option<Unit<'d>> {
        let abbrevs = self.abbrevs(&header)?;
        let info = self.sections.bytes(Section::Info, header.range())?;
        Unit::read(self.sections, header, abbrevs, Cow::Borrowed(info))
    }

    fn abbrevs(&mut self, header: &Header) -> Option<Arc<Abbrevs>> {
        let key = header.abbrevs_key();
        if let Some((_, abbrevs)) = self.abbrevs.as_ref().filter(|(last, _)| *last == key) {
            return Some(Arc::clone(abbrevs));
        }
        let abbrevs = Arc::new(read_abbrevs(self.sections, header, true)?);
        self.work += abbrevs.size();
        self.abbrevs = Some((key, Arc::clone(&abbrevs)));
        Some(abbrevs)
    }
}
