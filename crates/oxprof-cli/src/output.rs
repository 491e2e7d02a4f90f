//! Where reports go.

mod viewer;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oxprof_report::options::Destination;

use crate::failure::{Failure, Result, file_error};
use crate::fetch::create_numbered;
use crate::interrupt::Interrupts;
use crate::ui::Ui;

pub(crate) use viewer::{TemporaryFiles, browse};

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
            (Sink::File(name), _) => self.write_file(report, || {
                let file = File::create(name);
                let file = file.map_err(|e| Failure::new(file_error("open", name, &e)))?;
                Ok((file, PathBuf::from(name)))
            }),
            (Sink::Pipe(command), _) => self.pipe(command, report),
            (Sink::Usual, Destination::Stdout) => self.print(report),
            (Sink::Usual, Destination::File(extension)) => {
                if self.interactive || io::stdout().is_terminal() {
                    let suffix = dotted(extension);
                    self.write_file(report, || create_numbered(Path::new(""), "profile", &suffix))
                } else {
                    self.print(report)
                }
            }
            (Sink::Usual, Destination::Viewer(extension, viewer)) => {
                let suffix = dotted(extension);
                let (file, path) = create_numbered(&std::env::temp_dir(), "pprof", &suffix)?;
                self.temporary.add(&path);
                self.write(file, report)?;
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

    /// Writes to a file that `open` makes, and says where.
    fn write_file(
        &self,
        report: Report<'_>,
        mut open: impl FnMut() -> Result<(File, PathBuf)>,
    ) -> Result<()> {
        let announced = || {
            let (file, path) = open()?;
            self.ui.note(&format!("Generating report in {}", path.display()));
            Ok((file, path))
        };
        self.write(LateFile { open: announced, file: None }, report)
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

/// A file that is made when the first byte is there: a report that fails must not cost the user
/// the last one that did not. It is named by what goes wrong with it.
struct LateFile<F> {
    open: F,
    file: Option<(File, PathBuf)>,
}

impl<F: FnMut() -> Result<(File, PathBuf)>> LateFile<F> {
    fn with<T>(&mut self, work: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let (file, path) = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.open)().map_err(io::Error::other)?),
        };
        work(file).map_err(|e| io::Error::new(e.kind(), file_error("write", path.display(), &e)))
    }
}

impl<F: FnMut() -> Result<(File, PathBuf)>> Write for LateFile<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(File::flush)
    }
}
