//! Completion of shell lines.

use oxprof_report::options::{FORMATS, Hint, Kind, OPTIONS, OptionRow, find_option};

/// What a profile has to offer for completion.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names of functions, sorted.
    pub functions: Vec<String>,
    /// Keys of tags, sorted.
    pub tags: Vec<String>,
    /// Names of values.
    pub sample_types: Vec<String>,
}

/// What could stand at the end of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// From this byte on, one of these.
    Words(usize, Vec<String>),
    /// From this byte on, the name of a file.
    File(usize),
}

/// More candidates than this help nobody.
const MAX_CANDIDATES: usize = 500;

/// Completes `line`, of which the cursor is at the end.
pub(super) fn complete(line: &str, names: &Names) -> Completion {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (before, word) = line.split_at(start);
    if let Some((name, value)) = line.split_once('=')
        && let Some((row, None)) = find_option(name.trim())
    {
        let value_start = line.len() - value.trim_start().len();
        return option_value(row, value_start.max(start), &line[value_start.max(start)..], names);
    }
    let command = before.split_whitespace().next();
    match command {
        None => Completion::Words(0, starting_with(word, commands(names))),
        Some("help") => Completion::Words(start, starting_with(word, topics())),
        Some(_) if redirects(before, word) => {
            Completion::File(start + usize::from(word.starts_with('>')))
        }
        Some(command) => filter_word(command, start, word, names),
    }
}

fn redirects(before: &str, word: &str) -> bool {
    word.starts_with('>') || before.trim_end().ends_with('>')
}

/// Completes a filter, behind the dash that makes it one of what to ignore.
fn filter_word(command: &str, start: usize, word: &str, names: &Names) -> Completion {
    let dash = usize::from(word.starts_with('-'));
    let (start, word) = (start + dash, &word[dash..]);
    let name = command.trim_end_matches(|c: char| c.is_ascii_digit());
    if !FORMATS.iter().any(|f| f.name == name) {
        return Completion::Words(start, Vec::new());
    }
    if name == "tags" {
        return Completion::Words(start, starting_with(word, names.tags.iter().cloned()));
    }
    Completion::Words(start, functions(word, names))
}

fn commands(names: &Names) -> impl Iterator<Item = String> + use<> {
    let formats = FORMATS.iter().map(|f| f.name.to_owned());
    let own = ["help", "options", "quit"].map(str::to_owned);
    let options = OPTIONS.iter().map(|o| match o.kind {
        Kind::Bool { .. } => o.name.to_owned(),
        _ => format!("{}=", o.name),
    });
    let choices = OPTIONS.iter().flat_map(|o| o.choices()).map(|c| c.name.to_owned());
    formats.chain(own).chain(options).chain(choices).chain(names.sample_types.clone())
}

fn topics() -> impl Iterator<Item = String> {
    let formats = FORMATS.iter().map(|f| f.name);
    let choices = OPTIONS.iter().flat_map(|o| o.choices()).map(|c| c.name);
    formats.chain(OPTIONS.iter().map(|o| o.name)).chain(choices).map(str::to_owned)
}

fn option_value(row: &OptionRow, start: usize, value: &str, names: &Names) -> Completion {
    let words = |words: &[&str]| starting_with(value, words.iter().map(|w| (*w).to_owned()));
    let candidates = match row.kind {
        Kind::Bool { .. } => words(&["true", "false"]),
        Kind::Int { .. } | Kind::Float { .. } => Vec::new(),
        Kind::Choice { choices, .. } => {
            starting_with(value, choices.iter().map(|c| c.name.to_owned()))
        }
        Kind::Text { hint, .. } => match hint {
            Hint::Regexp => functions(value, names),
            Hint::TagFilter | Hint::TagRegexp | Hint::TagList => {
                starting_with(value, names.tags.iter().cloned())
            }
            Hint::Unit => {
                words(&["minimum", "auto", "ns", "us", "ms", "s", "hours", "B", "kB", "MB", "GB"])
            }
            Hint::SampleType => starting_with(value, names.sample_types.iter().cloned()),
            Hint::File | Hint::Paths => return Completion::File(start),
        },
    };
    Completion::Words(start, candidates)
}

/// Words that start with `prefix`, whatever its case, in alphabetical order.
fn starting_with(prefix: &str, words: impl Iterator<Item = String>) -> Vec<String> {
    let prefix = prefix.to_lowercase();
    let mut found: Vec<_> = words.filter(|w| w.to_lowercase().starts_with(&prefix)).collect();
    found.sort();
    found.dedup();
    found
}

/// Functions that contain `part`, whatever its case, as expressions that match just them.
fn functions(part: &str, names: &Names) -> Vec<String> {
    if part.is_empty() {
        return Vec::new();
    }
    let part = part.to_lowercase();
    let found = names.functions.iter().filter(|name| name.to_lowercase().contains(&part));
    found.take(MAX_CANDIDATES).map(|name| as_word(name)).collect()
}

/// The name as a word that finds it: characters that mean something to expressions are escaped,
/// except for the dot, which finds itself; names with spaces are quoted.
fn as_word(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$' | '\\')
        {
            out.push('\\');
        }
        out.push(c);
    }
    if out.contains(char::is_whitespace) { format!("\"{out}\"") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, start: usize, expected: &[&str]) {
        let names = Names {
            functions: ["main.(*T).run", "main.parse", "std::map<a, b>", "sort.Sort"]
                .map(str::to_owned)
                .to_vec(),
            tags: vec!["bytes".into(), "request".into()],
            sample_types: vec!["samples".into(), "cpu".into()],
        };
        let expected = expected.iter().map(|&s| s.to_owned()).collect();
        assert_eq!(complete(line, &names), Completion::Words(start, expected), "{line}");
    }

    #[test]
    fn the_first_word_is_a_command_or_an_option() {
        check("tra", 0, &["traces"]);
        check("TOPP", 0, &["topproto"]);
        check("nodec", 0, &["nodecount="]);
        check("relat", 0, &["relative_percentages"]);
        check("samp", 0, &["sample_index=", "samples"]);
        check("file", 0, &["filefunctions", "files"]);
    }

    #[test]
    fn later_words_are_functions() {
        check("top parse", 4, &["main.parse"]);
        check("top10 -PARSE", 7, &["main.parse"]);
        check("list run", 5, &[r"main.\(\*T\).run"]);
        check("peek map", 5, &["\"std::map<a, b>\""]);
        check("foo parse", 4, &[]);
        check("top ", 4, &[]);
    }

    #[test]
    fn tags_are_completed_for_reports_on_tags() {
        check("tags re", 5, &["request"]);
        check("tagroot=by", 8, &["bytes"]);
    }

    #[test]
    fn help_completes_what_it_explains() {
        check("help nodef", 5, &["nodefraction"]);
        check("help weblis", 5, &["weblist"]);
    }

    #[test]
    fn values_of_options_are_completed() {
        check("sort=", 5, &["cum", "flat"]);
        check("granularity=fi", 12, &["filefunctions", "files"]);
        check("trim=f", 5, &["false"]);
        check("sample_index=c", 13, &["cpu"]);
        check("focus=pars", 6, &["main.parse"]);
        check("unit=m", 5, &["MB", "minimum", "ms"]);
    }

    #[test]
    fn files_are_left_to_the_editor() {
        let names = Names::default();
        assert_eq!(complete("top >/tm", &names), Completion::File(5));
        assert_eq!(complete("top > /tm", &names), Completion::File(6));
        assert_eq!(complete("output=/tm", &names), Completion::File(7));
    }
}
