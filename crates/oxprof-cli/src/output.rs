//! Where reports go.

mod viewer;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use oxprof_report::options::Destination;

use crate::failure::{Failure, Result, file_error};
use crate::fetch::create_numbered;
use crate::interrupt::Interrupts;
use crate::ui::Ui;

pub(crate) use viewer::TemporaryFiles;

/// Where a report is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sink<'a> {
    /// Where its format goes.
    Usual,
    /// In this file.
    File(&'a str),
    /// At this command of the system's shell.
    Pipe(&'a str),
}

/// The way out for a report.
#[derive(Clone, Copy)]
pub(crate) struct Outlet<'a> {
    pub sink: Sink<'a>,
    /// Whether a person goes on talking with us afterwards.
    pub interactive: bool,
    pub interrupts: &'a Interrupts,
    pub temporary: &'a TemporaryFiles,
    pub ui: &'a dyn Ui,
}

/// Writes a report, whole.
type Report<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<()>;

impl Outlet<'_> {
    /// Sends a report whose format goes to `destination` unless something else is wanted.
    ///
    /// # Errors
    /// When the report cannot be made or written.
    pub(crate) fn send(&self, destination: Destination, report: Report<'_>) -> Result<()> {
        match (self.sink, destination) {
            (Sink::File(name), _) => {
                self.ui.note(&format!("Generating report in {name}"));
                let file = File::create(name);
                let file = file.map_err(|e| Failure::new(file_error("open", name, &e)))?;
                self.write_file(file, name, report)
            }
            (Sink::Pipe(command), _) => self.pipe(command, report),
            (Sink::Usual, Destination::Stdout) => self.print(report),
            (Sink::Usual, Destination::File(extension)) => {
                if self.interactive || io::stdout().is_terminal() {
                    self.write_numbered(extension, report)
                } else {
                    self.print(report)
                }
            }
            (Sink::Usual, Destination::Viewer(extension, viewer)) => {
                let (file, path) =
                    create_numbered(&std::env::temp_dir(), "pprof", &dotted(extension))?;
                self.temporary.add(&path);
                self.write_file(file, &path.to_string_lossy(), report)?;
                viewer::show(viewer, &path, self.interactive)
            }
        }
    }

    fn print(&self, report: Report<'_>) -> Result<()> {
        self.write(io::stdout().lock(), report)
    }

    fn write(&self, out: impl Write, report: Report<'_>) -> Result<()> {
        let mut out = self.interrupts.guard(BufWriter::with_capacity(1 << 16, out));
        report(&mut out)?;
        Ok(out.flush()?)
    }

    fn write_file(&self, file: File, name: &str, report: Report<'_>) -> Result<()> {
        self.write(NamedFile { file, name }, report)
    }

    fn write_numbered(&self, extension: &str, report: Report<'_>) -> Result<()> {
        let (file, path) = create_numbered(Path::new(""), "profile", &dotted(extension))?;
        self.ui.note(&format!("Generating report in {}", path.display()));
        self.write_file(file, &path.to_string_lossy(), report)
    }

    fn pipe(&self, command: &str, report: Report<'_>) -> Result<()> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut child = Command::new(shell)
            .args([flag, command])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|e| Failure::new(file_error("start", shell, &e)))?;
        let written = match child.stdin.take() {
            Some(stdin) => self.write(stdin, report),
            None => Ok(()),
        };
        // The command tells of its own failures, if any.
        child.wait()?;
        written
    }
}

fn dotted(extension: &str) -> String {
    format!(".{extension}")
}

/// A file that is named by what goes wrong with it.
struct NamedFile<'a> {
    file: File,
    name: &'a str,
}

impl Write for NamedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let describe = |e: io::Error| io::Error::new(e.kind(), file_error("write", self.name, &e));
        self.file.write(bytes).map_err(describe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
