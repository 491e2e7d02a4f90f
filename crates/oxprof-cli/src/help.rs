//! Help, written from the tables of flags.

use std::fmt::Write;

use oxprof_report::options::{FORMATS, OPTIONS};

use crate::flags::{Flag, LEGACY, OWN_FLAGS, Section, Takes};
use crate::program::Program;
use crate::subcommand::SUBCOMMANDS;

/// One line that leads to the help.
pub(crate) fn hint(program: Program) -> String {
    let name = program.name();
    format!("usage: {name} [-FORMAT] [options] [binary] source...  ({name} -h tells all)")
}

/// The whole help.
pub(crate) fn usage(program: Program) -> String {
    let name = program.name();
    let mut out = format!("{}\n", introduction(name));
    if program == Program::Oxprof && !SUBCOMMANDS.is_empty() {
        out.push_str("\nOther jobs:\n");
        for subcommand in SUBCOMMANDS {
            line(&mut out, subcommand.name, subcommand.about);
        }
    }
    out.push_str("\nReports (at most one):\n");
    for row in FORMATS {
        flag_line(&mut out, Flag::Format(row));
    }
    out.push_str("\nOptions:\n");
    for row in OPTIONS.iter().filter(|row| row.choices().is_empty()) {
        flag_line(&mut out, Flag::Option(row));
    }
    for row in OPTIONS.iter().filter(|row| !row.choices().is_empty()) {
        writeln!(out, "\n{} (at most one; {}):", capitalized(row.about), row.name).expect(MEMORY);
        for choice in row.choices() {
            flag_line(&mut out, Flag::Choice(row, choice));
        }
    }
    for (section, title) in SECTIONS {
        write!(out, "\n{title}:\n").expect(MEMORY);
        for row in OWN_FLAGS.iter().filter(|row| row.section == *section) {
            flag_line(&mut out, Flag::Own(row));
        }
    }
    out.push_str("\nOlder flags:\n");
    for index in 0..LEGACY.len() {
        flag_line(&mut out, Flag::Legacy(index));
    }
    write!(out, "\n{}", ending(name)).expect(MEMORY);
    out
}

/// Parts of the help for the command's own flags.
const SECTIONS: &[(Section, &str)] = &[
    (Section::Source, "Sources"),
    (Section::Symbols, "Names of functions"),
    (Section::Web, "Web page"),
    (Section::Misc, "Other"),
];

const MEMORY: &str = "writing to memory does not fail";

/// What a source is.
pub(crate) const SOURCES: &str = "\
A source is a file, `-` for standard input, or a URL: [http://]host:port[/path], https://...,
https+insecure://... (the certificate is not checked), unix:/socket[:/path]. Several sources are
added up. A URL without a path means /debug/pprof/profile. A binary before the sources is the
program that the profile is of. Without a format, a shell opens to explore the profile in.";

/// Examples: what for, and the arguments.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("Where does the time go?", "-top cpu.pb.gz"),
    (
        "Profile a service for ten seconds, heaviest callers first",
        "-top -cum -seconds=10 localhost:6060",
    ),
    (
        "What grew between two heap profiles?",
        "-top -sample_index=inuse_space -diff_base=before.pb.gz after.pb.gz",
    ),
    ("Source lines of one function", "-list='^parse$' cpu.pb.gz"),
    ("Explore", "cpu.pb.gz"),
];

/// Variables of the environment that are looked at.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    ("PPROF_TMPDIR", "where fetched profiles are saved (default $HOME/pprof)"),
    ("PPROF_BINARY_PATH", "where to look for binaries (default $HOME/pprof/binaries)"),
    ("DEBUGINFOD_URLS", "servers of binaries, debug information and sources by build id"),
    ("DEBUGINFOD_CACHE_PATH", "where files from these are kept; see docs for further variables"),
    ("OXPROF_SYMBOL_CACHE", "directory to keep names and lines of addresses in, by build id"),
    ("OXPROF_SYMBOL_CACHE_SIZE", "how large it may become (default 512MB)"),
    ("OXPROF_TOKEN", "sent with requests as `Authorization: Bearer ...`"),
    ("HTTP_PROXY", "proxy to fetch through; also HTTPS_PROXY and NO_PROXY"),
    ("BROWSER", "browser to show pages in"),
    ("XDG_STATE_HOME", "where the shell keeps its history (default $HOME/.local/state)"),
    ("NO_COLOR", "no colours, if not empty"),
];

fn introduction(name: &str) -> String {
    let mut out = format!(
        "{name}: reports on profiles of any language, in pprof's format or an older one\n\nUsage:\n  \
         {name} [-FORMAT] [options] [binary] source...\n\n{SOURCES}\n\nExamples:\n"
    );
    for (about, arguments) in EXAMPLES {
        write!(out, "  # {about}\n  {name} {arguments}\n").expect(MEMORY);
    }
    out + "
Flags may be written with one dash or two, their values after `=` or a space. Those marked + are
not in Go's pprof."
}

fn ending(name: &str) -> String {
    let mut out = String::from("Environment:\n");
    for (variable, meaning) in ENVIRONMENT {
        line(&mut out, variable, meaning);
    }
    write!(out, "\n{name} exits with 0 for success and 2 for any failure.").expect(MEMORY);
    out
}

fn flag_line(out: &mut String, flag: Flag) {
    let plus = if flag.is_extension() { "+ " } else { "" };
    line(out, &flag_syntax(flag), &format!("{plus}{}", flag.about()));
    for detail in flag.details() {
        line(out, "", detail);
    }
}

/// The flag as it is typed.
pub(crate) fn flag_syntax(flag: Flag) -> String {
    let name = flag.name();
    match flag.takes() {
        Takes::Switch => format!("-{name}"),
        Takes::Int => format!("-{name}=n"),
        Takes::Float => format!("-{name}=f"),
        Takes::Text(value, _) => format!("-{name}={value}"),
    }
}

fn line(out: &mut String, left: &str, right: &str) {
    const WIDTH: usize = 22;
    let gap = if left.len() < WIDTH { "" } else { "\n                        " };
    writeln!(out, "  {left:WIDTH$}{gap}{right}").expect(MEMORY);
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_in_the_help() {
        let usage = usage(Program::Oxprof);
        for flag in Flag::all() {
            let syntax = flag_syntax(flag);
            assert!(usage.contains(&format!("\n  {syntax}")), "{syntax} is not in the help");
        }
    }

    #[test]
    fn lines_fit_into_a_terminal() {
        for line in usage(Program::Oxprof).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
