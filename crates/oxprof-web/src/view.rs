//! What filters make of a profile, kept while it is looked at.
//!
//! Preparing a view copies the profile and walks over all its frames; zooming, searching and sorting then need
//! only the view. Few are kept ([`Views`]), so that memory stays within a small multiple of the profile.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use oxprof_profile::units::scale;
use oxprof_report::flame::{FlameNames, units_of};
use oxprof_report::options::{FormatRow, Options};
use oxprof_report::pipeline::{PipelineError, Prepared, Request, prepare};
use oxprof_report::{Report, ReportOptions};

use crate::library::Entry;
use crate::{Giver, World};

/// A profile as filters and granularity make it, with the names of its frames.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) prepared: Prepared,
    pub(crate) giver: Giver,
    names: OnceLock<FlameNames>,
}

impl View {
    /// Names of the frames.
    pub(crate) fn names(&self) -> &FlameNames {
        self.names.get_or_init(|| FlameNames::new(&self.report()))
    }

    pub(crate) fn report(&self) -> Report<'_> {
        Report::new(&self.prepared.profile, &self.prepared.options)
    }

    /// The same as another kind of report, for which `change` sets options.
    pub(crate) fn options(&self, change: impl FnOnce(&mut ReportOptions)) -> ReportOptions {
        let mut options = self.prepared.options.clone();
        change(&mut options);
        options
    }

    /// The unit of values.
    pub(crate) fn unit(&self) -> &str {
        let Prepared { profile, options, .. } = &self.prepared;
        profile.str(profile.sample_types[options.value.index].unit)
    }

    /// Units to show values in, as [`units_of`] has them: all that suit, or the one that was chosen.
    pub(crate) fn units(&self) -> Vec<(f64, &'static str)> {
        let mut units = units_of(self.unit());
        let chosen = self.prepared.options.unit.as_str();
        if chosen != "minimum" && chosen != "auto" {
            let symbol = scale(1, self.unit(), chosen).1;
            if let Some(&unit) = units.iter().find(|(_, name)| *name == symbol) {
                units = vec![unit];
            }
        }
        units
    }

    fn frames(&self) -> usize {
        self.prepared.profile.samples.iter().map(|s| s.stack.len()).sum()
    }
}

/// What makes a view what it is.
#[derive(Debug, PartialEq)]
struct Key {
    entry: u64,
    format: &'static str,
    argument: String,
    options: Options,
}

/// Views of up to so many frames together are kept besides the last one.
const KEPT_FRAMES: usize = 4 << 20;

/// The views that were looked at last, the latest at the end. One is prepared at a time.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<Vec<(Key, Arc<View>)>>);

impl Views {
    /// The view of `entry` that a report named `format` with `argument` is made of.
    ///
    /// # Errors
    /// When an option makes no sense for the profile.
    pub(crate) fn get(
        &self,
        entry: &Entry,
        (format, argument): (&'static str, &str),
        options: &Options,
        world: &dyn World,
    ) -> Result<Arc<View>, PipelineError> {
        let key = Key {
            entry: entry.id,
            format,
            argument: argument.to_owned(),
            options: options.clone(),
        };
        // Views are put in place whole, so a panic of another request leaves nothing half done.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(i) = kept.iter().position(|(known, _)| *known == key) {
            let found = kept.remove(i);
            let view = Arc::clone(&found.1);
            kept.push(found);
            return Ok(view);
        }
        make_room(&mut kept, entry);
        let view = Arc::new(view(entry, format, argument, options, world)?);
        kept.push((key, Arc::clone(&view)));
        Ok(view)
    }
}

/// Drops views until another one of `entry` has room: large ones go before it is made, not after.
fn make_room(kept: &mut Vec<(Key, Arc<View>)>, entry: &Entry) {
    let new: usize = entry.profile.samples.iter().map(|s| s.stack.len()).sum();
    let mut sum = kept.iter().fold(new, |sum, (_, view)| sum + view.frames());
    while sum > KEPT_FRAMES && !kept.is_empty() {
        sum -= kept.remove(0).1.frames();
    }
}

fn view(
    entry: &Entry,
    format: &'static str,
    argument: &str,
    options: &Options,
    world: &dyn World,
) -> Result<View, PipelineError> {
    let request = Request {
        format: FormatRow::find(format).expect("only formats that there are are asked for"),
        argument,
        options,
        interactive: false,
        zone: world.zone(entry.profile.time_nanos),
        working_dir: world.working_dir(),
    };
    let mut prepared = prepare(entry.profile.clone(), &request)?;
    prepared.remarks.splice(0..0, entry.remarks.iter().cloned());
    Ok(View { prepared, giver: entry.giver, names: OnceLock::new() })
}
