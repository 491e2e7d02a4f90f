//! Functions of a unit, and what is inlined into them.

use std::ops::Range;

use gimli::constants as dw;

use super::abbrev::Abbrev;
use super::ranges::RangeMap;
use super::unit::{Code, Unit};
use super::value::Value;
use crate::cursor::Cursor;

/// Ranges of one unit or function beyond so many are not believed: lists may be shared, and a small file
/// can refer to a long one often.
const MAX_RANGES: usize = 1 << 21;

/// Functions inlined one into the other, beyond so many, are not believed.
const MAX_DEPTH: usize = 1000;

/// How to go over the entries of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Past types, and what is in functions, where entries say how.
    Quick,
    /// Into everything: some languages nest functions.
    Thorough,
}

/// Where the entry of each function is, by address.
pub(crate) fn functions(unit: &Unit<'_>, walk: Walk, lowest: u64) -> RangeMap<usize> {
    let mut found = Vec::new();
    let _ = collect_functions(unit, walk, &mut |range, at| {
        if range.start >= lowest {
            found.push((range, at));
        }
        (found.len() < MAX_RANGES).then_some(())
    });
    found.into_iter().collect()
}

fn collect_functions(
    unit: &Unit<'_>,
    walk: Walk,
    with: &mut dyn FnMut(Range<u64>, usize) -> Option<()>,
) -> Option<()> {
    let mut cursor = unit.entries()?;
    let mut depth = 0;
    while let Some((at, kind)) = next_of_interest(unit, walk, &mut cursor, &mut depth) {
        let jumps = jumps(kind, walk);
        let (mut code, mut sibling) = (Code::default(), None);
        unit.attributes(&mut cursor, kind, |name, value| {
            if !code.take(name, value) && name == dw::DW_AT_sibling {
                sibling = Some(value);
            }
        })?;
        if is_function(kind) {
            unit.each_range(&code, |range| with(range, at))?;
        }
        if let Some(next) = sibling.filter(|_| jumps).and_then(|s| target(unit, s, &cursor)) {
            cursor.seek(next)?;
        } else if kind.has_children {
            depth += 1;
        }
    }
    Some(())
}

/// The next function, or entry that says where to go on; `None` at the end of the unit. Most entries are neither.
fn next_of_interest<'u>(
    unit: &'u Unit<'_>,
    walk: Walk,
    cursor: &mut Cursor<'_>,
    depth: &mut usize,
) -> Option<(usize, &'u Abbrev)> {
    // Copies stay in registers.
    let (mut ahead, mut level) = (*cursor, *depth);
    loop {
        let at = ahead.position();
        let code = ahead.uleb()?;
        if code == 0 {
            level = level.saturating_sub(1);
            if level == 0 {
                return None;
            }
            continue;
        }
        let kind = unit.abbrevs.get(code)?;
        if is_function(kind) || jumps(kind, walk) {
            (*cursor, *depth) = (ahead, level);
            return Some((at, kind));
        }
        unit.skip(&mut ahead, kind)?;
        level += usize::from(kind.has_children);
    }
}

fn is_function(kind: &Abbrev) -> bool {
    kind.tag == dw::DW_TAG_subprogram && kind.has_code
}

/// Whether what is in such an entry is passed over.
fn jumps(kind: &Abbrev, walk: Walk) -> bool {
    kind.has_sibling && walk == Walk::Quick && !holds_functions(kind)
}

/// Whether functions of their own are among the children of such entries.
fn holds_functions(kind: &Abbrev) -> bool {
    matches!(kind.tag, dw::DW_TAG_compile_unit | dw::DW_TAG_namespace | dw::DW_TAG_module)
}

/// Where a sibling is, if that is further on.
fn target(unit: &Unit<'_>, sibling: Value, cursor: &Cursor<'_>) -> Option<usize> {
    let Value::Local(offset) = sibling else { return None };
    let at = unit.header.offset.checked_add(usize::try_from(offset).ok()?)?;
    (at >= cursor.position() && at <= unit.header.end).then_some(at)
}

/// What is inlined into a function, outer ones before what is inlined into them.
#[derive(Debug, Default)]
pub(crate) struct Inlines {
    entries: Vec<Inline>,
    /// Ranges with the index of their entry.
    spans: Vec<(Range<u64>, u32)>,
}

/// One function inlined into another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inline {
    /// Where its entry is.
    pub(crate) at: usize,
    pub(crate) call: Call,
    depth: u32,
}

/// The place of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) file: Option<u64>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Inlines {
    /// Reads what is inlined into the function at `at`.
    pub(crate) fn read(unit: &Unit<'_>, at: usize) -> Self {
        let mut found = Self::default();
        let _ = found.collect(unit, at);
        found
    }

    fn collect(&mut self, unit: &Unit<'_>, at: usize) -> Option<()> {
        let mut cursor = unit.entry(at)?;
        let function = unit.abbrevs.get(cursor.uleb()?)?;
        unit.skip(&mut cursor, function)?;
        if !function.has_children {
            return Some(());
        }
        let mut depth = 1_usize;
        // How deep the inlined functions are that the walk is in, and the other function, if any.
        let mut open: Vec<usize> = Vec::new();
        let mut foreign = None;
        while depth > 0 {
            let at = cursor.position();
            let code = cursor.uleb()?;
            if code == 0 {
                depth -= 1;
                open.pop_if(|inline| *inline == depth);
                foreign = foreign.filter(|f| *f < depth);
                continue;
            }
            let kind = unit.abbrevs.get(code)?;
            if kind.tag == dw::DW_TAG_inlined_subroutine && foreign.is_none() {
                self.add(unit, &mut cursor, kind, at, open.len() as u32)?;
                if kind.has_children {
                    open.push(depth);
                }
            } else {
                unit.skip(&mut cursor, kind)?;
            }
            if kind.has_children {
                if kind.tag == dw::DW_TAG_subprogram && foreign.is_none() {
                    foreign = Some(depth);
                }
                depth += 1;
            }
        }
        Some(())
    }

    fn add(
        &mut self,
        unit: &Unit<'_>,
        cursor: &mut Cursor<'_>,
        kind: &Abbrev,
        at: usize,
        depth: u32,
    ) -> Option<()> {
        let (mut code, mut call) = (Code::default(), Call::default());
        unit.attributes(cursor, kind, |name, value| match name {
            // Before version 5, files were counted from one.
            dw::DW_AT_call_file => {
                call.file = value.number().filter(|n| *n > 0 || unit.header.widths.version >= 5);
            }
            dw::DW_AT_call_line => call.line = value.small(),
            dw::DW_AT_call_column => call.column = value.small(),
            _ => {
                code.take(name, value);
            }
        })?;
        let index = self.entries.len() as u32;
        self.entries.push(Inline { at, call, depth });
        // A damaged list of ranges is no reason to give up the rest, too many ranges are.
        let _ = unit.each_range(&code, |range| {
            self.spans.push((range, index));
            (self.spans.len() < MAX_RANGES).then_some(())
        });
        (self.spans.len() < MAX_RANGES).then_some(())
    }

    /// What is inlined one into the other at `address`, outermost first.
    pub(crate) fn at(&self, address: u64) -> Vec<Inline> {
        let mut chain: Vec<Inline> = Vec::new();
        for (range, index) in &self.spans {
            let inline = self.entries[*index as usize];
            let is_next = inline.depth as usize == chain.len() && chain.len() < MAX_DEPTH;
            if is_next && range.contains(&address) {
                chain.push(inline);
            }
        }
        chain
    }
}
