//! Function names from the symbol table.

use std::borrow::Cow;

use ::object::read::{Object as _, ObjectSection as _, ObjectSymbol as _, ObjectSymbolTable as _};
use ::object::{
    BinaryFormat, SectionFlags, SectionIndex, SectionKind, SymbolIndex, SymbolKind, elf,
};

use crate::Svma;
use crate::data::{Data, File, Section, text};

/// A file, and its symbols that are not in any of its own tables.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a, 'd> {
    pub(crate) file: &'a File<'d>,
    /// What MiniDebugInfo lists: functions that the file does not export.
    pub(crate) hidden: Option<&'a File<'d>>,
}

/// A function of the symbol table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name as the file has it, mangled.
    pub name: Cow<'a, str>,
    /// Its first instruction.
    pub start: Svma,
    /// First address beyond its end.
    pub end: Svma,
}

/// Which function owns each address.
///
/// Symbols overlap (aliases, labels inside functions, nested code), so the table is flattened once into
/// disjoint spans; a look-up is one binary search whatever the file says.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    /// By ascending start; each ends where the next starts.
    spans: Vec<Span>,
    functions: Vec<Owner>,
    /// Whether there is nothing in `.symtab`.
    dynamic: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    /// Which of the functions it is part of; `None` for addresses that belong to none.
    owner: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    table: Table,
    /// What to prefer among symbols that cover the same addresses, best first.
    rank: u8,
    /// Position in the symbol table.
    index: u32,
    start: u64,
    end: u64,
}

/// Where a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Full,
    Dynamic,
    /// Of the file of what is hidden.
    Hidden,
}

impl SymbolTable {
    /// Reads `.symtab`, or where that holds no functions `.dynsym` and what is hidden.
    pub(crate) fn build(named: Named<'_, '_>) -> Self {
        let sections = CodeSections::of(named.file);
        let mut functions = collect(named.file.symbols(), Table::Full, &sections);
        let dynamic = functions.is_empty();
        if dynamic {
            functions = collect(named.file.dynamic_symbols(), Table::Dynamic, &sections);
            if let Some(hidden) = named.hidden {
                let sections = CodeSections::of(hidden);
                functions.extend(collect(hidden.symbols(), Table::Hidden, &sections));
                functions.sort_unstable_by_key(outermost_first);
            }
        }
        Self { spans: flatten(&functions), functions, dynamic }
    }

    /// Whether there is anything in `.symtab`.
    #[cfg(feature = "lines")]
    pub(crate) fn has_full_table(&self) -> bool {
        !self.dynamic
    }

    /// Whether the file has no more than its dynamic symbols.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.dynamic
    }

    pub(crate) fn find<'d>(&self, named: Named<'_, 'd>, address: Svma) -> Option<Symbol<'d>> {
        let at = self.spans.partition_point(|s| s.start <= address.0).checked_sub(1)?;
        self.symbol(named, self.functions[self.spans[at].owner? as usize])
    }

    /// Every function that owns at least one address, by address.
    pub(crate) fn iter<'a, 'd>(
        &'a self,
        named: Named<'a, 'd>,
    ) -> impl Iterator<Item = Symbol<'d>> + use<'a, 'd> {
        let mut last = None;
        self.spans.iter().filter_map(move |span| {
            let owner = self.functions[span.owner? as usize];
            (last.replace(owner) != Some(owner)).then(|| self.symbol(named, owner))?
        })
    }

    /// Other names of the functions that start at `starts`, which is sorted.
    pub(crate) fn aliases<'d>(named: Named<'_, 'd>, starts: &[Svma]) -> Vec<(Svma, Cow<'d, str>)> {
        let mut found = Vec::new();
        for file in [Some(named.file), named.hidden].into_iter().flatten() {
            let sections = CodeSections::of(file);
            let alias = |symbol: ::object::Symbol<'d, '_, Data<'d>>| {
                let start = Svma(function(&symbol, Table::Full, &sections)?.start);
                starts.binary_search(&start).ok()?;
                let name = unversioned(plain(file, symbol.name_bytes().ok()?));
                Some((start, text(name)))
            };
            found.extend(file.symbols().chain(file.dynamic_symbols()).filter_map(alias));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn symbol<'d>(&self, named: Named<'_, 'd>, owner: Owner) -> Option<Symbol<'d>> {
        let file = if owner.table == Table::Hidden { named.hidden? } else { named.file };
        let table = match owner.table {
            Table::Dynamic => file.dynamic_symbol_table(),
            Table::Full | Table::Hidden => file.symbol_table(),
        };
        let symbol = table?.symbol_by_index(SymbolIndex(owner.index as usize)).ok()?;
        let name = unversioned(plain(file, symbol.name_bytes().ok()?));
        Some(Symbol { name: text(name), start: Svma(owner.start), end: Svma(owner.end) })
    }
}

/// macOS puts an underscore in front of every name.
fn plain<'d>(file: &File<'_>, name: &'d [u8]) -> &'d [u8] {
    let prefix: &[u8] = if file.format() == BinaryFormat::MachO { b"_" } else { b"" };
    name.strip_prefix(prefix).unwrap_or(name)
}

/// `malloc@@GLIBC_2.2.5` without its version.
fn unversioned(name: &[u8]) -> &[u8] {
    let version =
        |at: usize| name.get(at + 1).is_some_and(|&c| c == b'@' || c.is_ascii_uppercase());
    match name.iter().skip(1).position(|&c| c == b'@').map(|i| i + 1) {
        Some(at) if version(at) => &name[..at],
        _ => name,
    }
}

/// The sections that hold code.
struct CodeSections {
    /// Whether section `i` does.
    is_code: Vec<bool>,
    /// Their address ranges, ascending.
    ranges: Vec<(u64, u64)>,
}

impl CodeSections {
    fn of(file: &File<'_>) -> Self {
        let (mut is_code, mut ranges) = (Vec::new(), Vec::new());
        for section in file.sections().filter(is_executable) {
            let index = section.index().0;
            is_code.resize(is_code.len().max(index + 1), false);
            is_code[index] = true;
            ranges.push((section.address(), section.address().saturating_add(section.size())));
        }
        ranges.sort_unstable();
        Self { is_code, ranges }
    }

    fn contains(&self, index: Option<SectionIndex>) -> bool {
        index.is_some_and(|i| self.is_code.get(i.0).is_some_and(|&is_code| is_code))
    }

    /// First address beyond the section that holds `address`.
    fn end_after(&self, address: u64) -> u64 {
        let after = self.ranges.partition_point(|r| r.0 <= address);
        let holder = after.checked_sub(1).map(|i| self.ranges[i].1);
        holder.filter(|&end| end > address).unwrap_or(u64::MAX)
    }
}

/// In a file of split-off debug information code sections have flags but no content.
fn is_executable(section: &Section<'_, '_>) -> bool {
    match section.flags() {
        SectionFlags::Elf { sh_flags, .. } => sh_flags.0 & elf::SHF_EXECINSTR.0 != 0,
        _ => section.kind() == SectionKind::Text,
    }
}

/// The functions among `symbols`. Those without a size reach to the next symbol, at most to the end of
/// their section.
fn collect<'d, 'f, S>(
    symbols: impl Iterator<Item = S>,
    table: Table,
    sections: &CodeSections,
) -> Vec<Owner>
where
    S: ::object::read::ObjectSymbol<'d>,
    'd: 'f,
{
    let mut found: Vec<Owner> = symbols.filter_map(|s| function(&s, table, sections)).collect();
    found.sort_unstable_by_key(outermost_first);
    size_labels(&mut found, |address| sections.end_after(address));
    found
}

fn outermost_first(owner: &Owner) -> (u64, std::cmp::Reverse<u64>, u8, u32) {
    (owner.start, std::cmp::Reverse(owner.end), owner.rank, owner.index)
}

fn function<'d>(
    symbol: &impl ::object::read::ObjectSymbol<'d>,
    table: Table,
    sections: &CodeSections,
) -> Option<Owner> {
    let typed = match symbol.kind() {
        SymbolKind::Text => true,
        // Hand-written assembly often leaves the type out.
        SymbolKind::Unknown | SymbolKind::Label => false,
        _ => return None,
    };
    let in_code = sections.contains(symbol.section_index());
    if symbol.is_undefined() || !typed && !in_code {
        return None;
    }
    if !typed && is_local_label(symbol.name_bytes().ok()?) {
        return None;
    }
    let (start, size) = (symbol.address(), symbol.size());
    let end = if size == 0 { start } else { start.checked_add(size)? };
    let rank = u8::from(!typed) * 4 + u8::from(symbol.is_local()) * 2 + u8::from(symbol.is_weak());
    Some(Owner { table, rank, index: u32::try_from(symbol.index().0).ok()?, start, end })
}

/// Assembler labels (`.L…`) and mapping symbols of ARM and RISC-V (`$x`, `$d.1`).
fn is_local_label(name: &[u8]) -> bool {
    name.is_empty() || name.starts_with(b".L") || name.starts_with(b"$")
}

/// Gives symbols without a size the room up to the next symbol or their section's end, and drops those
/// inside a sized one.
fn size_labels(sorted: &mut Vec<Owner>, section_end: impl Fn(u64) -> u64) {
    let mut covered_to = 0;
    sorted.retain(|o| {
        let inside = o.start < covered_to;
        covered_to = covered_to.max(o.end);
        o.end > o.start || !inside
    });
    let mut next_start = u64::MAX;
    let mut this_start = u64::MAX;
    for owner in sorted.iter_mut().rev() {
        if owner.start != this_start {
            (next_start, this_start) = (this_start, owner.start);
        }
        if owner.end == owner.start {
            owner.end = next_start.min(section_end(owner.start));
        }
    }
}

/// Disjoint spans from symbols sorted by start, outermost first: the innermost symbol owns an address,
/// the best-ranked one of several with the same extent.
fn flatten(sorted: &[Owner]) -> Vec<Span> {
    let mut out = Spans(Vec::with_capacity(sorted.len() + 1));
    let mut open: Vec<(u32, Owner)> = Vec::new();
    for (index, &owner) in (0..).zip(sorted) {
        close_before(&mut open, owner.start, &mut out);
        let extent = |o: &Owner| (o.start, o.end);
        let alias = open.last().is_some_and(|(_, o)| extent(o) == extent(&owner));
        if !alias {
            out.push(owner.start, Some(index));
            open.push((index, owner));
        }
    }
    close_before(&mut open, u64::MAX, &mut out);
    out.0
}

/// Ends the symbols that do not reach beyond `address`; their remains go to the symbol around them.
fn close_before(open: &mut Vec<(u32, Owner)>, address: u64, out: &mut Spans) {
    while let Some((_, inner)) = open.pop_if(|(_, o)| o.end <= address) {
        while open.pop_if(|(_, o)| o.end <= inner.end).is_some() {}
        out.push(inner.end, open.last().map(|&(index, _)| index));
    }
}

struct Spans(Vec<Span>);

impl Spans {
    /// Later pushes at the same address replace earlier ones.
    fn push(&mut self, start: u64, owner: Option<u32>) {
        if let Some(last) = self.0.last_mut().filter(|last| last.start == start) {
            last.owner = owner;
        } else {
            self.0.push(Span { start, owner });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `symbols` are (start, size, rank); `expected` is "address:index" per span, `-` for nobody.
    fn check(symbols: &[(u64, u64, u8)], expected: &str) {
        let mut owners: Vec<Owner> = symbols
            .iter()
            .enumerate()
            .map(|(i, &(start, size, rank))| Owner {
                table: Table::Full,
                rank,
                index: i as u32,
                start,
                end: start + size,
            })
            .collect();
        owners.sort_unstable_by_key(outermost_first);
        size_labels(&mut owners, |_| 1000);
        let index = |owner: u32| owners[owner as usize].index.to_string();
        let spans: Vec<String> = flatten(&owners)
            .iter()
            .map(|s| format!("{}:{}", s.start, s.owner.map_or("-".into(), index)))
            .collect();
        assert_eq!(spans.join(" "), expected);
    }

    #[test]
    fn versions_are_no_part_of_a_name() {
        let check = |name: &str, expected: &str| {
            assert_eq!(unversioned(name.as_bytes()), expected.as_bytes());
        };
        check("malloc@@GLIBC_2.2.5", "malloc");
        check("memcpy@GLIBC_2.2.5", "memcpy");
        check("@plain", "@plain");
        check("mail@host", "mail@host");
        check("plain", "plain");
    }

    #[test]
    fn neighbours_and_gaps() {
        check(&[(10, 5, 0), (15, 5, 0), (30, 1, 0)], "10:0 15:1 20:- 30:2 31:-");
    }

    #[test]
    fn aliases_take_the_best_rank() {
        check(&[(10, 5, 2), (10, 5, 0), (10, 5, 1)], "10:1 15:-");
    }

    #[test]
    fn the_innermost_symbol_owns_an_address() {
        check(&[(10, 20, 0), (15, 5, 0)], "10:0 15:1 20:0 30:-");
        check(&[(10, 20, 0), (10, 5, 0)], "10:1 15:0 30:-");
        check(&[(10, 20, 0), (25, 5, 0)], "10:0 25:1 30:-");
    }

    #[test]
    fn overlapping_symbols_do_not_lose_their_tails() {
        check(&[(10, 10, 0), (15, 10, 0)], "10:0 15:1 25:-");
    }

    #[test]
    fn labels_reach_to_the_next_symbol_and_vanish_inside_functions() {
        check(&[(10, 0, 4), (20, 5, 0), (22, 0, 4)], "10:0 20:1 25:-");
        check(&[(10, 0, 4), (10, 0, 5), (20, 0, 4)], "10:0 20:2 1000:-");
    }
}
