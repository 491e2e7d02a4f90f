//! The command's job, from arguments to exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use oxprof_profile::{Compression, Profile, encode_gzip};
use oxprof_report::options::{FormatKind, FormatRow, Options};
use oxprof_report::{Format, Zone};

use crate::failure::{Failure, Result};
use crate::flags::{LowArgs, parse};
use crate::output::deliver;
use crate::plan::{Job, Plan, plan};
use crate::program::Program;
use crate::ui::{Stderr, Ui};
use crate::{fetch, help, subcommand};

/// Exit code of every failure.
const FAILURE: u8 = 2;

/// Does what the arguments ask for.
pub(crate) fn command(program: Program, arguments: Vec<OsString>) -> ExitCode {
    if program == Program::Oxprof
        && let Some((subcommand, rest)) = subcommand::find(&arguments)
    {
        return (subcommand.run)(rest);
    }
    let ui = Stderr::new();
    match flags_and_sources(program, arguments, &ui) {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            if matches!(failure, Failure::Usage(_)) {
                ui.note(&help::hint(program));
            }
            ui.note(&format!("{}: {failure}", program.name()));
            ExitCode::from(FAILURE)
        }
    }
}

fn flags_and_sources(program: Program, arguments: Vec<OsString>, ui: &dyn Ui) -> Result<()> {
    let low = parse(arguments, program.grammar()).map_err(|e| Failure::Usage(e.to_string()))?;
    if let Some(text) = information(program, &low) {
        return Ok(std::io::stdout().lock().write_all(text?.as_bytes())?);
    }
    if low.help {
        ui.note(&help::usage(program));
        return Ok(());
    }
    perform(&plan(low, &|name| std::env::var_os(name), ui)?, ui)
}

/// What is printed without looking at any profile.
fn information(program: Program, low: &LowArgs) -> Option<Result<String>> {
    low.version.then(|| Ok(format!("{} {}\n", program.name(), env!("CARGO_PKG_VERSION"))))
}

fn perform(plan: &Plan, ui: &dyn Ui) -> Result<()> {
    let fetched = fetch::fetch(&plan.sources, &plan.fetch, ui)?;
    let profile = fetched.profiles.into_iter().next().expect("at least one was fetched");
    if fetched.remote && !plan.fetch.save_in.is_empty() {
        fetch::save(&profile, &plan.fetch.save_in, ui)?;
    }
    match &plan.job {
        Job::Report(format, _) => report(&profile, format, &plan.options, ui),
        Job::Shell => Err(Failure::new("choose a report, such as -top")),
    }
}

fn report(profile: &Profile, format: &FormatRow, options: &Options, ui: &dyn Ui) -> Result<()> {
    deliver(&options.output, format.destination, ui, |mut out| match format.kind {
        FormatKind::Report(Format::Raw) => {
            Ok(oxprof_report::raw(profile, &Zone::default(), &mut out)?)
        }
        FormatKind::Report(Format::Proto) => {
            Ok(out.write_all(&encode_gzip(profile, Compression::Balanced))?)
        }
        _ => Err(Failure::new(format_args!("-{} is not available yet", format.name))),
    })
}
