//! The reports that can be asked for.

use crate::Format;

/// A report that can be asked for: `-name` as a flag, `name` in the shell.
#[derive(Debug)]
pub struct FormatRow {
    /// Its name.
    pub name: &'static str,
    /// What is computed.
    pub kind: FormatKind,
    /// Where it goes when no output file is named.
    pub destination: Destination,
    /// Whether Go's pprof lacks it.
    pub extension: bool,
    /// One line of help.
    pub about: &'static str,
    /// How to call it in the shell and what that does.
    pub usage: Usage,
}

/// What a format computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatKind {
    /// A report over the profile's own names and values.
    Report(Format),
    /// A picture of the call graph.
    Graphic(GraphicKind),
    /// Annotated instructions of matching functions.
    Disasm,
    /// Annotated source and instructions as a page.
    Weblist,
}

/// Kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "these are names of file formats")]
pub enum GraphicKind {
    Gif,
    Pdf,
    Png,
    Ps,
    Svg,
}

/// Where a report goes when no output file is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Standard output, unless that is a terminal: then a new file with this extension.
    File(&'static str),
    /// A temporary file with this extension, shown by the first of these programs that starts.
    Viewer(&'static str, Viewer),
}

/// Programs that show reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// The browsers of this machine.
    Browser,
    /// A program and its arguments.
    Program(&'static [&'static str]),
}

/// How a report is called in the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// By its name alone.
    Plain,
    /// With a count (if the report has one), filters and an output file.
    Filters {
        /// Whether a number of entries may follow.
        count: bool,
    },
    /// With a regular expression first, then filters.
    Argument {
        /// Whether the regular expression may be an address.
        address: bool,
    },
    /// With filters on tags.
    TagFilters,
}

impl FormatRow {
    /// Whether it takes a regular expression as its argument.
    pub fn takes_argument(&self) -> bool {
        matches!(self.usage, Usage::Argument { .. })
    }

    /// The format called `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|f| f.name == name)
    }
}

const ROW: FormatRow = FormatRow {
    name: "",
    kind: FormatKind::Report(Format::Top),
    destination: Destination::Stdout,
    extension: false,
    about: "",
    usage: Usage::Plain,
};

const FILTERS: Usage = Usage::Filters { count: true };
const GRAPH_FILTERS: Usage = Usage::Filters { count: false };

const fn program(args: &'static [&'static str]) -> Viewer {
    Viewer::Program(args)
}

/// All formats, in the order of their names.
pub const FORMATS: &[FormatRow] = &[
    FormatRow {
        name: "callgrind",
        kind: FormatKind::Report(Format::Callgrind),
        destination: Destination::File("callgraph.out"),
        about: "Write a call graph that callgrind viewers read",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "comments",
        kind: FormatKind::Report(Format::Comments),
        about: "Print the comments of the profile",
        ..ROW
    },
    FormatRow {
        name: "disasm",
        kind: FormatKind::Disasm,
        about: "Print instructions of matching functions with their weights",
        usage: Usage::Argument { address: true },
        ..ROW
    },
    FormatRow {
        name: "dot",
        kind: FormatKind::Report(Format::Dot),
        about: "Print the call graph in Graphviz's language",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "eog",
        kind: FormatKind::Graphic(GraphicKind::Svg),
        destination: Destination::Viewer("svg", program(&["eog"])),
        about: "Show a picture of the call graph in eog",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "evince",
        kind: FormatKind::Graphic(GraphicKind::Pdf),
        destination: Destination::Viewer("pdf", program(&["evince"])),
        about: "Show a picture of the call graph in evince",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "firefox",
        kind: FormatKind::Report(Format::Firefox),
        destination: Destination::File("firefox.json"),
        extension: true,
        about: "Write a profile that profiler.firefox.com opens",
        usage: GRAPH_FILTERS,
    },
    FormatRow {
        name: "flame",
        kind: FormatKind::Report(Format::Flame),
        destination: Destination::File("svg"),
        extension: true,
        about: "Write a flame graph as SVG",
        usage: GRAPH_FILTERS,
    },
    FormatRow {
        name: "flamepage",
        kind: FormatKind::Report(Format::FlamePage),
        destination: Destination::File("html"),
        extension: true,
        about: "Write a flame graph as a page to send: one file, zoom, search",
        usage: GRAPH_FILTERS,
    },
    FormatRow {
        name: "folded",
        kind: FormatKind::Report(Format::Folded),
        extension: true,
        about: "Print one line a stack, as flame graph scripts read it",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "gif",
        kind: FormatKind::Graphic(GraphicKind::Gif),
        destination: Destination::File("gif"),
        about: "Write a picture of the call graph as GIF",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "gv",
        kind: FormatKind::Graphic(GraphicKind::Ps),
        destination: Destination::Viewer("ps", program(&["gv", "--noantialias"])),
        about: "Show a picture of the call graph in gv",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "kcachegrind",
        kind: FormatKind::Report(Format::Callgrind),
        destination: Destination::Viewer("grind", program(&["kcachegrind"])),
        about: "Show the call graph in KCachegrind",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "list",
        kind: FormatKind::Report(Format::List),
        about: "Print source lines of matching functions with their weights",
        usage: Usage::Argument { address: false },
        ..ROW
    },
    FormatRow {
        name: "markdown",
        kind: FormatKind::Report(Format::Markdown),
        extension: true,
        about: "Print a summary to paste into a ticket",
        usage: FILTERS,
        ..ROW
    },
    FormatRow {
        name: "pdf",
        kind: FormatKind::Graphic(GraphicKind::Pdf),
        destination: Destination::File("pdf"),
        about: "Write a picture of the call graph as PDF",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "peek",
        kind: FormatKind::Report(Format::Peek),
        about: "Print callers and callees of matching functions",
        usage: Usage::Argument { address: false },
        ..ROW
    },
    FormatRow {
        name: "png",
        kind: FormatKind::Graphic(GraphicKind::Png),
        destination: Destination::File("png"),
        about: "Write a picture of the call graph as PNG",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "proto",
        kind: FormatKind::Report(Format::Proto),
        destination: Destination::File("pb.gz"),
        about: "Write the profile itself, compressed",
        ..ROW
    },
    FormatRow {
        name: "ps",
        kind: FormatKind::Graphic(GraphicKind::Ps),
        destination: Destination::File("ps"),
        about: "Write a picture of the call graph as PostScript",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "raw",
        kind: FormatKind::Report(Format::Raw),
        about: "Print the profile itself as text",
        ..ROW
    },
    FormatRow {
        name: "speedscope",
        kind: FormatKind::Report(Format::Speedscope),
        destination: Destination::File("speedscope.json"),
        extension: true,
        about: "Write a profile that speedscope.app opens",
        usage: GRAPH_FILTERS,
    },
    FormatRow {
        name: "svg",
        kind: FormatKind::Graphic(GraphicKind::Svg),
        destination: Destination::File("svg"),
        about: "Write a picture of the call graph as SVG",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "tags",
        kind: FormatKind::Report(Format::Tags),
        about: "Print all tags with the weights of their values",
        usage: Usage::TagFilters,
        ..ROW
    },
    FormatRow {
        name: "text",
        kind: FormatKind::Report(Format::Top),
        about: "Print the heaviest entries as a table",
        usage: FILTERS,
        ..ROW
    },
    FormatRow {
        name: "top",
        kind: FormatKind::Report(Format::Top),
        about: "Print the heaviest entries as a table",
        usage: FILTERS,
        ..ROW
    },
    FormatRow {
        name: "topproto",
        kind: FormatKind::Report(Format::TopProto),
        destination: Destination::File("pb.gz"),
        about: "Write the heaviest entries as a profile, compressed",
        ..ROW
    },
    FormatRow {
        name: "traces",
        kind: FormatKind::Report(Format::Traces),
        about: "Print every sample with its stack",
        ..ROW
    },
    FormatRow {
        name: "tree",
        kind: FormatKind::Report(Format::Tree),
        about: "Print every node with its callers and callees",
        usage: FILTERS,
        ..ROW
    },
    FormatRow {
        name: "web",
        kind: FormatKind::Graphic(GraphicKind::Svg),
        destination: Destination::Viewer("svg", Viewer::Browser),
        about: "Show a picture of the call graph in a browser",
        usage: GRAPH_FILTERS,
        ..ROW
    },
    FormatRow {
        name: "weblist",
        kind: FormatKind::Weblist,
        destination: Destination::Viewer("html", Viewer::Browser),
        about: "Show source and instructions of matching functions in a browser",
        usage: Usage::Argument { address: true },
        ..ROW
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_documented() {
        assert!(FORMATS.is_sorted_by_key(|f| f.name));
        assert!(FORMATS.iter().all(|f| !f.about.is_empty()));
    }

    #[test]
    fn only_go_formats_are_not_extensions() {
        let names: Vec<_> = FORMATS.iter().filter(|f| !f.extension).map(|f| f.name).collect();
        let go = "callgrind comments disasm dot eog evince gif gv kcachegrind list pdf peek png \
                  proto ps raw svg tags text top topproto traces tree web weblist";
        assert_eq!(names.join(" "), go);
    }
}
