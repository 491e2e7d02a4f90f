//! Where traces come from.

use std::fs::File;
use std::io::{self, Cursor, Read};

use oxprof_trace::{Event, Options, Problems, Reader, Step, Tables};

use crate::failure::{Failure, Result, file_error};
use crate::ops::archive;

/// Bytes to read at once.
pub(super) const PIECE: usize = 1 << 20;

/// A trace in an archive is not unpacked beyond this many bytes.
const MAX_ARCHIVED: u64 = 1 << 30;

/// A trace that has been opened.
pub(super) struct Trace {
    name: String,
    input: Box<dyn Read>,
}

/// How reading a trace went.
#[derive(Debug)]
pub(super) struct Outcome {
    name: String,
    pub problems: Problems,
    pub bytes: u64,
}

impl Trace {
    pub(super) fn open(name: &str) -> Result<Self> {
        let input: Box<dyn Read> = if name == "-" {
            Box::new(io::stdin().lock())
        } else if let Some(trace) = archive::open_trace(name, MAX_ARCHIVED) {
            Box::new(Cursor::new(trace.map_err(Failure::new)?))
        } else {
            let file = File::open(name);
            Box::new(file.map_err(|e| Failure::new(file_error("open", name, &e)))?)
        };
        Ok(Self { name: name.to_owned(), input })
    }

    /// Reads the next bytes into `piece`; how many there are.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<usize> {
        let n = self.input.read(piece);
        n.map_err(|e| Failure::new(file_error("read", &self.name, &e)))
    }

    pub(super) fn failure(&self, e: impl std::fmt::Display) -> Failure {
        Failure::new(format_args!("{}: {e}", self.name))
    }

    /// Calls `each` with every event.
    pub(super) fn each(
        self,
        options: Options,
        mut each: impl FnMut(&Event, &Tables),
    ) -> Result<Outcome> {
        self.try_each(options, |event, tables| {
            each(event, tables);
            Ok(())
        })
    }

    /// Calls `each` with every event, until it fails.
    pub(super) fn try_each(
        mut self,
        options: Options,
        mut each: impl FnMut(&Event, &Tables) -> Result<()>,
    ) -> Result<Outcome> {
        let mut reader = Reader::new(options);
        let mut piece = vec![0; PIECE];
        loop {
            match reader.step().map_err(|e| self.failure(e))? {
                Step::Event(event) => each(&event, reader.tables())?,
                Step::NeedInput => match self.read(&mut piece)? {
                    0 => reader.finish(),
                    n => reader.feed(&piece[..n]),
                },
                Step::End => break,
            }
        }
        let problems = reader.problems().clone();
        Ok(Outcome { name: self.name, problems, bytes: reader.bytes_parsed() })
    }
}

impl Outcome {
    /// Says on standard error what could not be read, if anything.
    pub(super) fn warn(&self) {
        if self.problems.is_empty() {
            return;
        }
        eprintln!("{}: the trace is damaged; what could be read is shown.", self.name);
        eprint!("{}", self.problems);
        if self.problems.bytes_skipped > 0 {
            let all = self.bytes + self.problems.bytes_skipped;
            eprintln!("{} of {all} bytes were skipped.", self.problems.bytes_skipped);
        }
    }
}
