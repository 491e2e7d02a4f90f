//! Reports over profiles: graphs, tables, trees, listings.
//!
//! ```text
//! Profile + ReportOptions ──▶ graph, table, listing (values) ──▶ text, JSON, CSV, dot, …
//! ```
//!
//! A [`Report`] is given a profile that is already filtered and aggregated, and [`ReportOptions`] that
//! are already resolved. It opens no file and reads no clock: source files come through [`SourceFiles`], the
//! time zone is an option, and text goes to a writer.
#![forbid(unsafe_code)]

mod amounts;
mod callgrind;
mod code;
mod csv;
mod disasm;
mod dot;
pub mod drawing;
mod firefox;
pub mod flame;
mod folded;
mod frames;
mod gif;
pub mod graph;
mod header;
mod json;
pub mod layout;
mod listing;
mod markdown;
pub mod options;
mod page;
mod paths;
mod pdf;
pub mod picture;
pub mod pipeline;
mod png;
mod ps;
mod raw;
mod regexp;
mod render;
mod report;
mod shorten;
mod speedscope;
mod stacks;
mod svg;
mod tags;
mod top;
mod topproto;
mod traces;
mod tree;
mod values;
mod weblist;

pub use code::{Binaries, Binary, CodeLine, CodePlace, CodeSymbol};
pub use disasm::{DisassembledFunction, DisassembledLine, Disassembly};
pub use frames::{Frame, FrameId, FrameOptions, Frames};
pub use listing::{ListedFile, ListedFunction, ListedLine, Listing, SourceFiles};
pub use raw::raw;
pub use regexp::{Regexp, RegexpError};
pub use render::{Report, ReportError};
pub use report::{Encoding, Format, Pattern, ReportOptions, Sort, Zone};
pub use tags::{TagKey, TagValue, Tags};
pub use top::{Inlining, Top, TopRow};
pub use tree::{Call, Tree, TreeEntry};
pub use values::ValueSelector;
pub use weblist::{AnnotatedFunction, AnnotatedInstruction, AnnotatedSource};
