//! The command's job, from arguments to exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use oxprof_profile::Profile;
use oxprof_report::Report;
use oxprof_report::options::{FormatKind, FormatRow, Options};
use oxprof_report::pipeline::{Base, Loaded, Request, combine, finish, prepare};

use crate::failure::{Failure, Result};
use crate::flags::{LowArgs, parse};
use crate::objects::{self, LocalObjects};
use crate::output::deliver;
use crate::plan::{Env, Job, Plan, plan};
use crate::program::Program;
use crate::ui::{Stderr, Ui};
use crate::{fetch, help, subcommand, zone};

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
    let env = |name: &str| std::env::var_os(name);
    perform(&plan(low, &env, ui)?, &env, ui)
}

/// What is printed without looking at any profile.
fn information(program: Program, low: &LowArgs) -> Option<Result<String>> {
    low.version.then(|| Ok(format!("{} {}\n", program.name(), env!("CARGO_PKG_VERSION"))))
}

fn perform(plan: &Plan, env: Env<'_>, ui: &dyn Ui) -> Result<()> {
    let objects = LocalObjects::from_env(env);
    let profile = load(plan, &objects, ui)?;
    match &plan.job {
        Job::Report(format, argument) => {
            let request = request(format, argument, &plan.options, &profile);
            report(profile, &request, ui)
        }
        Job::Shell => Err(Failure::new("choose a report, such as -top")),
    }
}

/// Fetches all profiles and makes them one.
fn load(plan: &Plan, objects: &LocalObjects, ui: &dyn Ui) -> Result<Profile> {
    let sources = &plan.sources;
    let fetched = fetch::fetch(sources, &plan.fetch, &plan.symbols, ui)?;
    let base = Base { compare: sources.compare, normalize: sources.normalize };
    let mut profile = combine(fetched.profiles, fetched.bases, base).map_err(Failure::new)?;
    objects::symbolize(&mut profile, objects, &plan.symbols, ui);
    let loaded = Loaded { all_frames: sources.all_frames, comment: &sources.comment };
    finish(&mut profile, &loaded);
    if fetched.remote && !plan.fetch.save_in.is_empty() {
        fetch::save(&profile, &plan.fetch.save_in, ui)?;
    }
    Ok(profile)
}

fn request<'a>(
    format: &'a FormatRow,
    argument: &'a str,
    options: &'a Options,
    profile: &Profile,
) -> Request<'a> {
    Request {
        format,
        argument,
        options,
        interactive: false,
        zone: zone::at(profile.time_nanos),
        working_dir: std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

fn report(profile: Profile, request: &Request<'_>, ui: &dyn Ui) -> Result<()> {
    let prepared = prepare(profile, request).map_err(Failure::new)?;
    for remark in &prepared.remarks {
        ui.note(remark);
    }
    let report = Report::new(&prepared.profile, &prepared.options);
    let format = request.format;
    deliver(&request.options.output, format.destination, ui, |mut out| match format.kind {
        FormatKind::Report(_) => Ok(report.render(&|path: &str| std::fs::read(path), &mut out)?),
        FormatKind::Graphic(_) | FormatKind::Disasm | FormatKind::Weblist => {
            Err(Failure::new(format_args!("-{} is not available in this build", format.name)))
        }
    })
}
