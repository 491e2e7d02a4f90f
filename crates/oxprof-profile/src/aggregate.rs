//! Forgetting detail, so that places which differ only in it fall together.

use crate::{Profile, StrId};

/// How finely places are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// By function name.
    #[default]
    Functions,
    /// By function and source file.
    FileFunctions,
    /// By source file.
    Files,
    /// By function and source line.
    Lines {
        /// And by column.
        columns: bool,
    },
    /// By instruction.
    Addresses,
}

impl Profile {
    /// Erases what `granularity` does not tell apart, and inlined frames unless `inlines`.
    ///
    /// No location, function or sample is removed or joined; see [`compact`](crate::compact).
    pub fn aggregate(&mut self, granularity: Granularity, inlines: bool) {
        let keep = Kept::new(granularity, inlines);
        for mapping in &mut self.mappings {
            mapping.has_inline_frames &= inlines;
            mapping.has_functions &= keep.functions;
            mapping.has_filenames &= keep.files;
            mapping.has_line_numbers &= keep.lines;
        }
        for function in &mut self.functions {
            if !keep.functions {
                (function.name, function.system_name) = (StrId::EMPTY, StrId::EMPTY);
            }
            if !keep.files {
                function.filename = StrId::EMPTY;
            }
        }
        for location in &mut self.locations {
            if !inlines {
                location.lines.start =
                    location.lines.start.max(location.lines.end.saturating_sub(1));
            }
            if !keep.addresses {
                location.address = 0;
            }
        }
        for line in &mut self.lines {
            if !keep.lines {
                line.line = 0;
            }
            if !keep.columns {
                line.column = 0;
            }
        }
    }
}

/// The details that stay.
struct Kept {
    functions: bool,
    files: bool,
    lines: bool,
    columns: bool,
    addresses: bool,
}

impl Kept {
    fn new(granularity: Granularity, inlines: bool) -> Self {
        let nothing =
            Self { functions: false, files: false, lines: false, columns: false, addresses: false };
        match granularity {
            Granularity::Functions => Self { functions: true, ..nothing },
            Granularity::FileFunctions => Self { functions: true, files: true, ..nothing },
            Granularity::Files => Self { files: true, ..nothing },
            Granularity::Lines { columns } => {
                Self { functions: true, files: true, lines: true, columns, ..nothing }
            }
            // A column says which of the calls in a line was inlined.
            Granularity::Addresses => Self {
                functions: true,
                files: true,
                lines: true,
                columns: inlines,
                addresses: true,
            },
        }
    }
}
