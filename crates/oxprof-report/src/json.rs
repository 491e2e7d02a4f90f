//! Reports as JSON.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a report as one document and a line break.
pub(crate) fn write(report: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// A share of the total in percent, signed, with four decimals.
pub(crate) fn percent(value: i64, total: i64) -> f64 {
    if total == 0 { 0.0 } else { (value as f64 / total as f64 * 1e6).round() / 1e4 }
}
