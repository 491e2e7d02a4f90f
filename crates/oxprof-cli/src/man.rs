//! The manual page, written from the tables of flags.

use std::fmt::Write;

use oxprof_report::options::{FORMATS, OPTIONS};

use crate::flags::{Flag, LEGACY, OWN_FLAGS, Section};
use crate::help::{ENVIRONMENT, EXAMPLES, SOURCES, flag_syntax};
use crate::program::Program;
use crate::subcommand::SUBCOMMANDS;

const MEMORY: &str = "writing to memory does not fail";

/// The page, in troff's man macros.
pub(crate) fn page(program: Program) -> String {
    let name = program.name();
    let mut out = format!(
        ".TH {} 1 \"\" \"{name} {}\"\n.SH NAME\n{name} \\- reports on profiles of any language\n",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
    );
    write!(
        out,
        ".SH SYNOPSIS\n.B {name}\n[\\fIformat\\fR] [\\fIoptions\\fR] [\\fIbinary\\fR] \\fIsource\\fR...\n\
         .SH DESCRIPTION\n{}\n",
        text(SOURCES)
    )
    .expect(MEMORY);
    flags(&mut out, "REPORTS", FORMATS.iter().map(Flag::Format));
    let plain = OPTIONS.iter().filter(|row| row.choices().is_empty()).map(Flag::Option);
    flags(&mut out, "OPTIONS", plain);
    for row in OPTIONS.iter().filter(|row| !row.choices().is_empty()) {
        writeln!(out, ".SS {} (at most one)", text(row.about)).expect(MEMORY);
        row.choices().iter().for_each(|choice| entry(&mut out, Flag::Choice(row, choice)));
    }
    for (section, title) in [
        (Section::Source, "SOURCES"),
        (Section::Symbols, "NAMES OF FUNCTIONS"),
        (Section::Web, "WEB PAGE"),
        (Section::Misc, "OTHER FLAGS"),
    ] {
        let rows = OWN_FLAGS.iter().filter(|row| row.section == section);
        flags(&mut out, title, rows.map(Flag::Own));
    }
    flags(&mut out, "OLDER FLAGS", (0..LEGACY.len()).map(Flag::Legacy));
    if program == Program::Oxprof && !SUBCOMMANDS.is_empty() {
        out.push_str(".SH OTHER JOBS\n");
        for job in SUBCOMMANDS {
            write!(out, ".TP\n.B {name} {}\n{}\n", job.name, text(job.about)).expect(MEMORY);
        }
    }
    out.push_str(".SH ENVIRONMENT\n");
    for (variable, meaning) in ENVIRONMENT {
        write!(out, ".TP\n.B {variable}\n{}\n", text(meaning)).expect(MEMORY);
    }
    out.push_str(".SH EXIT STATUS\n0 for success, 2 for any failure.\n.SH EXAMPLES\n");
    for (about, arguments) in EXAMPLES {
        write!(out, "{}:\n.PP\n.RS\n{name} {}\n.RE\n.PP\n", text(about), text(arguments))
            .expect(MEMORY);
    }
    out
}

fn flags(out: &mut String, title: &str, flags: impl Iterator<Item = Flag>) {
    writeln!(out, ".SH {title}").expect(MEMORY);
    flags.for_each(|flag| entry(out, flag));
}

fn entry(out: &mut String, flag: Flag) {
    write!(out, ".TP\n.B {}\n{}.\n", text(&flag_syntax(flag)), text(&flag.about())).expect(MEMORY);
    for detail in flag.details() {
        write!(out, ".br\n{}\n", text(detail)).expect(MEMORY);
    }
}

/// Text in which nothing is a command to troff.
fn text(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = escaped.lines().map(|line| {
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_an_entry() {
        let page = page(Program::Oxprof);
        for flag in Flag::all() {
            let syntax = text(&flag_syntax(flag));
            assert!(page.contains(&format!(".B {syntax}\n")), "{syntax} has no entry");
        }
    }

    #[test]
    fn text_is_no_command() {
        assert_eq!(text(".x\\y\n-a"), "\\&.x\\ey\n\\-a");
    }
}
