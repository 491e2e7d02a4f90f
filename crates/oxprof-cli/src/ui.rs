//! The terminal, as far as messages go. Reports never pass through here.

use std::io::{IsTerminal, Write};

/// Where messages to the user go.
pub(crate) trait Ui: Sync {
    /// Shows a line of progress, warning or advice.
    fn note(&self, message: &str);

    /// Shows why something was not done.
    fn complain(&self, message: &str);

    /// Shows `message` until the next message, where that is possible: on a terminal.
    fn progress(&self, message: &str);

    /// Whether that is possible.
    fn shows_progress(&self) -> bool;
}

/// Standard error.
#[derive(Debug)]
pub(crate) struct Stderr {
    terminal: bool,
    color: bool,
}

impl Stderr {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { terminal, color: terminal && !unwanted }
    }
}

/// Back to the start of the line, and clear it.
const ERASE: &str = "\r\x1b[K";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

impl Ui for Stderr {
    // A message that cannot be shown is nothing to fail for.
    fn note(&self, message: &str) {
        let erase = if self.terminal { ERASE } else { "" };
        let newline = if message.ends_with('\n') { "" } else { "\n" };
        let _ = write!(std::io::stderr().lock(), "{erase}{message}{newline}");
    }

    fn complain(&self, message: &str) {
        if self.color {
            self.note(&format!("{RED}{message}{PLAIN}"));
        } else {
            self.note(message);
        }
    }

    fn progress(&self, message: &str) {
        if self.terminal {
            let _ = write!(std::io::stderr().lock(), "{ERASE}{message}");
        }
    }

    fn shows_progress(&self) -> bool {
        self.terminal
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Remembers what it is told.
    #[derive(Debug, Default)]
    pub(crate) struct Recorder {
        notes: Mutex<Vec<String>>,
        progress: Mutex<Vec<String>>,
    }

    impl Recorder {
        pub(crate) fn notes(&self) -> Vec<String> {
            self.notes.lock().unwrap().clone()
        }

        pub(crate) fn progress_shown(&self) -> Vec<String> {
            self.progress.lock().unwrap().clone()
        }
    }

    impl Ui for Recorder {
        fn note(&self, message: &str) {
            self.notes.lock().unwrap().push(message.to_owned());
        }

        fn complain(&self, message: &str) {
            self.note(message);
        }

        fn progress(&self, message: &str) {
            self.progress.lock().unwrap().push(message.to_owned());
        }

        fn shows_progress(&self) -> bool {
            true
        }
    }
}
