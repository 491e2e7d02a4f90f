//! Traces as text, for people who write tracers.

use std::io::Write;

use oxprof_trace::{Footprint, Options, Raw, RawReader, RawStep};

use super::input::{PIECE, Trace};
use crate::failure::Result;

/// Every event, checked and in order, as `go tool trace -d=parsed` prints it.
pub(super) fn parsed(trace: Trace, out: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    let strict = Options { strict: true, ..Options::default() };
    let result = trace.try_each(strict, |event, tables| {
        text.clear();
        event.write_text(tables, &mut text);
        Ok(out.write_all(text.as_bytes())?)
    });
    // What comes before a violation is good.
    out.flush()?;
    result.map(|_| ())
}

/// Every event as it is written, as `go tool trace -d=wire` prints it.
pub(super) fn wire(trace: Trace, out: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    each_raw(trace, |raw| {
        text.clear();
        raw.write_text(&mut text);
        Ok(out.write_all(text.as_bytes())?)
    })
    .map(|_| ())
}

/// How many bytes each type of event takes, as `go tool trace -d=footprint` prints it, but for types that
/// do not occur.
pub(super) fn footprint(trace: Trace, out: &mut dyn Write) -> Result<()> {
    let mut footprint = Footprint::default();
    let bytes = each_raw(trace, |raw| {
        footprint.add(raw);
        Ok(())
    })?;
    let rows = footprint.rows();
    let count: u64 = rows.iter().map(|row| row.count).sum();
    let percent = |part: u64, all: u64| format!("{:.2}%", part as f64 / all as f64 * 100.0);
    let mut table =
        vec![["Event", "Bytes", "%", "Count", "%"].map(str::to_owned), ["-"; 5].map(str::to_owned)];
    table.extend(rows.iter().map(|row| {
        let (b, c) = (row.bytes, row.count);
        [
            row.event.name().to_owned(),
            b.to_string(),
            percent(b, bytes),
            c.to_string(),
            percent(c, count),
        ]
    }));
    let width =
        |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0).max(1) + 2;
    let widths: Vec<_> = (0..4).map(width).collect();
    for row in &table {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:width$}")?;
        }
        writeln!(out, "{}", row[4])?;
    }
    Ok(())
}

/// Calls `each` with every event as it is written; returns the number of bytes read.
fn each_raw(mut trace: Trace, mut each: impl FnMut(&Raw<'_>) -> Result<()>) -> Result<u64> {
    let mut reader = RawReader::new();
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        match reader.step().map_err(|e| trace.failure(e))? {
            RawStep::Event(raw) => each(&raw)?,
            RawStep::NeedInput => match trace.read(&mut piece)? {
                0 => reader.finish(),
                n => {
                    bytes += n as u64;
                    reader.feed(&piece[..n]);
                }
            },
            RawStep::End => return Ok(bytes),
        }
    }
}
