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
        flag_line(&mut out, Flag::Format(row), row.extension, &[]);
    }
    out.push_str("\nOptions:\n");
    for row in OPTIONS.iter().filter(|row| row.choices().is_empty()) {
        flag_line(&mut out, Flag::Option(row), row.extension, row.details);
    }
    for row in OPTIONS.iter().filter(|row| !row.choices().is_empty()) {
        writeln!(out, "\n{} (at most one; {}):", capitalized(row.about), row.name).expect(MEMORY);
        for choice in row.choices() {
            flag_line(&mut out, Flag::Choice(row, choice), row.extension, choice.details);
        }
    }
    for (section, title) in SECTIONS {
        write!(out, "\n{title}:\n").expect(MEMORY);
        for row in OWN_FLAGS.iter().filter(|row| row.section == *section) {
            flag_line(&mut out, Flag::Own(row), row.extension, row.details);
        }
    }
    out.push_str("\nOlder flags:\n");
    for index in 0..LEGACY.len() {
        flag_line(&mut out, Flag::Legacy(index), false, &[]);
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

fn introduction(name: &str) -> String {
    format!(
        "\
{name}: reports on profiles of any language, in pprof's format or an older one

Usage:
  {name} -FORMAT [options] [binary] source...   print one report
  {name} [options] [binary] source...           explore in a shell

A source is a file, `-` for standard input, or a URL: [http://]host:port[/path], https://…,
https+insecure://… (the certificate is not checked), unix:/socket[:/path]. Several sources are
added up. A URL without a path means /debug/pprof/profile. A binary before the sources is the
program that the profile is of.

Examples:
  # Where does the time go?
  {name} -top cpu.pb.gz
  # Profile a service for 10 seconds, heaviest callers first.
  {name} -top -cum -seconds=10 localhost:6060
  # What grew between two heap profiles?
  {name} -top -sample_index=inuse_space -diff_base=before.pb.gz after.pb.gz
  # Source lines of one function.
  {name} -list='^parse$' cpu.pb.gz

Flags may be written with one dash or two, their values after `=` or a space. Those marked + are
not in Go's pprof."
    )
}

fn ending(name: &str) -> String {
    format!(
        "\
Environment:
  PPROF_TMPDIR         where fetched profiles are saved (default $HOME/pprof)
  PPROF_BINARY_PATH    where to look for binaries (default $HOME/pprof/binaries)
  PPROF_TOOLS          default of -tools
  OXPROF_TOKEN         sent with requests as `Authorization: Bearer …`
  HTTP_PROXY, HTTPS_PROXY, NO_PROXY
                       proxies to fetch through
  BROWSER              browser to show pages in
  NO_COLOR             no colours in the shell

{name} exits with 0 for success and 2 for any failure."
    )
}

fn flag_line(out: &mut String, flag: Flag, extension: bool, details: &[&str]) {
    let plus = if extension { "+ " } else { "" };
    line(out, &flag_syntax(flag), &format!("{plus}{}", flag.about()));
    for detail in details {
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
