//! The command's job, from arguments to exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use oxprof_profile::Profile;
use oxprof_report::options::FormatRow;
use oxprof_report::pipeline::{Base, Loaded, combine, finish};

use crate::failure::{Failure, Result};
use crate::flags::{LowArgs, parse};
use crate::interrupt::Interrupts;
use crate::objects::{self, LocalCode, LocalObjects};
use crate::output::{Outlet, Sink, TemporaryFiles};
use crate::plan::{Env, Job, Plan, Sources, plan};
use crate::program::Program;
use crate::ui::{Stderr, Ui};
use crate::{completions, fetch, help, man, progress, report, shell, subcommand, web};

/// Exit code of every failure.
pub(crate) const FAILURE: u8 = 2;

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
            ui.complain(&format!("{}: {failure}", program.name()));
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
    let env: Env<'_> = &|name| std::env::var_os(name);
    perform(program, plan(low, env, ui)?, env, ui)
}

/// What is printed without looking at any profile.
fn information(program: Program, low: &LowArgs) -> Option<Result<String>> {
    if low.version {
        return Some(Ok(format!("{} {}\n", program.name(), env!("CARGO_PKG_VERSION"))));
    }
    if low.man {
        return Some(Ok(man::page(program)));
    }
    (!low.completions.is_empty()).then(|| {
        completions::script(&low.completions, program).ok_or_else(|| {
            let (shell, known) = (&low.completions, completions::SHELLS);
            Failure::new(format_args!("no completions for {shell:?}: give {known}"))
        })
    })
}

fn perform(program: Program, plan: Plan, env: Env<'_>, ui: &dyn Ui) -> Result<()> {
    let objects = LocalObjects::from_env(env)?;
    let read = || progress::during(ui, "Reading profiles", || load(&plan, &objects, ui));
    let code = LocalCode::new(&objects, &plan.symbols);
    match &plan.job {
        Job::Shell => shell::run(program, read()?, &plan.options, code, env, ui),
        Job::Report(format, argument) => print(read()?, (format, argument), &plan, code, ui),
        Job::Web(page) => {
            let page = page.clone();
            web::serve(plan, objects, &page, env, ui)
        }
    }
}

/// Prints a report of a profile.
fn print(
    profile: Profile,
    (format, argument): (&'static FormatRow, &str),
    plan: &Plan,
    code: LocalCode<'_>,
    ui: &dyn Ui,
) -> Result<()> {
    let output = plan.options.output.as_str();
    let outlet = Outlet {
        sink: if output.is_empty() { Sink::Usual } else { Sink::File(output) },
        interactive: false,
        interrupts: &Interrupts::default(),
        temporary: &TemporaryFiles::default(),
        ui,
    };
    let request = report::request(format, argument, &plan.options, &profile, false);
    report::write(profile, &request, code, &outlet)
}

/// Fetches all profiles and makes them one.
pub(crate) fn load(plan: &Plan, objects: &LocalObjects, ui: &dyn Ui) -> Result<Profile> {
    let sources = &plan.sources;
    let fetched = fetch::fetch(sources, &plan.fetch, &plan.symbols, ui)?;
    let base = Base { compare: sources.compare, normalize: sources.normalize };
    let mut profile = combine(fetched.profile, fetched.base, base).map_err(Failure::new)?;
    objects::symbolize(&mut profile, objects, &plan.symbols, ui);
    if plan.symbols.mode.remote {
        let force = plan.symbols.mode.force;
        fetch::symbolz::symbolize(&mut profile, &fetched.origins, force, &plan.fetch)?;
        objects::demangle_added(&mut profile, &plan.symbols);
    }
    finish_loaded(&mut profile, plan);
    if !fetched.origins.is_empty() && !plan.fetch.save_in.is_empty() {
        fetch::save(&profile, &plan.fetch.save_in, ui)?;
    }
    Ok(profile)
}

/// Finishes a profile that has its symbols, as the plan wants it.
pub(crate) fn finish_loaded(profile: &mut Profile, plan: &Plan) {
    let Sources { all_frames, comment, .. } = &plan.sources;
    finish(profile, &Loaded { all_frames: *all_frames, comment });
}
