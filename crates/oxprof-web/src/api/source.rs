//! Source lines and instructions with their cost.

use std::cmp::Reverse;

use oxprof_report::{AnnotatedFunction, DisassembledFunction, ReportError};
use serde::Serialize;

use super::flame::cut;
use super::totals::weights;
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;
use crate::view::View;

/// Functions beyond these are counted, not shown.
const MOST: usize = 50;
/// Functions that are shown while nobody has chosen any.
const PROPOSED: usize = 10;

/// Longer names make expressions that are too large.
const LONGEST: usize = 1000;

#[derive(Debug, Serialize)]
struct Page<'a> {
    unit: &'a str,
    units: Vec<(f64, &'static str)>,
    total: i64,
    /// How many functions match.
    count: usize,
    functions: Vec<Function>,
    remarks: &'a [String],
}

#[derive(Debug, Serialize)]
struct Function {
    name: String,
    file: String,
    flat: i64,
    cum: i64,
    /// Why there are no lines.
    error: String,
    lines: Vec<Line>,
}

#[derive(Debug, Default, Serialize)]
struct Line {
    number: i64,
    flat: i64,
    cum: i64,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code: Vec<Instruction>,
}

#[derive(Debug, Serialize)]
struct Instruction {
    address: String,
    flat: i64,
    cum: i64,
    text: String,
    /// Where it comes from.
    place: String,
    /// Whether instructions before it are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gap: bool,
}

/// Source of the functions that the focus matches.
pub(super) fn annotated(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let options = app.options(query)?;
    let pattern = pattern(app, query)?;
    let view = app.view_with(query, ("weblist", &pattern), &options)?;
    let mut result = Ok(Vec::new());
    app.with_sources(&view, &mut |sources| {
        app.with_binaries(&view, &options, &mut |binaries| {
            let found = view.report().annotated_source(sources, binaries);
            result = found.map(|source| source.functions);
        });
    });
    let mut functions = or_none(result)?;
    functions.sort_by_key(|f| Reverse(f.file.cum));
    let count = functions.len();
    let functions = functions.into_iter().take(MOST).map(source_of).collect();
    Ok(page(&view, count, functions))
}

/// Machine code of the functions that the focus matches.
pub(super) fn disassembly(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let options = app.options(query)?;
    let pattern = pattern(app, query)?;
    let view = app.view_with(query, ("disasm", &pattern), &options)?;
    let mut result = Ok(Vec::new());
    app.with_binaries(&view, &options, &mut |binaries| {
        result = view.report().disassembly(binaries).map(|code| code.functions);
    });
    let mut functions = match result {
        Err(ReportError::NoCode { failures, .. }) if query.get("f").is_empty() => {
            return Err(Refusal::bad(nothing_at_hand(&failures)));
        }
        result => result.map_err(Refusal::bad)?,
    };
    functions.sort_by_key(|f| Reverse(f.cum));
    let count = functions.len();
    let functions = functions.into_iter().take(MOST).map(code_of).collect();
    Ok(page(&view, count, functions))
}

/// Why there is nothing to see for those who have not chosen anything yet.
fn nothing_at_hand(failures: &[String]) -> String {
    let reasons: String = failures.iter().map(|reason| format!("; {reason}")).collect();
    format!(
        "the machine code of the functions that cost most is not at hand{reasons}; \
         give the directory of the binaries in PPROF_BINARY_PATH, or focus on other functions"
    )
}

fn page(view: &View, count: usize, functions: Vec<Function>) -> Reply {
    Reply::json(&Page {
        unit: view.unit(),
        units: view.units(),
        total: view.prepared.options.total,
        count,
        functions,
        remarks: &view.prepared.remarks,
    })
}

/// What is to be shown: what the focus says, or the heaviest functions.
fn pattern(app: &Inner, query: &Query) -> Result<String, Refusal> {
    let focus = query.get("f");
    if !focus.is_empty() {
        return Ok(focus.to_owned());
    }
    let mut options = app.options(query)?;
    options.granularity = None;
    let view = app.view_with(query, ("flame", ""), &options)?;
    let totals = weights(&view);
    let short = |&id: &usize| view.names().texts()[id].len() < LONGEST;
    let mut ids: Vec<usize> = (1..totals.costs.len()).filter(short).collect();
    ids.sort_by_key(|&id| Reverse(totals.costs[id].flat));
    let quoted = ids.iter().take(PROPOSED).map(|&id| quote(&view.names().texts()[id]));
    Ok(format!("^({})$", quoted.collect::<Vec<_>>().join("|")))
}

/// Text as an expression that matches it.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

fn or_none<T>(result: Result<Vec<T>, ReportError>) -> Result<Vec<T>, Refusal> {
    match result {
        Err(ReportError::NoMatches { .. }) => Ok(Vec::new()),
        result => result.map_err(Refusal::bad),
    }
}

fn source_of(function: AnnotatedFunction) -> Function {
    let AnnotatedFunction { name, file, mut code } = function;
    let (lines, error) = match file.lines {
        Ok(lines) => (lines, String::new()),
        Err(error) => {
            let bare = |(&number, code): (&i64, &Vec<oxprof_report::AnnotatedInstruction>)| {
                let sum = |part: fn(&oxprof_report::AnnotatedInstruction) -> i64| {
                    code.iter().map(part).fold(0, i64::saturating_add)
                };
                let (flat, cum) = (sum(|i| i.flat), sum(|i| i.cum));
                oxprof_report::ListedLine { number, flat, cum, text: Vec::new() }
            };
            (code.iter().map(bare).collect(), error)
        }
    };
    let lines = lines.into_iter().map(|line| Line {
        number: line.number,
        flat: line.flat,
        cum: line.cum,
        text: cut(&String::from_utf8_lossy(&line.text)),
        code: code.remove(&line.number).unwrap_or_default().into_iter().map(instruction).collect(),
    });
    let lines = lines.collect();
    Function {
        name: cut(&name),
        file: cut(&file.name),
        flat: file.flat,
        cum: file.cum,
        error,
        lines,
    }
}

fn instruction(instruction: oxprof_report::AnnotatedInstruction) -> Instruction {
    let place = instruction.inlined.last().map_or_else(String::new, place);
    Instruction {
        address: format!("{:x}", instruction.address),
        flat: instruction.flat,
        cum: instruction.cum,
        text: instruction.text,
        place,
        gap: false,
    }
}

fn place(place: &oxprof_report::CodePlace) -> String {
    let file = place.file.rsplit('/').next().unwrap_or_default();
    cut(&format!("{} {file}:{}", place.function, place.line))
}

fn code_of(function: DisassembledFunction) -> Function {
    let (lines, error) = match function.lines {
        Ok(lines) => (lines, String::new()),
        Err(error) => (Vec::new(), error),
    };
    let code = lines.into_iter().map(|line| Instruction {
        address: format!("{:x}", line.code.address),
        flat: line.flat,
        cum: line.cum,
        place: line.code.places.first().map_or_else(String::new, place),
        text: line.code.text,
        gap: line.after_gap,
    });
    Function {
        name: cut(&function.symbol.names.join(", ")),
        file: String::new(),
        flat: function.flat,
        cum: function.cum,
        error,
        lines: vec![Line { code: code.collect(), ..Line::default() }],
    }
}
