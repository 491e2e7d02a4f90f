//! The terminal, as far as messages go. Reports never pass through here.

use std::io::{IsTerminal, Write};

/// Where messages to the user go.
pub(crate) trait Ui: Sync {
    /// Shows a line of progress, warning or advice.
    fn note(&self, message: &str);

    /// Shows `message` until the next message, where that is possible: on a terminal.
    fn progress(&self, message: &str);
}

/// Standard error.
#[derive(Debug)]
pub(crate) struct Stderr {
    terminal: bool,
}

impl Stderr {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() }
    }
}

/// Back to the start of the line, and clear it.
const ERASE: &str = "\r\x1b[K";

impl Ui for Stderr {
    // A message that cannot be shown is nothing to fail for.
    fn note(&self, message: &str) {
        let erase = if self.terminal { ERASE } else { "" };
        let newline = if message.ends_with('\n') { "" } else { "\n" };
        let _ = write!(std::io::stderr().lock(), "{erase}{message}{newline}");
    }

    fn progress(&self, message: &str) {
        if self.terminal {
            let _ = write!(std::io::stderr().lock(), "{ERASE}{message}");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Remembers what it is told.
    #[derive(Debug, Default)]
    pub(crate) struct Recorder(Mutex<Vec<String>>);

    impl Recorder {
        pub(crate) fn notes(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Ui for Recorder {
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }

        fn progress(&self, _: &str) {}
    }
}
