//! Why the command cannot do what it was asked to.

use std::fmt;
use std::io;

use oxprof_report::ReportError;

/// A failure, in words for the person who typed the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A sentence.
    Message(String),
    /// A sentence after which the help is due.
    Usage(String),
    /// Whoever reads the output has gone, which is no failure at all.
    BrokenPipe,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self::Message(message.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) | Self::Usage(message) => f.write_str(message),
            Self::BrokenPipe => f.write_str("broken pipe"),
        }
    }
}

impl std::error::Error for Failure {}

/// For failures to write; name the file where there is one.
impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::new(e) }
    }
}

impl From<ReportError> for Failure {
    fn from(e: ReportError) -> Self {
        match e {
            ReportError::Io(e) => e.into(),
            e => Self::new(e),
        }
    }
}

/// What went wrong with a file, as Go puts it: the operation, the path, the reason.
pub(crate) fn file_error(operation: &str, path: impl fmt::Display, e: &io::Error) -> String {
    format!("{operation} {path}: {}", reason(e))
}

/// The system's words for an error, without Rust's code.
pub(crate) fn reason(e: &io::Error) -> String {
    let text = e.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => lower_first(words),
        None => text,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_errors_read_as_in_go() {
        let e = std::fs::metadata("/no/such/file").unwrap_err();
        let expected = "stat /no/such/file: no such file or directory";
        assert_eq!(file_error("stat", "/no/such/file", &e), expected);
    }

    #[test]
    fn a_broken_pipe_is_no_message() {
        let e = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::from(e), Failure::BrokenPipe);
    }
}
