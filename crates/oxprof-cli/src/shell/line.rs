//! What a line of the shell asks for.

use std::fmt;

use oxprof_report::options::{
    Choice, FormatKind, FormatRow, OptionRow, Options, SetError, find_option, parse_bool_word,
};
use oxprof_report::{Format, Sort};

use super::words::{unquoted, words};

/// A line, understood.
#[derive(Debug)]
pub(super) enum Line {
    /// Nothing but white space.
    Empty,
    /// Leave the shell.
    Quit,
    /// List options and their values.
    Options,
    /// Explain everything, or one thing.
    Help(String),
    /// Clear the filters.
    Clear,
    /// Set an option.
    Set(Assignment),
    /// Make a report.
    Report(Call),
}

/// An option and what to set it to.
#[derive(Debug)]
pub(super) struct Assignment {
    row: &'static OptionRow,
    choice: Option<&'static Choice>,
    value: String,
    /// What the names of values say about `mean`, too.
    mean: Option<bool>,
}

/// A report with what was said about it.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The report; `None` only while the line is read.
    format: Option<&'static FormatRow>,
    pub argument: String,
    nodecount: Option<i64>,
    cum: bool,
    focus: Vec<String>,
    ignore: Vec<String>,
    pub output: Output,
}

/// Where a report goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Output {
    /// Wherever its format goes.
    #[default]
    Usual,
    File(String),
    /// A command of the system's shell, which reads it.
    Pipe(String),
}

/// Why a line makes no sense.
#[derive(Debug, PartialEq)]
pub(super) enum LineError {
    Unrecognized(String),
    /// An option's name followed by something other than `=`.
    DidYouMean(String),
    /// An option that cannot be set by its mere name.
    NeedsValue(&'static str),
    NeedsArgument(&'static str),
    /// Nothing, or too much, after `>` or `|`.
    Redirection(&'static str),
    /// A choice that was set to no.
    UnknownField(&'static str),
    Set(SetError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecognized(word) => write!(f, "unrecognized command: {word:?}"),
            Self::DidYouMean(what) => write!(f, "did you mean: {what}"),
            Self::NeedsValue(name) => write!(f, "please specify a value, e.g. {name}=<val>"),
            Self::NeedsArgument(name) => write!(f, "command {name} requires an argument"),
            Self::Redirection(sign) => write!(f, "unexpected end of line after {sign}"),
            Self::UnknownField(name) => write!(f, "unknown config field {name:?}"),
            Self::Set(error) => error.fmt(f),
        }
    }
}

impl From<SetError> for LineError {
    fn from(error: SetError) -> Self {
        Self::Set(error)
    }
}

/// Understands a line, given the names of the profile's values: they are commands too.
pub(super) fn parse(line: &str, sample_types: &[String]) -> Result<Line, LineError> {
    let line = line.trim();
    if let Some(shortcut) = shortcut(line, sample_types) {
        return Ok(shortcut);
    }
    if let Some(assignment) = assignment(line)? {
        return Ok(Line::Set(assignment));
    }
    let words = words(line);
    let Some((command, arguments)) = words.split_first() else { return Ok(Line::Empty) };
    match command.as_str() {
        "o" | "options" => Ok(Line::Options),
        "q" | "quit" | "exit" => Ok(Line::Quit),
        "help" => Ok(Line::Help(arguments.join(" "))),
        _ => call(command, arguments).map(Line::Report),
    }
}

fn shortcut(line: &str, sample_types: &[String]) -> Option<Line> {
    if line == ":" {
        return Some(Line::Clear);
    }
    let (mean, name) = match line.split_once('_') {
        Some(("total", name)) => (Some(false), name),
        Some(("mean", name)) => (Some(true), name),
        _ => (None, line),
    };
    let known = |name: &str| sample_types.iter().any(|t| t == name);
    let (mean, name) = if known(name) { (mean, name) } else { (None, line) };
    known(name).then(|| {
        let (row, _) = find_option("sample_index").expect("sample_index is an option");
        Line::Set(Assignment { row, choice: None, value: name.to_owned(), mean })
    })
}

/// Reads `option=value`, or the name of a boolean or choice alone.
fn assignment(line: &str) -> Result<Option<Assignment>, LineError> {
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value)),
        None => (line, None),
    };
    let Some((row, choice)) = find_option(name) else { return Ok(None) };
    let value = match value {
        Some(value) => unquoted(without_comment(value).trim()).to_owned(),
        None if row.is_bool() || choice.is_some() => "true".to_owned(),
        None => return Err(LineError::NeedsValue(row.name)),
    };
    Ok(Some(Assignment { row, choice, value, mean: None }))
}

fn without_comment(value: &str) -> &str {
    value.rsplit_once("//:").map_or(value, |(value, _)| value)
}

impl Assignment {
    /// Sets the option.
    pub(super) fn apply(&self, options: &mut Options) -> Result<(), LineError> {
        if let Some(choice) = self.choice {
            // Choosing not to choose says nothing about what to choose instead.
            if !parse_bool_word(&self.value)? {
                return Err(LineError::UnknownField(choice.name));
            }
            return Ok(self.row.set(options, choice.name)?);
        }
        options.mean = self.mean.unwrap_or(options.mean);
        Ok(self.row.set(options, &self.value)?)
    }

    /// Whether this selects which value is shown.
    pub(super) fn is_sample_index(&self) -> bool {
        self.row.name == "sample_index"
    }
}

/// Reads a report's name, with digits at its end for the number of entries, and what follows.
fn call(command: &str, arguments: &[String]) -> Result<Call, LineError> {
    let name = command.trim_end_matches(|c: char| c.is_ascii_digit());
    let Some(format) = FormatRow::find(name) else {
        return Err(unknown(name, arguments));
    };
    let mut call = Call { format: Some(format), ..Call::default() };
    call.nodecount = command[name.len()..].parse().ok();
    let mut words = arguments.iter();
    if format.takes_argument() {
        let argument = words.next().filter(|word| !word.starts_with('>') && *word != "|");
        call.argument = argument.ok_or(LineError::NeedsArgument(format.name))?.clone();
    }
    while let Some(word) = words.next() {
        match word.as_str() {
            "|" => call.output = pipe(words.by_ref())?,
            word if word.starts_with('>') => call.output = file(word, words.by_ref())?,
            "-cum" | "--cum" => call.cum = true,
            word => call.filter(word),
        }
    }
    Ok(call)
}

fn unknown(command: &str, arguments: &[String]) -> LineError {
    match (find_option(command), arguments) {
        (Some((row, None)), [value, ..]) => LineError::DidYouMean(format!("{}={value}", row.name)),
        _ => LineError::Unrecognized(command.to_owned()),
    }
}

fn pipe<'a>(rest: impl Iterator<Item = &'a String>) -> Result<Output, LineError> {
    let command = rest.map(String::as_str).collect::<Vec<_>>().join(" ");
    if command.is_empty() { Err(LineError::Redirection("|")) } else { Ok(Output::Pipe(command)) }
}

fn file<'a>(word: &str, mut rest: impl Iterator<Item = &'a String>) -> Result<Output, LineError> {
    let name = match &word[1..] {
        "" => rest.next().map_or("", String::as_str),
        name => name,
    };
    if name.is_empty() { Err(LineError::Redirection(">")) } else { Ok(Output::File(name.into())) }
}

impl Call {
    pub(super) fn format(&self) -> &'static FormatRow {
        self.format.expect("calls are made for a format")
    }

    fn filter(&mut self, word: &str) {
        if let Ok(count) = word.parse() {
            self.nodecount = Some(count);
        } else if let Some(ignore) = word.strip_prefix('-') {
            self.ignore.push(ignore.to_owned());
        } else {
            self.focus.push(word.to_owned());
        }
    }

    /// The shell's options, with what this call says instead.
    pub(super) fn options(&self, options: &Options) -> Options {
        let mut options = options.clone();
        if let Some(count) = self.nodecount {
            options.nodecount = count;
        }
        if self.cum {
            options.sort = Sort::Cum;
        }
        let tags = self.format().kind == FormatKind::Report(Format::Tags);
        let (focus, ignore) = if tags {
            (&mut options.tagfocus, &mut options.tagignore)
        } else {
            (&mut options.focus, &mut options.ignore)
        };
        for (option, given) in [(focus, &self.focus), (ignore, &self.ignore)] {
            if !given.is_empty() {
                *option = given.join("|");
            }
        }
        if let Output::File(name) = &self.output {
            options.output.clone_from(name);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<String> {
        vec!["samples".into(), "cpu".into()]
    }

    fn report(line: &str) -> Call {
        match parse(line, &types()) {
            Ok(Line::Report(call)) => call,
            other => panic!("{line} is no report: {other:?}"),
        }
    }

    #[test]
    fn no_line_is_too_strange() {
        const PIECES: &[&str] = &[
            "top",
            "10",
            "list",
            " ",
            " ",
            "'",
            "\"",
            ">",
            "|",
            "-",
            "=",
            "//:",
            ":",
            "focus",
            "cum",
            "mean_",
            "cpu",
            "é",
            "<'a>",
            "99999999999999999999",
            "\t",
            "help",
            "nodecount",
        ];
        let mut state = 1_u64;
        let mut next = |limit: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % limit
        };
        for _ in 0..20_000 {
            let line: String = (0..next(9)).map(|_| PIECES[next(PIECES.len())]).collect();
            match parse(&line, &types()) {
                Ok(Line::Set(assignment)) => drop(assignment.apply(&mut Options::default())),
                Ok(Line::Report(call)) => drop(call.options(&Options::default())),
                _ => {}
            }
            super::super::complete::complete(&line, &super::super::complete::Names::default());
        }
    }

    #[test]
    fn reports_take_counts_filters_and_files() {
        let call = report("top10 a -b -cum c >out");
        let options = call.options(&Options::default());
        assert_eq!((options.nodecount, options.sort), (10, Sort::Cum));
        assert_eq!((options.focus.as_str(), options.ignore.as_str()), ("a|c", "b"));
        assert_eq!(options.output, "out");
        assert_eq!(report("top 5 > out").options(&Options::default()).nodecount, 5);
    }

    #[test]
    fn filters_replace_the_shells_own_for_one_report() {
        let shell = Options { focus: "old".into(), ignore: "kept".into(), ..Options::default() };
        let options = report("tree new").options(&shell);
        assert_eq!((options.focus.as_str(), options.ignore.as_str()), ("new", "kept"));
    }

    #[test]
    fn filters_of_tags_are_on_tags() {
        let options = report("tags a -b").options(&Options::default());
        assert_eq!((options.tagfocus.as_str(), options.tagignore.as_str()), ("a", "b"));
    }

    #[test]
    fn arguments_come_first() {
        let call = report("list 'f(a b)' 3");
        assert_eq!((call.argument.as_str(), call.nodecount), ("f(a b)", Some(3)));
    }

    #[test]
    fn everything_behind_a_bar_is_a_command() {
        assert_eq!(report("top a|b | less -S").output, Output::Pipe("less -S".into()));
        assert_eq!(report("top a|b | less -S").focus, ["a|b"]);
    }

    #[track_caller]
    fn check_set(line: &str, expected: fn(&mut Options)) {
        let Ok(Line::Set(assignment)) = parse(line, &types()) else {
            panic!("{line} sets nothing")
        };
        let (mut options, mut wanted) = (Options::default(), Options::default());
        assignment.apply(&mut options).unwrap();
        expected(&mut wanted);
        assert_eq!(options, wanted, "{line}");
    }

    #[test]
    fn options_are_set_by_name() {
        check_set("focus = a b //: why", |o| o.focus = "a b".into());
        check_set("focus=\"\"", |_| ());
        check_set("mean", |o| o.mean = true);
        check_set("trim=no", |o| o.trim = false);
        check_set("cum=1", |o| o.sort = Sort::Cum);
        check_set("cum", |o| o.sort = Sort::Cum);
        check_set("sort=cum", |o| o.sort = Sort::Cum);
    }

    #[test]
    fn names_of_values_are_commands() {
        check_set("samples", |o| o.sample_index = "samples".into());
        check_set("mean_cpu", |o| (o.sample_index, o.mean) = ("cpu".into(), true));
        check_set("total_cpu", |o| o.sample_index = "cpu".into());
    }

    #[test]
    fn mistakes_are_told_as_in_the_original() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let error = match parse(line, &types()) {
                Ok(Line::Set(assignment)) => assignment.apply(&mut Options::default()).unwrap_err(),
                Ok(other) => panic!("{line} is {other:?}"),
                Err(error) => error,
            };
            assert_eq!(error.to_string(), expected);
        }
        check("foo", "unrecognized command: \"foo\"");
        check("web>3", "unrecognized command: \"web>\"");
        check("focus", "please specify a value, e.g. focus=<val>");
        check("nodecount 5", "did you mean: nodecount=5");
        check("nodecount=x", "strconv.Atoi: parsing \"x\": invalid syntax");
        check("mean=maybe", "illegal value \"maybe\" for bool variable");
        check("sort=foo", "invalid \"sort\" value \"foo\"");
        check("lines=no", "unknown config field \"lines\"");
        check("list", "command list requires an argument");
        check("peek >x", "command peek requires an argument");
        check("top >", "unexpected end of line after >");
        check("top |", "unexpected end of line after |");
    }
}
