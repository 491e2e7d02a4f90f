//! Comma-separated values (RFC 4180, with plain line feeds).

use std::fmt::Display;
use std::io::{self, Write};

/// A table being written.
pub(crate) struct Table<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Table<'a> {
    /// Starts a table with its header row.
    pub(crate) fn new(out: &'a mut dyn Write, columns: &[&str]) -> io::Result<Self> {
        let mut table = Self { out };
        let columns: Vec<&dyn Display> = columns.iter().map(|c| c as &dyn Display).collect();
        table.row(&columns)?;
        Ok(table)
    }

    /// Writes a row.
    pub(crate) fn row(&mut self, cells: &[&dyn Display]) -> io::Result<()> {
        for (i, cell) in cells.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(self.out, "{comma}{}", quote(cell.to_string()))?;
        }
        writeln!(self.out)
    }
}

fn quote(cell: String) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_need_it_are_quoted() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, &["a", "b"]).unwrap();
        table.row(&[&"x,\"y\"", &-1.5]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a,b\n\"x,\"\"y\"\"\",-1.5\n");
    }
}
