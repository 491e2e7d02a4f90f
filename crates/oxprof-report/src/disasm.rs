//! Machine code of functions with the cost of each instruction.

use std::collections::BTreeMap;
use std::io::{self, Write};

use oxprof_profile::{Mapping, Profile};

use crate::amounts::Amounts;
use crate::code::{
    Binaries, Binary, CodeLine, CodePlace, CodeSymbol, Cost, Hit, address, by_file, hits, spread,
};
use crate::paths;
use crate::render::{Report, ReportError};

/// Machine code of the functions that match the report's pattern, or that hold the address it is.
#[derive(Clone, Debug, Default)]
pub struct Disassembly {
    /// Functions by name and address.
    pub functions: Vec<DisassembledFunction>,
}

/// A function, or what is left of it where it was inlined into another.
#[derive(Clone, Debug)]
pub struct DisassembledFunction {
    /// The function of the symbol table.
    pub symbol: CodeSymbol,
    /// Whether only those of its instructions are shown that come from matching inlined functions.
    pub only_inlined: bool,
    /// What the instructions themselves cost.
    pub flat: i64,
    /// What they cost together with what they call.
    pub cum: i64,
    /// The instructions by address, or why they cannot be shown.
    pub lines: Result<Vec<DisassembledLine>, String>,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisassembledLine {
    /// The instruction.
    pub code: CodeLine,
    /// What it costs itself.
    pub flat: i64,
    /// What it costs together with what it calls.
    pub cum: i64,
    /// Whether instructions between this and the previous one are left out.
    pub after_gap: bool,
}

impl Disassembly {
    pub(crate) fn new(report: &Report<'_>, binaries: &dyn Binaries) -> Result<Self, ReportError> {
        let pattern = report.options.pattern.as_ref();
        let wanted = Wanted {
            matches: &|name| pattern.is_none_or(|p| (p.matches)(name)),
            address: pattern.and_then(|p| address(&p.text)),
        };
        let mut found = Search {
            profile: report.profile,
            wanted,
            functions: Vec::new(),
            address_without_samples: false,
            failures: Vec::new(),
        };
        for (file, hits) in by_file(report.profile, &hits(report.profile, report.options)) {
            found.look_into(file, &hits, binaries);
        }
        if found.functions.is_empty() {
            let pattern = pattern.map_or_else(String::new, |p| p.text.clone());
            return Err(found.nothing(pattern));
        }
        found.functions.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        Ok(Self { functions: found.functions })
    }
}

/// What is to be shown.
struct Wanted<'a> {
    matches: &'a dyn Fn(&str) -> bool,
    /// Of the file or at run time.
    address: Option<u64>,
}

impl Wanted<'_> {
    fn matches(&self, symbol: &CodeSymbol) -> bool {
        let has_address = self.address.is_some_and(|a| (symbol.start..symbol.end).contains(&a));
        has_address || symbol.names.iter().any(|name| (self.matches)(name))
    }

    fn is_inside(&self, places: &[CodePlace]) -> bool {
        places.iter().any(|place| (self.matches)(&place.function))
    }
}

struct Search<'a> {
    profile: &'a Profile,
    wanted: Wanted<'a>,
    functions: Vec<DisassembledFunction>,
    /// Whether the wanted address is in a function without samples.
    address_without_samples: bool,
    /// Binaries that could not be opened, and why.
    failures: Vec<String>,
}

impl Search<'_> {
    fn look_into(&mut self, file: &str, hits: &[(Hit, Mapping)], binaries: &dyn Binaries) {
        let build_id = self.profile.str(hits[0].1.build_id);
        let opened = binaries.open(file, build_id, &mut |binary| self.search(binary, hits));
        if let Err(reason) = opened {
            self.failures.push(reason);
        }
    }

    fn search(&mut self, binary: &dyn Binary, hits: &[(Hit, Mapping)]) {
        let at_run_time = self.wanted.address.and_then(|a| {
            hits.iter().find_map(|(_, m)| binary.address(a, m).filter(|_| holds(m, a)))
        });
        self.wanted.address = at_run_time.or(self.wanted.address);
        let mut functions: BTreeMap<CodeSymbol, Vec<(u64, Cost)>> = BTreeMap::new();
        for (hit, mapping) in hits {
            let Some(address) = binary.address(hit.address, mapping) else { continue };
            if let Some(symbol) = binary.function(address) {
                functions.entry(symbol).or_default().push((address, hit.cost));
            }
        }
        for (symbol, mut hits) in functions {
            hits.sort_unstable_by_key(|(address, _)| *address);
            self.functions.extend(self.function(binary, symbol, &hits));
        }
        let address = self.wanted.address;
        self.address_without_samples |= address.is_some_and(|a| binary.function(a).is_some());
    }

    fn function(
        &self,
        binary: &dyn Binary,
        symbol: CodeSymbol,
        hits: &[(u64, Cost)],
    ) -> Option<DisassembledFunction> {
        let only_inlined = !self.wanted.matches(&symbol);
        if only_inlined && !hits.iter().any(|(a, _)| self.wanted.is_inside(&binary.places(*a))) {
            return None;
        }
        let lines = binary.instructions(&symbol).map(|code| {
            let costs = spread(&code, hits);
            self.lines(code, &costs, only_inlined)
        });
        let whole = Cost::sum(hits.iter().map(|(_, cost)| *cost));
        let Cost { flat, cum } = match &lines {
            Ok(lines) if only_inlined => {
                Cost::sum(lines.iter().map(|l| Cost { flat: l.flat, cum: l.cum }))
            }
            _ => whole,
        };
        let names = binary.names(&symbol);
        let symbol = CodeSymbol { names, ..symbol };
        Some(DisassembledFunction { symbol, only_inlined, flat, cum, lines })
    }

    fn lines(
        &self,
        code: Vec<CodeLine>,
        costs: &[Cost],
        only_inlined: bool,
    ) -> Vec<DisassembledLine> {
        let mut lines = Vec::new();
        let mut gap = false;
        for (code, cost) in code.into_iter().zip(costs) {
            if only_inlined && !self.wanted.is_inside(&code.places) {
                gap = !lines.is_empty();
                continue;
            }
            let after_gap = std::mem::take(&mut gap);
            lines.push(DisassembledLine { code, flat: cost.flat, cum: cost.cum, after_gap });
        }
        lines
    }

    fn nothing(self, pattern: String) -> ReportError {
        match self.wanted.address {
            Some(address) if self.address_without_samples => ReportError::NoSamplesAt { address },
            _ => ReportError::NoCode { pattern, failures: self.failures },
        }
    }
}

fn holds(mapping: &Mapping, address: u64) -> bool {
    (mapping.start..mapping.limit).contains(&address)
}

/// Instructions shorter than this share their line with their place.
const TEXT_WIDTH: usize = 40;

pub(crate) fn write(
    report: &Report<'_>,
    binaries: &dyn Binaries,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let disassembly = Disassembly::new(report, binaries)?;
    let amounts = report.amounts();
    writeln!(out, "Total: {}", amounts.text(amounts.total))?;
    for function in &disassembly.functions {
        write_function(function, &amounts, out)?;
    }
    Ok(())
}

fn write_function(
    function: &DisassembledFunction,
    amounts: &Amounts,
    out: &mut dyn Write,
) -> io::Result<()> {
    let note = if function.only_inlined { " (inlined code only)" } else { "" };
    for (i, name) in function.symbol.names.iter().enumerate() {
        let title = if i == 0 { "ROUTINE" } else { "    AKA" };
        writeln!(out, "{title} ======================== {name}{note}")?;
    }
    let (flat, cum) = (amounts.text(function.flat), amounts.text(function.cum));
    writeln!(out, "{flat:>10} {cum:>10} (flat, cum) {} of Total", amounts.percent(function.cum))?;
    let lines = match &function.lines {
        Ok(lines) => lines,
        Err(error) => return writeln!(out, " Error: {error}"),
    };
    let mut last: &[CodePlace] = &[];
    for line in lines {
        let place = if line.code.places == last { String::new() } else { place(&line.code.places) };
        last = &line.code.places;
        write_line(line, &place, amounts, out)?;
    }
    Ok(())
}

fn write_line(
    line: &DisassembledLine,
    place: &str,
    amounts: &Amounts,
    out: &mut dyn Write,
) -> io::Result<()> {
    if line.after_gap {
        writeln!(out, "{:>10} {:>10} {:>10}", ".", ".", "...")?;
    }
    let (flat, cum) = (amounts.text_or_dot(line.flat), amounts.text_or_dot(line.cum));
    let (address, text) = (line.code.address, &line.code.text);
    let start = format!("{flat:>10} {cum:>10} {address:10x}: ");
    if place.is_empty() {
        writeln!(out, "{start}{text}")
    } else if text.len() < TEXT_WIDTH {
        writeln!(out, "{start}{text:TEXT_WIDTH$};{place}")
    } else {
        writeln!(out, "{:74};{place}\n{start}{text}", "")
    }
}

/// `inlined a.rs:3 < caller b.rs:7`.
fn place(places: &[CodePlace]) -> String {
    let one = |place: &CodePlace| {
        let file = if place.file.is_empty() { "" } else { paths::base(&place.file) };
        match place.line {
            0 => format!("{} {file}", place.function).trim().to_owned(),
            line => format!("{} {file}:{line}", place.function).trim().to_owned(),
        }
    };
    places.iter().map(one).collect::<Vec<_>>().join(" < ")
}
