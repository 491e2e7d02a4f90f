//! Source code with the cost of each line and its instructions folded below it, as a page.

mod html;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use oxprof_profile::Profile;

use crate::code::{
    Binaries, Binary, CodeLine, CodePlace, CodeSymbol, Cost, address, by_file, hits, spread,
};
use crate::listing::{ListedFile, Listing, SourceFiles};
use crate::render::{Report, ReportError};
use crate::{Pattern, ReportOptions, paths};

/// Source of the functions that match the report's pattern, with their instructions.
#[derive(Clone, Debug)]
pub struct AnnotatedSource {
    /// Functions by name.
    pub functions: Vec<AnnotatedFunction>,
}

/// The part of a function in one file.
#[derive(Clone, Debug)]
pub struct AnnotatedFunction {
    /// Its name.
    pub name: String,
    /// The source.
    pub file: ListedFile,
    /// Instructions by the line that they come from. A line of an inlined function is that of the call.
    pub code: BTreeMap<i64, Vec<AnnotatedInstruction>>,
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct AnnotatedInstruction {
    /// Its address in the binary.
    pub address: u64,
    /// Mnemonic and operands.
    pub text: String,
    /// What it costs itself.
    pub flat: i64,
    /// What it costs together with what it calls.
    pub cum: i64,
    /// Functions inlined into the line that it belongs to, outermost first.
    pub inlined: Vec<CodePlace>,
}

impl AnnotatedSource {
    pub(crate) fn new(
        report: &Report<'_>,
        files: &dyn SourceFiles,
        binaries: &dyn Binaries,
    ) -> Result<Self, ReportError> {
        let code = Code::read(report.profile, report.options, binaries);
        let by_address = report.options.pattern.as_ref().and_then(|p| address(&p.text));
        let options = match by_address.and_then(|a| code.functions_at(a)) {
            None => report.options.clone(),
            Some(names) => ReportOptions { pattern: Some(any_of(names)), ..report.options.clone() },
        };
        let listing = Listing::new(&Report::new(report.profile, &options), files)?;
        let mut functions = Vec::new();
        for function in listing.functions {
            if function.files.is_empty() {
                functions.push(code.without_file(function.name));
                continue;
            }
            for file in function.files {
                let code = code.by_line(&function.name, &file.name);
                functions.push(AnnotatedFunction { name: function.name.clone(), file, code });
            }
        }
        Ok(Self { functions })
    }
}

fn any_of(names: BTreeSet<String>) -> Pattern {
    let text = names.iter().cloned().collect::<Vec<_>>().join("|");
    Pattern { text, matches: Arc::new(move |name| names.contains(name)) }
}

/// All functions that samples went through, instruction by instruction.
struct Code {
    /// With the run-time address that is zero in the file, where that is known.
    functions: Vec<Function>,
}

struct Function {
    symbol: CodeSymbol,
    /// Run-time addresses of samples, to find the function by.
    run_time: BTreeSet<u64>,
    instructions: Vec<(CodeLine, Cost)>,
}

/// A page of more instructions than this is of no use to anybody.
const MAX_INSTRUCTIONS: usize = 200_000;

impl Code {
    /// Binaries that cannot be opened have no instructions to show; the source remains.
    fn read(profile: &Profile, options: &ReportOptions, binaries: &dyn Binaries) -> Self {
        let mut functions = Vec::new();
        let mut budget = MAX_INSTRUCTIONS;
        for (file, hits) in by_file(profile, &hits(profile, options)) {
            let build_id = profile.str(hits[0].1.build_id);
            let mut found: BTreeMap<CodeSymbol, Vec<(u64, u64, Cost)>> = BTreeMap::new();
            _ = binaries.open(file, build_id, &mut |binary| {
                for (hit, mapping) in &hits {
                    let Some(address) = binary.address(hit.address, mapping) else { continue };
                    if let Some(symbol) = binary.function(address) {
                        found.entry(symbol).or_default().push((address, hit.address, hit.cost));
                    }
                }
                for (symbol, hits) in std::mem::take(&mut found) {
                    let function = function(binary, symbol, hits, options);
                    budget = budget.saturating_sub(function.instructions.len());
                    functions.extend((budget > 0).then_some(function));
                }
            });
        }
        Self { functions }
    }

    /// Names of the functions, inlined ones included, at an address of the file or at run time.
    fn functions_at(&self, address: u64) -> Option<BTreeSet<String>> {
        let holds = |f: &&Function| {
            (f.symbol.start..f.symbol.end).contains(&address) || f.run_time.contains(&address)
        };
        let function = self.functions.iter().find(holds)?;
        let places = function.instructions.iter().flat_map(|(line, _)| &line.places);
        let names = places.map(|place| place.function.clone());
        Some(names.chain(function.symbol.names.iter().cloned()).collect())
    }

    /// The instructions of a function that nobody knows the file of.
    fn without_file(&self, name: String) -> AnnotatedFunction {
        let code = self.by_line(&name, "");
        let costs = code.values().flatten().map(|i| Cost { flat: i.flat, cum: i.cum });
        let Cost { flat, cum } = Cost::sum(costs);
        let lines = Err(format!("no source information for {name}"));
        AnnotatedFunction { name, file: ListedFile { name: String::new(), flat, cum, lines }, code }
    }

    /// The instructions of the function `name` in `file`, by line.
    fn by_line(&self, name: &str, file: &str) -> BTreeMap<i64, Vec<AnnotatedInstruction>> {
        let mut lines: BTreeMap<i64, Vec<AnnotatedInstruction>> = BTreeMap::new();
        for (code, cost) in self.functions.iter().flat_map(|f| &f.instructions) {
            let is_here = |p: &CodePlace| p.function == name && p.file == file;
            let Some(depth) = code.places.iter().position(is_here) else { continue };
            lines.entry(code.places[depth].line).or_default().push(AnnotatedInstruction {
                address: code.address,
                text: code.text.clone(),
                flat: cost.flat,
                cum: cost.cum,
                inlined: code.places[..depth].iter().rev().cloned().collect(),
            });
        }
        lines
    }
}

fn function(
    binary: &dyn Binary,
    symbol: CodeSymbol,
    mut hits: Vec<(u64, u64, Cost)>,
    options: &ReportOptions,
) -> Function {
    hits.sort_unstable_by_key(|(address, ..)| *address);
    let costs: Vec<(u64, Cost)> = hits.iter().map(|&(address, _, cost)| (address, cost)).collect();
    let mut code = binary.instructions(&symbol).unwrap_or_default();
    for place in code.iter_mut().flat_map(|line| &mut line.places) {
        place.file = shown_file(&place.file, options);
    }
    let costs = spread(&code, &costs);
    let run_time = hits.iter().map(|&(_, run_time, _)| run_time).collect();
    Function { symbol, run_time, instructions: code.into_iter().zip(costs).collect() }
}

/// A file of the binary as reports name the files of the profile.
fn shown_file(file: &str, options: &ReportOptions) -> String {
    let trimmed = paths::trim(file, &options.trim_path, &options.source_path);
    if trimmed.is_empty() { String::new() } else { paths::clean(trimmed) }
}

pub(crate) fn write(
    report: &Report<'_>,
    files: &dyn SourceFiles,
    binaries: &dyn Binaries,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let source = AnnotatedSource::new(report, files, binaries)?;
    Ok(html::write(report, &source, files, out)?)
}
