//! The shell: reports on one profile, one after the other.

mod complete;
mod editor;
mod guide;
mod line;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use oxprof_profile::Profile;
use oxprof_report::ValueSelector;
use oxprof_report::options::Options;
use oxprof_report::pipeline::sample_index;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupts;
use crate::objects::LocalCode;
use crate::output::{Outlet, Sink, TemporaryFiles};
use crate::plan::Env;
use crate::program::Program;
use crate::report::{self, describe};
use crate::ui::Ui;
use complete::Names;
use editor::{Event, Lines};
use line::{Assignment, Call, Line, Output, parse};

/// A profile being looked at, and how.
struct Session<'a> {
    profile: Profile,
    options: Options,
    sample_types: Vec<String>,
    code: LocalCode<'a>,
    interrupts: Interrupts,
    temporary: TemporaryFiles,
    ui: &'a dyn Ui,
}

/// Talks with whoever is at standard input until they leave.
///
/// # Errors
/// When the profile has no values to show, or lines cannot be read.
pub(crate) fn run(
    program: Program,
    profile: Profile,
    options: &Options,
    code: LocalCode<'_>,
    env: Env<'_>,
    ui: &dyn Ui,
) -> Result<()> {
    let names = names(&profile);
    let options = Options { compact_labels: true, ..options.clone() };
    let sample_types = names.sample_types.clone();
    let prompt = format!("({}) ", program.name());
    let mut lines = Lines::new(&prompt, names, history_file(env))?;
    let interrupts = if lines.are_typed() { Interrupts::catch() } else { Interrupts::default() };
    let temporary = TemporaryFiles::default();
    let mut session = Session { profile, options, sample_types, code, interrupts, temporary, ui };
    session.greet()?;
    loop {
        match lines.next()? {
            Event::End => return Ok(()),
            Event::Interrupt => ui.note("Type \"quit\" or press ^D to leave."),
            Event::Line(line) => match session.perform(&line) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(failure) => ui.complain(&failure.to_string()),
            },
        }
    }
}

fn names(profile: &Profile) -> Names {
    let text = |id| profile.str(id).to_owned();
    let mut functions: Vec<_> = profile.functions.iter().map(|f| text(f.name)).collect();
    functions.sort_unstable();
    functions.dedup();
    let mut keys: Vec<_> =
        profile.samples.iter().flat_map(|s| s.labels).map(|label| label.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut tags: Vec<_> = keys.into_iter().map(text).collect();
    tags.sort_unstable();
    let sample_types = profile.sample_types.iter().map(|t| text(t.kind)).collect();
    Names { functions, tags, sample_types }
}

/// Where lines are kept from one session to the next, as the conventions of the system have it.
fn history_file(env: Env<'_>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|v: &OsString| !v.is_empty()).map(PathBuf::from);
    let home = || set(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let state = set("XDG_STATE_HOME").or_else(|| home().map(|home| home.join(".local/state")))?;
    Some(state.join("oxprof").join("history"))
}

impl Session<'_> {
    fn greet(&mut self) -> Result<()> {
        let description = describe(&self.profile, &self.options).map_err(Failure::new)?;
        description.iter().for_each(|line| self.ui.note(line));
        let index =
            sample_index(&self.profile, &self.options.sample_index).map_err(Failure::new)?;
        let total = ValueSelector { index, mean: false }.total(&self.profile);
        if total == 0 && self.sample_types.len() > 1 {
            self.ui.note("No samples were found with the default sample value type.");
            self.ui.note("Try \"sample_index\" command to analyze different sample values.\n");
        }
        self.ui.note("Entering interactive mode (type \"help\" for commands, \"o\" for options)");
        Ok(())
    }

    /// Does what a line asks for; false to leave.
    fn perform(&mut self, line: &str) -> Result<bool> {
        match parse(line, &self.sample_types).map_err(Failure::new)? {
            Line::Empty => {}
            Line::Quit => return Ok(false),
            Line::Options => self.list_options()?,
            Line::Help(topic) => self.help(&topic),
            Line::Clear => self.clear(),
            Line::Set(assignment) => self.set(&assignment)?,
            Line::Report(call) => self.report(&call)?,
        }
        Ok(true)
    }

    fn list_options(&self) -> Result<()> {
        let index =
            sample_index(&self.profile, &self.options.sample_index).map_err(Failure::new)?;
        let shown = &self.sample_types[index];
        self.ui.note(&guide::options(&self.options, &self.sample_types, shown));
        Ok(())
    }

    fn help(&self, topic: &str) {
        match guide::help(topic) {
            Some(text) => self.ui.note(&text),
            None => self.ui.complain(&format!("Unknown command: {topic}")),
        }
    }

    fn clear(&mut self) {
        let Options { focus, ignore, hide, tagfocus, tagignore, .. } = &mut self.options;
        for filter in [focus, ignore, hide, tagfocus, tagignore] {
            filter.clear();
        }
    }

    fn set(&mut self, assignment: &Assignment) -> Result<()> {
        let mut options = self.options.clone();
        assignment.apply(&mut options).map_err(Failure::new)?;
        if assignment.is_sample_index() && !options.sample_index.is_empty() {
            let index = sample_index(&self.profile, &options.sample_index).map_err(Failure::new)?;
            options.sample_index.clone_from(&self.sample_types[index]);
        }
        self.options = options;
        Ok(())
    }

    fn report(&self, call: &Call) -> Result<()> {
        let options = call.options(&self.options);
        let sink = match &call.output {
            Output::Pipe(command) => Sink::Pipe(command),
            _ if options.output.is_empty() => Sink::Usual,
            _ => Sink::File(&options.output),
        };
        let Self { interrupts, temporary, ui, .. } = self;
        let outlet = Outlet { sink, interactive: true, interrupts, temporary, ui: *ui };
        interrupts.forget();
        let request = report::request(call.format(), &call.argument, &options, &self.profile, true);
        match report::write(self.profile.clone(), &request, self.code, &outlet) {
            Err(Failure::BrokenPipe) => Ok(()),
            result => result,
        }
    }
}
