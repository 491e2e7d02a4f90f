//! Go's grammar of flags.
//!
//! `-name` and `--name` are the same. A switch stands alone or with `=value`; any other flag has
//! its value after `=` or as the next argument. `--` ends the flags. In Go's own grammar the first
//! argument that is no flag ends them too, and of a repeated flag the last one counts.

use std::ffi::OsString;
use std::fmt;

use oxprof_report::options::{Kind, NumberError, OptionRow, parse_flag_int, parse_float};

use super::{Flag, LowArgs, OwnFlag, Slot, Takes};

/// Which of the two grammars to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// Go's, to the letter.
    Go,
    /// Go's, with flags after sources and lists that are added to.
    Free,
}

/// Why arguments make no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// Dashes without a name.
    Syntax(String),
    Unknown(String),
    MissingValue(String),
    Bool {
        flag: String,
        value: String,
    },
    Number {
        flag: String,
        value: String,
        error: NumberError,
    },
    /// A value of a flag is not Unicode.
    Encoding(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(argument) => write!(f, "bad flag syntax: {argument}"),
            Self::Unknown(name) => write!(f, "flag provided but not defined: -{name}"),
            Self::MissingValue(name) => write!(f, "flag needs an argument: -{name}"),
            Self::Bool { flag, value } => {
                write!(f, "invalid boolean value {value:?} for -{flag}: parse error")
            }
            Self::Number { flag, value, error } => {
                let error = match error {
                    NumberError::Syntax => "parse error",
                    NumberError::Range => "value out of range",
                };
                write!(f, "invalid value {value:?} for flag -{flag}: {error}")
            }
            Self::Encoding(flag) => write!(f, "value of flag -{flag} is not valid UTF-8"),
        }
    }
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// At the first argument that does not fit the grammar or the table of flags.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    grammar: Grammar,
) -> Result<LowArgs, ParseError> {
    let mut low = LowArgs::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match as_flag(&argument) {
            Some("-") => {
                low.positionals.extend(arguments.by_ref());
            }
            Some(flag) => read_flag(&mut low, flag, &argument, &mut arguments, grammar)?,
            None => {
                low.positionals.push(argument);
                if grammar == Grammar::Go {
                    low.positionals.extend(arguments.by_ref());
                }
            }
        }
    }
    Ok(low)
}

/// What follows the first dash of a flag; `None` for what is no flag. A lone dash is a source.
fn as_flag(argument: &OsString) -> Option<&str> {
    argument.to_str()?.strip_prefix('-').filter(|rest| !rest.is_empty())
}

fn read_flag(
    low: &mut LowArgs,
    flag: &str,
    argument: &OsString,
    arguments: &mut impl Iterator<Item = OsString>,
    grammar: Grammar,
) -> Result<(), ParseError> {
    let body = flag.strip_prefix('-').unwrap_or(flag);
    if body.is_empty() || body.starts_with(['-', '=']) {
        return Err(ParseError::Syntax(argument.to_string_lossy().into_owned()));
    }
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (body, None),
    };
    let flag = Flag::find(name).ok_or_else(|| ParseError::Unknown(name.to_owned()))?;
    let value = match (value, flag.takes()) {
        (Some(value), _) => value,
        (None, Takes::Switch) => "true".to_owned(),
        (None, _) => arguments
            .next()
            .ok_or_else(|| ParseError::MissingValue(name.to_owned()))?
            .into_string()
            .map_err(|_| ParseError::Encoding(name.to_owned()))?,
    };
    store(low, flag, value, grammar)
}

fn store(low: &mut LowArgs, flag: Flag, value: String, grammar: Grammar) -> Result<(), ParseError> {
    match flag {
        Flag::Format(row) => {
            let wanted =
                if row.takes_argument() { !value.is_empty() } else { boolean(row.name, &value)? };
            low.formats.retain(|(other, _)| other.name != row.name);
            if wanted {
                low.formats.push((row, value));
            }
        }
        Flag::Choice(row, choice) => {
            let wanted = boolean(choice.name, &value)?;
            low.choices.retain(|(_, other)| other.name != choice.name);
            if wanted {
                low.choices.push((row, choice));
            }
        }
        Flag::Option(row) => store_option(low, row, value)?,
        Flag::Legacy(index) => low.legacy[index] = boolean(flag.name(), &value)?,
        Flag::Own(row) => store_own(low, row, value, grammar)?,
    }
    Ok(())
}

fn store_option(low: &mut LowArgs, row: &OptionRow, value: String) -> Result<(), ParseError> {
    let options = &mut low.options;
    match row.kind {
        Kind::Bool { set, .. } => set(options, boolean(row.name, &value)?),
        Kind::Int { set, .. } => set(options, integer(row.name, &value)?),
        Kind::Float { set, .. } => {
            let number = parse_float(&value).map_err(|error| number_error(row.name, &value, error));
            set(options, number?);
        }
        Kind::Text { set, .. } => set(options, value),
        Kind::Choice { .. } => unreachable!("choices have flags of their own"),
    }
    Ok(())
}

fn store_own(
    low: &mut LowArgs,
    row: &OwnFlag,
    value: String,
    grammar: Grammar,
) -> Result<(), ParseError> {
    match row.slot {
        Slot::Switch(slot) => *slot(low) = boolean(row.name, &value)?,
        Slot::Int(slot) => *slot(low) = integer(row.name, &value)?,
        Slot::Text(slot) => *slot(low) = value,
        Slot::Maybe(slot) => *slot(low) = Some(value),
        Slot::List(slot) => {
            let list = slot(low);
            if grammar == Grammar::Go {
                list.clear();
            }
            if !value.is_empty() {
                list.push(value);
            }
        }
        Slot::Every(slot) => slot(low).push(value),
    }
    Ok(())
}

fn boolean(flag: &str, value: &str) -> Result<bool, ParseError> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(ParseError::Bool { flag: flag.to_owned(), value: value.to_owned() }),
    }
}

fn integer(flag: &str, value: &str) -> Result<i64, ParseError> {
    parse_flag_int(value).map_err(|error| number_error(flag, value, error))
}

fn number_error(flag: &str, value: &str, error: NumberError) -> ParseError {
    ParseError::Number { flag: flag.to_owned(), value: value.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str, grammar: Grammar) -> Result<LowArgs, ParseError> {
        parse(line.split(' ').map(OsString::from), grammar)
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        assert_eq!(parsed(line, Grammar::Go).unwrap_err().to_string(), expected);
    }

    #[test]
    fn values_follow_an_equals_sign_or_stand_alone() {
        for line in ["-nodecount=3 --focus main a", "--nodecount 3 -focus=main a"] {
            let low = parsed(line, Grammar::Go).unwrap();
            assert_eq!((low.options.nodecount, low.options.focus.as_str()), (3, "main"));
            assert_eq!(low.positionals, ["a"]);
        }
    }

    #[test]
    fn the_first_source_ends_the_flags_only_in_go() {
        let go = parsed("-top a -cum", Grammar::Go).unwrap();
        assert_eq!((go.positionals.len(), go.choices.len()), (2, 0));
        let free = parsed("-top a -cum", Grammar::Free).unwrap();
        assert_eq!((free.positionals.len(), free.choices.len()), (1, 1));
    }

    #[test]
    fn two_dashes_end_the_flags() {
        let low = parsed("-top -- -cum - b", Grammar::Free).unwrap();
        assert_eq!(low.positionals, ["-cum", "-", "b"]);
    }

    #[test]
    fn a_lone_dash_is_a_source() {
        assert_eq!(parsed("-top -", Grammar::Go).unwrap().positionals, ["-"]);
    }

    #[test]
    fn of_repeated_flags_the_last_one_counts() {
        let low =
            parsed("-list=a -list=b -unit=ms -unit=s -top -top=false x", Grammar::Go).unwrap();
        assert_eq!((low.formats.len(), low.formats[0].1.as_str()), (1, "b"));
        assert_eq!(low.options.unit, "s");
    }

    #[test]
    fn bases_add_up_only_in_the_free_grammar() {
        assert_eq!(parsed("-base=a -base=b x", Grammar::Go).unwrap().bases, ["b"]);
        assert_eq!(parsed("-base=a -base=b x", Grammar::Free).unwrap().bases, ["a", "b"]);
    }

    #[test]
    fn mistakes_are_told_as_go_tells_them() {
        check_error("-foo a", "flag provided but not defined: -foo");
        check_error("-nodecount", "flag needs an argument: -nodecount");
        check_error("-nodecount=x", "invalid value \"x\" for flag -nodecount: parse error");
        check_error(
            "-nodecount=99999999999999999999",
            "invalid value \"99999999999999999999\" for flag -nodecount: value out of range",
        );
        check_error("-seconds=1.5", "invalid value \"1.5\" for flag -seconds: parse error");
        check_error("-nodefraction=z", "invalid value \"z\" for flag -nodefraction: parse error");
        check_error("-top=maybe", "invalid boolean value \"maybe\" for -top: parse error");
        check_error("---x", "bad flag syntax: ---x");
        check_error("-=3", "bad flag syntax: -=3");
    }
}
