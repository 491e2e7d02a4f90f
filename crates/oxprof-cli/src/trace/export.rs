//! A trace in formats of others.

use std::io::Write;

use oxprof_trace::Options;
use oxprof_trace::chrome::Chrome;
use oxprof_trace::timeline::LanesBy;

use super::input::Trace;
use crate::failure::Result;

/// Bytes to write at once.
const PIECE: usize = 1 << 16;

/// Writes the trace as Chrome's JSON while it is read.
pub(super) fn chrome(
    trace: Trace,
    options: Options,
    by: LanesBy,
    out: &mut dyn Write,
) -> Result<()> {
    let mut text = String::new();
    let mut chrome = Chrome::new(by, &mut text);
    let outcome = trace.try_each(options, |event, tables| {
        chrome.event(event, tables, &mut text);
        if text.len() >= PIECE {
            out.write_all(text.as_bytes())?;
            text.clear();
        }
        Ok(())
    })?;
    chrome.finish(&mut text);
    out.write_all(text.as_bytes())?;
    outcome.warn();
    Ok(())
}
