//! Lines from a person at a terminal, or from a pipe.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::complete::{Completion, Names, complete};
use crate::failure::{Failure, Result};

/// Where lines come from.
pub(super) enum Lines {
    /// A terminal: with editing, completion and history.
    Terminal(Box<Terminal>),
    /// Anything else, read as it is, without a prompt.
    Input,
}

/// What a reader of lines met.
pub(super) enum Event {
    Line(String),
    /// ^C.
    Interrupt,
    End,
}

pub(super) struct Terminal {
    editor: Editor<Assistant, FileHistory>,
    prompt: String,
    history: Option<PathBuf>,
}

impl Lines {
    /// Lines from standard input. `history` is where a terminal's lines are kept, if anywhere.
    pub(super) fn new(prompt: &str, names: Names, history: Option<PathBuf>) -> Result<Self> {
        if !io::stdin().is_terminal() || is_dumb() {
            return Ok(Self::Input);
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_dups(true)
            .and_then(|config| config.max_history_size(10_000))
            .map_err(Failure::new)?
            .build();
        let mut editor = Editor::with_config(config).map_err(Failure::new)?;
        editor.set_helper(Some(Assistant { names, files: FilenameCompleter::new() }));
        if let Some(file) = &history {
            // The first session has none to load.
            let _ = editor.load_history(file);
        }
        Ok(Self::Terminal(Box::new(Terminal { editor, prompt: prompt.to_owned(), history })))
    }

    /// Whether a person types them.
    pub(super) fn are_typed(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    pub(super) fn next(&mut self) -> Result<Event> {
        match self {
            Self::Terminal(terminal) => terminal.next(),
            Self::Input => {
                let mut line = String::new();
                match io::stdin().lock().read_line(&mut line)? {
                    0 => Ok(Event::End),
                    _ => Ok(Event::Line(line)),
                }
            }
        }
    }
}

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

impl Terminal {
    fn next(&mut self) -> Result<Event> {
        match self.editor.readline(&self.prompt) {
            Ok(line) => {
                self.remember(&line);
                Ok(Event::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Event::Interrupt),
            Err(ReadlineError::Eof) => Ok(Event::End),
            Err(e) => Err(Failure::new(e)),
        }
    }

    /// Keeps a line, at once: sessions end in many ways.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line).unwrap_or(false);
        let Some(file) = self.history.as_deref().filter(|_| is_new) else { return };
        // A history that cannot be written is not worth failing for.
        let _ = file.parent().map_or(Ok(()), make_private_directory);
        let _ = self.editor.append_history(file);
    }
}

fn make_private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Completes lines.
struct Assistant {
    names: Names,
    files: FilenameCompleter,
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        match complete(&line[..position], &self.names) {
            Completion::Words(start, words) => {
                let pair = |word: String| Pair { display: word.clone(), replacement: word };
                Ok((start, words.into_iter().map(pair).collect()))
            }
            Completion::File(start) => {
                let (at, pairs) =
                    self.files.complete_path(&line[start..position], position - start)?;
                Ok((start + at, pairs))
            }
        }
    }
}

impl Helper for Assistant {}
impl Highlighter for Assistant {}
impl Validator for Assistant {}
impl Hinter for Assistant {
    type Hint = String;
}
