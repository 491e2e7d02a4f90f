//! Arguments of the commands, read by a table of flags.
//!
//! As everywhere, one or two dashes are alike, and values follow `=` or stand in the next argument. Flags may
//! stand before and after what they apply to.

use std::ffi::OsString;
use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use oxprof_collect::Kind;

use crate::failure::{Failure, Result};
use crate::flags::LowArgs;
use crate::plan::{self, FetchPlan};

/// A command: its name, the source of its file, whose module docs are the help, and its flags.
#[derive(Debug)]
pub(super) struct Command {
    pub name: &'static str,
    pub source: &'static str,
    pub flags: &'static [Flag],
}

/// A flag: its name, what its value is called if it takes one, and its line of help.
pub(super) type Flag = (&'static str, &'static str, &'static str);

/// How servers are reached, alike for all commands.
const SERVERS: &[Flag] = &[
    ("header", "NAME:VALUE", "send this header; repeatable"),
    ("tls_ca", "FILE", "certificates to trust"),
    ("tls_cert", "FILE", "certificate to present"),
    ("tls_key", "FILE", "its key"),
    ("timeout", "TIME", "wait this long for an answer beyond the time of collection (10s)"),
];

impl Command {
    /// The module docs of the command, and its flags.
    pub(super) fn help(&self) -> String {
        let docs = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        // On a page these set examples apart; in a terminal the comments before them do.
        let docs = docs.filter(|line| !line.starts_with(" ```"));
        let mut out: String =
            docs.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
        for (title, flags) in [("Flags", self.flags), ("Servers", SERVERS)] {
            writeln!(out, "\n{title}:").expect("memory");
            for (name, value, about) in flags {
                let equals = if value.is_empty() { "" } else { "=" };
                writeln!(out, "  {:<22} {about}", format!("-{name}{equals}{value}"))
                    .expect("memory");
            }
        }
        out.push_str(
            "\nOXPROF_TOKEN in the environment is sent as `Authorization: Bearer …`.\n\
             Exit codes: 0 all is well, 1 it found something, 2 it could not do its job.\n",
        );
        out
    }

    /// Reads arguments; `None` if they ask for help.
    ///
    /// # Errors
    /// When a flag is not known, or misses its value or has one too many.
    pub(super) fn parse(&self, arguments: &[OsString]) -> Result<Option<Args>> {
        let mut args = Args { given: Vec::new(), positionals: Vec::new() };
        let mut rest = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
                args.positionals.push(argument);
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
            if matches!(name, "h" | "help") {
                return Ok(None);
            }
            let Some(&(name, what, _)) = self.flags.iter().chain(SERVERS).find(|f| f.0 == name)
            else {
                return Err(Failure::Usage(format!("there is no flag -{name}")));
            };
            let value = match (what, value) {
                ("", None) => String::new(),
                ("", Some(_)) => return Err(Failure::Usage(format!("-{name} takes no value"))),
                (_, Some(value)) => value.to_owned(),
                (what, None) => rest.next().ok_or_else(|| {
                    Failure::Usage(format!("-{name} needs a value: -{name}={what}"))
                })?,
            };
            args.given.push((name, value));
        }
        Ok(Some(args))
    }
}

/// Arguments as given.
#[derive(Debug)]
pub(super) struct Args {
    given: Vec<(&'static str, String)>,
    pub(super) positionals: Vec<String>,
}

impl Args {
    /// The value of a flag; the last one if it was given more than once.
    pub(super) fn get(&self, flag: &str) -> Option<&str> {
        self.given.iter().rfind(|(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    /// All values of a flag.
    pub(super) fn all<'a>(&'a self, flag: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.get(flag).is_some()
    }

    /// A value in the words of `describe` when it cannot be read.
    pub(super) fn value<T>(
        &self,
        flag: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.get(flag) else { return Ok(None) };
        let wrong = || Failure::Usage(format!("-{flag} is {text:?}, but must be {expected}"));
        read(text).map(Some).ok_or_else(wrong)
    }

    /// A time such as `30s`.
    pub(super) fn duration(&self, flag: &str) -> Result<Option<Duration>> {
        self.value(flag, "a time such as 30s, 5m or 1h", duration)
    }

    /// A number above zero.
    pub(super) fn positive<T: FromStr + PartialOrd + Default>(
        &self,
        flag: &str,
    ) -> Result<Option<T>> {
        let read = |text: &str| text.parse::<T>().ok().filter(|n| *n > T::default());
        self.value(flag, "a number above zero", read)
    }

    /// A part of a whole, such as `10%` or `0.1`.
    pub(super) fn fraction(&self, flag: &str) -> Result<Option<f64>> {
        self.value(flag, "a percentage such as 10%", |text| {
            let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |n| (n, 100.0));
            number.parse::<f64>().ok().map(|n| n / scale).filter(|n| (0.0..=1e6).contains(n))
        })
    }

    /// Kinds of profile, separated by commas.
    pub(super) fn kinds(&self, flag: &str) -> Result<Option<Vec<Kind>>> {
        let Some(text) = self.get(flag) else { return Ok(None) };
        let kinds: std::result::Result<Vec<Kind>, _> = text.split(',').map(str::parse).collect();
        kinds.map(Some).map_err(|e| Failure::Usage(format!("-{flag}: {e}")))
    }

    /// How servers are to be reached.
    pub(super) fn servers(&self) -> Result<FetchPlan> {
        let text = |flag: &str| self.get(flag).unwrap_or_default().to_owned();
        let low = LowArgs {
            headers: self.all("header").map(str::to_owned).collect(),
            tls_ca: text("tls_ca"),
            tls_cert: text("tls_cert"),
            tls_key: text("tls_key"),
            no_save: true,
            ..LowArgs::default()
        };
        plan::fetch_plan(&low, &|name| std::env::var_os(name))
    }

    /// The only positional.
    pub(super) fn only(&self, what: &str) -> Result<&str> {
        match &*self.positionals {
            [one] => Ok(one),
            [] => Err(Failure::Usage(format!("no {what} was given"))),
            [_, second, ..] => {
                Err(Failure::Usage(format!("there is a second {what}, {second}; one at a time")))
            }
        }
    }
}

/// Reads a number with a unit; a plain number is in seconds.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    let seconds = digits.parse::<f64>().ok().filter(|n| *n >= 0.0)? * scale;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: Command = Command {
        name: "test",
        source: "//! Tests.\n//!\n//! ```text\n//! usage: test\n//! ```\n\nuse x;\n",
        flags: &[
            ("every", "TIME", "how often"),
            ("json", "", "as JSON"),
            ("kinds", "LIST", "which"),
        ],
    };

    fn parse(line: &str) -> Result<Option<Args>> {
        COMMAND.parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_may_stand_anywhere() {
        let args = parse("-every 5m a --json b -every=1h").unwrap().unwrap();
        assert_eq!(args.positionals, ["a", "b"]);
        assert_eq!(args.duration("every"), Ok(Some(Duration::from_secs(3600))));
        assert!(args.has("json") && !args.has("kinds"));
        assert!(parse("-h").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let result = parse(line).and_then(|args| {
                let args = args.unwrap();
                args.duration("every")?;
                args.kinds("kinds")?;
                args.only("target").map(drop)
            });
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
        check("-evry=1 t", "there is no flag -evry");
        check("-json=1 t", "-json takes no value");
        check("t -every", "-every needs a value: -every=TIME");
        check("t -every=soon", "-every is \"soon\", but must be a time such as 30s, 5m or 1h");
        check("", "no target was given");
        check("a b", "there is a second target, b; one at a time");
        check(
            "-kinds=cpu,, t",
            "-kinds: \"\" is no kind of profile; write cpu, heap, goroutine or the like",
        );
    }

    #[test]
    fn times_and_parts() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(7 * 86400)));
        assert_eq!(duration("-1s"), None);
        assert_eq!(duration("1y"), None);
        let args = COMMAND.parse(&["-every=25%".into()]).unwrap().unwrap();
        assert_eq!(args.fraction("every"), Ok(Some(0.25)));
    }

    #[test]
    fn the_help_is_the_module_docs_and_the_flags() {
        let help = COMMAND.help();
        assert!(help.starts_with("Tests.\n\nusage: test\n\nFlags:\n  -every=TIME"), "{help}");
        assert!(!help.contains("use x"));
    }
}
