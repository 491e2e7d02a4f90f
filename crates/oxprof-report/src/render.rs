//! From a profile and options to text.

use std::fmt;
use std::io::{self, Write};

use oxprof_profile::{Compression, LocationIdx, Profile, write_gzip};

use crate::amounts::Amounts;
use crate::frames::FrameOptions;
use crate::graph::Graph;
use crate::stacks::samples;
use crate::{
    AnnotatedSource, Binaries, Disassembly, Format, Frames, ReportOptions, SourceFiles, Tags, Top,
    Tree, callgrind, disasm, drawing, firefox, flame, folded, header, listing, markdown,
    speedscope, topproto, traces, weblist,
};

/// A report to be written.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) options: &'a ReportOptions,
}

/// Why a report could not be written.
#[derive(Debug)]
pub enum ReportError {
    /// Nothing in the profile is called what the report was asked for.
    NoMatches {
        /// What it was asked for.
        pattern: String,
    },
    /// No function with samples is called what the disassembly was asked for.
    NoCode {
        /// What it was asked for.
        pattern: String,
        /// Binaries that could not be opened, and why.
        failures: Vec<String>,
    },
    /// The function at the address that the disassembly was asked for has no samples.
    NoSamplesAt {
        /// The address.
        address: u64,
    },
    /// The writer failed.
    Io(io::Error),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatches { pattern } => write!(f, "no matches found for regexp: {pattern}"),
            Self::NoCode { pattern, failures } => {
                match crate::code::address(pattern) {
                    Some(address) => write!(f, "no matches found for address {address:#x}")?,
                    None => write!(f, "no matches found for regexp {pattern}")?,
                }
                failures.iter().try_for_each(|reason| write!(f, "; {reason}"))
            }
            Self::NoSamplesAt { address } => write!(
                f,
                "address {address:#x} found in binary, but the corresponding symbols do not have \
                 samples in the profile"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<'a> Report<'a> {
    /// A report on a profile that is already filtered and aggregated.
    pub fn new(profile: &'a Profile, options: &'a ReportOptions) -> Self {
        Self { profile, options }
    }

    /// Writes the report. `out` should be buffered.
    ///
    /// # Errors
    /// Those of `out`, and when nothing matches the pattern that a report is for.
    pub fn render(&self, files: &dyn SourceFiles, out: &mut dyn Write) -> Result<(), ReportError> {
        let encoding = self.options.encoding;
        match self.options.format {
            Format::Top => self.top().write(encoding, out)?,
            Format::Tree | Format::Peek => self.tree()?.write(encoding, out)?,
            Format::Traces => traces::write(self, out)?,
            Format::Tags => self.tags().write(encoding, out)?,
            Format::List => listing::write(self, files, out)?,
            Format::Raw => crate::raw(self.profile, &self.options.zone, &mut { out })?,
            Format::Proto => self.write_proto(out)?,
            Format::TopProto => topproto::write(self, out)?,
            Format::Comments => self.write_comments(out)?,
            Format::Callgrind => callgrind::write(self, out)?,
            Format::Dot => self.drawing().write_dot(out)?,
            Format::Folded => folded::write(self, out)?,
            Format::Speedscope => speedscope::write(self, out)?,
            Format::Firefox => firefox::write(self, out)?,
            Format::Markdown => markdown::write(self, out)?,
            Format::Flame => self.flame_tree(flame::PICTURE_SHARE).write_svg(out)?,
            Format::FlamePage => self.flame_tree(flame::PAGE_SHARE).write_html(out)?,
        }
        Ok(())
    }

    /// Writes machine code with the cost of each instruction.
    ///
    /// # Errors
    /// Those of `out`, and when nothing matches the pattern that the report is for.
    pub fn render_disassembly(
        &self,
        binaries: &dyn Binaries,
        out: &mut dyn Write,
    ) -> Result<(), ReportError> {
        disasm::write(self, binaries, out)
    }

    /// Writes a page of source with the cost of each line and its instructions folded below it.
    ///
    /// # Errors
    /// Those of `out`, and when nothing matches the pattern that the report is for.
    pub fn render_weblist(
        &self,
        files: &dyn SourceFiles,
        binaries: &dyn Binaries,
        out: &mut dyn Write,
    ) -> Result<(), ReportError> {
        weblist::write(self, files, binaries, out)
    }

    /// Source with the cost of each line and its instructions.
    ///
    /// # Errors
    /// When nothing matches the pattern that the report is for.
    pub fn annotated_source(
        &self,
        files: &dyn SourceFiles,
        binaries: &dyn Binaries,
    ) -> Result<AnnotatedSource, ReportError> {
        AnnotatedSource::new(self, files, binaries)
    }

    /// Machine code with the cost of each instruction.
    ///
    /// # Errors
    /// When nothing matches the pattern that the report is for.
    pub fn disassembly(&self, binaries: &dyn Binaries) -> Result<Disassembly, ReportError> {
        Disassembly::new(self, binaries)
    }

    /// Functions by weight.
    pub fn top(&self) -> Top {
        Top::new(self)
    }

    /// Functions between their callers and callees.
    ///
    /// # Errors
    /// When the options have a pattern and no function matches it.
    pub fn tree(&self) -> Result<Tree, ReportError> {
        Tree::new(self)
    }

    /// Labels by weight.
    pub fn tags(&self) -> Tags {
        Tags::new(self)
    }

    /// The call graph as shapes and texts.
    pub fn drawing(&self) -> drawing::Drawing {
        drawing::Drawing::new(self)
    }

    /// What functions cost under each of their callers, without frames of less than `min_share` of the
    /// whole.
    pub fn flame_tree(&self, min_share: f64) -> flame::FlameTree {
        flame::FlameTree::new(self, min_share)
    }

    /// The stacks of the samples that count for something, leaf first, and what they count for.
    pub fn stacks(&self) -> impl Iterator<Item = (&'a [LocationIdx], i64)> + Clone + use<'a> {
        samples(self)
    }

    /// The places of the profile as this report tells them apart.
    pub(crate) fn frames(&self) -> Frames<'a> {
        let ReportOptions { format, trim_path, source_path, .. } = self.options;
        let keep_objects = matches!(format, Format::Raw | Format::List | Format::Callgrind);
        let options = FrameOptions { keep_objects, trim_path, source_path, keep_paths: false };
        Frames::new(self.profile, options)
    }

    /// The trimmed graph, and its values in a unit that suits it.
    pub(crate) fn graph(&self, frames: &Frames<'_>) -> (Graph, Amounts) {
        let graph = Graph::new(self.profile, frames, self.options);
        let amounts = self.amounts().for_graph(&graph, self.options.format);
        (graph, amounts)
    }

    pub(crate) fn amounts(&self) -> Amounts {
        Amounts::new(self.profile, self.options)
    }

    /// The lines above a report of nodes.
    pub(crate) fn labels(&self, graph: &Graph, amounts: &Amounts) -> Vec<String> {
        header::report_labels(self.profile, self.options, amounts, graph)
    }

    fn write_comments(&self, out: &mut dyn Write) -> io::Result<()> {
        let comments = &self.profile.comments;
        comments.iter().try_for_each(|&c| writeln!(out, "{}", self.profile.str(c)))
    }

    /// The profile itself, values divided.
    fn write_proto(&self, mut out: &mut dyn Write) -> io::Result<()> {
        let ratio = 1.0 / self.options.divide_by;
        if ratio <= 0.0 || ratio == 1.0 {
            return write_gzip(self.profile, Compression::default(), &mut out);
        }
        let mut divided = self.profile.clone();
        for i in 0..divided.samples.len() {
            let values = divided.samples.values_mut(i);
            values.iter_mut().for_each(|v| *v = (*v as f64 * ratio) as i64);
        }
        write_gzip(&divided, Compression::default(), &mut out)
    }
}
