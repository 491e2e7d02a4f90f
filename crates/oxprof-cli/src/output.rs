//! Where reports go.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use oxprof_report::options::Destination;

use crate::failure::{Failure, Result, file_error};
use crate::fetch::create_numbered;
use crate::ui::Ui;

/// Writes a report to `output` if that names a file, and else to where its format goes.
///
/// # Errors
/// When the report cannot be made or written.
pub(crate) fn deliver(
    output: &str,
    destination: Destination,
    ui: &dyn Ui,
    report: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    if !output.is_empty() {
        ui.note(&format!("Generating report in {output}"));
        let file =
            File::create(output).map_err(|e| Failure::new(file_error("open", output, &e)))?;
        return write_file(file, output, report);
    }
    match destination {
        Destination::File(extension) if io::stdout().is_terminal() => {
            let suffix = format!(".{extension}");
            let (file, path) = create_numbered(Path::new(""), "profile", &suffix)?;
            ui.note(&format!("Generating report in {}", path.display()));
            write_file(file, &path.to_string_lossy(), report)
        }
        _ => {
            let mut out = BufWriter::new(io::stdout().lock());
            report(&mut out)?;
            Ok(out.flush()?)
        }
    }
}

fn write_file(
    file: File,
    name: &str,
    report: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut out = BufWriter::new(file);
    report(&mut out)?;
    out.flush().map_err(|e| Failure::new(file_error("write", name, &e)))
}
