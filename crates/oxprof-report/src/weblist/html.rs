//! The page.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{AnnotatedFunction, AnnotatedInstruction, AnnotatedSource};
use crate::amounts::Amounts;
use crate::header;
use crate::listing::{ListedLine, SourceFiles, read_lines};
use crate::render::Report;
use crate::{ReportOptions, paths};

/// Style and script.
const HEAD: &str = include_str!("page.html");

/// Instructions are padded to this width, so that the places behind them line up.
const TEXT_WIDTH: usize = 60;

pub(super) fn write(
    report: &Report<'_>,
    source: &AnnotatedSource,
    files: &dyn SourceFiles,
    out: &mut dyn Write,
) -> io::Result<()> {
    let amounts = report.amounts();
    let labels = header::profile_labels(report.profile, report.options, &amounts);
    let title = header::title(report.profile);
    writeln!(out, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"UTF-8\">")?;
    writeln!(out, "<title>{}</title>\n{HEAD}</head>\n<body>", escape(&title))?;
    writeln!(out, "<h1>{}</h1>\n<div class=legend>", escape(&title))?;
    labels.iter().try_for_each(|label| writeln!(out, "{}<br>", escape(label)))?;
    writeln!(out, "Total: {}</div>", amounts.text(amounts.total))?;
    let mut page =
        Page { amounts: &amounts, options: report.options, files, sources: BTreeMap::new(), out };
    source.functions.iter().try_for_each(|function| page.function(function))?;
    writeln!(out, "</body>\n</html>")
}

struct Page<'a> {
    amounts: &'a Amounts,
    options: &'a ReportOptions,
    files: &'a dyn SourceFiles,
    /// Files of inlined functions.
    sources: BTreeMap<String, Vec<Vec<u8>>>,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn function(&mut self, function: &AnnotatedFunction) -> io::Result<()> {
        let file = &function.file;
        writeln!(self.out, "<h2>{}</h2>", escape(&function.name))?;
        writeln!(self.out, "<p class=filename>{}</p>", escape(&file.name))?;
        writeln!(self.out, "<pre onClick=\"toggle_code(event)\">")?;
        let (flat, cum) = (self.amounts.text(file.flat), self.amounts.text(file.cum));
        let percent = self.amounts.percent(file.cum);
        writeln!(self.out, "  Total:  {flat:>10} {cum:>10} (flat, cum) {percent}")?;
        match &file.lines {
            Ok(lines) => lines.iter().try_for_each(|line| {
                self.line(line, function.code.get(&line.number).map_or(&[], Vec::as_slice))
            })?,
            Err(error) => self.without_source(function, error)?,
        }
        writeln!(self.out, "</pre>")
    }

    /// Where there is no source there may still be instructions.
    fn without_source(&mut self, function: &AnnotatedFunction, error: &str) -> io::Result<()> {
        writeln!(self.out, " Error: {}", escape(error))?;
        for (&number, code) in &function.code {
            let flat = code.iter().fold(0_i64, |sum, i| sum.wrapping_add(i.flat));
            let cum = code.iter().fold(0_i64, |sum, i| sum.wrapping_add(i.cum));
            let text = if number == 0 { "<instructions with unknown line numbers>" } else { "???" };
            self.line(&ListedLine { number, flat, cum, text: text.into() }, code)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &ListedLine, code: &[AnnotatedInstruction]) -> io::Result<()> {
        let class = match (code.is_empty(), line.flat != 0 || line.cum != 0) {
            (true, _) => "nop",
            (false, true) => "livesrc",
            (false, false) => "deadsrc",
        };
        let (flat, cum) = (self.amounts.text_or_dot(line.flat), self.amounts.text_or_dot(line.cum));
        let text = escape(&String::from_utf8_lossy(&line.text));
        write!(
            self.out,
            "<span class=line> {:6}</span> <span class={class}>  {flat:>10} {cum:>10} {:8}  {text} \
             </span>",
            line.number, ""
        )?;
        if !code.is_empty() {
            write!(self.out, "<span class=asm>")?;
            self.code(code)?;
            write!(self.out, "</span>")?;
        }
        writeln!(self.out)
    }

    fn code(&mut self, code: &[AnnotatedInstruction]) -> io::Result<()> {
        let mut last: Option<&AnnotatedInstruction> = None;
        for instruction in code {
            // Instructions are a few bytes long; what is further away belongs to another block.
            const LONGEST: u64 = 15;
            let gap = last.map(|l| instruction.address.wrapping_sub(l.address));
            if gap.is_some_and(|gap| gap > LONGEST) {
                writeln!(self.out, " {:8} {:10} {:10} {:>8}", "", "", "", "⋮")?;
            }
            if last.is_none_or(|l| l.inlined != instruction.inlined) {
                self.inlined(instruction)?;
            }
            self.instruction(instruction)?;
            last = Some(instruction);
        }
        Ok(())
    }

    /// The calls that were inlined, each one further in.
    fn inlined(&mut self, instruction: &AnnotatedInstruction) -> io::Result<()> {
        for (depth, place) in instruction.inlined.iter().enumerate() {
            let text = self.source_line(&place.file, place.line);
            let indent = 4 * (depth + 1);
            writeln!(
                self.out,
                " {:8} {:10} {:10} {:8}  <span class=inlinesrc>{:indent$}{:<TEXT_WIDTH$}</span> \
                 <span class=unimportant>{} {}:{}</span>",
                "",
                "",
                "",
                "",
                "",
                escape(text.trim()),
                escape(&place.function),
                escape(paths::base(&place.file)),
                place.line
            )?;
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &AnnotatedInstruction) -> io::Result<()> {
        let (flat, cum) =
            (self.amounts.text_or_dot(instruction.flat), self.amounts.text_or_dot(instruction.cum));
        let indent = 4 * instruction.inlined.len();
        writeln!(
            self.out,
            " {:8} {flat:>10} {cum:>10} {:8x}: {:indent$}{}",
            "",
            instruction.address,
            "",
            escape(&instruction.text)
        )
    }

    fn source_line(&mut self, file: &str, line: i64) -> String {
        if !self.sources.contains_key(file) {
            let lines = read_lines(self.options, self.files, file).unwrap_or_default();
            self.sources.insert(file.to_owned(), lines);
        }
        let index = usize::try_from(line - 1).unwrap_or(usize::MAX);
        let text = self.sources[file].get(index).map_or(&b"???"[..], Vec::as_slice);
        String::from_utf8_lossy(text).into_owned()
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
