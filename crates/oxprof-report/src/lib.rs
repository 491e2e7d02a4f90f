//! Reports over profiles: graphs, tables, trees, listings.
//!
//! ```text
//! Profile + ReportOptions ──▶ graph, table, listing (values) ──▶ text, JSON, CSV, dot, …
//! ```
//!
//! A report is given a profile that is already filtered and aggregated, and [`ReportOptions`] that
//! are already resolved. It opens no file and reads no clock.
#![forbid(unsafe_code)]

pub mod options;
mod raw;
mod report;
mod values;

pub use raw::raw;
pub use report::{Encoding, Format, Pattern, ReportOptions, Sort, Zone};
pub use values::ValueSelector;
