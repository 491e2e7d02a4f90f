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
mod regexp;
mod report;
mod values;

pub use raw::raw;
pub use regexp::{Regexp, RegexpError};
pub use report::{Encoding, Format, Pattern, ReportOptions, Sort, Zone};
pub use values::ValueSelector;
