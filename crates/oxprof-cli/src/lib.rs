//! The `oxprof` command, which is also `pprof` when called by that name.
//!
//! ```text
//! arguments ──flags──▶ LowArgs ──plan──▶ Plan ──fetch──▶ profiles ──pipeline──▶ report ──▶ output
//! ```
//!
//! `flags` parses and touches nothing; `plan` looks at the environment and resolves; everything
//! after that only does what the plan says. Where the report itself comes from is the business of
//! `oxprof-report`: this crate is about the world around it.
#![forbid(unsafe_code)]

mod completions;
mod demo;
mod failure;
mod fetch;
mod flags;
mod help;
mod interrupt;
mod man;
mod objects;
mod ops;
mod output;
mod plan;
mod program;
mod progress;
mod report;
mod run;
mod shell;
mod subcommand;
mod trace;
mod ui;
mod web;
mod zone;

use std::process::ExitCode;

use program::Program;

/// Runs the command with this process's arguments.
///
/// The exit code is 0 for success, which a reader that goes away early is too, and 2 for any failure.
pub fn main() -> ExitCode {
    hide_caught_panics();
    let mut arguments = std::env::args_os();
    let program = Program::of(arguments.next().as_deref());
    run::command(program, arguments.collect())
}

/// Damaged files of Windows' symbols are no news; everything else is reported as ever.
fn hide_caught_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !oxprof_symbols::catches_panics() {
            report(info);
        }
    }));
}
