//! Source code of functions with the cost of each line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::amounts::Amounts;
use crate::graph::{Weight, weigh};
use crate::render::{Report, ReportError};
use crate::{Frame, FrameId, Frames, ReportOptions, paths};

/// Lines to show before the first and behind the last line with samples.
const MARGIN: i64 = 5;

/// Where source files come from.
pub trait SourceFiles {
    /// The contents of the file at `path`.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
}

impl<F: Fn(&str) -> io::Result<Vec<u8>>> SourceFiles for F {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self(path)
    }
}

/// Source of the functions that match the report's pattern.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Functions by name.
    pub functions: Vec<ListedFunction>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct ListedFunction {
    /// Its name.
    pub name: String,
    /// The files that it is in, by name; none if the profile does not say.
    pub files: Vec<ListedFile>,
}

/// The part of a file where a function is.
#[derive(Clone, Debug)]
pub struct ListedFile {
    /// The file as the profile names it, trimmed.
    pub name: String,
    /// What the function's lines in this file themselves cost.
    pub flat: i64,
    /// What they cost together with what they call.
    pub cum: i64,
    /// The lines, or why the file could not be read.
    pub lines: Result<Vec<ListedLine>, String>,
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLine {
    /// Its number, from 1.
    pub number: i64,
    /// What it costs itself.
    pub flat: i64,
    /// What it costs together with what it calls.
    pub cum: i64,
    /// Its text, without the line break.
    pub text: Vec<u8>,
}

/// A place with its cost.
type Place = (Frame, Weight);

impl Listing {
    pub(crate) fn new(report: &Report<'_>, files: &dyn SourceFiles) -> Result<Self, ReportError> {
        let frames = report.frames();
        let functions = matching(report, &frames);
        if functions.is_empty() {
            let pattern = report.options.pattern.as_ref().map_or("", |p| &p.text);
            return Err(ReportError::NoMatches { pattern: pattern.to_owned() });
        }
        let mut reader = Reader { options: report.options, files, read: BTreeMap::new() };
        let mut list = |(name, by_file): (&str, BTreeMap<String, Vec<Place>>)| ListedFunction {
            name: name.to_owned(),
            files: by_file.into_iter().map(|(name, places)| reader.list(name, &places)).collect(),
        };
        Ok(Self { functions: functions.into_iter().map(&mut list).collect() })
    }
}

/// The places of matching functions, by name and file.
fn matching<'p>(
    report: &Report<'p>,
    frames: &Frames<'p>,
) -> BTreeMap<&'p str, BTreeMap<String, Vec<Place>>> {
    let weights = weigh(report.profile, frames, report.options.value);
    let mut functions: BTreeMap<_, BTreeMap<String, Vec<Place>>> = BTreeMap::new();
    for (id, weight) in (0..).map(FrameId).zip(weights) {
        let frame = frames.get(id);
        let name = frames.name(frame);
        let matches = report.options.pattern.as_ref().is_none_or(|p| (p.matches)(name));
        if matches && weight.is_shown(report.options) {
            let files = functions.entry(name).or_default();
            let file = frames.file(frame);
            if !file.is_empty() {
                files.entry(file.to_owned()).or_default().push((frame, weight));
            }
        }
    }
    functions
}

/// Reads each file once.
struct Reader<'a> {
    options: &'a ReportOptions,
    files: &'a dyn SourceFiles,
    read: BTreeMap<String, Result<Vec<Vec<u8>>, String>>,
}

impl Reader<'_> {
    fn list(&mut self, name: String, places: &[Place]) -> ListedFile {
        let (flat, cum) = sum(places.iter());
        let (start, end) = range(places);
        let lines = self.lines(&name).map(|lines| {
            let first = usize::try_from(start - 1).unwrap_or(0);
            let shown = lines.iter().zip(1..).skip(first).take_while(|(_, n)| *n <= end);
            let line = |(text, number): (&Vec<u8>, i64)| {
                let (flat, cum) = sum(places.iter().filter(|(frame, _)| frame.line == number));
                ListedLine { number, flat, cum, text: text.clone() }
            };
            shown.map(line).collect()
        });
        ListedFile { flat, cum, lines, name }
    }

    fn lines(&mut self, name: &str) -> Result<&Vec<Vec<u8>>, String> {
        if !self.read.contains_key(name) {
            let lines = read_lines(self.options, self.files, name);
            self.read.insert(name.to_owned(), lines);
        }
        self.read[name].as_ref().map_err(Clone::clone)
    }
}

/// The lines of a source file, wherever the options allow it to be.
pub(crate) fn read_lines(
    options: &ReportOptions,
    files: &dyn SourceFiles,
    name: &str,
) -> Result<Vec<Vec<u8>>, String> {
    open(options, files, name).map(|bytes| split_lines(&bytes))
}

/// Absolute files as they are; relative ones in the source path and all directories above.
fn open(options: &ReportOptions, files: &dyn SourceFiles, name: &str) -> Result<Vec<u8>, String> {
    let ReportOptions { source_path, trim_path, working_dir, .. } = options;
    let search = if source_path.is_empty() { working_dir } else { source_path };
    let path = paths::trim(name, trim_path, search);
    if path.starts_with('/') {
        return files.read(path).map_err(|e| format!("open {path}: {}", reason(&e)));
    }
    for dir in paths::split_list(search) {
        let mut dir = dir.to_owned();
        loop {
            if let Ok(bytes) = files.read(&paths::join(&dir, path)) {
                return Ok(bytes);
            }
            let parent = paths::parent(&dir);
            if parent == dir {
                break;
            }
            dir = parent;
        }
    }
    Err(format!("could not find file {path} on path {search}"))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn split_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    end.split(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect()
}

/// First and last line to show.
fn range(places: &[Place]) -> (i64, i64) {
    let start = |frame: &Frame| match frame.start_line {
        0 => frame.line.saturating_sub(MARGIN),
        start => start,
    };
    let first = places.iter().map(|(frame, _)| start(frame)).min().unwrap_or(1);
    let last = places.iter().map(|(frame, _)| frame.line.saturating_add(MARGIN)).max();
    (first.max(1), last.unwrap_or(0))
}

fn sum<'a>(places: impl Iterator<Item = &'a Place>) -> (i64, i64) {
    places.fold((0, 0), |(flat, cum), (_, weight)| {
        (flat.wrapping_add(weight.flat.value), cum.wrapping_add(weight.cum.value))
    })
}

pub(crate) fn write(
    report: &Report<'_>,
    files: &dyn SourceFiles,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let listing = Listing::new(report, files)?;
    let amounts = report.amounts();
    writeln!(out, "Total: {}", amounts.text(amounts.total))?;
    for function in &listing.functions {
        if function.files.is_empty() {
            writeln!(out, "No source information for {}", function.name)?;
        }
        for file in &function.files {
            write_file(&function.name, file, &amounts, out)?;
        }
    }
    Ok(())
}

fn write_file(
    function: &str,
    file: &ListedFile,
    amounts: &Amounts,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "ROUTINE ======================== {function} in {}", file.name)?;
    let (flat, cum) = (amounts.text(file.flat), amounts.text(file.cum));
    writeln!(out, "{flat:>10} {cum:>10} (flat, cum) {} of Total", amounts.percent(file.cum))?;
    match &file.lines {
        Ok(lines) => lines.iter().try_for_each(|line| write_line(line, amounts, out)),
        Err(error) => writeln!(out, " Error: {error}"),
    }
}

fn write_line(line: &ListedLine, amounts: &Amounts, out: &mut dyn Write) -> io::Result<()> {
    let (flat, cum) = (amounts.text_or_dot(line.flat), amounts.text_or_dot(line.cum));
    write!(out, "{flat:>10} {cum:>10} {:6}:", line.number)?;
    out.write_all(&line.text)?;
    writeln!(out)
}
